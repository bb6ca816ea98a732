"""What is known here of work and of the inbox, for `revops.telemetry`, which shows it. Reads only."""

from __future__ import annotations

import json
from functools import cache

from django.db import connection

from revops.telemetry.figures import Figure, counter, gauge
from revops.telemetry.work_state import Worker, WorkState
from sync.connections import breaker
from sync.ground.heartbeat import KINDS
from sync.intake import inbox, refusals
from sync.models import CircuitState, DeliveryState, Watermark
from sync.workers.queues import QUEUES

KINDS_AT_WORK = tuple(kind for kind in KINDS if any(queue.worker == kind for queue in QUEUES))


RESTORED = "(SELECT count(*) FROM sync_connection WHERE restored_at IS NOT NULL)"
FOR_PERSONS = "(SELECT count(*) FROM postings_posting WHERE needs_person)"


def _due_since(kind: str) -> str:
    """Since when work of this kind has been due, what a worker holds under a lease included: who is stuck with it is noticed."""
    return f"least({', '.join(f'({queue.due_since_sql()})' for queue in QUEUES if queue.worker == kind)})"


@cache
def _work_sql() -> str:
    """One row: the beats, how many postings wait for a person, how many connections wait after a restore, since when each kind of
    work has been due, the age of the oldest row of each queue with a noun. The queues are declared once, and every page asks."""
    ages = [*map(_due_since, KINDS_AT_WORK), *(f"({queue.oldest_sql()})" for queue in QUEUES if queue.noun)]
    columns = [f"extract(epoch FROM clock_timestamp() - {since})::bigint" for since in ages]
    beats = "(SELECT jsonb_object_agg(name, extract(epoch FROM clock_timestamp() - beat_at)::bigint) FROM sync_heartbeat)::text"
    return f"SELECT {beats}, {FOR_PERSONS}, {RESTORED}, {', '.join(columns)}"


def read_work_state() -> WorkState:
    """The state of all work, in one statement that reads a few rows of each table."""
    seen = [queue for queue in QUEUES if queue.noun]
    with connection.cursor() as cursor:
        cursor.execute(_work_sql())
        beats_text, for_persons, restored, *found = cursor.fetchone()
    beat_seconds = _beats(beats_text)
    waiting = dict(zip(KINDS_AT_WORK, found[: len(KINDS_AT_WORK)], strict=True))
    oldest = dict(zip((queue.noun for queue in seen), found[len(KINDS_AT_WORK) :], strict=True))
    # The sweeper looks every few seconds. Where none was ever heard of, it is missed as soon as anything waits.
    waiting["sweep"] = beat_seconds.get("sweep") or max((age for age in waiting.values() if age is not None), default=None)
    workers = tuple(Worker(kind, beat_seconds.get(kind), waiting[kind]) for kind in KINDS)
    return WorkState(workers, oldest, for_persons, restored)


def _beats(text: str | None) -> dict[str, int]:
    return {str(name): max(0, int(age)) for name, age in json.loads(text or "{}").items()}


def inflow_figures() -> list[Figure]:
    """The inbox a connection at a time: what came, what became of it, what waits, what was turned away."""
    each = sorted(inbox.conservation_of_each().items())
    with connection.cursor() as cursor:
        cursor.execute("SELECT connection_id, status, sum(count) FROM sync_intaketally GROUP BY 1, 2 ORDER BY 1, 2")
        refused = [((slug, str(status)), int(count)) for slug, status, count in cursor.fetchall()]
        cursor.execute("SELECT system_id, active, posting_enabled FROM sync_connection ORDER BY 1")
        switches = cursor.fetchall()
    circuits = breaker.circuits()
    circuit = [
        ((slug, state.value), int((circuits[slug].state if slug in circuits else CircuitState.CLOSED) == state))
        for slug, _, _ in switches
        for state in CircuitState
    ]
    failing = [((m.connection_id, m.stream), m.failures) for m in Watermark.objects.order_by("connection", "stream")]
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
        counter("revops_intake_refused", "Deliveries refused by the intake, by answer.", ("connection", "status"), refused),
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
