"""Lines and touches as the database holds them, plans with several steps, and proof by natural keys."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import pytest
from django.db import DatabaseError, connection, transaction

from revops import wiring
from revops.accounts.models import Account
from revops.approvals.actions import submit_plan
from revops.approvals.requirements import needs_of
from revops.audit.models import ActionRecord
from revops.cases.models import ExceptionCase
from revops.errors import Rejected
from revops.history import write_history
from revops.ledger.facts import Value
from revops.ledger.models import SourceSystem
from revops.people.models import LegalEntity, User
from revops.policies.in_force import policies_in_force
from revops.postings import port, transitions
from revops.postings.changes import Change, Difference, NaturalKey, register, unregister
from revops.postings.draft import amounts_of, compose_plan
from revops.postings.kinds import register as register_kind
from revops.postings.kinds import unregister as unregister_kind
from revops.postings.models import ChangePlan, PlanLine, PlanState, PlanTouch, Posting, PostingState
from revops.postings.queue import POSTINGS
from revops.reference import Ref, Refs
from revops.sentences import Sentence
from tests.accounts import as_owner
from tests.revops import world
from tests.revops.attacker import refusal_of
from tests.revops.postings.test_build import Asked, composed, memo
from tests.revops.world import credit_plan, eur, fact, fresh, usd

DAY = dt.date(2026, 11, 20)


# --- what the database holds -----------------------------------------------------------------------------------------


@pytest.fixture
def analyst(db: None) -> User:
    return world.person("ana", "finance_analyst")


@pytest.fixture
def case(db: None) -> ExceptionCase:
    world.systems()
    return world.mismatch(usd("1120.00"), usd("1000.00"))[1]


def at_commit(sql: str, *values: str | int) -> str:
    """What the database says when this is to be committed; empty when it takes it."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, values)
            write_history(ChangePlan, ChangePlan.objects.values_list("pk", flat=True))
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    except DatabaseError as refused:
        return str(refused)
    return ""


LINE = "INSERT INTO postings_planline (plan_id, sequence, account, side, amount_minor, currency) VALUES "


def test_a_plan_whose_lines_do_not_balance_is_not_committed(analyst: User, case: ExceptionCase) -> None:
    plan = credit_plan(analyst, case)
    assert at_commit("SELECT 1") == ""
    one = f"{LINE} (%s, 3, 'receivable', 'debit', 5, %s)"
    assert "debits and credits" in at_commit(one, plan.pk, "USD")
    assert "debits and credits" in at_commit(one, plan.pk, "EUR"), "another currency does not make up for it"
    both = f"{one}, (%s, 4, 'contra_revenue', 'credit', 5, %s)"
    assert "debits and credits" in at_commit(both, plan.pk, "EUR", plan.pk, "USD")
    assert at_commit(both, plan.pk, "EUR", plan.pk, "EUR") == ""
    assert "debits and credits" in at_commit("DELETE FROM postings_planline WHERE plan_id = %s AND side = 'debit'", plan.pk)


def test_the_amount_of_a_plan_is_the_sum_of_its_debits(analyst: User, case: ExceptionCase) -> None:
    plan = credit_plan(analyst, case)
    assert at_commit("SELECT 1") == "", "what waits to be judged of its lines is judged"
    two = f"{LINE} (%s, 3, 'receivable', 'debit', 5, 'USD'), (%s, 4, 'contra_revenue', 'credit', 5, 'USD')"
    assert "sum of its debits" in at_commit(two, plan.pk, plan.pk)
    for change in ("amount_minor = 0", "amount_minor = 11999", "currency = 'EUR'"):
        assert "sum of its debits" in at_commit(f"UPDATE postings_changeplan SET {change} WHERE id = %s", plan.pk)
    assert at_commit("UPDATE postings_changeplan SET reason = 'Another one' WHERE id = %s", plan.pk) == ""


@pytest.mark.parametrize(
    "values", ["'receivable', 'debit', 0, 'USD'", "'receivable', 'debit', -5, 'USD'", "'receivable', 'both', 5, 'USD'"]
)
def test_a_line_has_a_side_and_an_amount(analyst: User, case: ExceptionCase, values: str) -> None:
    plan = credit_plan(analyst, case)
    assert "line_" in at_commit(f"{LINE} (%s, 3, {values})", plan.pk)


def test_i24_a_line_of_a_draft_is_written_once(analyst: User, case: ExceptionCase) -> None:
    """Another draft writes other lines; what the line says is not exchanged under it."""
    plan = credit_plan(analyst, case)
    exchanged = "UPDATE postings_planline SET account = 'cash' WHERE plan_id = %s"
    assert "permission denied" in at_commit(exchanged, plan.pk)
    with as_owner():
        assert "Cannot update" in at_commit(exchanged, plan.pk)


