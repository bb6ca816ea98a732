"""What the chain costs: an action with everything that seals and signs the log at work beside it, and the same action without."""

from __future__ import annotations

import datetime as dt
import statistics
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from django.db import connection
from django.utils import timezone

from bench.figure import Figure, seconds
from bench.queue import _fill
from revops.access.grants import grant_role
from revops.audit.chain import head
from revops.audit.sealer import seal_and_export
from revops.audit.verify import lines as every_line
from revops.audit.verify import verify
from revops.cases.actions import assign_case
from revops.cases.models import CaseStatus, ExceptionCase
from revops.people.actors import System
from revops.people.models import User
from revops.postgresql.roles import as_owner

CASES, ACTIONS, ROUNDS = 5_000, 100, 10
SEAL_EVERY_SECONDS = 0.25
"""Eight times as often as the sweeper does, because a round is over in a second."""


def run(scale: float = 1.0) -> Iterator[Figure]:
    """`audit_action`: somebody takes a case, or gives it back; the median of rounds in turns. `audit_verify`: the whole log."""
    _fill(round(CASES * scale))
    user, _ = User.objects.get_or_create(username="bench@rehearsal.example")
    grant_role(user, "finance_analyst", acting_user=System("bench"))
    rounds, actions = max(round(ROUNDS * scale), 2), max(round(ACTIONS * scale), 5)
    bare, sealed = list[float](), list[float]()
    for _ in range(rounds):
        with _unsealed():
            bare += _acts(user, actions)
        with _sealing():
            sealed += _acts(user, actions)
    one, other = statistics.median(bare), statistics.median(sealed)
    yield Figure("audit_action", other, "ms", f"without chain and guards of time: {one:.2f} ms", other / one)
    seal_and_export(timezone.now())
    lines = head().sequence
    took = seconds(lambda: verify(timezone.now()))
    read = seconds(lambda: deque(every_line(), maxlen=0))
    yield Figure("audit_verify", lines / took, "lines/s", f"reading them: {lines / read:.0f} lines/s", read / took)


def _acts(user: User, count: int) -> list[float]:
    case, times = ExceptionCase.objects.filter(status=CaseStatus.OPEN).latest("pk"), []
    for number in range(count):
        owner = user if number % 2 == 0 else None
        start = perf_counter()
        case = assign_case(case, owner=owner, row_version=None, acting_user=user)
        times.append((perf_counter() - start) * 1000)
    return times


@contextmanager
def _sealing() -> Iterator[None]:
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(SEAL_EVERY_SECONDS):
            seal_and_export(dt.datetime.now(dt.UTC))
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def _unsealed() -> Iterator[None]:
    _guard_of_time("DISABLE")
    try:
        yield
    finally:
        _guard_of_time("ENABLE")


def _guard_of_time(how: str) -> None:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = 'audit_actionrecord'::regclass "
            "AND starts_with(tgname, 'pgtrigger_told_as_it_happens_')"
        )
        (name,) = cursor.fetchone()
        cursor.execute(f'ALTER TABLE audit_actionrecord {how} TRIGGER "{name}"')
