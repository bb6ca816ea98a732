"""One suite for the five work queues, each on its own rows in a real PostgreSQL: whatever waits, these promises hold.

A worker that is killed is a real process that ends by SIGKILL while it holds rows; one that is frozen is stopped by SIGSTOP.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection, connections

from revops.ledger import due as accounts_due
from revops.ledger.due import ACCOUNTS, mark_due
from revops.postings import transitions
from revops.postings.queue import POSTINGS, database_now
from revops.work_queues.leases import RENEW_SECONDS, Claim, LeaseLost
from revops.work_queues.queue import WorkQueue
from sync.applying import claims
from sync.applying.claims import DELIVERIES, REREADS
from sync.connections import handle_of
from sync.intake import inbox
from sync.models import Connection, Delivery
from sync.pull import streams
from sync.pull.streams import STREAMS
from sync.workers.queues import QUEUES
from sync.workers.sweep import due_tasks
from tests import guards
from tests.factories import an_account
from tests.revops import world
from tests.sync.processes import ROOT, environment, until

pytestmark = pytest.mark.django_db(transaction=True)
Queue = WorkQueue[Any]


# --- rows of each queue, and how its work ends ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One queue: `fill` makes that many due rows; `fails` and `ends` are the domain's own ways to end a claim."""

    queue: Queue
    fill: Callable[[int], None]
    fails: Callable[[Any], object]
    ends: Callable[[Any], object]


def _deliveries(number: int, name: str = "key") -> None:
    handle = handle_of(Connection.objects.get(pk="stripe"))
    for each in range(number):
        inbox.accept(handle, kind="event", dedup_key=f"{name}-{each}", body=b"{}")


def _rereads(number: int) -> None:
    _deliveries(number, "reread")
    Delivery.objects.filter(dedup_key__startswith="reread").update(reason_code=claims.REREAD)


def _streams(number: int) -> None:
    with guards.down():
        _sql("DELETE FROM sync_watermark")
    _sql("INSERT INTO sync_watermark (connection_id, stream, value, last_error, attempts, fence, asked_delivery_id) "
         "SELECT 'stripe', 'stream-' || n, '', '', 0, 0, 0 FROM generate_series(1, %s) n", number)  # fmt: skip


def _accounts(number: int) -> None:
    mark_due([an_account().pk for _ in range(number)], now=dt.datetime.now(dt.UTC))


def _postings(number: int) -> None:
    """Steps of one released plan, the rows alone: the guards of plans and of their order are not the subject here."""
    world.systems()
    with guards.down():
        _sql("DELETE FROM sync_watermark")
    _, case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    plan = world.credit_plan(world.person("maker", "finance_analyst"), case)
    _sql("DELETE FROM ledger_dueaccount")
    posting = plan.postings.get()
    with guards.down(), connection.cursor() as cursor:
        own = {"id", "key", "sequence", "state", "plan_id"}
        copied = ", ".join(str(field.column) for field in posting._meta.fields if field.column not in own)
        cursor.execute(
            f"INSERT INTO postings_posting (key, sequence, state, plan_id, {copied}) "
            f"SELECT 'copy-' || n, 1, 'released', p.plan_id + n, {copied} "
            f"FROM postings_posting p, generate_series(1, %s) n",
            [number - 1],
        )
        # One time for all: the real one, which has a plan, is the first by its id.
        cursor.execute("UPDATE postings_posting SET state = 'released', next_attempt_at = statement_timestamp()")


def _sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, list(values))


