"""What each role may see and do: one line a verb and role, and nothing by default."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db.models import Model

from revops.access import rules
from revops.access.rules import GRANTS, VISIBLE, may, may_compose, require, sees, visible_to
from revops.accounts.models import Account
from revops.cases.models import ExceptionCase, Team
from revops.errors import Missing
from revops.people.models import Role, RoleGrant, User
from revops.postings.kinds import KINDS
from tests import guards
from tests.revops import world

pytestmark = pytest.mark.django_db

ROLES = {
    "cs": Role.CS_ANALYST, "fin": Role.FINANCE_ANALYST, "app": Role.APPROVER, "con": Role.CONTROLLER, "adm": Role.ADMIN,
    "aud": Role.AUDITOR,
}  # fmt: skip
VERBS = {
    "see_queue": "cs fin app con aud",
    "see_case": "cs fin app con aud",
    "watch_case": "cs fin app con",
    "save_view": "cs fin app con",
    "work_case": "cs fin con",
    "see_account": "cs fin app con aud",
    "see_ledger": "cs fin app con aud",
    "link_account": "cs fin con",
    "see_plan": "cs fin app con aud",
    "compose_plan": "cs fin",
    "decide_plan": "app con",
    "see_approvals": "app con aud",
    "see_deliveries": "fin con adm aud",
    "see_dead_letters": "fin con adm aud",
    "replay_delivery": "fin adm",
    "see_audit": "con aud",
    "see_connections": "con adm aud",
    "manage_connections": "adm",
    "confirm_posting": "con adm",
    "see_rules": "cs fin app con adm aud",
    "switch_rules": "con adm",
    "see_people": "adm aud",
    "manage_people": "adm",
}
CHANGING = {
    "watch_case", "save_view", "work_case", "link_account", "compose_plan", "decide_plan", "replay_delivery",
    "manage_connections", "confirm_posting", "manage_people", "switch_rules",
}  # fmt: skip
MODELS = {
    "exceptioncase": "cs fin app con aud",
    "casenote": "cs fin app con aud",
    "expectation": "cs fin app con aud",
    "account": "cs fin app con aud",
    "accountlink": "cs fin app con aud",
    "sourcerecord": "cs fin app con aud",
    "ledgerentry": "cs fin app con aud",
    "changeplan": "cs fin app con aud",
    "decision": "cs fin app con aud",
    "posting": "cs fin app con aud",
    "delivery": "fin con adm aud",
    "actionrecord": "con aud",
    "connection": "con adm aud",
    "postingproposal": "con adm aud",
    "user": "adm aud",
    "accessproposal": "adm aud",
}


def model(name: str) -> type[Model]:
    (found,) = [m for m in apps.get_models() if m._meta.model_name == name]
    return found


def holders(words: str) -> set[Role]:
    return {ROLES[word] for word in words.split()}


def test_every_verb_and_model_has_an_expectation_here() -> None:
    assert set(GRANTS) == set(VERBS)
    assert set(VISIBLE) == set(MODELS)
    assert set(VISIBLE.values()) <= set(GRANTS)


@pytest.mark.parametrize("role", Role.values)
def test_i55_each_role_and_verb(role: str) -> None:
    user = world.person("somebody", role)
    assert {verb for verb in GRANTS if may(user, verb)} == {verb for verb, words in VERBS.items() if role in holders(words)}
    for verb, words in VERBS.items():
        if role in holders(words):
            require(user, verb)
        else:
            with pytest.raises(Missing):
                require(user, verb)


@pytest.mark.parametrize("role", Role.values)
def test_i55_each_role_and_model(role: str) -> None:
    user = world.person("somebody", role)
    for name, words in MODELS.items():
        found = model(name)
        assert sees(user, found) == (role in holders(words)), name
        assert visible_to(user, found).query.is_empty() == (role not in holders(words)), name


def test_an_auditor_changes_nothing_and_an_administrator_decides_nothing() -> None:
    auditor, admin = world.person("auditor", Role.AUDITOR), world.person("admin", Role.ADMIN)
    assert not any(may(auditor, verb) for verb in CHANGING)
    assert {verb for verb in CHANGING if may(admin, verb)} == {
        "replay_delivery", "manage_connections", "confirm_posting", "manage_people", "switch_rules",
    }  # fmt: skip


def test_i55_without_a_role_or_when_gone_nothing_is_allowed() -> None:
    with guards.down():
        nobody, gone = world.person("nobody"), world.person("gone", *Role.values)
    gone.is_active = False
    for user in (nobody, gone):
        assert not any(may(user, verb) for verb in GRANTS)
        assert not any(sees(user, model(name)) for name in MODELS)
        assert not any(may_compose(user, kind) for kind in KINDS)


def test_staff_and_superuser_flags_open_nothing() -> None:
    user = User.objects.create(username="root@example.com", is_staff=True, is_superuser=True)
    assert not any(may(user, verb) for verb in GRANTS)


def test_i55_what_nobody_listed_is_an_error_of_ours_and_not_open() -> None:
    with guards.down():
        user = world.person("ana", *Role.values)
    for verb in ("see_everything", "", "__class__"):
        with pytest.raises(LookupError):
            may(user, verb)
    with pytest.raises(LookupError):
        visible_to(user, RoleGrant)


def test_several_roles_add_up() -> None:
    user = world.person("both", Role.CS_ANALYST, Role.ADMIN)
    assert may(user, "compose_plan")
    assert may(user, "manage_people")
    assert not may(user, "decide_plan")


@pytest.mark.parametrize(
    ("role", "teams"),
    [
        (Role.CS_ANALYST, {Team.CUSTOMER_SUCCESS}), (Role.FINANCE_ANALYST, set(Team)), (Role.CONTROLLER, set(Team)),
        (Role.APPROVER, set()), (Role.ADMIN, set()), (Role.AUDITOR, set()),
    ],
)  # fmt: skip
def test_whose_cases_one_works(role: str, teams: set[Team]) -> None:
    user = world.person("somebody", role)
    assert {team for team in Team if may(user, "work_case", ExceptionCase(team=team))} == teams


@pytest.mark.parametrize("role", Role.values)
def test_money_is_finances_to_propose(role: str) -> None:
    user = world.person("somebody", role)
    kinds = {
        Role.CS_ANALYST: {"hold_renewal", "release_renewal"},
        Role.FINANCE_ANALYST: {"hold_renewal", "release_renewal", "credit_memo"},
    }
    assert {kind for kind in KINDS if may_compose(user, kind)} == kinds.get(Role(role), set())
    assert not may_compose(user, "wire_transfer")


def test_the_rows_are_those_of_the_queryset() -> None:
    Account.objects.create(name="Halden")
    Account.objects.create(name="Other")
    fin, adm = world.person("fin", Role.FINANCE_ANALYST), world.person("adm", Role.ADMIN)
    assert visible_to(fin, Account).count() == 2
    assert [account.name for account in visible_to(fin, Account.objects.filter(name="Halden"))] == ["Halden"]
    assert visible_to(adm, Account.objects.filter(name="Halden")).count() == 0


def test_the_table_names_only_roles_that_exist() -> None:
    assert all(roles <= set(Role) for roles in rules.GRANTS.values())
    assert all(kind.maker_roles <= set(Role.values) for kind in KINDS.values())
