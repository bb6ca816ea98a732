"""Working a case over the API: owner, snooze, notes; A5: nobody overwrites what they have not seen."""

from __future__ import annotations

import datetime as dt

import pytest

from revops.audit.models import ActionRecord
from revops.cases.models import CaseNote
from revops.people.models import Role
from tests.revops import world
from tests.revops.api.caller import Caller, Company, body, code, errors

FIN, CON = Role.FINANCE_ANALYST, Role.CONTROLLER
OWNER = {"owner": "finance_analyst@example.com"}


@pytest.fixture
def ana(company: Company) -> Caller:
    return company[FIN]


def in_days(days: float) -> str:
    return (world.now() + dt.timedelta(days=days)).isoformat()


def test_a5_without_if_match(company: Company, ana: Caller) -> None:
    assert code(ana.patch(f"cases/{company.case.pk}/", OWNER)) == (428, "if_match_missing")


@pytest.mark.parametrize("match", ['"v0"', '"v2"', "v1", "*", 'W/"v1"', '"v1", "v2"', "\u0007", '"v1"; drop'])
def test_a5_with_another_version(company: Company, ana: Caller, match: str) -> None:
    assert code(ana.patch(f"cases/{company.case.pk}/", OWNER, match)) == (412, "changed")
    company.case.refresh_from_db()
    assert (company.case.owner, company.case.row_version) == (None, 1)


def test_a5_each_change_has_a_new_version(company: Company, ana: Caller) -> None:
    path = f"cases/{company.case.pk}/"
    first = ana.patch(path, OWNER, ana.get(path)["ETag"])
    assert (first.status_code, body(first)["owner"], first["ETag"]) == (200, OWNER["owner"], '"v2"')
    assert code(company[CON].patch(path, {"owner": None}, '"v1"')) == (412, "changed")
    second = company[CON].patch(path, {"owner": None, "reason": "Holiday"}, first["ETag"])
    assert (body(second)["owner"], second["ETag"]) == (None, '"v3"')
    actions = ActionRecord.objects.filter(verb="case.assign").order_by("id")
    assert [a.actor_label for a in actions] == ["finance_analyst@example.com", "controller@example.com"]
    assert actions[1].reason == "Holiday"


def test_snooze_and_wake(company: Company, ana: Caller) -> None:
    path = f"cases/{company.case.pk}/"
    slept = ana.patch(path, {"snoozed_until": in_days(2), "reason": "Waiting for the bank"}, '"v1"')
    assert (slept.status_code, body(slept)["status"]) == (200, "snoozed")
    woken = ana.patch(path, {"snoozed_until": None}, slept["ETag"])
    assert (body(woken)["status"], body(woken)["snoozed_until"]) == ("open", None)
    assert code(ana.patch(path, {"snoozed_until": None}, woken["ETag"])) == (422, "case_state")


def test_a_snooze_that_cannot_be(company: Company, ana: Caller) -> None:
    path = f"cases/{company.case.pk}/"
    for until in (in_days(-1), in_days(91)):
        answer = ana.patch(path, {"snoozed_until": until, "reason": "x"}, '"v1"')
        assert code(answer) == (422, "snooze_time")
    assert code(ana.patch(path, {"snoozed_until": in_days(1)}, '"v1"')) == (422, "snooze_reason")
    for wrong in ("2026-12-01T10:00:00", "tomorrow", 5, True, "", "9999-12-31T23:59:59-14:00", ["x"]):
        answer = ana.patch(path, {"snoozed_until": wrong, "reason": "x"}, '"v1"')
        assert code(answer) == (400, "invalid"), wrong
        assert set(errors(answer)) == {"snoozed_until"}


def test_an_owner_is_somebody_who_is_there(company: Company, ana: Caller) -> None:
    path = f"cases/{company.case.pk}/"
    gone = company.people[CON]
    gone.is_active = False
    gone.save()
    for owner in ("nobody@example.com", gone.username):
        answer = ana.patch(path, {"owner": owner}, '"v1"')
        assert code(answer) == (422, "owner_unknown")
    for wrong in ("ana", 5, ["x"], "a@b@c", ""):
        assert code(ana.patch(path, {"owner": wrong}, '"v1"')) == (400, "invalid")


def test_a_patch_says_one_thing(company: Company, ana: Caller) -> None:
    nothing: list[object] = [{}, {"owner": None, "snoozed_until": None}, {"reason": "x"}, []]
    for said in nothing:
        assert code(ana.patch(f"cases/{company.case.pk}/", said, '"v1"')) == (400, "invalid")


def test_an_owner_who_could_not_see_the_case_is_refused(company: Company, ana: Caller) -> None:
    answer = ana.patch(f"cases/{company.case.pk}/", {"owner": "admin@example.com"}, '"v1"')
    assert code(answer) == (422, "owner_unknown")
    assert code(ana.patch(f"cases/{company.case.pk}/", {"owner": "auditor@example.com"}, '"v1"')) == (422, "owner_unknown")


def test_notes_are_read_in_their_order(company: Company, ana: Caller) -> None:
    path = f"cases/{company.case.pk}/notes/"
    for text in ("First", "Second"):
        assert ana.post(path, {"text": text}).status_code == 201
    shown = body(company[Role.AUDITOR].get(path))["results"]
    assert [(n["author"], n["text"]) for n in shown] == [(OWNER["owner"], "First"), (OWNER["owner"], "Second")]
    assert CaseNote.objects.count() == 2
