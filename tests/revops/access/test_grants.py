"""Roles are given by others, never in a forbidden pair, and never so that nobody is left to give them."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection, connections
from django.utils import timezone

from revops.access.grants import PRIVILEGED, grant_role, revoke_role
from revops.access.proposals import confirm_proposal, propose_role
from revops.audit.models import ActionRecord
from revops.errors import NotAllowed, Rejected, RevOpsError
from revops.people.actors import System
from revops.people.models import CONFLICTS, Role, RoleGrant, User
from tests.revops import world

US = System("tests")


@pytest.fixture
def ana(db: None) -> User:
    return world.person("ana")


@pytest.fixture
def admin(db: None) -> User:
    return world.person("admin", Role.ADMIN)


@pytest.fixture
def other(db: None) -> User:
    return world.person("other-admin", Role.ADMIN)


def give(user: User, role: str, by: User, confirmed_by: User) -> None:
    """As it is given: by one, or proposed by one and confirmed by another."""
    if role not in PRIVILEGED:
        grant_role(user, role, acting_user=by)
        return
    now = timezone.now()
    row = propose_role(user, role, reason="Joins the team", step_up=world.proof(by), now=now, acting_user=by)
    confirm_proposal(row.pk, step_up=world.proof(confirmed_by), now=now, acting_user=confirmed_by)


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


@pytest.mark.parametrize(("one", "another"), list(itertools.permutations(Role, 2)))
def test_i30_every_pair_of_roles(ana: User, admin: User, other: User, one: Role, another: Role) -> None:
    give(ana, one, admin, other)
    if forbidden(one, another):
        with pytest.raises(Rejected, match="already holds") as refused:
            give(ana, another, admin, other)
        assert (refused.value.code, refused.value.field) == ("roles_conflict", "role")
        assert roles(ana) == {one}
    else:
        give(ana, another, admin, other)
        assert roles(ana) == {one, another}


def test_the_table_lists_each_forbidden_pair_once() -> None:
    pairs = [pair for pair, _ in CONFLICTS]
    assert len(set(pairs)) == len(pairs)
    assert set(pairs) == {frozenset({a, b}) for a, b in itertools.combinations(Role, 2) if forbidden(a, b)}


def test_i32_nobody_grants_to_themselves(admin: User, other: User) -> None:
    for role in Role.values:
        with pytest.raises(NotAllowed) as refused:
            give(admin, role, admin, other)
        assert refused.value.code == "self_grant"


@pytest.mark.parametrize("role", sorted(PRIVILEGED))
def test_i32_a_role_that_decides_is_not_given_by_one(ana: User, admin: User, role: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        grant_role(ana, role, acting_user=admin)
    assert refused.value.code == "proposal_needed"
    assert not roles(ana)


@pytest.mark.parametrize("role", sorted(set(Role.values) - {"admin"}))
def test_only_administrators_give_and_take(ana: User, admin: User, role: str) -> None:
    somebody = world.person("somebody", role)
    for act in (grant_role, revoke_role):
        with pytest.raises(NotAllowed) as refused:
            act(ana, Role.CS_ANALYST, acting_user=somebody)
        assert refused.value.code == "not_an_administrator"


def test_a_grant_is_one_row_and_one_action(ana: User, admin: User) -> None:
    for _ in range(2):
        assert grant_role(ana, Role.AUDITOR, acting_user=admin).granted_by == admin
    action = ActionRecord.objects.get(verb="role.grant")
    assert (action.actor_label, action.after) == ("admin@example.com", {"role": "auditor"})


@pytest.mark.parametrize("role", ["", "superuser", "Admin", "admin "])
def test_a_role_that_does_not_exist(ana: User, admin: User, role: str) -> None:
    with pytest.raises(Rejected) as refused:
        grant_role(ana, role, acting_user=admin)
    assert refused.value.code == "role_unknown"
    assert not roles(ana)


def test_somebody_who_left_gets_no_role(ana: User, admin: User) -> None:
    world.gone(ana)
    with pytest.raises(Rejected) as refused:
        grant_role(ana, Role.AUDITOR, acting_user=admin)
    assert refused.value.code == "user_inactive"


def test_a_role_is_taken_with_its_reason_on_record(ana: User, admin: User, other: User) -> None:
    give(ana, Role.APPROVER, admin, other)
    revoke_role(ana, Role.APPROVER, acting_user=admin)
    assert not roles(ana)
    assert ActionRecord.objects.get(verb="role.revoke").before == {"role": "approver"}
    with pytest.raises(Rejected) as refused:
        revoke_role(ana, Role.APPROVER, acting_user=admin)
    assert refused.value.code == "role_not_held"


def test_the_last_administrator_stays(ana: User, admin: User) -> None:
    gone = world.person("gone", Role.ADMIN)
    world.gone(gone)
    with pytest.raises(Rejected) as refused:
        revoke_role(admin, Role.ADMIN, acting_user=US)
    assert refused.value.code == "last_admin"
    propose_role(ana, Role.ADMIN, reason="The second one", step_up=world.proof(admin), now=timezone.now(), acting_user=admin)
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
        except RevOpsError as refused:
            return refused.code
        finally:
            connections.close_all()
        return "taken"

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(take, (one, two), (two, one)))
    assert outcomes == ["not_an_administrator", "taken"]
    assert RoleGrant.objects.filter(role=Role.ADMIN).count() == 1
