"""Roles that one person never holds together, refused by the database on every path; and what a person is here."""

from __future__ import annotations

import itertools
import threading

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from revops.access.grants import grant_role
from revops.errors import Rejected
from revops.people.actors import System, actor_label, actor_user
from revops.people.models import CONFLICTS, Role, RoleGrant, User
from tests.revops import world
from tests.revops.attacker import refusal_of

PAIRS = {frozenset({str(one), str(other)}) for one, other in itertools.combinations(Role.values, 2)}
FORBIDDEN = {frozenset(str(role) for role in pair) for pair, _ in CONFLICTS}
GRANT = (
    "WITH made AS (INSERT INTO people_rolegrant (user_id, role) VALUES (%s, %s) RETURNING *) "
    "INSERT INTO people_historicalrolegrant (id, user_id, role, granted_at, history_date, history_type) "
    "SELECT id, user_id, role, granted_at, now(), '+' FROM made"
)
REFUSED = "nobody holds these roles together"


def named(pair: frozenset[str]) -> str:
    return "+".join(sorted(pair))


EVERY_PAIR: list[frozenset[str]] = sorted(PAIRS, key=named)
FORBIDDEN_PAIRS: list[frozenset[str]] = sorted(FORBIDDEN, key=named)


@pytest.mark.parametrize("pair", EVERY_PAIR, ids=named)
@pytest.mark.django_db
def test_i30_sql_gives_nobody_two_roles_that_conflict(pair: frozenset[str]) -> None:
    for held, wanted in itertools.permutations(pair):
        ana = world.person(f"{held}-first", held)
        said = refusal_of(GRANT, [ana.pk, wanted])
        assert (REFUSED in said) is (pair in FORBIDDEN), said
        assert said == "" or pair in FORBIDDEN


@pytest.mark.parametrize("pair", FORBIDDEN_PAIRS, ids=named)
@pytest.mark.django_db
def test_i30_nor_by_changing_a_grant_or_moving_one(pair: frozenset[str]) -> None:
    one, other = sorted(pair, key=lambda role: role == Role.AUDITOR)  # an auditor holds nothing else at all
    ana, ben = world.person("ana", one), world.person("ben", other)
    harmless = next(role for role in Role.values if role != one and frozenset({one, role}) not in FORBIDDEN)
    assert refusal_of(GRANT, [ana.pk, harmless]) == ""
    with transaction.atomic():
        RoleGrant.objects.create(user=ana, role=harmless)
    assert REFUSED in refusal_of(
        "UPDATE people_rolegrant SET role = %s WHERE user_id = %s AND role = %s", [other, ana.pk, harmless]
    )
    assert REFUSED in refusal_of("UPDATE people_rolegrant SET user_id = %s WHERE user_id = %s", [ana.pk, ben.pk])
    many = "INSERT INTO people_rolegrant (user_id, role) VALUES (%(new)s, %(one)s), (%(new)s, %(other)s)"
    assert REFUSED in refusal_of(many, {"new": world.person("new").pk, "one": one, "other": other})


@pytest.mark.django_db
def test_i30_the_models_own_paths_are_refused_as_well() -> None:
    ana = world.person("ana", Role.FINANCE_ANALYST)
    for path in (
        lambda: RoleGrant.objects.create(user=ana, role=Role.APPROVER),
        lambda: RoleGrant.objects.bulk_create([RoleGrant(user=ana, role=Role.CONTROLLER)]),
        lambda: RoleGrant.objects.get_or_create(user=ana, role=Role.AUDITOR),
    ):
        with pytest.raises(IntegrityError, match=REFUSED), transaction.atomic():
            path()
    assert set(RoleGrant.objects.values_list("role", flat=True)) == {Role.FINANCE_ANALYST}


@pytest.mark.django_db(transaction=True)
def test_i30_two_grants_at_the_same_moment_see_each_other() -> None:
    """Each would be fine alone: the action's own look finds nothing, and the database finds the other one."""
    for number in range(3):
        ana = world.person(f"ana{number}")
        start = threading.Barrier(4)
        outcomes: list[str] = []

        def give(role: str, by_sql: bool, who: User = ana, start: threading.Barrier = start, told: list[str] = outcomes) -> None:
            try:
                connection.ensure_connection()
                start.wait(10)
                with transaction.atomic():
                    if by_sql:
                        with connection.cursor() as cursor:
                            cursor.execute(GRANT, [who.pk, role])
                    else:
                        grant_role(who, role, acting_user=System("tests"))
                told.append("ok")
            except (Rejected, DatabaseError) as refused:
                told.append("refused" if REFUSED in str(refused) or isinstance(refused, Rejected) else str(refused))
            finally:
                connection.close()

        wanted = [(Role.APPROVER, True), (Role.FINANCE_ANALYST, True), (Role.AUDITOR, False), (Role.CONTROLLER, False)]
        threads = [threading.Thread(target=give, args=each) for each in wanted]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        held = set(RoleGrant.objects.filter(user=ana).values_list("role", flat=True))
        assert set(outcomes) <= {"ok", "refused"}, outcomes
        assert outcomes.count("ok") == len(held) >= 1
        assert not any(pair <= held for pair in FORBIDDEN), held


# --- who acts ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_actor_is_a_person_or_a_named_part_of_the_system() -> None:
    ana = world.person("ana")
    assert (actor_user(ana), actor_label(ana)) == (ana, "ana@example.com")
    assert (actor_user(System("apply")), actor_label(System("apply"))) == (None, "system:apply")


@pytest.mark.django_db
def test_one_person_is_one_user() -> None:
    world.person("ana")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(username="ana@example.com")


@pytest.mark.django_db
def test_somebody_who_left_holds_no_role_at_once() -> None:
    ana = world.person("ana", Role.APPROVER)
    assert ana.role_codes() == {Role.APPROVER}
    world.gone(ana)
    assert User.objects.get(pk=ana.pk).role_codes() == frozenset()
