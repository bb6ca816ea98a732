"""Bearer tokens: kept as a digest, never made for somebody else, for what their scopes name, and ended at once."""

from __future__ import annotations

import datetime as dt
import io
import re

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from revops.audit.models import ActionRecord
from revops.errors import Missing, NotAllowed, Rejected
from revops.identity.tokens import issue_token, live_token, revoke_token, revoke_tokens, token_digest
from revops.people.actors import System
from revops.people.models import ApiToken, Role, User
from tests.revops import world

US = System("tests")


@pytest.fixture
def ana(db: None) -> User:
    return world.person("ana")


@pytest.fixture
def admin(db: None) -> User:
    return world.person("admin", Role.ADMIN)


def owner_of(token: str, *, now: dt.datetime) -> User | None:
    row = live_token(token, now=now)
    return row.user if row else None


def token(user: User, **over: object) -> str:
    options = {"name": "tests", "days": 1, "scopes": ["decide"], "now": timezone.now(), "acting_user": US, **over}
    return issue_token(user, **options)  # type: ignore[arg-type]


def test_i59_only_the_digest_of_a_token_is_kept(ana: User) -> None:
    made = token(ana)
    assert re.fullmatch(r"rvo_[A-Za-z0-9_-]{43}", made)
    row = ApiToken.objects.get()
    assert row.digest == token_digest(made)
    with connection.cursor() as cursor:
        for table in ("people_apitoken", "audit_actionrecord", "people_user"):
            cursor.execute(f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", [f"%{made}%"])
            assert cursor.fetchone()[0] == 0, table
    assert ActionRecord.objects.get(verb="token.issue").subject == f"user:{ana.pk}"


def test_two_tokens_are_two(ana: User) -> None:
    assert token(ana) != token(ana)


def test_a_token_opens_until_it_expires_or_is_ended(ana: User) -> None:
    now = timezone.now()
    made = token(ana, days=2, now=now)
    assert owner_of(made, now=now) == ana
    assert owner_of(made, now=now + dt.timedelta(days=2, seconds=-1)) == ana
    assert owner_of(made, now=now + dt.timedelta(days=2)) is None
    assert owner_of(made.upper(), now=now) is None
    assert owner_of("", now=now) is None
    assert revoke_tokens(ana, now=now, acting_user=US) == 1
    assert owner_of(made, now=now) is None
    assert revoke_tokens(ana, now=now, acting_user=US) == 0
    assert ActionRecord.objects.filter(verb="token.revoke").count() == 1


def test_ending_one_persons_tokens_leaves_the_others(ana: User, admin: User) -> None:
    mine, theirs = token(ana), token(admin)
    revoke_tokens(ana, now=timezone.now(), acting_user=admin)
    assert owner_of(mine, now=timezone.now()) is None
    assert owner_of(theirs, now=timezone.now()) == admin


def test_a_token_without_an_end_opens_nothing(ana: User) -> None:
    made = token(ana)
    ApiToken.objects.update(expires_at=None)
    assert owner_of(made, now=timezone.now()) is None


def test_nobody_makes_a_token_for_somebody_else(ana: User, admin: User) -> None:
    """An administrator with an approver's token could sign."""
    with pytest.raises(NotAllowed) as refused:
        token(ana, acting_user=admin)
    assert refused.value.code == "foreign_token"
    assert token(ana, acting_user=ana)


def test_a_token_is_for_what_it_names_and_reading(ana: User) -> None:
    token(ana, scopes=["propose"])
    assert ApiToken.objects.get().scopes == ["read", "propose"]
    with pytest.raises(Rejected) as refused:
        token(ana, scopes=["everything"])
    assert refused.value.code == "scope_unknown"


def test_one_token_is_ended_by_its_owner_alone(ana: User, admin: User) -> None:
    first, second = token(ana), token(ana)
    key = ApiToken.objects.get(digest=token_digest(first)).pk
    with pytest.raises(Missing):
        revoke_token(admin, key, now=timezone.now(), acting_user=admin)
    revoke_token(ana, key, now=timezone.now(), acting_user=ana)
    assert owner_of(first, now=timezone.now()) is None
    assert owner_of(second, now=timezone.now()) == ana
    with pytest.raises(Missing):
        revoke_token(ana, key, now=timezone.now(), acting_user=ana)


@pytest.mark.parametrize("days", [0, -1, 366, 10**9])
def test_how_long_a_token_lives(ana: User, days: int) -> None:
    with pytest.raises(Rejected) as refused:
        token(ana, days=days)
    assert refused.value.code == "days_invalid"


def test_somebody_who_left_gets_no_token(ana: User) -> None:
    made = token(ana)
    world.gone(ana)
    assert owner_of(made, now=timezone.now()) is None
    with pytest.raises(Rejected) as refused:
        token(ana)
    assert refused.value.code == "user_inactive"


# --- manage.py token -------------------------------------------------------------------------------------------------


def command(*words: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("token", *words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_prints_the_token_and_nothing_else(ana: User) -> None:
    out, err = command("ana@example.com", "--name", "reporting", "--days", "3")
    assert err == ""
    (line,) = out.splitlines()
    assert owner_of(line, now=timezone.now()) == ana
    row = ApiToken.objects.get()
    assert (row.name, row.digest, row.scopes) == ("reporting", token_digest(line), ["read"])
    assert row.expires_at is not None
    assert dt.timedelta(days=2, hours=23) < row.expires_at - timezone.now() <= dt.timedelta(days=3)
    assert ActionRecord.objects.get(verb="token.issue").actor_label == "system:command line"


def test_the_command_ends_tokens(ana: User) -> None:
    line = command("ana@example.com")[0].strip()
    assert command("ana@example.com", "--revoke-all") == ("", "Ended 1 tokens of ana@example.com.\n")
    assert owner_of(line, now=timezone.now()) is None
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize(
    "words", [("nobody@example.com",), ("ana@example.com", "--days", "0"), ("ana@example.com", "--days", "366")]
)
def test_the_command_refuses_with_a_sentence(ana: User, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match=r"^(There is no user|A token lives)"):
        command(*words)
    assert not ApiToken.objects.exists()