def test_i24_lines_and_touches_of_what_was_submitted_stay(analyst: User, case: ExceptionCase) -> None:
    plan = submit_plan(credit_plan(analyst, case), acting_user=analyst)
    touch = "INSERT INTO postings_plantouch (plan_id, steps, system_id, object_type, object_id, under_way) VALUES "
    for sql in (
        "DELETE FROM postings_planline WHERE plan_id = %s",
        "UPDATE postings_planline SET amount_minor = 1 WHERE plan_id = %s",
        f"{LINE} (%s, 3, 'receivable', 'debit', 5, 'USD')",
        "DELETE FROM postings_plantouch WHERE plan_id = %s",
        "UPDATE postings_plantouch SET under_way = FALSE WHERE plan_id = %s",
        "UPDATE postings_plantouch SET object_id = '701' WHERE plan_id = %s",
        "UPDATE postings_plantouch SET steps = '{2}' WHERE plan_id = %s",
        f"{touch} (%s, '{{1}}', 'netsuite', 'invoice', '701', FALSE)",
    ):
        assert refusal_of(sql, [plan.pk]), sql


def test_i28_a_touch_is_under_way_with_its_plan_and_never_by_itself(analyst: User, case: ExceptionCase) -> None:
    plan = credit_plan(analyst, case)
    touch = plan.touches.get()
    assert not touch.under_way
    with pytest.raises(DatabaseError), transaction.atomic():
        PlanTouch.objects.filter(pk=touch.pk).update(under_way=True)
    with pytest.raises(DatabaseError), transaction.atomic():
        PlanTouch.objects.create(
            plan=plan, steps=[1], system_id="netsuite", object_type="invoice", object_id="701", under_way=True
        )  # fmt: skip
    submit_plan(plan, acting_user=analyst)
    touch.refresh_from_db()
    assert touch.under_way


def test_a_line_of_the_database_is_a_line(analyst: User, case: ExceptionCase) -> None:
    plan = credit_plan(analyst, case)
    assert [row.line.as_json() for row in PlanLine.objects.filter(plan=plan)] == [
        {"account": "contra_revenue", "side": "debit", "amount": {"amount": "120.00", "currency": "USD"}},
        {"account": "receivable", "side": "credit", "amount": {"amount": "120.00", "currency": "USD"}},
    ]
    assert amounts_of(plan) == [usd("120.00")]


# --- a plan with two currencies, and proof by a natural key ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RenameCustomer(Change):
    """A change of an object that keeps no key of ours."""

    code: ClassVar[str] = "rename_customer"
    customer: Ref
    name: str

    @property
    def touches(self) -> tuple[Ref, ...]:
        return (self.customer,)

    @property
    def evidence(self) -> NaturalKey:
        return NaturalKey("customer", "id", self.customer.id)

    def mismatch(self, values: Mapping[str, Value], refs: Refs) -> Difference | None:
        found = values.get("name")
        return None if found == self.name else Difference("name", str(found), Sentence("test.called"))


@pytest.fixture
def asked() -> Iterator[Callable[..., ChangePlan]]:
    """Composes plans of the changes that it is given, through a vendor's side that writes their stored form."""
    register(RenameCustomer)
    port.bind(compose=composed)

    def plan(account: object, maker: User, *wanted: Change) -> ChangePlan:
        register_kind(Asked(wanted))
        return compose_plan(kind="asked", case=None, account=account, inputs={}, reason="x", acting_user=maker)  # type: ignore[arg-type]

    yield plan
    wiring.bind_ports()
    unregister_kind("asked")
    unregister("rename_customer")


def test_a_plan_of_two_currencies_is_judged_by_both(analyst: User, case: ExceptionCase, asked: Callable[..., ChangePlan]) -> None:
    world.say("netsuite", world.rate("EUR", "1.5"))
    small, large = memo(usd("100.00"), "7", "netsuite"), memo(eur("9000.00"), "8", "netsuite")
    plan = asked(case.account, analyst, small, large)
    assert (plan.amount_minor, plan.currency) == (10000, "USD")
    assert amounts_of(plan) == [usd("100.00"), eur("9000.00")]
    assert [need.code for need in needs_of(plan, policies_in_force())] == ["amount", "controller"]


def test_a_currency_without_a_rate_makes_the_amount_unknown(
    analyst: User, case: ExceptionCase, asked: Callable[..., ChangePlan]
) -> None:
    plan = asked(case.account, analyst, memo(usd("1.00"), "7", "netsuite"), memo(eur("1.00"), "8", "netsuite"))
    assert [need.code for need in needs_of(plan, policies_in_force())] == ["amount", "controller"]


