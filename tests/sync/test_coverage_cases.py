"""Where too little of a system is tied to the others, one case says so, and the rules that need the ties are on trial there."""

from __future__ import annotations

import datetime as dt

import pytest

from revops.cases.models import ExceptionCase, Expectation
from revops.ledger.facts import Fact
from revops.ledger.models import SourceSystem
from revops.money import Money
from sync.models import Connection, Watermark
from sync.workers.sweep import sweep_once
from tests.revops import world

pytestmark = pytest.mark.django_db
INVOICES = 100
START = world.now()
TWENTY = Money.from_minor(2000, "USD")


@pytest.fixture
def netsuite() -> Connection:
    """In use, and read to its end like all others."""
    world.systems()
    row = world.erp()
    Watermark.objects.update(read_at=START)
    world.say("salesforce", world.fact("customer", world.CRM_ID, name="Halden", currency="USD"))
    world.say("stripe", world.fact("customer", "cus_1", {"same_as": f"salesforce:{world.CRM_ID}"}))
    world.say("netsuite", world.fact("customer", "9", {"same_as": f"salesforce:{world.CRM_ID}"}))
    return row


def invoices(tied: int, of: int = INVOICES) -> None:
    """So many of the ERP's invoices carry billing's id."""

    def entered(number: int) -> Fact:
        to = {"customer": "netsuite:9"} | ({"copy_of": f"stripe:in_{number}"} if number < tied else {})
        return world.fact("invoice", str(number), to, number=f"N-{number}", status="open", total=TWENTY)

    def billed(number: int) -> Fact:
        return world.fact(
            "invoice", f"in_{number}", {"customer": "stripe:cus_1"}, number=f"S-{number}", status="open", total=TWENTY
        )

    world.say("stripe", *map(billed, range(of)))
    world.say("netsuite", *map(entered, range(of)))


def the_case() -> ExceptionCase:
    return ExceptionCase.objects.get(rule="coverage_low")


def test_a_low_share_is_one_case_until_it_is_back(netsuite: Connection) -> None:
    invoices(79)
    sweep_once(START)
    assert (the_case().system_id, the_case().status, the_case().severity) == ("netsuite", "open", 2)
    assert "79.0 % of invoices tied to billing (79 of 100)" in str(the_case().sentence)
    invoices(80)
    sweep_once(START + dt.timedelta(minutes=4))
    assert the_case().status == "open", "it is measured every five minutes"
    sweep_once(START + dt.timedelta(minutes=6))
    assert the_case().status == "closed"


def test_a_share_that_falls_is_a_case_though_it_is_not_low(netsuite: Connection) -> None:
    invoices(99)
    sweep_once(START)
    assert not ExceptionCase.objects.filter(rule="coverage_low").exists()
    invoices(89)
    sweep_once(START + dt.timedelta(minutes=30))
    assert not ExceptionCase.objects.filter(rule="coverage_low").exists(), "it is measured every hour"
    sweep_once(START + dt.timedelta(minutes=61))
    assert "89.0 % of invoices tied to billing (89 of 100), at best 99.0 %" in str(the_case().sentence)


@pytest.mark.parametrize(("tied", "of"), [(0, INVOICES), (1, INVOICES - 1), (INVOICES, INVOICES)])
def test_nothing_tied_at_all_is_blindness_and_a_handful_says_nothing(netsuite: Connection, tied: int, of: int) -> None:
    invoices(tied, of)
    sweep_once(START)
    assert not ExceptionCase.objects.filter(rule="coverage_low").exists()


def test_it_is_not_measured_before_everything_was_read_once(netsuite: Connection) -> None:
    invoices(50)
    mark = Watermark.objects.filter(connection=netsuite).order_by("pk")[0]
    Watermark.objects.filter(pk=mark.pk).update(read_at=None)
    sweep_once(START)
    assert SourceSystem.objects.get(pk="netsuite").coverage_at is None


def test_the_rules_that_need_the_tie_are_on_trial_until_it_holds(netsuite: Connection) -> None:
    invoices(50)
    sweep_once(START)
    to = {"customer": "netsuite:9", "copy_of": "stripe:in_3"}
    world.say("netsuite", world.fact("invoice", "3", to, status="open", number="N-3", total=Money.from_minor(9000, "USD")))
    world.detect()
    assert not ExceptionCase.objects.filter(rule="invoice_amount_mismatch").exists()
    assert Expectation.objects.get(rule="invoice_amount_mismatch").held == "trial"
    invoices(INVOICES)
    world.say("netsuite", world.fact("invoice", "3", to, status="open", number="N-3", total=Money.from_minor(9000, "USD")))
    sweep_once(START + dt.timedelta(minutes=6))
    world.detect()
    assert ExceptionCase.objects.get(rule="invoice_amount_mismatch").status == "open"
