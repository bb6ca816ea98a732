"""The sweeper: looks into the tables every few seconds and rings for what is due. It does no work itself, so two do no harm.

This is why nothing depends on what the broker keeps: whatever a lost ring left lying is found here.
"""

from __future__ import annotations

import datetime as dt
import logging

from django.db import connection

from revops.cases.lifecycle import wake_due_cases
from revops.detection.connections import settle_connections
from revops.detection.run import mark_expected
from sync.ground import doorbell
from sync.ground.heartbeat import beat
from sync.pull.poll import announce_reads
from sync.workers.connection_health import connection_healths

_log = logging.getLogger("sync.workers.sweep")

_DUE = {
    "apply_deliveries": """SELECT 1 FROM sync_delivery
        WHERE state = 'pending' AND next_attempt_at <= clock_timestamp() AND reason_code <> 'reread'""",
    "reread": """SELECT 1 FROM sync_delivery
        WHERE state = 'pending' AND next_attempt_at <= clock_timestamp() AND reason_code = 'reread'""",
    "pull_streams": """SELECT 1 FROM sync_watermark w JOIN sync_connection c ON c.system_id = w.connection_id
        WHERE c.active AND w.next_pull_at <= clock_timestamp()
          AND (w.lease_until IS NULL OR w.lease_until < clock_timestamp())""",
    "detect_accounts": """SELECT 1 FROM ledger_dueaccount
        WHERE due_at <= clock_timestamp() AND (lease_until IS NULL OR lease_until < clock_timestamp())""",
    "send_postings": """SELECT 1 FROM postings_posting
        WHERE state IN ('released', 'sending', 'unknown') AND NOT needs_person
          AND (next_attempt_at IS NULL OR next_attempt_at <= clock_timestamp())
          AND (lease_until IS NULL OR lease_until < clock_timestamp())""",
}


def due_tasks() -> list[str]:
    """The tasks that would find something to do at this moment."""
    columns = ", ".join(f"EXISTS ({question})" for question in _DUE.values())
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns}")
        answers = cursor.fetchone()
    return [task for task, due in zip(_DUE, answers, strict=True) if due]


def sweep_once(now: dt.datetime) -> list[str]:
    """Wake what has become due by time alone, settle the cases of connections, announce finished reads, ring for due work.
    Returns the tasks rung for."""
    wake_due_cases(now=now)
    mark_expected(now=now)
    settle_connections(connection_healths(), now=now)
    announce_reads()
    rung = due_tasks()
    for task in rung:
        doorbell.ring(task)
    beat("sweep", ", ".join(rung))
    return rung
