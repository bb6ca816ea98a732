"""Seconds until another worker takes over what a worker held that was killed by SIGKILL, for each of the five work queues.

Two workers of the kind that `make up` runs and the sweeper, each a process of its own. While the first holds a row, in the middle
of its work (at a vendor that never answers, or behind a lock), it is killed; the time runs until the row is claimed anew. The
second worker is stopped until then, so that the first one gets the row.
"""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction

from bench.figure import Figure
from bench.pull_and_apply import SECRETS
from demo.simulators.netsuite.tokens import demo_private_key_pem
from revops.accounts.models import Account
from revops.approvals.actions import approve, submit_plan
from revops.ledger.due import mark_due
from revops.people.actors import System
from revops.postings.models import Posting
from revops.postings.queue import database_now
from revops.work_queues.queue import WorkQueue
from sync.applying.claims import REREAD
from sync.connections import connect, handle_of
from sync.ground import doorbell
from sync.intake import inbox
from sync.models import Connection, Delivery, Heartbeat
from sync.workers.queues import QUEUES
from tests.revops import world
from tests.sync.stripe_sender import event, rendered

ROUNDS = 3
WANTED_SECONDS = 10.0
SLUG = "bench-takeover"
Queue = WorkQueue[Any]
_numbers = itertools.count(9_000_001)


def run(scale: float = 1.0) -> Iterator[Figure]:
    """The slowest of three rounds for each queue. A small run measures the deliveries alone, once."""
    with _mute_vendor() as url, _process("manage.py", "sweep"):
        _connect(url)
        for queue in QUEUES:
            if scale >= 1 or queue.name == "deliveries":
                times = [_round(queue) for _ in range(ROUNDS if scale >= 1 else 1)]
                against = f"wanted {WANTED_SECONDS:.0f} s, lease {queue.lease_seconds:.0f} s"
                yield Figure(f"takeover_{queue.name}", max(times), "s", against, max(times) / WANTED_SECONDS)


def _round(queue: Queue) -> float:
    """One worker dies with a row in its hands."""
    _nothing_is_due()
    with _worker(queue) as second:
        os.kill(second.pid, signal.SIGSTOP)
        with _worker(queue) as first, _held_up(queue) as let_go:
            FILL[queue.name]()
            _until(lambda: _held(queue), "no worker took the row")
            key, fence = _held(queue) or (0, 0)
            os.kill(second.pid, signal.SIGCONT)
            os.kill(first.pid, signal.SIGKILL)
            killed_at = time.monotonic()
            let_go()
            _until(lambda: _taken_anew(queue, key, fence), "nobody took the row over")
            took = time.monotonic() - killed_at
        second.kill()
    return took


# --- processes --------------------------------------------------------------------------------------------------------------


@contextmanager
def _process(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


@contextmanager
def _worker(queue: Queue) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that has run a task already."""
    Heartbeat.objects.filter(name=queue.worker).delete()
    options = ["-Q", queue.worker, "--pool", "solo", "--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "ERROR"]
    with _process("-m", "celery", "-A", "revops", "worker", *options, "-n", f"bench-{time.monotonic_ns()}@%h") as child:

        def ready() -> bool:
            doorbell.ring(queue.task)
            return Heartbeat.objects.filter(name=queue.worker).exists()

        _until(ready, "the worker does not start")
        yield child


def _until(question: Callable[[], object], otherwise: str, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.01)


def _held(queue: Queue) -> tuple[int, int] | None:
    """Key and fence of the row that a worker holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {queue.key}, fence FROM {queue.table} q WHERE {queue.waiting} AND lease_until IS NOT NULL ORDER BY 1 LIMIT 1"
        )
        row = cursor.fetchone()
    return None if row is None else (int(row[0]), int(row[1]))


def _taken_anew(queue: Queue, key: int, fence: int) -> bool:
    """Whether the row was claimed after that; one whose work is done may be gone."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT fence FROM {queue.table} WHERE {queue.key} = %s", [key])
        row = cursor.fetchone()
    return row is None or int(row[0]) > fence


# --- what holds a worker up -------------------------------------------------------------------------------------------------


@contextmanager
def _mute_vendor() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


LOCKED = {
    "deliveries": "LOCK TABLE ledger_sourcerecord IN EXCLUSIVE MODE",
    "accounts": "SELECT id FROM accounts_account FOR NO KEY UPDATE",
}
"""Where the work needs no vendor: what it waits for."""


@contextmanager
def _held_up(queue: Queue) -> Iterator[Callable[[], None]]:
    """Until the given function is called nobody gets on with that queue's work."""
    locker = connections.create_connection(DEFAULT_DB_ALIAS)
    try:
        locker.set_autocommit(False)
        if queue.name in LOCKED:
            with locker.cursor() as cursor:
                cursor.execute(LOCKED[queue.name])
        yield locker.rollback
    finally:
        locker.close()


# --- one due row of each kind -----------------------------------------------------------------------------------------------


def _connect(url: str) -> None:
    connect(slug=SLUG, vendor="stripe", base_url=url, values=SECRETS, acting_user=System("bench"), started=True)
    world.systems(url, demo_private_key_pem())
    with transaction.atomic():
        Account.objects.create(name="Takeover", currency="USD")


def _nothing_is_due() -> None:
    for queue in QUEUES:
        _sql(f"UPDATE {queue.table} SET next_attempt_at = clock_timestamp() + interval '1 day', lease_until = NULL, attempts = 0")


def _delivery() -> int:
    handle = handle_of(Connection.objects.get(pk=SLUG))
    number = next(_numbers)
    return inbox.accept(handle, kind="event", dedup_key=f"takeover-{number}", body=rendered(event(number))).id


def _reread() -> None:
    with transaction.atomic():
        Delivery.objects.filter(pk=_delivery()).update(reason_code=REREAD)
    doorbell.ring("reread")


def _stream() -> None:
    _sql("UPDATE sync_watermark SET next_attempt_at = clock_timestamp() WHERE id = "
         "(SELECT min(id) FROM sync_watermark WHERE connection_id = %s)", SLUG)  # fmt: skip


def _account() -> None:
    mark_due([Account.objects.get(name="Takeover").pk], now=database_now())


def _posting() -> None:
    if not Posting.objects.exists():
        _, case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
        maker, checker = world.person("maker", "finance_analyst"), world.person("checker", "approver")
        plan = submit_plan(world.credit_plan(maker, case), acting_user=maker)
        approve(plan, digest=plan.digest, meaning="Agreed", step_up=world.proof(checker), acting_user=checker)
        _nothing_is_due()
    _sql("UPDATE postings_posting SET next_attempt_at = clock_timestamp()")


def _sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, list(values))


FILL: dict[str, Callable[[], object]] = {
    "deliveries": _delivery, "rereads": _reread, "streams": _stream, "accounts": _account, "postings": _posting,
}  # fmt: skip
