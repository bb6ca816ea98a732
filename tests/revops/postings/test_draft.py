"""Composing, editing and withdrawing: what is stored, what binds it, and what the database refuses."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from revops.audit.models import ActionRecord
from revops.cases.models import ExceptionCase
from revops.errors import Conflict, NotAllowed, Rejected
from revops.history import write_history
from revops.people.actors import System
from revops.people.models import RoleGrant, User
from revops.postings.changes import Line, read_change
from revops.postings.draft import compose_plan, compose_reversal, edit_plan, stored_digest, withdraw_plan
from revops.postings.models import PLAN_MOVES, ChangePlan, PlanState, Posting, PostingState
from revops.reference import Ref
from revops.sentences import Sentence
from sync.connections import pause
from tests.accounts import as_owner
from tests.revops import world
from tests.revops.attacker import refusal_of
from tests.revops.world import credit_inputs, credit_plan, fresh, usd

pytestmark = pytest.mark.django_db


@pytest.fixture
def analyst() -> User:
    return world.person("ana", "finance_analyst")


@pytest.fixture
def case() -> ExceptionCase:
    world.systems()
    return world.mismatch(usd("1120.00"), usd("1000.00"))[1]


def test_i33_composing_stores_the_exact_bytes_under_a_key_of_ours(analyst: User, case: ExceptionCase) -> None:
    plan = credit_plan(analyst, case)
    (posting,) = plan.postings.all()
    assert (plan.state, posting.state) == (PlanState.DRAFT, PostingState.PLANNED)
    assert posting.key.startswith("rvo-")
    assert len(posting.key) == 36
    body = json.loads(bytes(posting.body), parse_float=Decimal)
    assert body["externalId"] == posting.key
    assert body["apply"]["items"][0] == {"doc": {"id": "700"}, "apply": True, "amount": Decimal("120.00")}
    assert posting.body_digest == hashlib.sha256(bytes(posting.body)).hexdigest()
    assert (plan.amount_minor, plan.currency) == (12000, "USD")
    assert [touch.ref for touch in plan.touches.all()] == [Ref("netsuite", "invoice", "700")]
    assert [line.line for line in plan.lines.all()] == [
        Line("contra_revenue", "debit", usd("120.00")), Line("receivable", "credit", usd("120.00")),
    ]  # fmt: skip
    assert posting.change == read_change(posting.change).as_json()
    assert plan.digest == stored_digest(plan, list(plan.postings.all()))
    assert {row["object_type"] for row in plan.facts} == {"invoice", "accounting_period"}
    invoice = next(row for row in plan.facts if row["external_id"] == "700")
    assert invoice["fields"]["total"] == {"amount": "1120.00", "currency": "USD"}
    assert ActionRecord.objects.get(verb="plan.compose").actor == analyst


def test_i35_two_plans_never_share_a_key(analyst: User, case: ExceptionCase) -> None:
    keys = {credit_plan(analyst, case).postings.get().key for _ in range(5)}
    assert len(keys) == 5


def test_i35_a_key_belongs_to_one_posting(analyst: User, case: ExceptionCase) -> None:
    posting, other = (credit_plan(analyst, case).postings.get() for _ in range(2))
    copied: dict[str, Any] = {**Posting.objects.values().get(pk=posting.pk), "id": None, "plan_id": other.plan_id, "sequence": 2}
    with pytest.raises(IntegrityError, match="postings_posting_key_key"), transaction.atomic():
        Posting.objects.create(**copied)
    Posting.objects.create(**copied | {"key": "rvo-another"})


@pytest.mark.parametrize("roles", [(), ("cs_analyst",), ("approver",), ("controller",), ("admin",), ("auditor",)])
def test_money_is_composed_by_finance_alone(case: ExceptionCase, roles: tuple[str, ...]) -> None:
    with pytest.raises(NotAllowed):
        credit_plan(world.person("other", *roles), case)


def test_i27_a_role_taken_away_counts_at_once_whatever_the_session_remembers(analyst: User, case: ExceptionCase) -> None:
    assert "finance_analyst" in analyst.role_codes()
    RoleGrant.objects.filter(user=analyst).delete()
    with pytest.raises(NotAllowed):
        credit_plan(analyst, case)


def test_a_reason_is_compulsory(analyst: User, case: ExceptionCase) -> None:
    for reason in ("", "  ", "x" * 2001):
        with pytest.raises(Rejected) as refused:
            compose_plan(
                kind="credit_memo",
                case=case,
                account=world.account_on(case),
                inputs=credit_inputs(),
                reason=reason,
                acting_user=analyst,
            )
        assert refused.value.field == "reason"


def test_a_currency_that_the_connection_does_not_know_is_refused_in_words(analyst: User) -> None:
    world.systems()
    connected = world.erp()
    connected.settings["currency_ids"] = "EUR=2"
    connected.save()
    _, case = world.mismatch(usd("1120.00"), usd("1000.00"))
    with pytest.raises(Rejected, match="Oracle NetSuite: The connection does not say which NetSuite currency USD is"):
        credit_plan(analyst, case)


def test_a_connection_that_is_off_takes_no_plan(analyst: User, case: ExceptionCase) -> None:
    pause("netsuite", reason="tests", acting_user=System("tests"))
    with pytest.raises(Rejected, match="not connected"):
        credit_plan(analyst, case)


def test_i35_editing_makes_a_new_intent_under_a_new_key(analyst: User, case: ExceptionCase) -> None:
    plan = credit_plan(analyst, case)
    before = plan.postings.get()
    edited = edit_plan(plan, inputs=credit_inputs("60.00"), reason="Half of it", acting_user=analyst)
    after = edited.postings.get()
    assert after.key != before.key
    assert edited.digest != plan.digest
    assert edited.amount_minor == 6000
    assert not Posting.objects.filter(key=before.key).exists()
    assert ActionRecord.objects.get(verb="plan.edit").before["digest"] == plan.digest


def test_only_its_maker_edits_and_withdraws_a_draft(analyst: User, case: ExceptionCase) -> None:
    plan, other = credit_plan(analyst, case), world.person("bob", "finance_analyst")
    with pytest.raises(NotAllowed):
        edit_plan(plan, inputs=credit_inputs(), reason="Mine now", acting_user=other)
    with pytest.raises(NotAllowed):
        withdraw_plan(plan, reason="Away with it", acting_user=other)
    with pytest.raises(Rejected):
        withdraw_plan(plan, reason=" ", acting_user=analyst)
    assert withdraw_plan(plan, reason="Not needed", acting_user=analyst).state == PlanState.WITHDRAWN
    assert plan.postings.get().state == PostingState.VOID
    with pytest.raises(Conflict):
        withdraw_plan(plan, reason="Again", acting_user=analyst)
    with pytest.raises(Conflict):
        edit_plan(plan, inputs=credit_inputs(), reason="Late", acting_user=analyst)


def test_a_closed_case_needs_no_plan(analyst: User, case: ExceptionCase) -> None:
    world.say("netsuite", world.entered(usd("1000.00")))
    world.detect()
    case.refresh_from_db()
    with pytest.raises(Conflict, match="closed in the meantime"):
        credit_plan(analyst, case)


def test_a_credit_memo_has_no_reversal_and_says_what_to_do(analyst: User, case: ExceptionCase) -> None:
    plan = credit_plan(analyst, case)
    with pytest.raises(Rejected, match="has not been posted"):
        compose_reversal(plan, inputs={}, reason="Undo", acting_user=analyst)
    plan.state = PlanState.CONFIRMED
    with pytest.raises(Rejected, match="Void the credit memo in the ERP"):
        compose_reversal(plan, inputs={}, reason="Undo", acting_user=analyst)


# --- what the database refuses, whoever asks ------------------------------------------------------------------------


def refused(sql: str, *values: str | int) -> bool:
    """Raw SQL, by somebody who leaves the history that the database demands."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, values)
            write_history(ChangePlan, ChangePlan.objects.values_list("pk", flat=True))
    except DatabaseError:
        return True
    return False


