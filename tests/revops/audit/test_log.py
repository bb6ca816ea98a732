"""The action log: written with the action or not at all, by somebody with a name, and never rewritten."""

from __future__ import annotations

import ast
import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction

from revops.access.grants import grant_role, revoke_role
from revops.approvals.actions import approve, reject, submit_plan, withdraw
from revops.audit.log import record
from revops.audit.models import ActionRecord
from revops.cases import actions
from revops.detection.run import detect_account
from revops.identity.tokens import issue_token, revoke_tokens
from revops.ledger.relink import unlink_customer
from revops.people.models import User
from revops.postings.draft import edit_plan
from revops.postings.models import ChangePlan
from revops.sentences import TEXTS, Sentence
from sync import connections
from sync.applying.replay import replay
from tests.accounts import as_owner
from tests.factories import dead_letter
from tests.guards import everything
from tests.house.test_words import python_files
from tests.revops import world
from tests.revops.attacker import refusal_of
from tests.revops.world import credit_inputs, credit_plan

pytestmark = pytest.mark.django_db


class Office:
    """People of every role, one case with two plans, and a dead letter."""

    def __init__(self) -> None:
        self.ana, self.pat = world.person("ana", "finance_analyst"), world.person("pat", "approver")
        self.root, self.new = world.person("root", "admin"), world.person("newcomer")
        world.systems()
        self.account, self.case = world.mismatch(world.usd("41120.00"), world.usd("1000.00"))
        issue_token(self.pat, name="old", days=1, scopes=[], now=world.now(), acting_user=self.pat)
        self.draft = credit_plan(self.ana, self.case)
        self.letter = dead_letter("netsuite", "k", b"{}")

    def submitted(self) -> ChangePlan:
        return submit_plan(self.draft, acting_user=self.ana)


@pytest.fixture
def office() -> Office:
    return Office()


def _detect(office: Office) -> None:
    world.say("netsuite", world.entered(world.usd("42000.00")))
    with transaction.atomic():
        detect_account(office.account.pk, now=world.now())


ACTIONS: dict[str, Callable[[Office], object]] = {
    "case.assign": lambda o: actions.assign_case(o.case, owner=o.ana, row_version=None, acting_user=o.ana),
    "case.comment": lambda o: actions.comment_on_case(o.case, text="Called", acting_user=o.ana, now=world.now()),
    "case.snooze": lambda o: actions.snooze_case(
        o.case, until=world.now() + dt.timedelta(days=1), reason="Bank", row_version=None, acting_user=o.ana, now=world.now()
    ),
    "account.unlink": lambda o: unlink_customer(
        system="netsuite", customer_id=world.CUSTOMER, reason="Another company", acting_user=o.ana, now=world.now()
    ),
    "account.create": lambda o: world.say("salesforce", world.fact("customer", "0015e00000AbCd2AAF", name="B", currency="USD")),
    "account.refresh": lambda o: world.say("salesforce", world.fact("customer", world.CRM_ID, name="Other", currency="USD")),
    "case.refresh": _detect,
    "role.grant": lambda o: grant_role(o.new, "auditor", acting_user=o.root),
    "role.revoke": lambda o: revoke_role(o.pat, "approver", acting_user=o.root),
    "token.issue": lambda o: issue_token(o.ana, name="x", days=1, scopes=[], now=world.now(), acting_user=o.ana),
    "token.revoke": lambda o: revoke_tokens(o.pat, now=world.now(), acting_user=o.root),
    "connection.change": lambda o: connections.change_connection(
        "netsuite", values={"credit_item_id": "9002"}, step_up=world.proof(o.root), acting_user=o.root
    ),
    "connection.pause": lambda o: connections.pause("netsuite", reason="Moves", acting_user=o.root),
    "connection.stop_posting": lambda o: connections.stop_posting("netsuite", reason="Moves", acting_user=o.root),
    "connection.read_now": lambda o: connections.read_now("netsuite", acting_user=o.root),
    "delivery.replay": lambda o: replay(o.letter.pk, reason="Mended", acting_user=o.ana),
    "plan.compose": lambda o: credit_plan(o.ana, o.case),
    "plan.edit": lambda o: edit_plan(o.draft, inputs=credit_inputs("5.00"), reason="Less", acting_user=o.ana),
    "plan.submit": lambda o: o.submitted(),
    "plan.withdraw": lambda o: withdraw(o.draft, reason="No", acting_user=o.ana),
}  # fmt: skip


@pytest.fixture
def full_log() -> Callable[[str], None]:
    """Makes the log refuse a verb, as a full disk or a broken constraint would."""

    def refuse(verb: str) -> None:
        with as_owner(), connection.cursor() as cursor:
            cursor.execute(
                f"""
                CREATE FUNCTION log_is_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                  IF NEW.verb = '{verb}' THEN RAISE EXCEPTION 'the log is full' USING ERRCODE = '53100'; END IF;
                  RETURN NEW; END $$;
                CREATE TRIGGER log_is_full BEFORE INSERT ON audit_actionrecord FOR EACH ROW EXECUTE FUNCTION log_is_full();
                """
            )

    return refuse


