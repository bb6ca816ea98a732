"""Period close: the ERP's copies of subscriptions are current before a period is locked."""

from revops.processes.process import Prerequisite, Process, Stage

PERIOD_CLOSE = Process(
    code="period_close",
    label="Period close",
    stages=(
        Stage("subscriptions_current", "Subscription data in the ERP is current", owner="erp"),
        Stage("lock", "Receivables of the period are locked", owner="erp"),
    ),
    prerequisites=(
        Prerequisite(
            stage="lock",
            needs="subscriptions_current",
            why="Locking a period on stale subscription data freezes the wrong recurring revenue into it.",
        ),
    ),
)
