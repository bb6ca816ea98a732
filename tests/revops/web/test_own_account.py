"""One's own way in: password, the second factor that is good once, sessions, tokens, a stand-in; and the trace that it leaves."""

from __future__ import annotations

import datetime as dt
import json
import logging
import re

import pytest
from django.test import Client
from django.utils import timezone

from revops.approvals.actions import submit_plan
from revops.audit.models import ActionRecord
from revops.identity import sign_ins
from revops.identity.models import StepUp, TotpSecret, UserSession
from revops.identity.step_up import FRESH
from revops.people.models import ApiToken, Delegation
from revops.postings.models import ChangePlan, PlanState
from tests import guards
from tests.factories import PASSWORD, person
from tests.revops import world
from tests.revops.api.caller import Caller, code
from tests.revops.web.newcomers import Newcomer, code_of

pytestmark = pytest.mark.django_db
EMAIL = "anneke@example.com"


@pytest.fixture
def anneke() -> Newcomer:
    """An approver who signed in with her password."""
    person("anneke", "approver")
    made = Newcomer()
    made.sign_in(EMAIL, PASSWORD)
    return made


@pytest.fixture
def with_app(anneke: Newcomer) -> Newcomer:
    """The same with an authenticator app."""
    anneke.set_up_app(PASSWORD)
    return anneke


def a_plan() -> tuple[str, str]:
    """The code and digest of a plan that waits for an approver."""
    world.systems()
    _, case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    maker = world.person("maker", "finance_analyst")
    plan = submit_plan(world.credit_plan(maker, case), acting_user=maker)
    return plan.code, plan.digest


# --- password ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weak", ["short", "password1234", "123456789012", "anneke@example"])
def test_a_weak_password_is_refused_with_what_to_do(anneke: Newcomer, weak: str) -> None:
    answer = anneke.post("/me/password/", {"old": PASSWORD, "password": weak})
    assert answer.status_code == 422
    assert b"This password is too" in answer.content or b"password is " in answer.content
    assert Client().post("/sign-in/", {"username": EMAIL, "password": PASSWORD}).status_code == 302


def test_another_password_ends_the_other_sessions(anneke: Newcomer) -> None:
    elsewhere = Newcomer()
    elsewhere.sign_in(EMAIL, PASSWORD)
    assert anneke.post("/me/password/", {"old": "wrong", "password": "a quite new phrase"}).status_code == 422
    assert anneke.post("/me/password/", {"old": PASSWORD, "password": "a quite new phrase"}).status_code == 302
    assert anneke.get("/me/").status_code == 200
    assert elsewhere.get("/me/").status_code == 302
    assert ActionRecord.objects.filter(verb="password.change").count() == 1


# --- the second factor --------------------------------------------------------------------------------------------------


def test_a_code_is_good_once_and_the_password_alone_lets_nobody_in(with_app: Newcomer) -> None:
    step = int(timezone.now().timestamp()) // 30 + 1
    TotpSecret.objects.update(last_step=0)
    used = code_of(with_app.secret, step)
    for status in (302, 422):
        client = Client()
        assert client.post("/sign-in/", {"username": EMAIL, "password": PASSWORD})["Location"] == "/sign-in/second/"
        assert client.get("/queue/").status_code == 302, "not in yet"
        assert client.post("/sign-in/second/", {"proof": used}).status_code == status
    assert Client().get("/sign-in/second/")["Location"] == "/sign-in/"


def test_a_recovery_code_is_good_once(with_app: Newcomer) -> None:
    page = with_app.post("/me/recovery-codes/").content.decode()
    codes = re.findall(r"[a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4}", page)
    assert len(codes) == 10
    for status in (302, 422):
        client = Client()
        client.post("/sign-in/", {"username": EMAIL, "password": PASSWORD})
        assert client.post("/sign-in/second/", {"proof": codes[3].upper()}).status_code == status


