"""What is known here of work and of the inbox, for `revops.telemetry`, which shows it. Reads only."""

from __future__ import annotations

import json

from django.db import connection

from revops.telemetry.figures import Figure, counter, gauge
from revops.telemetry.work import Work, Worker
from sync.connections import breaker
from sync.ground.heartbeat import KINDS
from sync.intake import inbox, refusals
from sync.models import CircuitState, DeliveryState

_DUE_SINCE = {
    "intake": """SELECT least(
            (SELECT min(w.next_pull_at) FROM sync_watermark w JOIN sync_connection c ON c.system_id = w.connection_id
              WHERE c.active AND w.next_pull_at <= clock_timestamp()),
            (SELECT next_attempt_at FROM sync_delivery
              WHERE state = 'pending' AND reason_code = 'reread' AND next_attempt_at <= clock_timestamp()
              ORDER BY next_attempt_at LIMIT 1))""",
    "apply": """SELECT least(
            (SELECT next_attempt_at FROM sync_delivery
              WHERE state = 'pending' AND reason_code <> 'reread' AND next_attempt_at <= clock_timestamp()
              ORDER BY next_attempt_at LIMIT 1),
            (SELECT min(due_at) FROM ledger_dueaccount WHERE due_at <= clock_timestamp()))""",
    "posting": """SELECT min(next_attempt_at) FROM postings_posting
            WHERE state IN ('released', 'sending', 'unknown') AND NOT needs_person AND next_attempt_at <= clock_timestamp()""",
}
"""Since when work of each kind has been due. What a worker holds under a lease counts as well, but for deliveries, whose lease
moves their next attempt: one that is stuck with nothing but them in hand is noticed when their lease has run out."""

_OLDEST = {
    # One that was put back to the start waits since then, not since it came. Written so that only the index in this very
    # order can answer it, whatever the statistics say.
    "delivery": """SELECT CASE WHEN o.replays = 0 THEN o.received_at ELSE least(o.next_attempt_at, clock_timestamp()) END FROM (
            SELECT state, replays, received_at, next_attempt_at FROM sync_delivery
             WHERE (state, id) >= ('pending', 0) ORDER BY state, id LIMIT 1) o WHERE o.state = 'pending'""",
    "account": "SELECT min(due_at) FROM ledger_dueaccount WHERE due_at <= clock_timestamp()",
    "posting": """SELECT min(p.released_at) FROM postings_posting g JOIN postings_changeplan p ON p.id = g.plan_id
            WHERE g.state IN ('released', 'sending', 'unknown')""",
}


def read_work() -> Work:
    """The state of all work, in one statement that reads a few rows of each table."""
    kinds, ages = list(_DUE_SINCE), [*_DUE_SINCE.values(), *_OLDEST.values()]
    columns = [f"extract(epoch FROM clock_timestamp() - ({question}))::bigint" for question in ages]
    beats = "(SELECT jsonb_object_agg(name, extract(epoch FROM clock_timestamp() - beat_at)::bigint) FROM sync_heartbeat)::text"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {beats}, {', '.join(columns)}")
        beats_text, *found = cursor.fetchone()
    beat_seconds = _beats(beats_text)
    waiting = dict(zip(kinds, found[: len(kinds)], strict=True))
    oldest = dict(zip(_OLDEST, found[len(kinds) :], strict=True))
    # The sweeper looks every few seconds. Where none was ever heard of, it is missed as soon as anything waits.
    waiting["sweep"] = beat_seconds.get("sweep") or max((age for age in waiting.values() if age is not None), default=None)
    workers = tuple(Worker(kind, beat_seconds.get(kind), waiting[kind]) for kind in KINDS)
    return Work(workers, oldest)


def _beats(text: str | None) -> dict[str, int]:
    return {str(name): max(0, int(age)) for name, age in json.loads(text or "{}").items()}


def inflow_figures() -> list[Figure]:
    """The inbox a connection at a time: what came, what became of it, what waits, what was turned away."""
    each = sorted(inbox.conservation_of_each().items())
    with connection.cursor() as cursor:
        cursor.execute("SELECT connection_id, status, sum(count) FROM sync_intaketally GROUP BY 1, 2 ORDER BY 1, 2")
        refused = [((slug, str(status)), int(count)) for slug, status, count in cursor.fetchall()]
        cursor.execute("SELECT connection_id, stream, failures FROM sync_watermark ORDER BY 1, 2")
        failing = [((slug, stream), int(failures)) for slug, stream, failures in cursor.fetchall()]
        cursor.execute("SELECT system_id, active, posting_enabled FROM sync_connection ORDER BY 1")
        switches = cursor.fetchall()
    circuits = breaker.circuits()
    circuit = [
        ((slug, state.value), int((circuits[slug].state if slug in circuits else CircuitState.CLOSED) == state))
        for slug, _, _ in switches
        for state in CircuitState
    ]
    refusals.write()  # last: what was turned away since is in the next answer, and no time-out above can lose it
    states = [((slug, state.value), getattr(c, state.value)) for slug, c in each for state in DeliveryState]
    one, stream = ("connection",), ("connection", "stream")
    received, copies = [((s,), c.received) for s, c in each], [((s,), c.copies) for s, c in each]
    oldest = [((s,), c.oldest_pending_seconds) for s, c in each]
    active, posting = [((s,), int(on)) for s, on, _ in switches], [((s,), int(on)) for s, _, on in switches]
    adds_up = "Deliveries by what became of them: the states add up to what was received. quarantined are the dead letters."
    return [
        counter("revops_deliveries_received", "Deliveries kept, each counted once.", one, received),
        gauge("revops_deliveries", adds_up, ("connection", "state"), states),
        counter("revops_delivery_copies", "Receipts of a delivery that was already there.", one, copies),
        gauge(
            "revops_delivery_pending_oldest_seconds", "Since the longest waiting delivery came; 0 when none waits.", one, oldest
        ),
        counter("revops_intake_refused", "Deliveries turned away at the door, by answer.", ("connection", "status"), refused),
        gauge("revops_stream_failures", "How often in a row reading a stream has failed.", stream, failing),
        gauge(
            "revops_connection_circuit",
            "1 for the state of the circuit: open means that no call leaves, because the vendor does not answer.",
            ("connection", "state"),
            circuit,
        ),
        gauge("revops_connection_active", "1 while the connection is in use.", one, active),
        gauge("revops_connection_posting_enabled", "0 while the stop switch is on.", one, posting),
    ]
