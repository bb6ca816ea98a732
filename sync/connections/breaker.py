"""The circuit of a connection: after several calls in a row without an answer, no call leaves for a while.

States, stored in `sync_circuit` for all processes: closed (calls go), open (none goes until `probe_at`), half open (one worker
tries one call). An answer closes it, also one that says no: a vendor that answers 4xx or 429 is there. Another failure opens it
again, for twice as long.

How processes race for the probe:
1. `admit` reads the row; closed or absent lets the call go.
2. Otherwise one UPDATE moves `probe_at` ahead where it has passed. PostgreSQL gives the row to one worker only; the others find
   `probe_at` in the future and wait.
3. A worker that dies while it probes holds nothing: `probe_at` is its lease, and passes.

Never: a call that fails because the state could not be read or written.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import DatabaseError, connection

from sync.models import Circuit, CircuitState
from sync.vendor.contract import RetryLater

FAILURES = 5
OPEN_SECONDS, OPEN_SECONDS_MAX = 15, 240
PROBE_SECONDS = 70  # a request is over in 60
REMEMBER_SECONDS = 1.0
"""For how long a worker that saw the circuit closed does not look again; its own failures it knows at once."""

_log = logging.getLogger("sync.connections.breaker")

_PROBE = """
    UPDATE sync_circuit SET state = 'half_open', probe_at = clock_timestamp() + make_interval(secs => %s)
     WHERE connection_id = %s AND state <> 'closed' AND probe_at <= clock_timestamp()
"""
_STATE = """
    SELECT state, failures, GREATEST(EXTRACT(EPOCH FROM probe_at - clock_timestamp()), 1), reason
      FROM sync_circuit WHERE connection_id = %s
"""
_FAILED = """
    INSERT INTO sync_circuit AS c (connection_id, state, failures, openings, reason) VALUES (%(slug)s, 'closed', 1, 0, %(reason)s)
    ON CONFLICT (connection_id) DO UPDATE
       SET failures = c.failures + 1, reason = EXCLUDED.reason,
           state = CASE WHEN c.state = 'half_open' OR c.failures + 1 >= %(most)s THEN 'open' ELSE c.state END,
           openings = c.openings + CASE WHEN c.state = 'half_open' OR (c.state = 'closed' AND c.failures + 1 >= %(most)s)
                                        THEN 1 ELSE 0 END,
           opened_at = CASE WHEN c.state = 'closed' AND c.failures + 1 >= %(most)s THEN clock_timestamp() ELSE c.opened_at END,
           probe_at = CASE WHEN c.state = 'half_open' OR (c.state = 'closed' AND c.failures + 1 >= %(most)s)
                           THEN clock_timestamp() + make_interval(secs => LEAST(%(longest)s, %(first)s * power(2, c.openings)))
                           ELSE c.probe_at END
    RETURNING state, failures
"""
_ANSWERED = """
    UPDATE sync_circuit SET state = 'closed', failures = 0, openings = 0, opened_at = NULL, probe_at = NULL, reason = ''
     WHERE connection_id = %(slug)s AND (state <> 'closed' OR failures > 0)
"""


@dataclass(slots=True)
class StoredBreaker:
    """Fulfils `sync.vendor.http.Breaker` for one connection."""

    slug: str
    troubled: bool = False
    """Whether there was a failure in the row when this worker last looked: only then does an answer change it."""
    closed_until: float = 0.0
    """Until when (monotonic seconds) this worker takes the circuit for closed without looking again."""

    def admit(self) -> None:
        if time.monotonic() < self.closed_until:
            return
        try:
            with connection.cursor() as cursor:
                cursor.execute(_STATE, [self.slug])
                row = cursor.fetchone()
                self.troubled = row is not None and (row[0] != CircuitState.CLOSED or row[1] > 0)
                if row is None or row[0] == CircuitState.CLOSED:
                    self.closed_until = 0.0 if self.troubled else time.monotonic() + REMEMBER_SECONDS
                    return
                cursor.execute(_PROBE, [PROBE_SECONDS, self.slug])
                if cursor.rowcount == 1:
                    return
        except DatabaseError:
            _log.warning("the circuit cannot be read: the call goes", extra={"connection": self.slug})
            return
        raise RetryLater(f"No call is made while the vendor does not answer: {row[3]}", math.ceil(row[2]), "circuit_open")

    def answered(self) -> None:
        if self.troubled:
            self.troubled = False
            self._write(_ANSWERED, {"slug": self.slug})

    def failed(self, reason: str) -> None:
        values: dict[str, str | int] = {
            "slug": self.slug,
            "reason": reason[:500],
            "most": FAILURES,
            "first": OPEN_SECONDS,
            "longest": OPEN_SECONDS_MAX,
        }
        self.troubled, self.closed_until = True, 0.0
        self._write(_FAILED, values)

    def _write(self, statement: str, values: Mapping[str, str | int]) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
        except DatabaseError:
            _log.warning("the circuit cannot be written", extra={"connection": self.slug})


def circuits() -> dict[str, Circuit]:
    """The circuits that are or were troubled, by the slug of their connection. A connection without one is closed."""
    return {str(circuit.pk): circuit for circuit in Circuit.objects.all()}
