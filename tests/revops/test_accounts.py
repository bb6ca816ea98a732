"""Somebody with SQL and the application's own account, signed in for real: what tells of the past stays as it is, and what binds
people binds this account too.

What no account of the database can refuse stands in `docs/invariants.md`: the application writes decisions, deliveries' ends and
passwords for everybody, so one true-looking transaction of it looks like the application's own work.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.checks import Tags, run_checks
from django.test import Client
from psycopg import sql

from revops import checks, health
from revops.approvals.actions import submit_plan
from revops.postgresql import privileges, roles
from sync.models import Delivery
from tests import guards
from tests.accounts import SUPERUSER, as_owner, signed_in
from tests.factories import dead_letter
from tests.revops import world
from tests.revops.attacker import refusal_of
from tests.sync.processes import environment

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Office:
    """A draft and a submitted plan of ana's, pat who may sign, and a delivery that waits."""

    draft: int
    submitted: int
    ana: int
    pat: int
    delivery: int

    def told(self, statement: str) -> str:
        return statement.format(draft=self.draft, submitted=self.submitted, ana=self.ana, pat=self.pat, delivery=self.delivery)


@pytest.fixture
def office(db: None) -> Office:
    ana, pat = world.person("ana", "finance_analyst"), world.person("pat", "approver")
    world.systems()
    _, case = world.mismatch(world.usd("41120.00"), world.usd("1000.00"))
    draft = world.credit_plan(ana, case)
    submitted = submit_plan(world.credit_plan(ana, case), acting_user=ana)
    letter = dead_letter("netsuite", "k", b"{}")
    with guards.down():
        Delivery.objects.update(state="pending", reason_code="", done_at=None)
    return Office(draft.pk, submitted.pk, ana.pk, pat.pk, letter.pk)


