"""Counting what was refused by the intake, and telling a flood of forgeries to wait.

A refused delivery leaves no row: each process adds up and writes the sums every few seconds, one row an hour, connection and
answer. The flood guard looks at refusals only, so a sender with a good signature never notices it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from typing import Any

from django.db import DatabaseError, connection

FLUSH_SECONDS = 5.0
FLOOD_COUNT, FLOOD_SECONDS = 120, 10.0
RETRY_AFTER_SECONDS = 30
_log = logging.getLogger("sync.intake.refusals")


class Refusals:
    """The counters of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: Counter[tuple[str, int]] = Counter()
        self._written_at = time.monotonic()
        self._recent: dict[str, deque[float]] = {}

    def floods(self, slug: str) -> bool:
        """Note one forgery; True when this connection saw more than `FLOOD_COUNT` of them in `FLOOD_SECONDS`."""
        now = time.monotonic()
        with self._lock:
            recent = self._recent.setdefault(slug, deque(maxlen=FLOOD_COUNT))
            flooding = len(recent) == FLOOD_COUNT and now - recent[0] < FLOOD_SECONDS
            recent.append(now)
        return flooding

    def count(self, slug: str, status: int) -> None:
        """Add one refusal, and write the sums when it is time. Never raises."""
        with self._lock:
            self._sums[slug, status] += 1
            due = time.monotonic() - self._written_at > FLUSH_SECONDS
            if due:
                self._written_at = time.monotonic()
        if due:
            self.write()

    def write(self) -> None:
        """Write the sums now; what cannot be written is kept for the next time."""
        with self._lock:
            sums, self._sums = self._sums, Counter()
        if not sums:
            return
        keys = sorted(sums)
        columns: list[Any] = [[slug for slug, _ in keys], [status for _, status in keys], [sums[key] for key in keys]]
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    """
                    INSERT INTO sync_intaketally AS t (connection_id, hour, status, count)
                    SELECT c.system_id, date_trunc('hour', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', u.status, u.count
                      FROM unnest(%s::text[], %s::int[], %s::bigint[]) AS u(slug, status, count)
                      JOIN sync_connection c ON c.system_id = u.slug
                    ON CONFLICT (connection_id, hour, status) DO UPDATE SET count = t.count + EXCLUDED.count
                    """,
                    columns,
                )
        except DatabaseError as error:
            _log.warning("refusals could not be counted", extra={"error": type(error).__name__})
            with self._lock:
                self._sums += sums


_refusals = Refusals()
count = _refusals.count
floods = _refusals.floods
write = _refusals.write
