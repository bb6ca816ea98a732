"""Renewal to revenue: from a finished amendment to a renewal that starts from the right numbers."""

from revops.processes.process import Prerequisite, Process, Stage

RENEWAL_TO_REVENUE = Process(
    code="renewal_to_revenue",
    label="Renewal to revenue",
    stages=(
        Stage("amendment", "Amendment finalised in billing", owner="billing"),
        Stage("renewal", "Renewal opened in customer success", owner="customer_success"),
    ),
    prerequisites=(
        Prerequisite(
            stage="renewal",
            needs="amendment",
            why="A renewal opened on an unfinished amendment quotes the customer from the old subscription.",
        ),
    ),
)