PAST = {
    "the log's triggers off for a session": "SET session_replication_role = replica; DELETE FROM audit_actionrecord",
    "a line of the log changed": "UPDATE audit_actionrecord SET actor_label = 'system:other'",
    "a line of the log removed": "DELETE FROM audit_actionrecord",
    "a line of the log dated back": (
        "INSERT INTO audit_actionrecord (at, actor_label, verb, subject, summary, reason, before, after, request_id, trace_id) "
        "VALUES (now() - interval '1 day', 'system:x', 'case.assign', 'case:1', '{{}}', '', '{{}}', '{{}}', '', '')"
    ),
    "a line of the log with a number of another month": (
        "INSERT INTO audit_actionrecord (id, actor_label, verb, subject, summary, reason, before, after, request_id, trace_id) "
        "VALUES (2020010000000001, 'system:x', 'case.assign', 'case:1', '{{}}', '', '{{}}', '{{}}', '', '')"
    ),
    "a month of the log changed by its own name": "UPDATE audit_actionrecord_other SET verb = 'x'",
    "the log's triggers off": "ALTER TABLE audit_actionrecord DISABLE TRIGGER ALL",
    "the log dropped": "DROP TABLE audit_actionrecord",
    "the log emptied": "TRUNCATE audit_actionrecord",
    "the way around the triggers opened": (
        "CREATE OR REPLACE FUNCTION _pgtrigger_should_ignore(trigger_name NAME) RETURNS BOOLEAN LANGUAGE sql AS 'SELECT TRUE'"
    ),
    "a trigger's function replaced": (
        "CREATE OR REPLACE FUNCTION prepare_months(months_ahead int) RETURNS SETOF text LANGUAGE sql AS 'SELECT 1::text'"
    ),
    "a decision removed": "DELETE FROM approvals_decision",
    "a decision changed": "UPDATE approvals_decision SET verdict = 'approved'",
    "a checkpoint removed": "DELETE FROM approvals_checkpoint",
    "an entry of the ledger changed": "UPDATE ledger_ledgerentry SET fields = '{{}}'",
    "an entry of the ledger removed": "DELETE FROM ledger_ledgerentry",
    "a delivery's bytes changed": "UPDATE sync_delivery SET body = 'x'",
    "a delivery's headers changed": "UPDATE sync_delivery SET headers = '{{\"a\": 1}}'",
    "a delivery removed": "DELETE FROM sync_delivery",
    "a delivery's key freed": "DELETE FROM sync_deliverykey",
    "a posting's bytes changed": "UPDATE postings_posting SET body = 'x'",
    "a posting's summary changed": "UPDATE postings_posting SET summary = '{{}}'",
    "history changed": "UPDATE postings_historicalchangeplan SET amount_minor = 1",
    "a counter set back": "SELECT setval('audit_actionrecord_id_seq', 1)",
    "the migrations rewritten": "DELETE FROM django_migrations",
    "a table of one's own": "CREATE TABLE mine (a int)",
    "a table in front of ours": "CREATE TEMPORARY TABLE people_rolegrant (user_id bigint, role text)",
    "another account": "SET ROLE revops_owner",
    "the superuser": "SET ROLE postgres",
    "a file of the server": "COPY audit_actionrecord TO PROGRAM 'cat'",
    "a trigger of one's own": (
        "CREATE TRIGGER mine BEFORE INSERT ON audit_actionrecord FOR EACH ROW EXECUTE FUNCTION _pgtrigger_should_ignore()"
    ),
}
BOUND = {
    "a draft's maker changed, with its history": (
        "UPDATE postings_changeplan SET maker_id = {pat} WHERE id = {draft}", "Cannot update"
    ),
    "a draft without its amount and lines, handed in": (
        "DELETE FROM postings_planline WHERE plan_id = {draft}; "
        "UPDATE postings_changeplan SET amount_minor = 0 WHERE id = {draft}; "
        "UPDATE postings_changeplan SET state = 'submitted' WHERE id = {draft}", "gives its amount"
    ),
    "a draft in another currency, handed in": (
        "UPDATE postings_changeplan SET amount_minor = 0, currency = 'EUR' WHERE id = {draft}; "
        "UPDATE postings_changeplan SET state = 'submitted' WHERE id = {draft}", "gives its amount"
    ),
    "one's own weak checkpoint": (
        "INSERT INTO approvals_checkpoint (plan_id, code, label, role, sequence, why) "
        "VALUES ({submitted}, 'mine', 'Mine', 'cs_analyst', 1, '{{}}')", "signed_by_a_signer"
    ),
    "a checkpoint after the release": (
        "INSERT INTO approvals_checkpoint (plan_id, code, label, role, sequence, why) "
        "SELECT id, 'late', 'Late', 'approver', 9, '{{}}'::jsonb FROM postings_changeplan "
        "WHERE state NOT IN ('draft', 'submitted') "
        "UNION ALL SELECT -1, 'late', 'Late', 'approver', 9, '{{}}'::jsonb", "before the release"
    ),
    "a decision by the maker": (
        "INSERT INTO approvals_decision (plan_id, checkpoint_id, decided_by_id, maker_id, verdict, meaning, reason, digest, "
        "policy_version, request_id) SELECT p.id, c.id, {ana}, {pat}, 'approved', 'x', '', p.digest, '', '' "
        "FROM postings_changeplan p JOIN approvals_checkpoint c ON c.plan_id = p.id WHERE p.id = {submitted} LIMIT 1",
        "does not fit its plan"
    ),
    "a decision in the name of somebody who may not decide": (
        "INSERT INTO approvals_decision (plan_id, checkpoint_id, decided_by_id, maker_id, verdict, meaning, reason, digest, "
        "policy_version, request_id) SELECT p.id, c.id, {ana}, p.maker_id, 'approved', 'x', '', p.digest, '', '' "
        "FROM postings_changeplan p JOIN approvals_checkpoint c ON c.plan_id = p.id WHERE p.id = {submitted} LIMIT 1",
        "does not fit its plan"
    ),
    "a second posting under a submitted plan": (
        "INSERT INTO postings_posting SELECT (jsonb_populate_record(p, "
        "'{{\"id\": 999999, \"key\": \"k2\", \"sequence\": 2}}')).* "
        "FROM postings_posting p WHERE plan_id = {submitted}", "while it is a draft"
    ),
    "a posting's operation renamed": ("UPDATE postings_posting SET operation = 'hold_renewal'", "permission denied"),
    "a delivery set to applied unread": ("UPDATE sync_delivery SET state = 'applied' WHERE id = {delivery}", "Cannot update"),
    "a delivery set to ignored unread": ("UPDATE sync_delivery SET state = 'ignored' WHERE id = {delivery}", "Cannot update"),
    "watermarks removed": ("DELETE FROM sync_watermark", "permission denied"),
    "a record's content changed": ("UPDATE ledger_sourcerecord SET fields = '{{\"total\": 1}}'", "current entry says"),
    "a record made up": (
        "INSERT INTO ledger_sourcerecord (system_id, object_type, external_id, customer_ref, version, digest, fields, refs, "
        "deleted, effective_at, changed_at, seen_at) VALUES ('netsuite', 'invoice', 'x', '', '1', '', '{{}}', '{{}}', false, "
        "now(), now(), now())", "current entry says"
    ),
    "a connection without history": ("UPDATE sync_connection SET base_url = 'http://x'", "history"),
}  # fmt: skip


