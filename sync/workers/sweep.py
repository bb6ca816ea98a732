"""The sweeper: looks into the tables every few seconds and rings for what is due. It does no work itself, so two do no harm.

This is why nothing depends on what the broker keeps: whatever a lost ring left lying is found here.
"""

from __future__ import annotations

import datetime as dt

from django.db import connection

from revops.approvals.actions import expire_undecided
from revops.audit.sealer import seal_and_export
from revops.cases.lifecycle import wake_due_cases
from revops.detection.connections import update_connection_cases
from revops.detection.run import mark_expected
from revops.partitions import prepare_months
from sync.ground import doorbell
from sync.ground.heartbeat import beat
from sync.intake.announce import announce_reads
from sync.workers.connection_health import connection_healths
from sync.workers.coverage import measure_coverage
from sync.workers.queues import QUEUES

EVERY_SECONDS = 2.0
"""With the lease of a dead worker this bounds how long its work lies."""


_prepared: list[dt.date] = []
"""The last day on which this process has seen to it that the next months have partitions."""


def _prepare_months(now: dt.datetime) -> None:
    """Once a day."""
    if _prepared[-1:] != [now.date()]:
        prepare_months()
        _prepared[:] = [now.date()]


def due_tasks() -> list[str]:
    """The tasks that would find something to do at this moment."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(queue.has_due_sql() for queue in QUEUES)}")
        answers = cursor.fetchone()
    return [queue.task for queue, due in zip(QUEUES, answers, strict=True) if due]


def sweep_once(now: dt.datetime) -> list[str]:
    """Wake and end what is due by time alone, update the cases of connections, announce finished reads, seal the log, ring for
    due work. Returns the tasks rung for."""
    _prepare_months(now)
    wake_due_cases(now=now)
    mark_expected(now=now)
    expire_undecided(now=now)
    measure_coverage(now)
    update_connection_cases(connection_healths(), now=now)
    announce_reads()
    seal_and_export(now)
    rung = due_tasks()
    for task in rung:
        doorbell.ring(task)
    beat("sweep", ", ".join(rung))
    return rung
