"""Signs of life of the workers, written at most every few seconds and read by the pages that show whether work moves."""

from __future__ import annotations

import datetime as dt
import time

from django.db import connection

from sync.models import Heartbeat

EVERY_SECONDS = 5.0
_last: dict[str, float] = {}


def beat(name: str, detail: str = "") -> None:
    """`name` has just finished a round."""
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


def silent_seconds(now: dt.datetime) -> dict[str, int]:
    """For each worker that was ever heard of, the seconds since its last sign of life. `now`: aware UTC."""
    return {row.name: int((now - row.beat_at).total_seconds()) for row in Heartbeat.objects.order_by("name")}
