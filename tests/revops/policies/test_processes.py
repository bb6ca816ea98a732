"""The declared processes are sound, and what they declare is what detection does."""

from __future__ import annotations

import datetime as dt

import pytest

from revops.detection.examples import ledger_of
from revops.detection.registry import RULES
from revops.money import Money
from revops.policies.in_force import policies_in_force
from revops.policies.process import Process
from tests.revops import world
from tests.revops.policies.documents import policies


def declared() -> list[Process]:
    """Every process of the shipped document."""
    return list(policies_in_force().processes.values())


def code(process: Process) -> str:
    return process.code


def test_the_declared_processes() -> None:
    assert [process.code for process in declared()] == ["quote_to_cash", "renewal_to_revenue", "period_close"]
    with pytest.raises(LookupError, match="no process renewal is declared"):
        policies_in_force().process("renewal")


@pytest.mark.parametrize("process", declared(), ids=code)
def test_stages_have_owners_and_limits_that_can_be(process: Process) -> None:
    codes = [stage.code for stage in process.stages]
    assert len(set(codes)) == len(codes) >= 2
    for stage in process.stages:
        assert stage.label[0].isupper()
        assert stage.limit is None or stage.limit > dt.timedelta(0)
        assert process.stage(stage.code) is stage
    with pytest.raises(LookupError):
        process.stage("no such stage")


@pytest.mark.parametrize("process", declared(), ids=code)
def test_what_must_come_before_stands_before(process: Process) -> None:
    """And so nothing can wait for itself."""
    codes = [stage.code for stage in process.stages]
    for line in process.prerequisites:
        assert codes.index(line.needs) < codes.index(line.stage)
        assert line.grace >= dt.timedelta(0)
        assert line.why.endswith(".")
        assert process.prerequisite(line.stage, line.needs) is line
        with pytest.raises(LookupError):
            process.prerequisite(line.needs, line.stage)


LONGER = [
    ("invoice_not_posted", ('limit = "24 hours"', 'limit = "25 hours"'), dt.timedelta(hours=1)),
    ("invoice_amount_mismatch", ('limit = "4 hours"', 'limit = "6 hours"'), dt.timedelta(hours=2)),
    ("invoice_before_contract", ('grace = "2 hours"', 'grace = "3 hours"'), dt.timedelta(hours=1)),
    ("renewal_before_amendment", ('"amendment"\ngrace = "0 hours"', '"amendment"\ngrace = "1 hour"'), dt.timedelta(hours=1)),
    ("close_on_stale_subscription", ('_current"\ngrace = "0 hours"', '_current"\ngrace = "1 hour"'), dt.timedelta(hours=1)),
]  # fmt: skip


@pytest.mark.parametrize(("code", "replaced", "later"), LONGER, ids=[line[0] for line in LONGER])
def test_a_longer_limit_or_grace_moves_the_due_time_of_its_rule(
    code: str, replaced: tuple[str, str], later: dt.timedelta
) -> None:
    rule, shipped, patient = RULES[code], policies(), policies(replaced)
    assert rule.tolerance(patient) != rule.tolerance(shipped) or code == "close_on_stale_subscription"
    for example in rule.fires_on:
        before = [finding.due_at + later for finding in rule.find(ledger_of(example), shipped, example.now)]
        assert [finding.due_at for finding in rule.find(ledger_of(example), patient, example.now)] == before


def test_every_prerequisite_and_limit_of_the_document_is_watched_by_a_rule() -> None:
    orders = [
        finding.order for rule in RULES.values() for e in rule.fires_on for finding in rule.find(ledger_of(e), policies(), e.now)
    ]
    watched = {(order.process, order.stage, order.needs) for order in orders if order is not None}
    assert watched == {(process.code, line.stage, line.needs) for process in declared() for line in process.prerequisites}
    limits = {stage.code for process in declared() for stage in process.stages if stage.limit is not None}
    assert limits == {"posting", "agreement"}, "a new limit needs a rule, and a line in LONGER"


# --- and detection keeps to it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("late_by", "found"), [(-60, 0), (60, 1)], ids=["a minute before its limit", "a minute after"])
def test_an_invoice_has_its_declared_time_to_reach_the_erp(db: None, late_by: int, found: int) -> None:
    from revops.cases.models import ExceptionCase, Expectation

    limit = policies_in_force().process("quote_to_cash").limit("posting")
    assert limit > dt.timedelta(0)
    world.systems()
    world.customers()
    world.say(
        "stripe", world.billed(Money.parse("900.00", "USD"), finalized_at=world.now() - limit - dt.timedelta(seconds=late_by))
    )
    world.detect()
    assert (ExceptionCase.objects.count(), Expectation.objects.count()) == (found, 1 - found)


@pytest.mark.parametrize("activated", [True, False])
def test_an_invoice_in_the_erp_waits_for_its_contract(db: None, activated: bool) -> None:
    from revops.cases.models import ExceptionCase

    world.systems()
    world.customers()
    status = "activated" if activated else "draft"
    world.say(
        "salesforce", world.fact("contract", "800A", {"customer": f"salesforce:{world.CRM_ID}"}, number="C-7", status=status)
    )
    refs = {"customer": f"netsuite:{world.CUSTOMER}", "contract": "salesforce#C-7"}
    world.say("netsuite", world.fact("invoice", "9", refs, number="INV-9", status="open", total=world.usd("70.00")))
    world.detect()
    found = list(ExceptionCase.objects.values_list("rule", flat=True))
    assert found == ([] if activated else ["invoice_before_contract"])