@pytest.mark.parametrize(
    "change",
    [
        "body = 'x'::bytea", "key = 'rvo-other'", "path = '/other'", "method = 'PUT'", "headers = '{\"A\": \"b\"}'",
        "change = '{\"a\": 1}'", "operation = 'other'", "body_digest = 'x'", "system_id = 'stripe'", "fence = fence - 1",
    ],
)  # fmt: skip
def test_i35_stored_bytes_and_key_cannot_be_changed(analyst: User, case: ExceptionCase, change: str) -> None:
    posting = credit_plan(analyst, case).postings.get()
    Posting.objects.filter(pk=posting.pk).update(fence=1)
    assert refused(f"UPDATE postings_posting SET {change} WHERE id = %s", posting.pk)
    with as_owner():
        assert refusal_of(f"UPDATE postings_posting SET {change} WHERE id = %s", [posting.pk]), "not even by the table's owner"
    assert not refused("UPDATE postings_posting SET last_error = 'x' WHERE id = %s", posting.pk)


@pytest.mark.parametrize("state", PlanState.values)
def test_i29_only_listed_moves_of_a_plan_exist(analyst: User, case: ExceptionCase, state: str) -> None:
    plan = credit_plan(analyst, case)
    allowed = state == "draft" or ("draft", state) in PLAN_MOVES
    assert refused("UPDATE postings_changeplan SET state = %s WHERE id = %s", state, plan.pk) is not allowed


