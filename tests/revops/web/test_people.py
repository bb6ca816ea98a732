"""A company is set up without the demo: from one command on an empty database to people who sign, all over HTTP."""

from __future__ import annotations

import io

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client

from revops.audit.models import ActionRecord
from revops.identity.models import UserSession
from revops.people.models import AccessProposal, Role, RoleGrant, User
from tests.revops.web.newcomers import PASSWORD, Newcomer, link_in

pytestmark = pytest.mark.django_db
ADA, BO, PAT = "ada@example.com", "bo@example.com", "pat@example.com"


@pytest.fixture(autouse=True)
def _a_company(settings: object) -> None:
    """As REVOPS_DEMO=0 sets it."""
    settings.REVOPS_DEMO, settings.REVOPS_SECOND_FACTOR = False, "required"  # type: ignore[attr-defined]


def first(email: str = ADA) -> str:
    out = io.StringIO()
    call_command("first_administrator", email, stdout=out, stderr=io.StringIO())
    return out.getvalue().strip()


def key(email: str) -> int:
    return User.objects.get(username=email).pk


def invite(by: Newcomer, email: str) -> Newcomer:
    """Invited, accepted, signed in, with an authenticator app."""
    made = Newcomer()
    made.accept(link_in(by.post("/people/invite/", {"email": email, "name": ""})))  # type: ignore[arg-type]
    made.sign_in(email)
    made.set_up_app()
    return made


@pytest.fixture
def ada() -> Newcomer:
    """The first administrator."""
    made = Newcomer()
    made.accept(first())
    made.sign_in(ADA)
    made.set_up_app()
    return made


@pytest.fixture
def bo(ada: Newcomer) -> Newcomer:
    """The second one."""
    made = invite(ada, BO)
    ada.post(f"/people/{key(BO)}/roles/give/", {"role": "admin", "reason": "Two are needed"})
    return made


def roles(email: str) -> set[str]:
    return set(RoleGrant.objects.filter(user__username=email).values_list("role", flat=True))


def test_one_command_then_the_browser() -> None:
    address, ada = first(), Newcomer()
    assert "/link/#" in address
    assert ada.accept(address)["Location"] == "/sign-in/"
    assert ada.accept(address).status_code == 422, "a link is good once"
    assert ada.sign_in("ADA@Example.com").status_code == 302
    assert ada.get("/", follow=True).redirect_chain == [("/first-steps/", 302)]
    assert b"You are the only administrator" in ada.get("/first-steps/").content
    with pytest.raises(CommandError, match="There is an administrator"):
        first("somebody@example.com")


def test_the_second_administrator_is_made_by_one_once_and_then_it_takes_two(ada: Newcomer) -> None:
    early = Newcomer()
    early.accept(link_in(ada.post("/people/invite/", {"email": BO, "name": "Bo"})))  # type: ignore[arg-type]
    give = {"role": "admin", "reason": "Two are needed"}
    refused = ada.post(f"/people/{key(BO)}/roles/give/", give)
    assert (refused.status_code, b"has no second factor yet" in refused.content) == (422, True)
    early.sign_in(BO)
    early.set_up_app()
    ada.post(f"/people/{key(BO)}/roles/give/", {"role": "approver", "reason": "x"})
    assert roles(BO) == set(), "alone, no other role"
    AccessProposal.objects.all().delete()
    ada.post(f"/people/{key(BO)}/roles/give/", give)
    assert roles(BO) == {"admin"}
    assert AccessProposal.objects.get().basis == "second_administrator"
    invite(ada, PAT)
    ada.post(f"/people/{key(PAT)}/roles/give/", {"role": "admin", "reason": "A third"})
    assert roles(PAT) == set()


def test_i32_what_one_proposes_another_confirms(ada: Newcomer, bo: Newcomer) -> None:
    invite(ada, PAT)
    ada.post(f"/people/{key(PAT)}/roles/give/", {"role": "approver", "reason": "Joins the desk"})
    waiting = AccessProposal.objects.get(role="approver")
    assert roles(PAT) == set()
    where = f"/people/proposals/{waiting.pk}/confirm/"
    assert ada.post(where).status_code == 403, "not by who proposed it"
    assert b"Joins the desk" in bo.get("/people/").content
    bo.post(where)
    assert roles(PAT) == {"approver"}
    assert bo.post(where).status_code == 409
    assert ada.post(f"/people/{key(PAT)}/roles/give/", {"role": "finance_analyst"}).status_code == 422, "a forbidden pair"
    assert ada.post(f"/people/{key(ADA)}/roles/give/", {"role": "auditor"}).status_code == 403, "not to oneself"
    log = set(ActionRecord.objects.values_list("verb", flat=True))
    assert {"person.invite", "person.accept", "proposal.make", "proposal.confirm", "role.grant", "factor.add"} <= log


