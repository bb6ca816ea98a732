"""Actions on many cases: all of them or none, however many and whatever is wrong with one. A12."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable

import pytest
from django.db import connection
from django.utils import timezone

from revops.audit.models import ActionRecord
from revops.cases import actions
from revops.cases.models import CaseStatus, ExceptionCase
from revops.errors import Conflict, Missing, Rejected, RevOpsError
from revops.people.models import User
from tests.factories import a_case, person, some_cases

Bad = Callable[[dict[int, int]], None]


def assign(picked: dict[int, int], owner: User) -> list[ExceptionCase]:
    return actions.assign_cases(picked, owner=owner, acting_user=owner, remark="rota")


def snooze(picked: dict[int, int], owner: User) -> list[ExceptionCase]:
    until = timezone.now() + dt.timedelta(days=1)
    return actions.snooze_cases(picked, until=until, reason="Bank", acting_user=owner, now=timezone.now())


ACTIONS = {"assign": assign, "snooze": snooze}


def stale(picked: dict[int, int]) -> None:
    picked[max(picked)] = 7


def gone(picked: dict[int, int]) -> None:
    picked[10**9] = 1


def closed(picked: dict[int, int]) -> None:
    picked[a_case(status=CaseStatus.CLOSED, closed_at=timezone.now()).pk] = 1


@pytest.mark.django_db
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    ("spoil", "refusal"), [(stale, Conflict), (gone, Missing), (closed, RevOpsError)], ids=["stale", "gone", "closed"]
)
def test_a12_one_bad_row_and_nothing_is_done(action: str, spoil: Bad, refusal: type[RevOpsError]) -> None:
    farid = person("farid", "finance_analyst")
    picked = {case.pk: 1 for case in some_cases(5)}
    spoil(picked)
    before = list(ExceptionCase.objects.order_by("pk").values())
    with pytest.raises(refusal):
        ACTIONS[action](picked, farid)
    assert list(ExceptionCase.objects.order_by("pk").values()) == before
    assert not ActionRecord.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("action", ACTIONS)
def test_a12_all_good_rows_are_done_each_with_its_line(action: str) -> None:
    farid = person("farid", "finance_analyst")
    picked = {case.pk: 1 for case in some_cases(5)}
    assert {case.pk for case in ACTIONS[action](picked, farid)} == set(picked)
    assert set(ExceptionCase.objects.values_list("row_version", flat=True)) == {2}
    assert set(ActionRecord.objects.values_list("case_id", flat=True)) == set(picked)


@pytest.mark.django_db
@pytest.mark.parametrize("action", ACTIONS)
def test_a12_ten_thousand_and_none_are_refused(action: str) -> None:
    farid = person("farid", "finance_analyst")
    for count, code in ((10_001, "bulk_limit"), (0, "bulk_empty")):
        with pytest.raises(Rejected) as refused:
            ACTIONS[action](dict.fromkeys(range(1, count + 1), 1), farid)
        assert refused.value.code == code


@pytest.mark.django_db(transaction=True)
def test_a12_two_people_with_the_same_rows_in_opposite_order_never_wait_in_a_circle() -> None:
    farid, fatma = person("farid", "finance_analyst"), person("fatma", "finance_analyst")
    for _ in range(4):
        ids = [case.pk for case in some_cases(12)]
        start = threading.Barrier(2)
        outcomes: list[str] = []

        def act(who: User, order: list[int], start: threading.Barrier = start, told: list[str] = outcomes) -> None:
            try:
                connection.ensure_connection()
                start.wait(10)
                assign(dict.fromkeys(order, 1), who)
                told.append("ok")
            except RevOpsError as refused:
                told.append(refused.code)
            except Exception as error:  # a deadlock fails the assertion below, with its name
                told.append(type(error).__name__)
            finally:
                connection.close()

        threads = [threading.Thread(target=act, args=each) for each in ((farid, ids), (fatma, ids[::-1]))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["cases_changed", "ok"]
        assert ExceptionCase.objects.filter(pk__in=ids).values("owner").distinct().count() == 1
