"""Every change of a governed row leaves its history, by whatever path it comes, and the history stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction
from django.db.models import Model

from revops.access.delegations import delegate
from revops.access.grants import grant_role, revoke_role
from revops.access.proposals import propose_role
from revops.accounts.models import Account, AccountLink, CounterpartVerdict
from revops.approvals.models import Checkpoint, Decision
from revops.audit.models import ActionRecord
from revops.cases.models import ExceptionCase, RuleSwitch
from revops.cases.trial import switch_rules
from revops.history import history_table, write_history
from revops.ledger.counterparts import say_whether_same
from revops.ledger.models import LedgerEntry, SourceRecord, SourceSystem
from revops.people.models import AccessProposal, Delegation, RoleGrant, User
from revops.postings.models import ChangePlan, Posting
from sync import connections
from sync.models import Connection, Delivery, PostingProposal
from tests.accounts import as_owner
from tests.revops import world
from tests.revops.attacker import committed, refusal_of

GOVERNED: dict[type[Model], str] = {
    Account: "name = 'x'",
    AccountLink: "reason = 'x'",
    ChangePlan: "trace_id = 'x'",
    Connection: "active = NOT active",
    CounterpartVerdict: "reason = 'x'",
    ExceptionCase: "severity = 4",
    RoleGrant: "granted_by_id = user_id",
    RuleSwitch: "reason = 'x'",
    AccessProposal: "reason = 'x'",
    Delegation: "reason = 'x'",
    PostingProposal: "decided_at = now()",
    User: "time_zone = 'x'",
}
"""Each governed model, and a change of it that nothing else refuses."""
HISTORIES: list[type[Model]] = [model.history.model for model in GOVERNED]  # type: ignore[attr-defined]
KEPT = (ActionRecord, LedgerEntry, SourceRecord, SourceSystem, Decision, Checkpoint, Delivery, Posting)
"""Tables that must never be emptied, besides the governed ones and their history."""
NO_HISTORY = "leaves a history row"


@pytest.fixture
def rows(db: None) -> None:
    """One row at least of every governed model, each made by the action that makes it."""
    ana, root = world.person("ana"), world.person("root", "admin")
    grant_role(ana, "finance_analyst", acting_user=root)
    propose_role(world.person("ben"), "approver", reason="Joins", step_up=world.proof(root), now=world.now(), acting_user=root)
    pat, days = world.person("pat", "approver"), {"first_day": world.today(), "last_day": world.today()}
    delegate(pat, **days, reason="Away", now=world.now(), acting_user=world.person("pit", "approver"))
    world.systems()
    connections.stop_posting("netsuite", reason="Moves", acting_user=root)
    connections.propose_posting("netsuite", reason="Moved", step_up=world.proof(root), acting_user=root)
    _, case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    world.credit_plan(ana, case)
    one, other = SourceRecord.objects.filter(object_type="invoice")[:2]
    say_whether_same(one, other, same=True, reason="Asked", acting_user=ana, now=world.now())
    erp = SourceSystem.objects.get(pk="netsuite")
    switch_rules(["invoice_not_posted"], erp, live=True, reason="Looked", acting_user=root, now=world.now())
    for model in GOVERNED:
        assert model._default_manager.exists()
    committed()  # what the actions do leaves its history


def table(model: type[Model]) -> str:
    return str(model._meta.db_table)


def named(model: type[Model]) -> str:
    return str(model.__name__)


def test_every_model_with_a_history_is_governed_here() -> None:
    found = {model for model in apps.get_models() if hasattr(model._meta, "simple_history_manager_attribute")}
    assert found == set(GOVERNED)
    for model in found:
        assert history_table(model._meta) == table(model.history.model)  # type: ignore[attr-defined]


@pytest.mark.parametrize("model", GOVERNED, ids=named)
@pytest.mark.usefixtures("rows")
def test_i49_a_change_by_sql_that_leaves_no_history_does_not_commit(model: type[Model]) -> None:
    assert NO_HISTORY in refusal_of(f"UPDATE {table(model)} SET {GOVERNED[model]}")
    key = model._meta.pk.column
    history = table(model.history.model)  # type: ignore[attr-defined]
    columns = ", ".join(f'"{field.column}"' for field in model.history.model.tracked_fields)  # type: ignore[attr-defined]
    told = (
        f"UPDATE {table(model)} SET {GOVERNED[model]}; INSERT INTO {history} ({columns}, history_date, history_type) "
        f"SELECT {columns}, now(), '~' FROM {table(model)}"
    )
    assert refusal_of(told) == "", "with its history it does"
    before = f"INSERT INTO {history} ({columns}, history_date, history_type) SELECT {columns}, now(), '~' FROM {table(model)}"
    assert NO_HISTORY in refusal_of(f"{before}; UPDATE {table(model)} SET {GOVERNED[model]}"), "a history of before is none"
    assert NO_HISTORY in refusal_of(f"{told}; UPDATE {table(model)} SET {_more(model)}"), "nor is one of half the change"
    assert refusal_of(f"UPDATE {table(model)} SET {key} = {key}") == "", "where nothing changed there is nothing to tell"


def _more(model: type[Model]) -> str:
    return {
        Account: "name = 'y'", AccountLink: "reason = 'y'", ChangePlan: "trace_id = 'y'", Connection: "active = NOT active",
        ExceptionCase: "severity = 3", RoleGrant: "granted_by_id = NULL", CounterpartVerdict: "reason = 'y'",
        RuleSwitch: "reason = 'y'", AccessProposal: "reason = 'y'", Delegation: "reason = 'y'", User: "time_zone = 'y'",
        PostingProposal: "decided_by_id = proposed_by_id",
    }[model]  # fmt: skip


@pytest.mark.usefixtures("rows")
def test_i49_rows_that_come_and_go_by_sql_leave_history_too() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM people_user WHERE username = 'ana@example.com'")
        (ana,) = cursor.fetchone()
    assert NO_HISTORY in refusal_of("INSERT INTO people_rolegrant (user_id, role) VALUES (%s, 'cs_analyst')", [ana])
    assert NO_HISTORY in refusal_of("DELETE FROM people_rolegrant WHERE user_id = %s", [ana])
    assert NO_HISTORY in refusal_of("UPDATE people_rolegrant SET id = id + 1000000 WHERE user_id = %s", [ana])
    assert refusal_of(
        "WITH made AS (INSERT INTO people_rolegrant (user_id, role) VALUES (%s, 'cs_analyst') RETURNING *) "
        "INSERT INTO people_historicalrolegrant (id, user_id, role, granted_at, history_date, history_type) "
        "SELECT id, user_id, role, granted_at, now(), '+' FROM made", [ana],
    ) == ""  # fmt: skip


def _save_silently() -> None:
    account = Account.objects.get()
    account.name = "x"
    account.save_without_historical_record()  # type: ignore[attr-defined]


def _save_half() -> None:
    """In memory two fields changed and one is stored: the library would tell of both."""
    account = Account.objects.get()
    account.name, account.currency = "x", "EUR"
    account.save(update_fields=["name"])


PATHS: dict[str, Callable[[], Any]] = {
    "a bulk update": lambda: ExceptionCase.objects.update(severity=4),
    "a bulk creation": lambda: Account.objects.bulk_create([Account(name="x")]),
    "a raw delete": lambda: RoleGrant.objects.all()._raw_delete("default"),
    "a save that is told to leave none": _save_silently,
    "a save of less than was changed": _save_half,
}


def committing(act: Callable[[], Any]) -> None:
    with transaction.atomic():
        act()
        committed()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.usefixtures("rows")
def test_i49_a_change_around_the_library_does_not_commit(path: str) -> None:
    with pytest.raises(DatabaseError, match=NO_HISTORY):
        committing(PATHS[path])


@pytest.mark.django_db(transaction=True)
def test_i49_change_and_history_are_one_transaction() -> None:
    """For real, with commits: a row and its history in two transactions are refused at the first of them."""
    with pytest.raises(DatabaseError, match=NO_HISTORY):
        Account.objects.create(name="alone")  # no transaction around it: the row would commit before its history
    assert not Account.objects.exists()
    with transaction.atomic():
        account = Account.objects.create(name="Halden")
    assert account.history.count() == 1
    with pytest.raises(DatabaseError, match=NO_HISTORY), transaction.atomic():
        Account.objects.update(name="other")
    account.refresh_from_db()
    assert account.name == "Halden"
    world.person("root", "admin")
    with transaction.atomic():
        RoleGrant.objects.get().delete()
    assert [row.history_type for row in RoleGrant.history.order_by("history_id")] == ["+", "-"]


@pytest.mark.usefixtures("rows")
def test_what_the_history_leaves_out_may_change_alone() -> None:
    assert refusal_of("UPDATE sync_connection SET last_problem = 'x', last_problem_at = now(), secrets = 'x'") == ""
    assert refusal_of("UPDATE cases_exceptioncase SET evidence = '{}'") == ""


@pytest.mark.usefixtures("rows")
def test_many_rows_leave_their_history_in_one_statement(django_assert_num_queries: Any) -> None:
    made = Account.objects.bulk_create([Account(name=f"Customer {number}") for number in range(100)])
    with django_assert_num_queries(1):
        assert write_history(Account, [row.pk for row in made], kind="+", reason="import") == 100
    ExceptionCase.objects.update(severity=4)
    write_history(ExceptionCase, ExceptionCase.objects.values_list("pk", flat=True))
    assert refusal_of("SELECT 1") == ""
    last = ExceptionCase.history.latest()
    assert (last.history_type, last.severity) == ("~", 4)


def test_taking_a_role_is_told(db: None) -> None:
    ana, root = world.person("ana", "approver"), world.person("root", "admin")
    revoke_role(ana, "approver", acting_user=root)
    assert refusal_of("SELECT 1") == ""
    assert [row.history_type for row in RoleGrant.history.filter(user=ana).order_by("history_id")] == ["+", "-"]


# --- the history stays ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", GOVERNED, ids=named)
@pytest.mark.usefixtures("rows")
def test_i50_history_is_neither_changed_nor_removed(model: type[Model]) -> None:
    history = table(model.history.model)  # type: ignore[attr-defined]
    for statement in (f"UPDATE {history} SET history_date = now()", f"DELETE FROM {history}", f"TRUNCATE {history}"):
        assert "permission denied" in refusal_of(statement)
    with as_owner():
        assert "Cannot update or delete" in refusal_of(f"UPDATE {history} SET history_date = now()")
        assert "Cannot update or delete" in refusal_of(f"DELETE FROM {history}")
        assert "never emptied" in refusal_of(f"TRUNCATE {history}")


@pytest.mark.parametrize("model", [Account, SourceRecord, SourceSystem, Connection], ids=named)
@pytest.mark.usefixtures("rows")
def test_what_others_name_without_a_foreign_key_is_never_removed(model: type[Model]) -> None:
    assert "permission denied" in refusal_of(f"DELETE FROM {table(model)}")
    with as_owner():
        assert f"Cannot delete rows from {table(model)}" in refusal_of(f"DELETE FROM {table(model)}")
    assert model._default_manager.exists()


@pytest.mark.parametrize("model", [*GOVERNED, *HISTORIES, *KEPT], ids=named)
@pytest.mark.usefixtures("rows")
def test_i50_no_table_that_tells_what_happened_is_emptied(model: type[Model]) -> None:
    """By a guard of its own: CASCADE would be refused by a table that points to it as well, and a split table by its months."""
    assert "permission denied" in refusal_of(f"TRUNCATE {table(model)} CASCADE")
    with as_owner():
        assert "never emptied" in refusal_of(f"TRUNCATE {table(model)} CASCADE")
        with pytest.raises(DatabaseError) as refused, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {table(model)} CASCADE")
    own = "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND starts_with(tgname, 'pgtrigger_no_truncate_')"
    with connection.cursor() as cursor:
        cursor.execute(own, [table(model)])
        guards = [name for (name,) in cursor.fetchall()]
    by = refused.value.__cause__
    assert isinstance(by, psycopg.Error)
    assert [name for name in guards if f" {name}()" in (by.diag.context or "")] == guards != []


@pytest.mark.usefixtures("rows")
def test_i50_the_account_of_the_application_switches_no_guard_off() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgname FROM pg_trigger WHERE tgname LIKE 'pgtrigger_%%'")
        guards = ",".join(row[0] for row in cursor.fetchall())
    change = f"UPDATE accounts_account SET {GOVERNED[Account]}"
    assert NO_HISTORY in refusal_of(f"SELECT set_config('pgtrigger.ignore', '{{{guards}}}', true); {change}")
    assert "denied" in refusal_of(f"SET session_replication_role = replica; {change}")
    for table_name in ("accounts_account", "accounts_historicalaccount", "audit_actionrecord"):
        assert "must be owner" in refusal_of(f"ALTER TABLE {table_name} DISABLE TRIGGER USER")
    for guard in guards.split(",")[:3]:
        assert "must be owner" in refusal_of(f"DROP FUNCTION {guard}() CASCADE")
    said = refusal_of(
        "CREATE OR REPLACE FUNCTION public._pgtrigger_should_ignore(trigger_name NAME) RETURNS BOOLEAN "
        "LANGUAGE sql AS 'SELECT TRUE'"
    )
    assert "permission denied" in said or "must be owner" in said


def test_governing_is_one_line() -> None:
    """What a model must say, so that no part of it can be forgotten."""
    for model in GOVERNED:
        names = {trigger.name for trigger in model._meta.triggers}  # type: ignore[attr-defined]
        assert {"leaves_history", "no_truncate"} <= names
        kept = {trigger.name for trigger in model.history.model._meta.triggers}  # type: ignore[attr-defined]
        assert kept == {"append_only", "no_truncate"}