@pytest.mark.parametrize("what", BOUND)
def test_i30_the_application_cannot_go_around_the_rules(office: Office, what: str) -> None:
    statement, words = BOUND[what]
    assert words in refusal_of(office.told(statement))


@pytest.fixture(scope="module")
def application(django_db_setup: None) -> Iterator[psycopg.Connection[Any]]:
    """The application's account, signed in as a process of the product is."""
    with signed_in() as connection:
        yield connection


@pytest.mark.parametrize("what", PAST)
@pytest.mark.outside
def test_i50_the_application_cannot_rewrite_what_happened(application: psycopg.Connection[Any], what: str) -> None:
    """Also on empty tables: a right that is missing is missing whether or not there is a row."""
    with pytest.raises(psycopg.Error), application.transaction(force_rollback=True):
        application.execute(f"{PAST[what].format()}; SET CONSTRAINTS ALL IMMEDIATE".encode())


# --- the auditor ------------------------------------------------------------------------------------------------------


@pytest.mark.outside
def test_the_auditor_reads_what_happened_without_secrets_and_writes_nothing(django_db_setup: None) -> None:
    with signed_in(roles.AUDITOR) as auditor:
        for name in ("audit_actionrecord", "approvals_decision", "ledger_ledgerentry", "sync_delivery", "postings_posting"):
            auditor.execute(sql.SQL("SELECT * FROM {} LIMIT 1").format(sql.Identifier(name)))
        auditor.execute("SELECT username, is_active FROM people_user LIMIT 1")
        for secret in (
            "SELECT password FROM people_user", "SELECT secrets FROM sync_connection", "SELECT digest FROM people_apitoken",
            "SELECT session_data FROM identity_usersession", "SELECT session_key FROM identity_usersession",
            "SELECT sealed FROM identity_totpsecret", "SELECT digest FROM identity_onetimelink",
        ):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                auditor.execute(secret.encode())
        for write in ("DELETE FROM cases_casewatch", "UPDATE people_user SET is_active = false", "CREATE TABLE mine (a int)",
                      "SELECT nextval('audit_actionrecord_id_seq')"):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                auditor.execute(write.encode())


# --- every table, by its model ----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_a_model_declares_is_what_the_application_may() -> None:
    declared = privileges.rights()
    assert not declared["audit_actionrecord"].update
    assert not declared["audit_actionrecord"].delete
    assert declared["audit_actionrecord"].insert
    assert "body" not in declared["sync_delivery"].update
    assert "state" in declared["sync_delivery"].update
    assert not declared["sync_watermark"].delete
    from django.db import connection

    assert privileges.excess(connection) == roles.excess(connection) == []
    with connection.cursor() as cursor:
        for table, may in declared.items():
            for verb, wanted in (("INSERT", may.insert), ("DELETE", may.delete)):
                cursor.execute("SELECT has_table_privilege(%s, %s)", [table, verb])
                assert cursor.fetchone()[0] is wanted, (table, verb)


# --- an account that could take the guards off ------------------------------------------------------------------------

