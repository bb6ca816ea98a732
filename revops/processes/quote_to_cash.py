"""Quote to cash: from the signed contract to the receivable in the ERP."""

import datetime as dt

from revops.processes.process import Prerequisite, Process, Stage

QUOTE_TO_CASH = Process(
    code="quote_to_cash",
    label="Quote to cash",
    stages=(
        Stage("contract", "Contract activated", owner="crm"),
        Stage("invoice", "Invoice finalised", owner="billing"),
        Stage("posting", "Invoice posted in the ERP", owner="erp", limit=dt.timedelta(hours=24)),
        Stage("agreement", "Billing and ERP agree on the amount", owner="erp", limit=dt.timedelta(hours=4)),
    ),
    prerequisites=(
        Prerequisite(
            stage="posting",
            needs="contract",
            why="An invoice in the ERP belongs to a contract that is activated in the CRM.",
            grace=dt.timedelta(hours=2),
        ),
    ),
)
