"""Signs of life of the workers, written at most every few seconds and read by whoever shows whether work moves.

A worker at work says `beat` when a task begins a batch or ends, and `alive` at every step within: a page, a request to a
vendor, a delivery, a posting. Between two of them lies at most one request or one transaction, so a worker that is silent for
a minute while work waits is stuck.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time

from django.db import DatabaseError, connection

from sync.models import Heartbeat

EVERY_SECONDS = 5.0
KINDS = ("sweep", "intake", "apply", "posting")
_last: dict[str, float] = {}
_now_at: list[tuple[str, str]] = []
"""What this process works on at this moment: at most one entry."""


def beat(name: str, detail: str = "") -> None:
    """`name` has just finished a round."""
    _now_at[:] = [(name, detail)]
    if time.monotonic() - _last.get(name, -1e9) < EVERY_SECONDS:
        return
    _last[name] = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO sync_heartbeat (name, beat_at, detail) VALUES (%s, clock_timestamp(), %s)
            ON CONFLICT (name) DO UPDATE SET beat_at = EXCLUDED.beat_at, detail = EXCLUDED.detail
            """,
            [name, detail[:200]],
        )


def alive() -> None:
    """One more step of whatever this process last said it works on. Nothing where no worker runs, and nothing inside a
    transaction: there the row would stay locked, and the sign be seen only at the end."""
    if _now_at and not connection.in_atomic_block:
        with contextlib.suppress(DatabaseError):  # whoever needs the database next will notice
            beat(*_now_at[0])


def silent_seconds(now: dt.datetime) -> dict[str, int]:
    """For each worker that was ever heard of, the seconds since its last sign of life. `now`: aware UTC."""
    return {row.name: int((now - row.beat_at).total_seconds()) for row in Heartbeat.objects.order_by("name")}
