"""What the doorbell rings for. No task carries anything: each one takes what is due out of the tables, batch after batch, for
about twenty seconds, and rings again when there is more. Which queue a task waits in stands in the settings.

Never: an argument with data, an eta, a countdown, a retry. What failed has its next attempt in its row.
"""

from __future__ import annotations

import datetime as dt
import time

from celery import shared_task

from sync import doorbell
from sync.heartbeat import beat

DRAIN_SECONDS = 20.0
DETECT_BATCH = 50
POST_BATCH = 20


@shared_task(name="sync.tasks.pull_streams")
def pull_streams() -> None:
    """Read every stream that is due."""
    from sync.poll import pull_due

    beat("intake")
    pull_due(DRAIN_SECONDS)
    _ring_again("pull_streams")


@shared_task(name="sync.tasks.reread")
def reread() -> None:
    """Read again what hints pointed to."""
    from sync.reread import drain_rereads

    beat("intake")
    drain_rereads(DRAIN_SECONDS)
    _ring_again("reread")


@shared_task(name="sync.tasks.apply_deliveries")
def apply_deliveries() -> None:
    """Bring deliveries into the ledger."""
    from sync.apply import drain

    beat("apply")
    drain(DRAIN_SECONDS)
    _ring_again("apply_deliveries")


@shared_task(name="sync.tasks.detect_accounts")
def detect_accounts() -> None:
    """Look at accounts whose ledger has changed."""
    from revops.detection.run import detect_due

    beat("apply")
    deadline = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < deadline and detect_due(limit=DETECT_BATCH, now=dt.datetime.now(dt.UTC)):
        pass
    _ring_again("detect_accounts")


@shared_task(name="sync.tasks.send_postings")
def send_postings() -> None:
    """Send released postings and look up unclear ones."""
    from sync.outbox import send_due

    beat("posting")
    deadline = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < deadline and send_due(limit=POST_BATCH):
        pass
    _ring_again("send_postings")


def _ring_again(task: str) -> None:
    from sync.sweep import due_tasks

    if task in due_tasks():
        doorbell.ring(task)
