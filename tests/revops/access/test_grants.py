"""Roles are given by others, never in a forbidden pair, and never so that nobody is left to give them. Tokens."""

from __future__ import annotations

import datetime as dt
import io
import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.utils import timezone

from revops.access.grants import grant_role, issue_token, revoke_role, revoke_tokens, token_digest, user_of_token
from revops.audit.models import ActionRecord
from revops.errors import NotAllowed, Rejected
from revops.people.actors import System
from revops.people.models import CONFLICTS, ApiToken, Role, RoleGrant, User
from tests.revops import world

US = System("tests")


@pytest.fixture
def ana(db: None) -> User:
    return world.person("ana")


@pytest.fixture
def admin(db: None) -> User:
    return world.person("admin", Role.ADMIN)


def roles(user: User) -> set[str]:
    return set(RoleGrant.objects.filter(user=user).values_list("role", flat=True))


# --- roles -----------------------------------------------------------------------------------------------------------

MAKERS, CHECKERS = {Role.CS_ANALYST, Role.FINANCE_ANALYST}, {Role.APPROVER, Role.CONTROLLER}


def forbidden(one: Role, other: Role) -> bool:
    """Segregation of duties, said another way than the table says it."""
    pair = {one, other}
    if Role.AUDITOR in pair:
        return True
    if Role.ADMIN in pair:
        return bool(pair & (CHECKERS | {Role.FINANCE_ANALYST}))
    return bool(pair & MAKERS) and bool(pair & CHECKERS)


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(Role, 2)))
def test_i30_every_pair_of_roles(ana: User, admin: User, one: Role, other: Role) -> None:
    grant_role(ana, one, acting_user=admin)
    if forbidden(one, other):
        with pytest.raises(Rejected, match="already holds") as refused:
            grant_role(ana, other, acting_user=admin)
        assert (refused.value.code, refused.value.field) == ("roles_conflict", "role")
        assert roles(ana) == {one}
    else:
        grant_role(ana, other, acting_user=admin)
        assert roles(ana) == {one, other}


def test_the_table_lists_each_forbidden_pair_once() -> None:
    pairs = [pair for pair, _ in CONFLICTS]
    assert len(set(pairs)) == len(pairs)
    assert set(pairs) == {frozenset({a, b}) for a, b in itertools.combinations(Role, 2) if forbidden(a, b)}


def test_nobody_grants_to_themselves(admin: User) -> None:
    for role in Role.values:
        with pytest.raises(NotAllowed) as refused:
            grant_role(admin, role, acting_user=admin)
        assert refused.value.code == "self_grant"
    assert roles(admin) == {Role.ADMIN}


def test_a_grant_is_one_row_and_one_action(ana: User, admin: User) -> None:
    for _ in range(2):
        assert grant_role(ana, Role.APPROVER, acting_user=admin).granted_by == admin
    action = ActionRecord.objects.get(verb="role.grant")
    assert (action.actor_label, action.after) == ("admin@example.com", {"role": "approver"})


@pytest.mark.parametrize("role", ["", "superuser", "Admin", "admin "])
def test_a_role_that_does_not_exist(ana: User, admin: User, role: str) -> None:
    with pytest.raises(Rejected) as refused:
        grant_role(ana, role, acting_user=admin)
    assert refused.value.code == "role_unknown"
    assert not roles(ana)


def test_somebody_who_left_gets_no_role(ana: User, admin: User) -> None:
    User.objects.filter(pk=ana.pk).update(is_active=False)
    with pytest.raises(Rejected) as refused:
        grant_role(ana, Role.AUDITOR, acting_user=admin)
    assert refused.value.code == "user_inactive"


def test_a_role_is_taken_with_its_reason_on_record(ana: User, admin: User) -> None:
    grant_role(ana, Role.APPROVER, acting_user=admin)
    revoke_role(ana, Role.APPROVER, acting_user=admin)
    assert not roles(ana)
    assert ActionRecord.objects.get(verb="role.revoke").before == {"role": "approver"}
    with pytest.raises(Rejected) as refused:
        revoke_role(ana, Role.APPROVER, acting_user=admin)
    assert refused.value.code == "role_not_held"


