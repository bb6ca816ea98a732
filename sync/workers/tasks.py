"""What the doorbell rings for. No task carries anything: each one takes what is due out of the tables, batch after batch, for
about twenty seconds, and rings again when there is more. Which queue a task waits in stands in the settings.

Never: an argument with data, an eta, a countdown, a retry. What failed has its next attempt in its row.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

from celery import shared_task

from sync.ground import doorbell
from sync.ground.heartbeat import beat

DRAIN_SECONDS = 20.0
DETECT_BATCH = 10
POST_BATCH = 1
"""Small, because the time is looked at between two batches."""


@shared_task(name="sync.workers.tasks.pull_streams")
def pull_streams() -> None:
    """Read every stream that is due, straight into the ledger."""
    from sync.applying.straight import straight_into_the_ledger
    from sync.pull.poll import pull_due

    _work("intake", "pull_streams", lambda: len(pull_due(DRAIN_SECONDS, judge_of=straight_into_the_ledger)))


@shared_task(name="sync.workers.tasks.reread")
def reread() -> None:
    """Read again what hints pointed to."""
    from sync.applying.reread import process_rereads

    _work("intake", "reread", lambda: process_rereads(_now()).total())


@shared_task(name="sync.workers.tasks.apply_deliveries")
def apply_deliveries() -> None:
    """Bring deliveries into the ledger."""
    from sync.applying.drain import process_round

    _work("apply", "apply_deliveries", lambda: process_round(_now()).total())


@shared_task(name="sync.workers.tasks.detect_accounts")
def detect_accounts() -> None:
    """Look at accounts whose ledger has changed."""
    from revops.detection.run import detect_due

    _work("apply", "detect_accounts", lambda: detect_due(limit=DETECT_BATCH, now=_now()))


@shared_task(name="sync.workers.tasks.send_postings")
def send_postings() -> None:
    """Send released postings and look up unclear ones. First the log is compared with its last signed head: a database that was
    put back sends nothing."""
    from sync.connections import stop_if_put_back
    from sync.posting.outbox import send_due

    stop_if_put_back()
    _work("posting", "send_postings", lambda: send_due(limit=POST_BATCH))


def _work(queue: str, task: str, batch: Callable[[], int]) -> None:
    """Batch after batch until one finds nothing. When the time is over first, ring again; what others hold or what waits for
    a switch is left to the sweeper.

    So a task ends about `DRAIN_SECONDS` after it began, plus one batch, and every batch ends: SQL by its statement time-out,
    HTTP by the client's deadlines, and each loop by its count. What none of them can end, such as a pattern that never comes
    to a match, is ended from outside: by the time limit of a prefork worker, by the supervisor where the pool is solo."""
    deadline = time.monotonic() + DRAIN_SECONDS
    beat(queue, task)
    while batch():
        beat(queue, task)
        if time.monotonic() > deadline:
            doorbell.ring(task)
            return
    beat(queue, task)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
