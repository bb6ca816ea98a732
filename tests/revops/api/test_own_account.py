"""One's own account over the API: password, sessions, tokens, stand-ins; about nobody else."""

from __future__ import annotations

import datetime as dt
import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from revops.audit.models import ActionRecord
from revops.identity.tokens import issue_token
from revops.people.models import ApiToken, Delegation, User
from tests.factories import PASSWORD
from tests.revops import world
from tests.revops.api.caller import Caller, body, code, errors

pytestmark = pytest.mark.django_db
NEW = "a-longer-way-round-the-lake"


def somebody(name: str, role: str) -> User:
    user = world.person(name, role)
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def ana() -> User:
    return somebody("ana", "approver")


def limited(user: User, *scopes: str) -> Caller:
    return Caller(token=issue_token(user, name="small", days=1, scopes=scopes, now=timezone.now(), acting_user=user))


def signed_in(user: User) -> Client:
    browser = Client()
    assert browser.post("/sign-in/", {"username": user.username, "password": PASSWORD}).status_code == 302
    return browser


def test_who_one_is(ana: User) -> None:
    assert body(limited(ana, "decide").get("me/")) == {
        "id": ana.pk, "username": ana.username, "name": ana.shown_name, "roles": ["approver"],
        "scopes": ["read", "decide"], "second_factor": False,
    }  # fmt: skip


def test_another_password_ends_the_sessions_and_is_good_at_once(ana: User) -> None:
    browser, caller = signed_in(ana), Caller(ana)
    wrong = caller.post("me/password/", {"old": "not it", "password": NEW}, key="")
    assert (code(wrong), set(errors(wrong))) == ((422, "password_wrong"), {"old"})
    assert code(caller.post("me/password/", {"old": PASSWORD, "password": "short"}, key=""))[1] == "password_weak"
    assert caller.post("me/password/", {"old": PASSWORD, "password": NEW}, key="").status_code == 200
    assert browser.get("/me/").status_code == 302, "signed out"
    assert Client().post("/sign-in/", {"username": ana.username, "password": NEW}).status_code == 302
    assert ActionRecord.objects.filter(verb="password.change").count() == 1


def test_a_session_is_seen_and_ended(ana: User) -> None:
    browser, caller = signed_in(ana), Caller(ana)
    signed_in(somebody("bea", "admin"))
    (seen,) = body(caller.get("me/sessions/"))["results"]
    assert browser.get("/me/").status_code == 200
    assert caller.post("me/sessions/end/", {"session": seen["id"]}).status_code == 200
    assert browser.get("/me/").status_code == 302
    assert code(caller.post("me/sessions/end/", {"session": seen["id"]})) == (404, "not_found")


def test_a_token_makes_another_after_a_proof_and_for_no_more_than_it_is_for(ana: User) -> None:
    small = limited(ana, "account", "propose")
    said = {"name": "nightly", "days": 7, "scopes": ["propose"]}
    assert code(small.post("me/tokens/", said)) == (403, "step_up_missing")
    small.proven()
    assert code(small.post("me/tokens/", {**said, "scopes": ["decide"]})) == (403, "scope_missing")
    answer = small.post("me/tokens/", said, key="one-and-the-same")
    made = body(answer)
    assert (answer.status_code, made["scopes"]) == (201, ["read", "propose"])
    assert body(Caller(token=made["token"]).get("me/"))["scopes"] == ["read", "propose"]
    again = small.post("me/tokens/", said, key="one-and-the-same")
    assert (again["Idempotency-Hit"], "token" in body(again)) == ("true", False), "it is told once"
    listed = body(small.get("me/tokens/"))["results"]
    assert made["id"] in [row["id"] for row in listed]
    assert all("token" not in row and "digest" not in row for row in listed)
    assert small.post("me/tokens/end/", {"token": made["id"]}).status_code == 200
    assert Caller(token=made["token"]).get("me/").status_code == 401


def test_nobody_ends_what_is_another_s(ana: User) -> None:
    bea = Caller(world.person("bea", "admin"))
    theirs = ApiToken.objects.get(user__username="bea@example.com").pk
    assert code(Caller(ana).post("me/tokens/end/", {"token": theirs})) == (404, "not_found")
    assert bea.get("me/").status_code == 200


def test_a_stand_in_is_named_for_days_and_not_longer(ana: User) -> None:
    carl, today = world.person("carl", "controller"), timezone.now().date()
    caller = Caller(ana)
    said = {"stand_in": carl.username, "first_day": str(today), "last_day": str(today + dt.timedelta(days=3)), "reason": "Leave"}
    answer = caller.post("me/delegations/", said)
    assert (answer.status_code, body(answer)["stand_in"]) == (201, carl.username)
    assert code(caller.post("me/delegations/", {**said, "stand_in": "nobody@example.com"}))[1] == "stand_in_unknown"
    assert code(caller.post("me/delegations/", {**said, "stand_in": world.person("dora", "auditor").username}))[1] == (
        "stand_in_not_entitled"
    )
    (listed,) = body(caller.get("me/delegations/"))["results"]
    assert caller.post("me/delegations/end/", {"delegation": listed["id"]}).status_code == 200
    assert body(caller.get("me/delegations/"))["results"] == []
    assert Delegation.objects.get().ended_at is not None


@pytest.mark.parametrize("path", ["password", "sessions/end", "tokens", "tokens/end", "delegations", "delegations/end"])
def test_a_token_without_the_scope_changes_nothing_of_the_account(ana: User, path: str) -> None:
    assert code(limited(ana, "decide", "propose").post(f"me/{path}/", {})) == (403, "scope_missing")


def run(monkeypatch: pytest.MonkeyPatch, typed: str, *words: str) -> str:
    """`manage.py account` as its owner runs it, with what is typed at the prompt."""
    out = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    call_command("account", *words, stdout=out)
    return out.getvalue().strip()


def test_the_same_by_command(ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    browser, email, proof = signed_in(ana), ana.username, f"{PASSWORD}\n"
    with pytest.raises(CommandError, match="not your password"):
        run(monkeypatch, "wrong\n", email, "sessions")
    session = run(monkeypatch, proof, email, "sessions").split()[0]
    run(monkeypatch, proof, email, "end-session", session)
    assert browser.get("/me/").status_code == 302
    token = run(monkeypatch, proof, email, "new-token", "nightly", "--scope", "propose", "--days", "3")
    assert body(Caller(token=token).get("me/"))["scopes"] == ["read", "propose"]
    run(monkeypatch, proof, email, "end-token", run(monkeypatch, proof, email, "tokens").split()[0])
    assert Caller(token=token).get("me/").status_code == 401
    carl, day = world.person("carl", "controller"), str(timezone.now().date())
    run(monkeypatch, proof, email, "delegate", carl.username, day, day)
    run(monkeypatch, proof, email, "end-delegation", run(monkeypatch, proof, email, "delegations").split()[0])
    assert run(monkeypatch, proof, email, "delegations") == ""
    run(monkeypatch, f"{PASSWORD}\n{NEW}\n", email, "password")
    assert Client().post("/sign-in/", {"username": email, "password": NEW}).status_code == 302
