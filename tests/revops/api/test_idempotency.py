"""A6: one intent, one effect, one answer."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.utils import timezone

from revops.api.idempotency import REMEMBERED
from revops.api.models import IdempotentAnswer
from revops.audit.models import ActionRecord
from revops.cases.models import CaseNote
from revops.people.models import Role
from revops.postings.models import ChangePlan
from tests.accounts import as_owner
from tests.revops import world
from tests.revops.api.caller import Caller, Company, body, code, new_key

FIN, APP = Role.FINANCE_ANALYST, Role.APPROVER
TEXT = {"text": "Called the customer"}


@pytest.fixture
def ana(company: Company) -> Caller:
    return company[FIN]


@pytest.fixture
def path(company: Company) -> str:
    return f"cases/{company.case.pk}/notes/"


@pytest.mark.parametrize("key", ["", "short", "x" * 256, "with\u0007bell1", "with\ttab1234"])
def test_a6_no_key_no_effect(ana: Caller, path: str, key: str) -> None:
    assert code(ana.post(path, TEXT, key=key)) == (400, "idempotency_key_missing")
    assert not CaseNote.objects.exists()


def test_every_post_wants_a_key(company: Company) -> None:
    plan = f"change-plans/{company.plan.pk}/"
    proposal = {"kind": "credit_memo", "case": company.case.pk, "reason": "x", "inputs": world.credit_inputs("20.00")}
    for role, where, said in (
        (FIN, "change-plans/", proposal),
        (FIN, f"{plan}submit/", {}),
        (FIN, f"{plan}withdraw/", {"reason": "x"}),
        (APP, f"{plan}approve/", {"digest": company.plan.digest, "meaning": "x"}),
        (APP, f"{plan}reject/", {"reason": "x"}),
        (FIN, f"deliveries/{company.delivery.pk}/replay/", {"reason": "x"}),
    ):
        assert code(company[role].post(where, said, key="")) == (400, "idempotency_key_missing")
    company.plan.refresh_from_db()
    assert (company.plan.state, ChangePlan.objects.count()) == ("submitted", 1)


def test_a6_the_same_again_is_the_same_answer_byte_for_byte(company: Company, ana: Caller) -> None:
    said = {"kind": "credit_memo", "case": company.case.pk, "reason": "Zürich \U0001f600", "inputs": world.credit_inputs("20.00")}
    first = ana.post("change-plans/", said, key="my-intent")
    again = ana.post("change-plans/", said, key="my-intent")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert [again[name] for name in ("Content-Type", "ETag")] == [first[name] for name in ("Content-Type", "ETag")]
    assert (first.get("Idempotency-Hit"), again["Idempotency-Hit"]) == (None, "true")
    assert ChangePlan.objects.count() == 2


def test_the_answer_stays_the_first_one_when_the_row_moves_on(company: Company) -> None:
    pat, said = company[APP], {"digest": company.plan.digest, "meaning": "I checked it"}
    first = pat.post(f"change-plans/{company.plan.pk}/approve/", said, key="my-signature")
    assert body(first)["state"] == "released"
    assert pat.post(f"change-plans/{company.plan.pk}/approve/", said, key="my-signature").content == first.content
    assert ActionRecord.objects.filter(verb="plan.approve").count() == 1


def test_a6_the_same_key_with_another_request(company: Company, ana: Caller, path: str) -> None:
    assert ana.post(path, TEXT, key="my-intent").status_code == 201
    for where, said in ((path, {"text": "Something else"}), (f"change-plans/{company.plan.pk}/withdraw/", {"reason": "x"})):
        assert code(ana.post(where, said, key="my-intent")) == (422, "idempotency_mismatch")
    assert CaseNote.objects.count() == 1
    company.plan.refresh_from_db()
    assert company.plan.state == "submitted"


def test_a6_somebody_elses_key_is_another_key(company: Company, ana: Caller, path: str) -> None:
    other = company[Role.CONTROLLER]
    answers = [caller.post(path, TEXT, key="my-intent") for caller in (ana, other)]
    assert [a.status_code for a in answers] == [201, 201]
    assert [body(a)["author"] for a in answers] == ["finance_analyst@example.com", "controller@example.com"]
    assert [caller.post(path, TEXT, key="my-intent").content for caller in (ana, other)] == [a.content for a in answers]


def test_a_key_opens_nothing_to_somebody_who_may_not_any_more(company: Company, ana: Caller, path: str) -> None:
    assert ana.post(path, TEXT, key="my-intent").status_code == 201
    company.people[FIN].role_grants.all().delete()
    assert code(ana.post(path, TEXT, key="my-intent")) == (404, "not_found")


def test_a_refused_request_is_not_remembered(company: Company) -> None:
    pat, where = company[APP], f"change-plans/{company.plan.pk}/approve/"
    wrong, right = ({"digest": digest, "meaning": "x"} for digest in ("0" * 64, company.plan.digest))
    assert code(pat.post(where, wrong, key="my-signature")) == (409, "digest_stale")
    assert not IdempotentAnswer.objects.exists()
    assert pat.post(where, right, key="my-signature").status_code == 200


def test_answers_are_forgotten_in_the_end(company: Company, ana: Caller, path: str) -> None:
    for number in range(3):
        assert ana.post(path, {"text": f"Note {number}"}, key=f"my-intent-{number}").status_code == 201
    IdempotentAnswer.objects.exclude(key="my-intent-2").update(created_at=timezone.now() - REMEMBERED - dt.timedelta(seconds=1))
    assert ana.post(path, {"text": "New"}, key="my-intent-0").status_code == 201
    assert set(IdempotentAnswer.objects.values_list("key", flat=True)) == {"my-intent-0", "my-intent-2"}


def test_a6_effect_and_answer_stand_or_fall_together(company: Company, ana: Caller, path: str) -> None:
    """The answer cannot be kept: then the note is not there either, nor its action, and the key is free."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE api_idempotentanswer ADD CONSTRAINT never CHECK (status = 0)")
    assert code(ana.post(path, TEXT, key="my-intent")) == (500, "internal")
    assert not CaseNote.objects.exists()
    assert not ActionRecord.objects.filter(verb="case.comment").exists()
    assert not IdempotentAnswer.objects.exists()


def test_a_key_has_no_length_or_letters_that_hurt(ana: Caller, path: str) -> None:
    for key in ("x" * 255, "'; drop table x; --", "a b c d e f", new_key()):
        assert ana.post(path, {"text": key}, key=key).status_code == 201