@pytest.mark.parametrize("verb", ACTIONS)
def test_i49_an_action_writes_its_line_and_without_it_nothing(office: Office, full_log: Callable[[str], None], verb: str) -> None:
    point = transaction.savepoint()
    before = ActionRecord.objects.filter(verb=verb).count()
    ACTIONS[verb](office)
    lines = ActionRecord.objects.filter(verb=verb)
    assert lines.count() == before + 1
    line = lines.latest("id")
    assert line.actor_label
    assert line.summary.code in TEXTS, "in words that are declared"
    assert ":" in line.subject
    transaction.savepoint_rollback(point)
    full_log(verb)
    untouched = everything()
    with pytest.raises(DatabaseError, match="the log is full"), transaction.atomic():
        ACTIONS[verb](office)
    assert everything() == untouched


def test_i49_signing_and_its_line_are_one(office: Office, full_log: Callable[[str], None]) -> None:
    plan = office.submitted()
    full_log("plan.release")
    proof = world.proof(office.pat)
    untouched = everything()
    with pytest.raises(DatabaseError, match="the log is full"):
        approve(plan, digest=plan.digest, meaning="Checked", step_up=proof, acting_user=office.pat)
    assert everything() == untouched, "no signature, no release"
    reject(plan, reason="No", step_up=proof, acting_user=office.pat)
    assert ActionRecord.objects.get(verb="plan.reject").actor == office.pat


def test_i49_a_line_outside_a_transaction_is_a_defect_of_ours(transactional_db: None) -> None:
    ana = world.person("ana")
    with pytest.raises(RuntimeError, match="inside the transaction"):
        record("case.assign", ana, acting_user=ana, summary=Sentence("test.done"))
    assert not ActionRecord.objects.exists()


# --- who --------------------------------------------------------------------------------------------------------------

WRITE = (
    "INSERT INTO audit_actionrecord (actor_id, actor_label, verb, subject, summary, reason, before, after, request_id, trace_id) "
    "VALUES (%s, %s, %s, %s, '{}', '', '{}', '{}', '', '')"
)


def test_i49_nobody_is_no_actor(office: Office) -> None:
    ana = office.ana.pk
    assert refusal_of(WRITE, [ana, "ana@example.com", "case.assign", "case:1"]) == ""
    assert refusal_of(WRITE, [None, "system:apply", "case.assign", "case:1"]) == ""
    for actor, label in ((None, ""), (None, "ana@example.com"), (None, "system:"), (ana, "")):
        assert "somebody_acted" in refusal_of(WRITE, [actor, label, "case.assign", "case:1"])
    for verb, subject in (("", "case:1"), ("case.assign", "")):
        assert "something_was_done" in refusal_of(WRITE, [ana, "ana@example.com", verb, subject])


def acting(path: Path) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Public functions of a module that are told who acts."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            names = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            if "acting_user" in names:
                yield f"{path.name}:{node.lineno} {node.name}", node


def lax(function: ast.FunctionDef) -> bool:
    """Whether somebody may leave out who acts, or say it by position."""
    named = dict(zip((each.arg for each in function.args.kwonlyargs), function.args.kw_defaults, strict=True))
    return "acting_user" not in named or named["acting_user"] is not None


def test_i49_every_action_is_told_who_acts_by_name() -> None:
    found = [each for path in python_files() for each in acting(path)]
    assert len(found) > 30
    assert [where for where, function in found if lax(function)] == []


@pytest.mark.parametrize("planted", ["def act(row, acting_user): ...", "def act(*, acting_user=None): ..."])
def test_an_action_that_may_be_anonymous_is_noticed(tmp_path: Path, planted: str) -> None:
    path = tmp_path / "planted.py"
    path.write_text(planted)
    assert [lax(function) for _, function in acting(path)] == [True]


# --- never rewritten --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rewriting",
    [
        "UPDATE audit_actionrecord SET actor_label = 'somebody else'",
        "UPDATE audit_actionrecord SET at = at - interval '1 day'",
        "DELETE FROM audit_actionrecord",
        "TRUNCATE audit_actionrecord",
        "TRUNCATE people_user CASCADE",
        "INSERT INTO audit_actionrecord SELECT * FROM audit_actionrecord ON CONFLICT (id) DO UPDATE SET reason = 'x'",
        "MERGE INTO audit_actionrecord a USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
        "DELETE FROM people_user",
    ],
)
def test_i50_the_log_is_not_rewritten(office: Office, rewriting: str) -> None:
    actions.assign_case(office.case, owner=office.ana, row_version=None, acting_user=office.ana)
    before = list(ActionRecord.objects.order_by("id").values())
    assert refusal_of(rewriting)
    for guard in ("DISABLE TRIGGER ALL", "OWNER TO CURRENT_USER", "DROP COLUMN reason"):
        assert "must be owner" in refusal_of(f"ALTER TABLE audit_actionrecord {guard}")
    assert "must be owner" in refusal_of("DROP TABLE audit_actionrecord CASCADE")
    with as_owner():
        assert refusal_of(rewriting), "not even by the owner of the table"
    assert list(ActionRecord.objects.order_by("id").values()) == before


def test_people_in_the_log_cannot_be_removed(office: Office) -> None:
    from django.db.models import ProtectedError

    with pytest.raises(ProtectedError):
        User.objects.get(pk=office.ana.pk).delete()