CASES = {
    "deliveries": Case(
        DELIVERIES, _deliveries,
        lambda claim: claims.finish([claims.failed(claim, "not_recorded", "It failed.")]),
        lambda claim: claims.finish([claims.ignored(claim, "x", "Of no interest.")]),
    ),
    "rereads": Case(
        REREADS, _rereads,
        lambda claim: claims.finish([claims.failed(claim, claims.REREAD, "It failed.")]),
        lambda claim: claims.finish([claims.ignored(claim, "x", "Of no interest.")]),
    ),
    "streams": Case(STREAMS, _streams, lambda claim: streams.note_failure(claim, "It failed."),
                    lambda claim: streams.note_end(claim, 3600)),
    "accounts": Case(ACCOUNTS, _accounts, lambda claim: accounts_due.fail(claim, "It failed."),
                     lambda claim: accounts_due.finish([claim])),
    "postings": Case(
        POSTINGS, _postings,
        lambda claim: transitions.note_not_sent(claim, "It failed.", POSTINGS.back_off.seconds(claim.attempts),
                                             was_sent_before=False),
        lambda claim: transitions.note_refused(claim, "No.", alarm=True),
    ),
}  # fmt: skip


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest, stripe: Connection) -> Case:
    return CASES[request.param]


@pytest.fixture
def queues(stripe: Connection) -> list[Queue]:
    """All five at once, with two due rows each: what takes the time of a lease takes it once."""
    for name in ("postings", "accounts", "streams", "rereads", "deliveries"):  # each leaves the rows of those before it alone
        CASES[name].fill(2)
    return [case.queue for case in CASES.values()]


def rows(queue: Queue) -> dict[int, dict[str, Any]]:
    """Every row that waits in the queue, by key."""
    columns = "attempts, fence, lease_until, next_attempt_at, lease_until > clock_timestamp() AS held"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {queue.key}, {columns} FROM {queue.table} q WHERE {queue.waiting}")
        names = ["attempts", "fence", "lease_until", "next_attempt_at", "held"]
        return {row[0]: dict(zip(names, row[1:], strict=True)) for row in cursor.fetchall()}


def everything(queue: Queue) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT q::text FROM {queue.table} q ORDER BY 1")
        return list(cursor.fetchall())


def leases_end(queue: Queue) -> None:
    """As if the time of every lease were over."""
    _sql(f"UPDATE {queue.table} SET lease_until = clock_timestamp() - interval '1 ms' WHERE lease_until IS NOT NULL")


def waits_end(queue: Queue) -> None:
    """As if every back-off were over."""
    _sql(f"UPDATE {queue.table} SET next_attempt_at = clock_timestamp() - interval '1 ms'")


def test_every_queue_is_under_test() -> None:
    assert {case.queue.name for case in CASES.values()} == {queue.name for queue in QUEUES}


# --- claims -----------------------------------------------------------------------------------------------------------------


def test_claims_are_exclusive_however_many_claim_at_once(case: Case) -> None:
    case.fill(24)
    taken: list[Claim] = []
    start = threading.Barrier(6)

    def work() -> None:
        start.wait()
        for _ in range(24):  # enough for one worker to take them all
            taken.extend(case.queue.claim(limit=3))
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 24
    assert len({claim.key for claim in taken}) == 24
    assert all((row["attempts"], row["fence"], row["held"]) == (1, 1, True) for row in rows(case.queue).values())


def test_the_longest_due_row_comes_first(case: Case) -> None:
    case.fill(3)
    keys = sorted(rows(case.queue))
    for seconds, key in zip((10, 30, 20), keys, strict=True):
        _sql(f"UPDATE {case.queue.table} SET next_attempt_at = clock_timestamp() - make_interval(secs => %s) "
             f"WHERE {case.queue.key} = %s", seconds, key)  # fmt: skip
    assert [claim.key for _ in range(3) for claim in case.queue.claim(limit=1)] == [keys[1], keys[2], keys[0]]


def test_a_row_that_was_tried_before_is_claimed_alone(case: Case) -> None:
    case.fill(3)
    (poison,) = case.queue.claim(limit=1)  # and its worker dies
    leases_end(case.queue)
    assert poison.key not in {claim.key for claim in case.queue.claim(limit=10, tried=False)}
    assert [(claim.key, claim.attempts) for claim in case.queue.claim(limit=1, tried=True)] == [(poison.key, 2)]