def test_an_amount_is_judged_by_the_rates_of_the_books_that_change(
    analyst: User, case: ExceptionCase, asked: Callable[..., ChangePlan]
) -> None:
    """Two legal entities, each with books and rates of its own: 9,000 EUR stay below the second tier in the one's, not in the
    other's. A plan that changes both is judged by the greater amount."""
    SourceSystem.objects.create(slug="erp-de", label="ERP of Germany", role="erp", vendor="test")
    world.say("erp-de", world.entity("DE", "EUR"), world.rate("EUR", "1.5"))
    world.say("netsuite", world.rate("EUR", "1.0"))

    def signatures(*changes: Change) -> list[str]:
        plan = asked(case.account, analyst, *changes)
        unregister_kind("asked")
        return [need.code for need in needs_of(plan, policies_in_force())]

    assert signatures(memo(eur("9000.00"), "7", "netsuite")) == ["amount"]
    assert signatures(memo(eur("9000.00"), "7", "erp-de")) == ["amount", "controller"]
    assert signatures(memo(eur("4500.00"), "7", "netsuite"), memo(eur("4500.00"), "8", "erp-de")) == ["amount", "controller"]
    world.say("netsuite", fact("exchange_rate", "EUR-USD", deleted=True))
    assert signatures(memo(eur("1.00"), "7", "netsuite")) == ["amount", "controller"], (
        "no rate of its own, though another has one"
    )
    register_kind(Asked(()))  # for the fixture to take away


def test_where_nobody_keeps_an_entitys_books_no_rate_is_known(
    analyst: User, case: ExceptionCase, asked: Callable[..., ChangePlan]
) -> None:
    """The change is made in billing, on an account of the German company, whose books no system is known to keep."""
    world.say("netsuite", world.rate("EUR", "1.0"))
    german = of_entity(world.account_on(case), LegalEntity.objects.create(code="DE", name="DE", base_currency="EUR"))
    plan = asked(german, analyst, memo(eur("1.00"), "7", "stripe"))
    assert [need.code for need in needs_of(plan, policies_in_force())] == ["amount", "controller"]
    of_entity(german, LegalEntity.objects.get(books_system="netsuite"))
    assert [need.code for need in needs_of(fresh(plan), policies_in_force())] == ["amount"]


def of_entity(account: Account, entity: LegalEntity) -> Account:
    """The account as one of that company."""
    with transaction.atomic():
        Account.objects.filter(pk=account.pk).update(legal_entity=entity)
        write_history(Account, [account.pk], kind="~")
    return Account.objects.get(pk=account.pk)


def test_a_change_is_proven_by_its_natural_key(analyst: User, case: ExceptionCase, asked: Callable[..., ChangePlan]) -> None:
    wanted = RenameCustomer(Ref("netsuite", "customer", world.CUSTOMER), "Halden Robotics")
    plan = submit_plan(asked(case.account, analyst, wanted), acting_user=analyst)
    assert plan.state == PlanState.RELEASED
    call_it("Halden Robotics")
    assert state(plan) == PostingState.RELEASED, "what was said before the first byte left proves nothing"
    (claimed,) = POSTINGS.claim(limit=1)
    with transaction.atomic():
        assert transitions.begin_send(claimed) is not None
    assert transitions.note_posted(claimed, world.CUSTOMER)
    call_it("Halden")
    assert state(plan) == PostingState.POSTED, "it does not show the change yet, which is no alarm"
    assert not ActionRecord.objects.filter(verb="posting.alarm").exists()
    call_it("Halden Robotics")
    assert state(plan) == PostingState.CONFIRMED
    assert world.fresh(plan).state == PlanState.CONFIRMED


def test_a_refused_change_that_shows_by_its_natural_key_is_an_alarm_once(
    analyst: User, case: ExceptionCase, asked: Callable[..., ChangePlan]
) -> None:
    wanted = RenameCustomer(Ref("netsuite", "customer", world.CUSTOMER), "Halden Robotics")
    plan = submit_plan(asked(case.account, analyst, wanted), acting_user=analyst)
    (claimed,) = POSTINGS.claim(limit=1)
    with transaction.atomic():
        assert transitions.begin_send(claimed) is not None
    assert transitions.note_refused(claimed, "not allowed", alarm=False)
    call_it("Halden Inc")
    assert not ActionRecord.objects.filter(verb="posting.alarm").exists()
    for _ in range(2):
        call_it("Halden Robotics")
    line = ActionRecord.objects.get(verb="posting.alarm")
    assert (line.after["difference"], line.after["found"]) == ("not_expected", world.CUSTOMER)
    assert Posting.objects.get(plan=plan).needs_person


def test_a_change_that_nobody_offers_is_not_composed(analyst: User, case: ExceptionCase) -> None:
    wanted = RenameCustomer(Ref("netsuite", "customer", world.CUSTOMER), "Halden Robotics")
    with pytest.raises(Rejected) as refused:
        port.compose("netsuite", "rvo-1", wanted)
    assert refused.value.code == "not_offered"


def call_it(name: str) -> None:
    """The ERP says what the customer is called now."""
    world.say("netsuite", world.fact("customer", world.CUSTOMER, world.same_as(world.CRM_ID), name=name))
    world.detect()


def state(plan: ChangePlan) -> str:
    return Posting.objects.get(plan=plan).state