def test_guessing_codes_is_bounded_for_the_person_whatever_the_path(with_app: Newcomer) -> None:
    for _ in range(8):
        client = Client()
        client.post("/sign-in/", {"username": EMAIL, "password": PASSWORD})
        assert client.post("/sign-in/second/", {"proof": "000000"}).status_code == 422
    answer = client.post("/sign-in/second/", {"proof": with_app.code()})
    assert (answer.status_code, b"too many attempts" in answer.content) == (422, True)
    assert ActionRecord.objects.filter(verb="step_up.refuse").count() == 8


def test_i58_signing_takes_a_second_factor_where_it_is_required(anneke: Newcomer, settings: object) -> None:
    settings.REVOPS_SECOND_FACTOR = "required"  # type: ignore[attr-defined]
    plan, digest = a_plan()
    sign = {"digest": digest, "meaning": "I checked it"}
    answer = anneke.post(f"/approvals/{plan}/approve/", {**sign, "proof": PASSWORD})
    assert (answer.status_code, b"needs a second factor" in answer.content) == (403, True)
    assert len(anneke.set_up_app(PASSWORD)) == 10
    with guards.down():
        StepUp.objects.update(at=timezone.now() - FRESH)
    answer = anneke.post(f"/approvals/{plan}/approve/", sign)
    assert (answer.status_code, b"Prove once more" in answer.content) == (403, True)
    anneke.post(f"/approvals/{plan}/approve/", {**sign, "proof": anneke.code()})
    assert ChangePlan.objects.get().state == PlanState.RELEASED


def test_i58_a_token_alone_decides_nothing() -> None:
    """Neither by bearing it, nor by a proof that was made with another token, nor by one that is too old."""
    pat = person("pat", "approver")
    plan, digest = a_plan()
    number, said = int(plan.removeprefix("CP-")), {"digest": digest, "meaning": "I checked it"}
    mine, other = Caller(pat), Caller(pat)
    assert code(mine.post(f"change-plans/{number}/approve/", said)) == (403, "step_up_missing")
    assert code(mine.post("step-up/", {"proof": "wrong"})) == (422, "proof_wrong")
    assert code(other.post("step-up/", {"proof": PASSWORD})) == (200, "")
    assert code(mine.post(f"change-plans/{number}/reject/", {"reason": "x"})) == (403, "step_up_missing")
    assert code(mine.post("step-up/", {"proof": PASSWORD})) == (200, "")
    with guards.down():
        StepUp.objects.update(at=timezone.now() - FRESH)
    assert code(mine.post(f"change-plans/{number}/approve/", said)) == (403, "step_up_missing")
    mine.post("step-up/", {"proof": PASSWORD})
    assert json.loads(mine.post(f"change-plans/{number}/approve/", said).content)["state"] == "released"


def test_a_token_does_what_its_scopes_name(anneke: Newcomer) -> None:
    anneke.prove(PASSWORD)
    anneke.post("/me/tokens/", {"name": "reading", "days": "1", "scopes": ["read"]})
    page = anneke.post("/me/tokens/", {"name": "deciding", "days": "1", "scopes": ["decide"]}).content.decode()
    token = page[page.index("rvo_") :][:47]
    plan, _ = a_plan()
    where, said = f"change-plans/{int(plan.removeprefix('CP-'))}/reject/", {"reason": "No"}
    assert code(Caller(token=token).post(where, said)) == (403, "step_up_missing")
    ApiToken.objects.update(scopes=["read"])
    caller = Caller(token=token)
    assert code(caller.post(where, said)) == (403, "scope_missing")
    assert caller.get("cases/").status_code == 200
    key = ApiToken.objects.get(name="deciding").pk
    anneke.post("/me/tokens/end/", {"which": str(key)})
    assert caller.get("cases/").status_code == 401


# --- sessions and the trace ---------------------------------------------------------------------------------------------


