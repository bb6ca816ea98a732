"""A customer that carries nothing itself follows those that name it, in any order, as long as they mean one account."""

from __future__ import annotations

import itertools

import pytest

from revops.accounts.models import AccountLink
from revops.audit.models import ActionRecord
from revops.ledger.models import SourceRecord
from revops.ledger.relink import link_customer, unlink_customer
from revops.money import Money
from tests.revops import world

pytestmark = pytest.mark.django_db

ONE, TWO = world.CRM_ID, "0015e00000AbCd2AAF"


@pytest.fixture(autouse=True)
def systems() -> None:
    world.systems()
    world.erp()


def crm(key: str = ONE, named: str = "netsuite:5512", *, deleted: bool = False, into: str = "") -> None:
    to = {"known_as": named} if named else {}
    if into:
        to["merged_into"] = f"salesforce:{into}"
    world.say("salesforce", world.fact("customer", key, to, deleted=deleted, name=f"Account {key[-4:]}", currency="USD"))


def erp(key: str = "5512", to: dict[str, str] | None = None) -> None:
    world.say("netsuite", world.fact("customer", key, to, name="Halden"))


def entered() -> None:
    world.say("netsuite", world.fact("invoice", "901", {"customer": "netsuite:5512"}, total=Money.zero("USD")))


def billing(named: str = "netsuite:5512", key: str = "cus_1", crm_id: str = ONE) -> None:
    to = {"same_as": f"salesforce:{crm_id}"} | ({"known_as": named} if named else {})
    world.say("stripe", world.fact("customer", key, to, name="Halden"))


def linked(key: str = "5512") -> tuple[str, str] | None:
    """The CRM's id of the account that the ERP's customer is linked to, and how we know."""
    link = AccountLink.objects.filter(system="netsuite", customer_id=key).exclude(basis="refused").first()
    record = SourceRecord.objects.filter(system="netsuite", object_type="customer", external_id=key).first()
    if link is None:
        assert record is None or record.account_id is None
        return None
    assert record is not None
    assert record.account_id == link.account_id
    made = AccountLink.objects.get(account=link.account, system="salesforce", basis="made")
    return made.customer_id, link.basis


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_the_erps_customer_and_its_documents_follow_the_account_that_names_it(order: tuple[int, ...]) -> None:
    for step in order:
        (crm, erp, entered)[step]()
    assert linked() == (ONE, "reference")
    account = world.account_of(ONE)
    assert SourceRecord.objects.get(system="netsuite", object_type="invoice", external_id="901").account_id == account.pk


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_billings_customer_names_it_too_by_way_of_its_own_account(order: tuple[int, ...]) -> None:
    for step in order:
        (lambda: crm(named=""), erp, billing)[step]()
    assert linked() == (ONE, "reference")


def test_it_is_undone_when_the_naming_goes_and_follows_to_another_account() -> None:
    erp()
    entered()
    crm()
    crm(TWO, "")
    crm(ONE, "")
    assert linked() is None
    assert SourceRecord.objects.get(system="netsuite", external_id="901").account_id is None
    assert ActionRecord.objects.get(verb="account.unlink").account_id == world.account_of(ONE).pk
    crm(TWO, "netsuite:5512")
    assert linked() == (TWO, "reference")
    crm(TWO, "netsuite:6120")
    assert linked() is None
    erp("6120")
    assert linked("6120") == (TWO, "reference")


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_named_by_two_accounts_it_is_linked_to_neither_and_both_are_told(order: tuple[int, ...]) -> None:
    for step in order:
        (crm, lambda: crm(TWO), erp)[step]()
    assert linked() is None
    erp()
    told = ActionRecord.objects.filter(verb="account.contest").order_by("account_id")
    accounts = sorted(world.account_of(key).pk for key in (ONE, TWO))
    assert [line.account_id for line in told] == accounts, "each of them once"
    crm(TWO, "")
    assert linked() == (ONE, "reference")