def test_a_proposal_is_refused_or_withdrawn_and_nothing_happens(ada: Newcomer, bo: Newcomer) -> None:
    invite(ada, PAT)
    for who, state in ((bo, "refused"), (ada, "withdrawn")):
        ada.post(f"/people/{key(PAT)}/roles/give/", {"role": "controller", "reason": "Month end"})
        row = AccessProposal.objects.filter(state="waiting").get()
        who.post(f"/people/proposals/{row.pk}/refuse/")
        row.refresh_from_db()
        assert row.state == state
    assert roles(PAT) == set()


def test_i57_who_is_deactivated_is_out_at_once(ada: Newcomer, bo: Newcomer) -> None:
    cara = invite(ada, PAT)
    ada.post(f"/people/{key(PAT)}/roles/give/", {"role": "cs_analyst"})
    token = cara.post("/me/tokens/", {"name": "x", "days": "1", "scopes": ["read"]}).content.decode()
    bearer = {"Authorization": "Bearer " + token[token.index("rvo_") :][:47]}
    assert Client().get("/api/v1/cases/", headers=bearer).status_code == 200
    assert cara.get("/accounts/").status_code == 200
    assert ada.post(f"/people/{key(PAT)}/deactivate/", {"reason": ""}).status_code == 422
    ada.post(f"/people/{key(PAT)}/deactivate/", {"reason": "Left the company"})
    assert cara.get("/accounts/")["Location"].startswith("/sign-in/")
    assert Client().get("/api/v1/cases/", headers=bearer).status_code == 401
    assert not UserSession.objects.filter(user=key(PAT)).exists()
    assert cara.post("/sign-in/", {"username": PAT, "password": PASSWORD}).status_code == 422
    ada.post(f"/people/{key(PAT)}/reactivate/")
    assert Client().get("/api/v1/cases/", headers=bearer).status_code == 401, "what ended stays ended"
    bo.post(f"/people/{key(ADA)}/roles/take/", {"role": "admin"})
    assert ada.post(f"/people/{key(BO)}/deactivate/", {"reason": "x"}).status_code == 404, "no administrator any more"
    assert roles(BO) == {"admin"}


def test_the_last_administrator_stays(ada: Newcomer, bo: Newcomer) -> None:
    bo.post(f"/people/{key(ADA)}/deactivate/", {"reason": "Left"})
    assert roles(ADA) == set()
    assert bo.post(f"/people/{key(BO)}/deactivate/", {"reason": "Left"}).status_code == 403
    assert roles(BO) == {"admin"}


def test_a_forgotten_password_is_reset_by_a_link_and_the_second_factor_stays(ada: Newcomer, bo: Newcomer) -> None:
    address = link_in(ada.post(f"/people/{key(BO)}/link/"))  # type: ignore[arg-type]
    secret, elsewhere = address.partition("#")[2], Newcomer()
    where = {"secret": secret, "password": "password1234"}
    assert b"too common" in elsewhere.post("/link/", where).content, "the policy, and the link is still good"
    elsewhere.post("/link/", {"secret": secret, "password": "another quiet otter"})
    assert bo.get("/people/").status_code == 302, "sessions of before ended"
    answer = elsewhere.post("/sign-in/", {"username": BO, "password": "another quiet otter"})
    assert answer["Location"] == "/sign-in/second/"
    assert elsewhere.get("/people/").status_code == 302
    assert ActionRecord.objects.filter(verb="password.reset", actor=key(BO)).count() == 1
    assert secret not in str(list(ActionRecord.objects.values()))
    assert ada.post(f"/people/{key(ADA)}/link/").status_code == 403


def test_lost_factors_are_forgotten_by_two(ada: Newcomer, bo: Newcomer) -> None:
    cleo = invite(ada, PAT)
    ada.post(f"/people/{key(PAT)}/forget/", {"reason": "Lost the phone"})
    cleo.secret = ""
    assert cleo.get("/me/").status_code == 302, "sessions end with it"
    assert cleo.sign_in(PAT)["Location"] != "/sign-in/second/"
    invite(ada, "dan@example.com")
    ada.post(f"/people/{key('dan@example.com')}/roles/give/", {"role": "admin", "reason": "A third"})
    bo.post(f"/people/proposals/{AccessProposal.objects.get(state='waiting').pk}/confirm/")
    ada.post(f"/people/{key('dan@example.com')}/forget/", {"reason": "Lost the phone"})
    assert User.objects.get(username="dan@example.com").totp.confirmed_at is not None
    bo.post(f"/people/proposals/{AccessProposal.objects.get(state='waiting').pk}/confirm/")
    assert not hasattr(User.objects.get(username="dan@example.com"), "totp")