def test_i29_ended_plans_stay_ended(analyst: User, case: ExceptionCase) -> None:
    plan = withdraw_plan(credit_plan(analyst, case), reason="x", acting_user=analyst)
    for state in set(PlanState.values) - {"withdrawn"}:
        assert refused("UPDATE postings_changeplan SET state = %s WHERE id = %s", state, plan.pk)
    assert refused("DELETE FROM postings_changeplan WHERE id = %s", plan.pk)
    with as_owner():
        assert "Cannot delete" in refusal_of("DELETE FROM postings_changeplan WHERE id = %s", [plan.pk])


@pytest.mark.parametrize("state", sorted(set(PostingState.values) - {"planned", "void"}))
def test_i29_i30_no_posting_leaves_before_its_plan_is_released(analyst: User, case: ExceptionCase, state: str) -> None:
    posting = credit_plan(analyst, case).postings.get()
    assert refused("UPDATE postings_posting SET state = %s, vendor_id = '1' WHERE id = %s", state, posting.pk)


def test_i29_nothing_is_born_further_along(analyst: User, case: ExceptionCase) -> None:
    plan = credit_plan(analyst, case)
    columns = (
        "kind, account_id, maker_id, reason, inputs, amount_minor, currency, digest, facts_digest, facts, outcome, "
        "policy_version, row_version, trace_id"
    )
    copy = f"INSERT INTO postings_changeplan (state, {columns}) SELECT %s, {columns} FROM postings_changeplan WHERE id = %s"
    assert refused(copy, "released", plan.pk)
    assert not refused(copy, "draft", plan.pk)
    with pytest.raises(DatabaseError, match="Cannot insert"), transaction.atomic():
        Posting.objects.create(
            plan=plan, sequence=2, system_id="netsuite", operation="x", method="POST", path="/", body=b"", body_digest="",
            key="rvo-2", summary=Sentence("test.called"), change={}, state="released",
        )  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        "digest = 'x'",
        "maker_id = %s",
        "amount_minor = 1",
        "inputs = '{}'",
        "reason = 'x'",
        "facts = '[]'",
        "kind = 'x'",
        "currency = 'EUR'",
        "facts_digest = 'x'",
        "case_id = NULL",
    ],
)
def test_i24_what_was_submitted_is_bound(analyst: User, case: ExceptionCase, change: str) -> None:
    plan = credit_plan(analyst, case)
    assert not refused("UPDATE postings_changeplan SET state = 'submitted' WHERE id = %s", plan.pk)
    other = world.person("bob", "finance_analyst")
    values: list[int] = [other.pk] if "%s" in change else []
    assert refused(f"UPDATE postings_changeplan SET {change} WHERE id = %s", *values, plan.pk)
    assert fresh(plan).digest == plan.digest


def test_i28_one_plan_at_a_time_is_under_way_on_one_thing(analyst: User, case: ExceptionCase) -> None:
    first, second = credit_plan(analyst, case), credit_plan(analyst, case)
    assert not refused("UPDATE postings_changeplan SET state = 'submitted' WHERE id = %s", first.pk)
    assert refused("UPDATE postings_changeplan SET state = 'submitted' WHERE id = %s", second.pk)