def test_two_that_name_it_and_are_one_account_are_no_contradiction() -> None:
    crm()
    billing()
    erp()
    assert linked() == (ONE, "reference")
    crm(ONE, "")
    assert linked() == (ONE, "reference"), "billing names it still"
    billing("")
    assert linked() is None


def test_a_reference_of_its_own_comes_before_who_names_it() -> None:
    crm()
    crm(TWO, "")
    erp(to=world.same_as(TWO))
    assert linked() == (TWO, "reference")
    erp(to=world.same_as("0015e00000Nobody"))
    assert linked() is None, "it refers to somebody, who has not come"
    erp()
    assert linked() == (ONE, "reference")


def test_a_persons_word_stands_above_who_names_it() -> None:
    cleo = world.person("cleo", "cs_analyst")
    crm()
    crm(TWO, "")
    erp()
    unlink_customer(system="netsuite", customer_id="5512", reason="Another firm", acting_user=cleo, now=world.now())
    crm()
    erp()
    assert linked() is None
    other = world.account_of(TWO)
    link_customer(system="netsuite", customer_id="5512", account=other, reason="VAT", acting_user=cleo, now=world.now())
    crm(ONE, "")
    crm()
    assert linked() == (TWO, "confirmed")


def test_a_person_who_moves_the_one_that_names_it_moves_it_too() -> None:
    cleo = world.person("cleo", "cs_analyst")
    crm(named="")
    crm(TWO, "")
    billing()
    erp()
    assert linked() == (ONE, "reference")
    unlink_customer(system="stripe", customer_id="cus_1", reason="Not theirs", acting_user=cleo, now=world.now())
    assert linked() is None
    account = world.account_of(TWO)
    link_customer(system="stripe", customer_id="cus_1", account=account, reason="VAT", acting_user=cleo, now=world.now())
    assert linked() == (TWO, "reference")


def test_what_a_merged_account_named_goes_with_it_and_a_live_account_counts_before_a_deleted_one() -> None:
    crm()
    crm(TWO, "")
    erp()
    crm(ONE, into=TWO, deleted=True)
    assert linked() == (TWO, "reference")
    crm(ONE, deleted=True)
    third = "0015e00000AbCd3AAF"
    crm(third)
    assert linked() == (third, "reference")


def test_a_customer_that_refers_to_the_named_one_follows_it() -> None:
    world.say("netsuite", world.fact("customer", "77", {"same_as": "netsuite:5512"}, name="Lab"))
    erp()
    crm()
    assert linked("77") == (ONE, "reference")
    crm(ONE, "")
    assert linked("77") is None


# --- a part of another customer -----------------------------------------------------------------------------------------


def part(to: dict[str, str] | None = None) -> None:
    erp("5513", {"parent": "netsuite:5512"} | (to or {}))


def entered_on_the_part() -> None:
    world.say("netsuite", world.fact("invoice", "902", {"customer": "netsuite:5513"}, total=Money.zero("USD")))


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
def test_a_part_of_a_customer_follows_it_with_its_documents(order: tuple[int, ...]) -> None:
    for step in order:
        (crm, erp, part, entered_on_the_part)[step]()
    assert linked("5513") == (ONE, "reference")
    account = world.account_of(ONE)
    assert SourceRecord.objects.get(system="netsuite", object_type="invoice", external_id="902").account_id == account.pk


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
def test_a_part_that_is_named_by_another_account_follows_that_one(order: tuple[int, ...]) -> None:
    for step in order:
        (crm, erp, part, lambda: crm(TWO, "netsuite:5513"))[step]()
    assert (linked(), linked("5513")) == ((ONE, "reference"), (TWO, "reference"))


def test_a_part_that_refers_to_another_account_follows_that_one() -> None:
    crm()
    crm(TWO, "")
    erp()
    part({"same_as": f"salesforce:{TWO}"})
    assert linked("5513") == (TWO, "reference")


def test_a_part_stays_unlinked_as_long_as_the_whole_is() -> None:
    part()
    erp()
    assert linked("5513") is None


def test_parts_of_each_other_end() -> None:
    erp("5512", {"parent": "netsuite:5513"})
    part()
    assert (linked("5512"), linked("5513")) == (None, None)