# --- leases -----------------------------------------------------------------------------------------------------------------

HOLD = """
import sys, time, django
django.setup()
from sync.workers.queues import QUEUES
queue = next(queue for queue in QUEUES if queue.name == sys.argv[1])
with queue.take(limit=10) as held:
    print(len(held.rows), flush=True)
    time.sleep(60)
"""


@contextmanager
def holders(queues: list[Queue]) -> Iterator[list[subprocess.Popen[str]]]:
    """A process for each queue that holds all its rows and keeps their leases for as long as it lives."""
    env = environment(DJANGO_SETTINGS_MODULE="revops.settings")
    children = [
        subprocess.Popen([sys.executable, "-c", HOLD, queue.name], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
        for queue in queues
    ]
    try:
        assert [child.stdout.readline().strip() for child in children if child.stdout] == ["2"] * len(queues)
        yield children
    finally:
        for child in children:
            child.kill()
            child.wait()
            child.stdout.close()  # type: ignore[union-attr]  # it is a pipe


def taken_over(queues: list[Queue], seconds: float) -> dict[str, list[tuple[int, int]]]:
    """Claim what can be claimed until two rows of every queue were, within the time: attempts and fence of each, by queue."""
    taken: dict[str, list[tuple[int, int]]] = {queue.name: [] for queue in queues}

    def take() -> bool:
        for queue in queues:
            taken[queue.name] += [(claim.attempts, claim.fence) for claim in queue.claim(limit=10)]
        return all(len(claims) == 2 for claims in taken.values())

    until(take, seconds)
    return taken


@pytest.mark.slow
def test_a_slow_holder_keeps_its_lease_and_a_killed_one_loses_it_within_ten_seconds(queues: list[Queue]) -> None:
    with holders(queues) as children:
        held_until = time.monotonic() + max(queue.lease_seconds for queue in queues) + RENEW_SECONDS
        while time.monotonic() < held_until:
            assert {queue.name: queue.claim(limit=10) for queue in queues} == {queue.name: [] for queue in queues}
            time.sleep(0.2)
        for child in children:
            child.kill()
        assert taken_over(queues, 10) == {queue.name: [(2, 2), (2, 2)] for queue in queues}


@pytest.mark.slow
def test_a_frozen_holder_loses_its_lease_and_does_not_get_it_back_when_it_thaws(queues: list[Queue]) -> None:
    with holders(queues) as children:
        for child in children:
            os.kill(child.pid, signal.SIGSTOP)
        taken_over(queues, 20)
        before = [everything(queue) for queue in queues]
        for child in children:
            os.kill(child.pid, signal.SIGCONT)
        deadline = time.monotonic() + 2 * RENEW_SECONDS
        while time.monotonic() < deadline:
            assert [everything(queue) for queue in queues] == before
            time.sleep(0.2)


def test_a_holder_knows_when_it_cannot_be_sure_of_its_lease(case: Case) -> None:
    case.fill(1)
    with case.queue.take(limit=1) as held:
        (claim,) = held.rows
        held.make_sure(claim)
        held.asked_at -= case.queue.lease_seconds  # as if it had been frozen for so long
        held.__post_init__()
        with pytest.raises(LeaseLost):
            held.make_sure(claim)
        held.renew()
        held.make_sure(claim)
        leases_end(case.queue)
        assert case.queue.claim(limit=1)[0].fence == 2
        held.asked_at -= case.queue.lease_seconds
        held.__post_init__()
        held.renew()
        with pytest.raises(LeaseLost):
            held.make_sure(claim)


def test_who_hangs_is_not_kept_for_ever(case: Case) -> None:
    case.fill(1)
    with case.queue.take(limit=1) as held:
        before = everything(case.queue)
        held.keep_until = time.monotonic()
        held.renew()
        assert everything(case.queue) == before
        held.progressed()
        held.renew()
        assert everything(case.queue) != before


# --- ends -------------------------------------------------------------------------------------------------------------------


def test_a_late_end_under_an_old_fence_changes_nothing(case: Case) -> None:
    case.fill(1)
    (late,) = case.queue.claim(limit=1)
    leases_end(case.queue)
    (holder_of_it,) = case.queue.claim(limit=1)
    before = everything(case.queue)
    for end in (case.ends, case.fails):
        end(late)
        assert everything(case.queue) == before
    assert case.queue.renew([late]) == set()
    assert case.queue.progress(late) is False
    assert everything(case.queue) == before
    case.ends(holder_of_it)
    assert everything(case.queue) != before


def test_a_claim_ends_once(case: Case) -> None:
    case.fill(1)
    (claim,) = case.queue.claim(limit=1)
    case.fails(claim)
    before = everything(case.queue)
    case.ends(claim)
    assert everything(case.queue) == before


def test_a_failed_row_waits_its_back_off_and_then_comes_again(case: Case) -> None:
    case.fill(1)
    waited = []
    for attempt in range(1, 5):
        (claim,) = case.queue.claim(limit=1)
        assert (claim.attempts, claim.fence) == (attempt, attempt)
        case.fails(claim)
        assert case.queue.claim(limit=1) == []
        (row,) = rows(case.queue).values()
        assert row["lease_until"] is None
        waited.append((row["next_attempt_at"] - database_now()).total_seconds())
        waits_end(case.queue)
    expected = [case.queue.back_off.seconds(attempt) for attempt in range(1, 5)]
    assert expected == [expected[0] * 2**n for n in range(4)]
    assert waited == pytest.approx(expected, abs=1.5)
    assert case.queue.back_off.seconds(60) == case.queue.back_off.max_seconds


def test_giving_up_ends_it_and_who_never_gives_up_waits_the_longest_back_off(case: Case) -> None:
    case.fill(1)
    (claim,) = case.queue.claim(limit=1)
    before_last = (case.queue.attempts_max or 40) - 1
    _sql(f"UPDATE {case.queue.table} SET attempts = %s, lease_until = NULL", before_last)
    (claim,) = case.queue.claim(limit=1)
    case.fails(claim)
    waits_end(case.queue)
    if case.queue.attempts_max is None:
        assert [claim.attempts for claim in case.queue.claim(limit=1)] == [before_last + 2]
    else:
        assert case.queue.claim(limit=1) == []
        assert rows(case.queue) == {}


def test_what_ended_well_is_not_due_any_more(case: Case) -> None:
    case.fill(2)
    (claim,) = case.queue.claim(limit=1)
    case.ends(claim)
    assert claim.key not in {each.key for each in case.queue.claim(limit=10)}


# --- questions --------------------------------------------------------------------------------------------------------------


def test_due_oldest_and_counts_say_what_a_claim_would_take(case: Case) -> None:
    case.fill(5)
    keys = sorted(rows(case.queue))
    _sql(f"UPDATE {case.queue.table} SET next_attempt_at = clock_timestamp() + interval '1 hour' WHERE {case.queue.key} = %s",
         keys[0])  # fmt: skip
    _sql(f"UPDATE {case.queue.table} SET next_attempt_at = clock_timestamp() - interval '90 seconds' WHERE {case.queue.key} = %s",
         keys[1])  # fmt: skip
    case.queue.claim(limit=1)  # the one that has been due longest, and holds it
    counted = case.queue.counts()
    assert (counted.due, counted.held, counted.later) == (3, 1, 1)
    assert case.queue.task in due_tasks()
    assert 89 < _seconds_since(case.queue.due_since_sql()) < 120, "who is stuck with it is noticed"
    assert len(case.queue.claim(limit=10)) == counted.due
    counted = case.queue.counts()
    assert (counted.due, counted.held, counted.later) == (0, 4, 1)
    assert case.queue.task not in due_tasks()


def _seconds_since(question: str) -> float:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT extract(epoch FROM clock_timestamp() - ({question}))::float8")
        return float(cursor.fetchone()[0])  # seconds