def test_the_last_administrator_stays(ana: User, admin: User) -> None:
    gone = world.person("gone", Role.ADMIN)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    with pytest.raises(Rejected) as refused:
        revoke_role(admin, Role.ADMIN, acting_user=US)
    assert refused.value.code == "last_admin"
    grant_role(ana, Role.ADMIN, acting_user=admin)
    revoke_role(admin, Role.ADMIN, acting_user=ana)
    assert roles(ana) == {Role.ADMIN}


@pytest.mark.django_db(transaction=True)
def test_two_administrators_who_take_each_others_role_at_once() -> None:
    one, two = world.person("one", Role.ADMIN), world.person("two", Role.ADMIN)
    start = Barrier(2)

    def take(user: User, by: User) -> str:
        try:
            connection.ensure_connection()
            start.wait(10)
            revoke_role(user, Role.ADMIN, acting_user=by)
        except Rejected as refused:
            return refused.code
        finally:
            connections.close_all()
        return "taken"

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(take, (one, two), (two, one)))
    assert outcomes == ["last_admin", "taken"]
    assert RoleGrant.objects.filter(role=Role.ADMIN).count() == 1


# --- tokens ----------------------------------------------------------------------------------------------------------


def token(user: User, **over: object) -> str:
    options = {"name": "tests", "days": 1, "now": timezone.now(), "acting_user": US, **over}
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
    assert user_of_token(made, now=now) == ana
    assert user_of_token(made, now=now + dt.timedelta(days=2, seconds=-1)) == ana
    assert user_of_token(made, now=now + dt.timedelta(days=2)) is None
    assert user_of_token(made.upper(), now=now) is None
    assert user_of_token("", now=now) is None
    assert revoke_tokens(ana, now=now, acting_user=US) == 1
    assert user_of_token(made, now=now) is None
    assert revoke_tokens(ana, now=now, acting_user=US) == 0
    assert ActionRecord.objects.filter(verb="token.revoke").count() == 1


def test_ending_one_persons_tokens_leaves_the_others(ana: User, admin: User) -> None:
    mine, theirs = token(ana), token(admin)
    revoke_tokens(ana, now=timezone.now(), acting_user=admin)
    assert user_of_token(mine, now=timezone.now()) is None
    assert user_of_token(theirs, now=timezone.now()) == admin


def test_a_token_without_an_end_opens_nothing(ana: User) -> None:
    made = token(ana)
    ApiToken.objects.update(expires_at=None)
    assert user_of_token(made, now=timezone.now()) is None


def test_nobody_makes_a_token_for_somebody_else(ana: User, admin: User) -> None:
    """An administrator with an approver's token could sign."""
    with pytest.raises(NotAllowed) as refused:
        token(ana, acting_user=admin)
    assert refused.value.code == "foreign_token"
    assert token(ana, acting_user=ana)


@pytest.mark.parametrize("days", [0, -1, 366, 10**9])
def test_how_long_a_token_lives(ana: User, days: int) -> None:
    with pytest.raises(Rejected) as refused:
        token(ana, days=days)
    assert refused.value.code == "days_invalid"


def test_somebody_who_left_gets_no_token(ana: User) -> None:
    made = token(ana)
    ana.is_active = False
    ana.save()
    assert user_of_token(made, now=timezone.now()) is None
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
    assert user_of_token(line, now=timezone.now()) == ana
    row = ApiToken.objects.get()
    assert (row.name, row.digest) == ("reporting", token_digest(line))
    assert row.expires_at is not None
    assert dt.timedelta(days=2, hours=23) < row.expires_at - timezone.now() <= dt.timedelta(days=3)
    assert ActionRecord.objects.get(verb="token.issue").actor_label == "system:command line"


def test_the_command_ends_tokens(ana: User) -> None:
    line = command("ana@example.com")[0].strip()
    assert command("ana@example.com", "--revoke-all") == ("", "Ended 1 tokens of ana@example.com.\n")
    assert user_of_token(line, now=timezone.now()) is None
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize(
    "words", [("nobody@example.com",), ("ana@example.com", "--days", "0"), ("ana@example.com", "--days", "366")]
)
def test_the_command_refuses_with_a_sentence(ana: User, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match=r"^(There is no user|A token lives)"):
        command(*words)
    assert not ApiToken.objects.exists()