def test_a_session_is_listed_and_ended(anneke: Newcomer) -> None:
    elsewhere = Newcomer(REMOTE_ADDR="203.0.113.9", HTTP_USER_AGENT="Lynx")
    elsewhere.sign_in(EMAIL, PASSWORD)
    page = anneke.get("/me/").content.decode()
    assert "203.0.113.9" in page
    assert "Lynx" in page
    key = UserSession.objects.get(address="203.0.113.9").session_key
    assert elsewhere.cookies["revops-session"].value not in str(list(UserSession.objects.values()))
    assert anneke.post("/me/sessions/end/", {"which": key}).status_code == 302
    assert elsewhere.get("/me/").status_code == 302
    assert anneke.post("/me/sessions/end/", {"which": key}).status_code == 404
    stranger = Newcomer()
    person("other", "auditor")
    stranger.sign_in("other@example.com", PASSWORD)
    mine = UserSession.objects.get(user__username=EMAIL).session_key
    assert stranger.post("/me/sessions/end/", {"which": mine}).status_code == 404


def test_signing_in_and_out_and_failing_leaves_a_trace_without_what_was_typed(
    anneke: Newcomer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "revops.identity"):
        for _ in range(5):
            Client(REMOTE_ADDR="203.0.113.9").post("/sign-in/", {"username": EMAIL, "password": "hunter2-hunter2"})
        Client().post("/sign-in/", {"username": "hunter2-in-the-name", "password": "x"})
        anneke.post("/confirm/", {"proof": "hunter2-hunter2"})
        anneke.post("/sign-out/")
    lines = {line.verb: line for line in ActionRecord.objects.filter(verb__regex="^(sign|step)")}
    assert set(lines) == {"sign_in", "sign_in.refuse", "step_up.refuse", "sign_out"}
    refused = ActionRecord.objects.filter(verb="sign_in.refuse").order_by("id")
    assert [line.after for line in refused] == [
        {"person": EMAIL, "address": "203.0.113.9"}, {"person": "(no address)", "address": "127.0.0.1"},
    ], "once for each person and address"  # fmt: skip
    everything = str(list(ActionRecord.objects.values())) + caplog.text + str([vars(record) for record in caplog.records])
    assert "hunter2" not in everything
    assert {"a sign-in was refused", "a proof was refused", "signed out"} <= {record.message for record in caplog.records}


def test_failures_from_many_addresses_do_not_fill_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_ins, "FAILURES_MAX", 3)
    for number in range(6):
        Client(REMOTE_ADDR=f"203.0.113.{number}").post("/sign-in/", {"username": EMAIL, "password": "x"})
    assert ActionRecord.objects.filter(verb="sign_in.refuse").count() == 3


# --- a stand-in ----------------------------------------------------------------------------------------------------------


def test_a_stand_in_decides_and_it_is_told_for_whom(anneke: Newcomer) -> None:
    bert = person("bert", "approver")
    farid = person("farid", "finance_analyst")
    today = timezone.now().date()
    days = {"first_day": today.isoformat(), "last_day": (today + dt.timedelta(days=3)).isoformat(), "reason": "Holiday"}
    assert anneke.post("/me/delegations/", {**days, "stand_in": str(farid.pk)}).status_code == 422
    assert anneke.post("/me/delegations/", {**days, "stand_in": str(bert.pk), "last_day": "2001-01-01"}).status_code == 422
    assert anneke.post("/me/delegations/", {**days, "stand_in": str(bert.pk)}).status_code == 302
    plan, digest = a_plan()
    signer = Newcomer()
    signer.sign_in("bert@example.com", PASSWORD)
    signer.post(f"/approvals/{plan}/approve/", {"digest": digest, "meaning": "Checked", "proof": PASSWORD})
    assert "standing in for Anneke" in anneke.get(f"/approvals/{plan}/").content.decode()
    row = Delegation.objects.get()
    assert signer.post("/me/delegations/end/", {"which": str(row.pk)}).status_code == 404
    assert anneke.post("/me/delegations/end/", {"which": str(row.pk)}).status_code == 302