EXCESS = {
    "superuser": ("is a superuser", "ALTER ROLE {role} SUPERUSER"),
    "a member of the owner": ("owns ", "GRANT revops_owner TO {role}"),
    "accounts of its own": ("may make accounts", "ALTER ROLE {role} CREATEROLE"),
    "writes whatever it likes": ("is a member of pg_write_all_data", "GRANT pg_write_all_data TO {role}"),
    "no triggers": ("may skip triggers", "GRANT SET ON PARAMETER session_replication_role TO {role}"),
    "a decision changed": ("may change approvals_decision.at", "GRANT UPDATE ON approvals_decision TO {role}"),
    "the log's lines removed": ("may delete from audit_actionrecord", "GRANT DELETE ON audit_actionrecord TO {role}"),
    "the log emptied": ("may empty audit_actionrecord", "GRANT TRUNCATE ON audit_actionrecord TO {role}"),
    "tables of its own": ("may make tables", "GRANT CREATE ON SCHEMA public TO {role}"),
}


@pytest.fixture
def immodest(django_db_setup: None) -> Iterator[tuple[str, psycopg.Connection[Any]]]:
    """An account that is a member of the application's, and the superuser's connection to give it more."""
    name = f"revops_immodest_{os.getpid()}"
    role = sql.Identifier(name)
    with signed_in(SUPERUSER) as administrator:
        administrator.execute(sql.SQL("CREATE ROLE {} LOGIN IN ROLE revops_application").format(role))
        try:
            yield name, administrator
        finally:
            administrator.execute(sql.SQL("DROP OWNED BY {}; DROP ROLE {}").format(role, role))


@pytest.mark.parametrize("what", EXCESS)
@pytest.mark.outside
def test_an_account_that_could_take_the_guards_off_is_told(
    immodest: tuple[str, psycopg.Connection[Any]], what: str, django_db_blocker: Any
) -> None:
    from django.db import connection

    name, administrator = immodest
    words, more = EXCESS[what]
    administrator.execute(more.format(role=name).encode())
    with django_db_blocker.unblock():
        own = connection.settings_dict["USER"]
        connection.close()
        connection.settings_dict["USER"] = name
        try:
            assert words in checks.account_problem()
            assert name in checks.account_problem()
            refused = run_checks(tags=[Tags.database], databases=["default"])
            assert [each.id for each in refused] == ["revops.E002"]
            health._modest_until = 0.0
            answer = Client().get("/readyz")
            assert answer.status_code == 503
            assert words in answer.json()["account"]
        finally:
            connection.close()
            connection.settings_dict["USER"] = own


@pytest.mark.outside
def test_web_and_workers_do_not_start_under_such_an_account(django_db_setup: None) -> None:
    for account, program in (
        (SUPERUSER, ["-c", "import revops.serving.application"]),
        (roles.OWNER, ["manage.py", "sweep", "--once"]),
        (roles.OWNER, ["-m", "celery", "-A", "revops", "worker", "-Q", "apply", "--pool", "solo"]),
    ):
        url = environment()["DATABASE_URL"].replace("//revops_application@", f"//{account}@")
        ended = subprocess.run(
            [sys.executable, *program], cwd=ROOT, env=environment(DATABASE_URL=url), capture_output=True, text=True, check=False,
            timeout=60,
        )  # fmt: skip
        assert ended.returncode == 1, ended.stderr
        assert f"The account {account} of DATABASE_URL could take the guards off" in ended.stderr
        assert "Traceback" not in ended.stderr


@pytest.mark.outside
def test_a_command_of_the_owner_says_which_variable_it_misses(django_db_setup: None) -> None:
    for command, given, words in (
        ("migrate", "", "REVOPS_OWNER_DATABASE_URL is empty"),
        ("retention", environment()["DATABASE_URL"], "name the same account"),
    ):
        ended = subprocess.run(
            [sys.executable, "manage.py", command], cwd=ROOT, env=environment(REVOPS_OWNER_DATABASE_URL=given),
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert ended.returncode == 1
        assert words in ended.stderr
        assert "Traceback" not in ended.stderr


@pytest.mark.django_db
def test_a_new_month_is_written_through_its_table_alone() -> None:
    from revops.partitions import prepare_months

    (made, *_) = prepare_months(6)
    assert "permission denied" in refusal_of(f"DELETE FROM {made}")
    with as_owner():
        assert "permission denied" not in refusal_of(f"SELECT * FROM {made}")
    assert refusal_of("SELECT prepare_months(100000)")
