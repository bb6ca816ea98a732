"""Accounts that were merged in the CRM: the survivor takes the links, the loser points to it, in whatever order it is told."""

from __future__ import annotations

import itertools

import pytest

from revops.accounts.models import Account, AccountLink
from revops.cases.models import LIVE_STATUSES, ExceptionCase
from revops.ledger.facts import Fact
from revops.ledger.models import SourceRecord
from revops.ledger.relink import link_customer
from tests.revops import world

pytestmark = pytest.mark.django_db

SURVIVOR, LOSER = "001A", "001B"


@pytest.fixture(autouse=True)
def systems() -> None:
    world.systems()
    world.erp()


def crm(id: str, name: str) -> tuple[str, Fact]:
    return ("salesforce", world.fact("customer", id, name=name, currency="USD"))


BILLED = ("stripe", world.fact("customer", "cus_1", {"same_as": f"salesforce:{LOSER}"}, name="Halden"))
INVOICE = ("stripe", world.fact("invoice", "in_1", {"customer": "stripe:cus_1"}, status="open", total=world.usd("50.00")))
KNOWN = (crm(SURVIVOR, "Halden Inc."), crm(LOSER, "Halden"))
MERGED = ("salesforce", world.fact("customer", LOSER, {"merged_into": f"salesforce:{SURVIVOR}"}, deleted=True))
TOLD = (*KNOWN, BILLED, INVOICE, MERGED)
ORDERS = [order for order in itertools.permutations(range(5)) if order[0] < order[4] or order[1] < order[2]][::7]


def account(name: str) -> Account:
    return Account.objects.get(name=name)


@pytest.mark.parametrize("order", ORDERS)
def test_any_order_ends_with_everything_on_the_survivor(order: tuple[int, ...]) -> None:
    for place in order:
        world.say(*TOLD[place])
    survivor = AccountLink.objects.get(customer_id=SURVIVOR).account
    assert set(AccountLink.objects.filter(account=survivor).values_list("customer_id", flat=True)) == {SURVIVOR, LOSER, "cus_1"}
    assert SourceRecord.objects.get(external_id="in_1").account_id == survivor.pk
    for other in Account.objects.exclude(pk=survivor.pk):
        assert other.merged_into == survivor
        assert not AccountLink.objects.filter(account=other).exists()


def test_what_a_person_linked_moves_too_and_the_cases_with_it() -> None:
    for told in KNOWN:
        world.say(*told)
    world.say("stripe", world.fact("customer", "cus_1", name="Halden"))
    ana = world.person("ana", "finance_analyst")
    link_customer(
        system="stripe", customer_id="cus_1", account=account("Halden"), reason="Same tax id", acting_user=ana, now=world.now()
    )
    world.say(*INVOICE)
    world.say(*MERGED)
    world.detect()
    assert SourceRecord.objects.get(external_id="in_1").account == account("Halden Inc.")
    live = ExceptionCase.objects.filter(status__in=LIVE_STATUSES)
    assert {case.account for case in live} <= {account("Halden Inc.")}


def test_a_merge_that_was_undone_has_its_account_again() -> None:
    for told in TOLD:
        world.say(*told)
    world.say("salesforce", world.fact("customer", LOSER, name="Halden", currency="USD"))
    again = AccountLink.objects.get(customer_id=LOSER)
    assert again.basis == AccountLink.Basis.MADE
    assert again.account != AccountLink.objects.get(customer_id=SURVIVOR).account
    assert SourceRecord.objects.get(external_id="in_1").account == again.account
