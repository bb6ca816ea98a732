"""The declared processes are sound, and what they declare is what detection does."""

from __future__ import annotations

import datetime as dt
import importlib
import pkgutil

import pytest

import revops.processes
from revops.detection.rules import (
    close_on_stale_subscription,
    invoice_amount_mismatch,
    invoice_before_contract,
    invoice_not_posted,
)
from revops.detection.rules import renewal_before_amendment as renewal
from revops.ledger.models import SystemRole
from revops.money import Money
from revops.processes.period_close import PERIOD_CLOSE
from revops.processes.process import Prerequisite, Process
from revops.processes.quote_to_cash import QUOTE_TO_CASH
from revops.processes.renewal_to_revenue import RENEWAL_TO_REVENUE
from tests.revops import world


def declared() -> list[Process]:
    """Every process that a file of the package declares."""
    found: list[Process] = []
    for entry in pkgutil.iter_modules(revops.processes.__path__):
        module = importlib.import_module(f"revops.processes.{entry.name}")
        found += [value for value in vars(module).values() if isinstance(value, Process)]
    return found


def code(process: Process) -> str:
    return process.code


def test_each_process_is_declared_once_in_a_file_of_its_name() -> None:
    assert {process.code for process in declared()} == {"quote_to_cash", "renewal_to_revenue", "period_close"}
    assert len(declared()) == 3
    for process in declared():
        assert process in vars(importlib.import_module(f"revops.processes.{process.code}")).values()


@pytest.mark.parametrize("process", declared(), ids=code)
def test_stages_have_owners_and_limits_that_can_be(process: Process) -> None:
    codes = [stage.code for stage in process.stages]
    assert len(set(codes)) == len(codes) >= 2
    for stage in process.stages:
        assert stage.owner in SystemRole.values
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


def test_every_prerequisite_and_limit_is_watched_by_a_rule() -> None:
    watched: list[Prerequisite] = [invoice_before_contract.ORDER, renewal.ORDER, close_on_stale_subscription.ORDER]
    assert [line for process in declared() for line in process.prerequisites if line not in watched] == []
    limits = {stage.limit for process in declared() for stage in process.stages if stage.limit is not None}
    assert limits == {invoice_not_posted.LIMIT, invoice_amount_mismatch.GRACE}
    assert PERIOD_CLOSE.prerequisites + RENEWAL_TO_REVENUE.prerequisites + QUOTE_TO_CASH.prerequisites


# --- and detection keeps to it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("late_by", "found"), [(-60, 0), (60, 1)], ids=["a minute before its limit", "a minute after"])
def test_an_invoice_has_its_declared_time_to_reach_the_erp(db: None, late_by: int, found: int) -> None:
    from revops.cases.models import ExceptionCase, Expectation

    limit = QUOTE_TO_CASH.stage("posting").limit
    assert limit is not None
    world.systems()
    world.customers()
    world.say(
        "stripe", world.billed(Money.parse("900.00", "USD"), finalized_at=world.now() - limit - dt.timedelta(seconds=late_by))
    )
    world.look()
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
    world.look()
    found = list(ExceptionCase.objects.values_list("rule", flat=True))
    assert found == ([] if activated else ["invoice_before_contract"])
