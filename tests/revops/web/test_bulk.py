"""One action on many cases: ticked rows, or everything a filter matches. All of them or none."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.utils import timezone

from revops.audit.models import ActionRecord
from revops.cases import actions
from revops.cases.models import CaseStatus, ExceptionCase
from revops.errors import Rejected
from revops.web import bulk
from tests.factories import a_case, some_cases
from tests.revops.web.conftest import Seat

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Seat]


def ticks(*cases: ExceptionCase) -> list[str]:
    return [f"{case.pk}:{case.row_version}" for case in cases]


def owners(*cases: ExceptionCase) -> set[int | None]:
    return set(ExceptionCase.objects.filter(pk__in=[case.pk for case in cases]).values_list("owner", flat=True))


def test_ticked_rows_are_assigned_with_one_line_of_the_log_each(sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    cases = some_cases(3)
    answer = client.post(
        "/queue/bulk/",
        {"action": "assign", "case": ticks(*cases), "owner": str(client.user.pk), "remark": "rota", "back": "severity=high"},
        follow=True,
    )
    assert "3 cases given to Farid" in answer.content.decode()
    assert answer.redirect_chain == [("/queue/?severity=high", 302)]
    assert owners(*cases) == {client.user.pk}
    lines = ActionRecord.objects.filter(verb="case.assign")
    assert {line.case_id for line in lines} == {case.pk for case in cases}
    assert {line.reason for line in lines} == {"rota"}


def test_one_changed_case_stops_all_of_them_and_keeps_what_was_typed(sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    first, second, third = some_cases(3)
    picked = ticks(first, second, third)
    actions.assign_case(second, owner=client.user, row_version=1, acting_user=client.user)
    answer = client.post("/queue/bulk/", {"action": "assign", "case": picked, "owner": "", "remark": "rota"})
    text = answer.content.decode()
    assert answer.status_code == 409
    assert second.code in text
    assert "Nothing was done" in text
    assert 'value="rota"' in text
    assert len(re.findall(r'name="case"[^>]* checked', text)) == 3
    assert owners(first, third) == {None}
    assert ActionRecord.objects.filter(verb="case.assign").count() == 1


def test_a_closed_case_among_them_stops_all_of_them(sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    first, closed = a_case(), a_case(status=CaseStatus.CLOSED, closed_at=timezone.now())
    answer = client.post("/queue/bulk/", {"action": "assign", "case": ticks(first, closed), "owner": str(client.user.pk)})
    assert answer.status_code == 422
    assert owners(first, closed) == {None}


@pytest.mark.parametrize("odd", ["nonsense", "999999999:1", "1:x", ":", "1", "-1:1", "9" * 30 + ":1"])
def test_h11_an_id_that_is_not_there_is_refused_and_nothing_is_done(sign_in: SignIn, odd: str) -> None:
    client = sign_in("farid", "finance_analyst")
    case = a_case()
    answer = client.post("/queue/bulk/", {"action": "assign", "case": [*ticks(case), odd], "owner": str(client.user.pk)})
    assert answer.status_code == 404
    assert owners(case) == {None}


def test_h11_a_hidden_id_of_another_team_is_refused_like_one_that_is_not_there(sign_in: SignIn) -> None:
    client = sign_in("carla", "cs_analyst")
    mine, theirs = a_case(team="customer_success"), a_case(team="finance")
    there = client.post("/queue/bulk/", {"action": "assign", "case": ticks(mine, theirs), "owner": str(client.user.pk)})
    nowhere = client.post("/queue/bulk/", {"action": "assign", "case": [*ticks(mine), "999999:1"], "owner": str(client.user.pk)})
    assert there.status_code == nowhere.status_code == 404
    assert owners(mine, theirs) == {None}
    assert not ActionRecord.objects.filter(verb="case.assign").exists()


def test_the_new_owner_must_work_every_one_of_them(sign_in: SignIn) -> None:
    client, carla = sign_in("farid", "finance_analyst"), sign_in("carla", "cs_analyst").user
    cases = [a_case(team="customer_success"), a_case(team="finance")]
    answer = client.post("/queue/bulk/", {"action": "assign", "case": ticks(*cases), "owner": str(carla.pk)})
    assert answer.status_code == 422
    assert f"does not work 1 case of these, such as {cases[1].code}" in answer.content.decode()
    assert owners(*cases) == {None}


def test_several_are_put_aside_together_with_a_reason(sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    cases = some_cases(2)
    form = {"action": "snooze", "case": ticks(*cases), "hours": "24"}
    assert client.post("/queue/bulk/", {**form, "reason": " "}).status_code == 422
    assert client.post("/queue/bulk/", {**form, "hours": "1", "reason": "bank"}).status_code == 422
    assert client.post("/queue/bulk/", {**form, "action": "close", "reason": "bank"}).status_code == 422
    assert client.post("/queue/bulk/", {**form, "case": [], "reason": "bank"}).status_code == 422
    assert not ExceptionCase.objects.filter(status=CaseStatus.SNOOZED).exists()
    assert client.post("/queue/bulk/", {**form, "reason": "bank"}).status_code == 302
    assert ExceptionCase.objects.filter(status=CaseStatus.SNOOZED).count() == 2
    assert ActionRecord.objects.filter(verb="case.snooze", reason="bank").count() == 2


def test_everything_that_matches_is_shown_first_and_then_changed_exactly_so(sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    wanted = some_cases(60, severity=1, currency="EUR", amount_minor=1050)
    other = a_case(severity=2)
    form = {"action": "assign", "scope": "match", "back": "severity=critical", "owner": str(client.user.pk), "remark": "rota"}
    page = client.post("/queue/bulk/", form)
    text = page.content.decode()
    assert page.status_code == 200
    assert "Give 60 cases to Farid?" in text
    assert "630.00" in text
    assert "60 critical" in text
    assert "and 40 more" in text
    assert owners(*wanted) == {None}
    confirmed = {name: value for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', text) if name != "case"}
    picked = re.findall(r'name="case" value="([^"]*)"', text)
    assert len(picked) == 60
    answer = client.post("/queue/bulk/", {**confirmed, "case": picked}, follow=True)
    assert "60 cases given to Farid" in answer.content.decode()
    assert owners(*wanted) == {client.user.pk}
    assert owners(other) == {None}
    assert ActionRecord.objects.filter(verb="case.assign", reason="rota").count() == 60


def test_the_preview_leaves_out_what_one_does_not_work_and_says_so(sign_in: SignIn) -> None:
    client = sign_in("carla", "cs_analyst")
    some_cases(3, team="customer_success")
    some_cases(2, team="finance")
    text = client.post("/queue/bulk/", {"action": "assign", "scope": "match", "owner": str(client.user.pk)}).content.decode()
    assert "Give 3 cases to Carla?" in text
    assert "2 cases of a team whose cases you do not work" in text
    nothing = client.post("/queue/bulk/", {"action": "assign", "scope": "match", "back": "team=finance", "owner": ""})
    assert nothing.status_code == 422


def test_many_are_bounded(sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    client = sign_in("farid", "finance_analyst")
    cases = some_cases(6)
    monkeypatch.setattr(bulk, "BULK_MAX", 4)
    monkeypatch.setattr(actions, "BULK_MAX", 4)
    text = client.post("/queue/bulk/", {"action": "assign", "scope": "match", "owner": ""}).content.decode()
    assert "Take 4 cases off their owners?" in text
    assert "2 cases beyond the first 4" in text
    answer = client.post("/queue/bulk/", {"action": "assign", "case": ticks(*cases), "owner": str(client.user.pk)})
    assert answer.status_code == 422
    assert owners(*cases) == {None}
    with pytest.raises(Rejected, match="At most 4"):
        actions.assign_cases({case.pk: 1 for case in cases}, owner=None, acting_user=client.user)


def test_readers_change_nothing(sign_in: SignIn) -> None:
    case = a_case()
    for role in ("approver", "auditor", "admin"):
        client = sign_in(role, role)
        answer = client.post("/queue/bulk/", {"action": "assign", "case": ticks(case), "owner": str(client.user.pk)})
        assert answer.status_code == 404
    assert owners(case) == {None}