def test_with_a_mail_server_the_link_goes_to_the_person_alone(ada: Newcomer, settings: object) -> None:
    settings.REVOPS_SENDS_MAIL = True  # type: ignore[attr-defined]
    page = ada.post("/people/invite/", {"email": PAT, "name": ""}).content.decode()
    assert "The link was sent to pat@example.com" in page
    assert "/link/#" not in page
    (sent,) = mail.outbox
    assert sent.to == [PAT]
    made = Newcomer()
    assert made.accept(sent.body.split()[-1])["Location"] == "/sign-in/"


@pytest.mark.parametrize("role", sorted(set(Role.values) - {"admin"}))
def test_nobody_else_changes_people(role: str, ada: Newcomer, sign_in: object) -> None:
    client = sign_in(role, role)  # type: ignore[operator]
    for path in (
        "people/invite/",
        f"people/{key(ADA)}/link/",
        f"people/{key(ADA)}/roles/give/",
        f"people/{key(ADA)}/deactivate/",
    ):
        assert client.post(f"/{path}", {"role": "auditor", "reason": "x", "email": "x@example.com"}).status_code == 404
    assert User.objects.count() == 2


# --- manage.py people --------------------------------------------------------------------------------------------------


def command(*words: str, proof: str = "", monkeypatch: pytest.MonkeyPatch) -> str:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{proof}\n"))
    call_command("people", *words, stdout=out)
    return out.getvalue().strip()


def test_the_command_does_the_same_as_one_of_the_administrators(
    ada: Newcomer, bo: Newcomer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CommandError, match="Say as which administrator"):
        command("invite", PAT, monkeypatch=monkeypatch)
    with pytest.raises(CommandError, match="not your code"):
        command("--as", ADA, "invite", PAT, proof=PASSWORD, monkeypatch=monkeypatch)
    address = command("--as", BO, "invite", PAT, proof=bo.code(), monkeypatch=monkeypatch)
    assert "/link/#" in address
    pat = Newcomer()
    pat.accept(address)
    pat.sign_in(PAT)
    pat.set_up_app()
    ada.post(f"/people/{key(PAT)}/roles/give/", {"role": "controller", "reason": "Month end"})
    number = str(AccessProposal.objects.get(state="waiting").pk)
    assert number in command("proposals", monkeypatch=monkeypatch)
    with pytest.raises(CommandError, match="only while there is one alone"):
        command("confirm", number, monkeypatch=monkeypatch)
    assert f"{PAT:<40} active" in command("list", monkeypatch=monkeypatch)
    assert roles(PAT) == set()


def test_an_administrator_who_is_left_alone_gets_the_next_one_on_the_server(
    ada: Newcomer, bo: Newcomer, monkeypatch: pytest.MonkeyPatch
) -> None:
    invite(ada, PAT)
    ada.post(f"/people/{key(BO)}/deactivate/", {"reason": "Left"})
    ada.post(f"/people/{key(PAT)}/roles/give/", {"role": "admin", "reason": "Follows Bo"})
    assert roles(PAT) == set(), "alone only once"
    command("confirm", str(AccessProposal.objects.get(state="waiting").pk), monkeypatch=monkeypatch)
    assert roles(PAT) == {"admin"}
    assert ActionRecord.objects.filter(verb="role.grant", actor_label="system:command line", subject=f"user:{key(PAT)}").exists()


def test_an_administrator_who_is_alone_and_lost_every_proof_comes_back_by_the_server(
    ada: Newcomer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = command("recover", ADA, monkeypatch=monkeypatch).strip()
    assert ada.get("/me/").status_code == 302, "the old session ended"
    anew = Newcomer()
    anew.accept(address)
    anew.sign_in(ADA)
    anew.set_up_app()
    bo = invite(anew, BO)
    anew.post(f"/people/{key(BO)}/roles/give/", {"role": "admin", "reason": "Two are needed"})
    assert roles(BO) == {"admin"}
    verbs = ActionRecord.objects.filter(actor_label="system:command line", subject=f"user:{key(ADA)}")
    assert {"person.recover", "factor.forget", "link.reset"} <= set(verbs.values_list("verb", flat=True))
    for email in (ADA, BO):
        with pytest.raises(CommandError, match="Another administrator"):
            command("recover", email, monkeypatch=monkeypatch)
    assert bo.get("/me/").status_code == 200


def test_a_first_link_that_ran_out_is_made_anew_on_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    old, made = first(), command("recover", ADA, monkeypatch=monkeypatch).strip()
    assert made != old
    late = Newcomer()
    late.accept(made)
    late.sign_in(ADA)
    assert late.get("/me/").status_code == 200
