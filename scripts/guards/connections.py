"""Connections: the circuit breaker."""

from __future__ import annotations

from scripts.guards.guard import Guard

GUARDS: tuple[Guard, ...] = (
    Guard(
        "breaker: one worker tries",
        "tests/sync/test_breaker.py -k one_worker",
        "sync/connections/breaker.py",
        " AND probe_at <= clock_timestamp()\n",
        "\n",
    ),
    Guard(
        "breaker: a no is an answer",
        "tests/sync/test_breaker.py -k a_no",
        "sync/vendor/http/client.py",
        "        self._note_answer()\n        return reply\n",
        "        return reply\n",
    ),
)
