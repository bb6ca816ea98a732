"""The second of everything: two CRMs, two billing systems that share ids, two ERPs with books of their own. Nothing mixes
them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from revops.accounts.models import Account, AccountLink
from revops.cases.models import CaseStatus, ExceptionCase
from revops.ledger.facts import Fact
from revops.ledger.freshness import read_through
from revops.ledger.models import DueAccount, Link, SourceRecord, SourceSystem
from revops.ledger.rates import converted, rate
from revops.ledger.reading import account_ledger
from revops.ledger.relink import link_customer, unlink_customer
from revops.people.models import LegalEntity
from revops.reference import Ref
from tests.revops import world
from tests.revops.api.caller import Caller, body
from tests.revops.world import entity, fact, say, usd

pytestmark = pytest.mark.django_db

SYSTEMS = {
    "crm-a": "crm", "crm-b": "crm", "billing-us": "billing", "billing-de": "billing", "erp-us": "erp", "erp-de": "erp",
}  # fmt: skip
LAST_MONTH = world.today().replace(day=1) - dt.timedelta(days=10)


@pytest.fixture(autouse=True)
def systems() -> None:
    for slug, role in SYSTEMS.items():
        SourceSystem.objects.create(slug=slug, label=slug, role=role, vendor="test")
    say("erp-us", entity("US", "USD"))
    say("erp-de", entity("DE", "EUR"))


def customer(system: str, key: str, same_as: str = "", **fields: Any) -> None:
    to = {"same_as": same_as} if same_as else None
    values: dict[str, Any] = {"name": f"{system} {key}", **fields}
    say(system, fact("customer", key, to, **values))


def halden() -> Account:
    """One account with a customer in every system; the ids of the customers are the same wherever they can be."""
    customer("crm-a", "A1", currency="USD", legal_entity="US")
    for system in ("crm-b", "billing-us", "billing-de", "erp-us", "erp-de"):
        customer(system, "1", "crm-a:A1", **({"legal_entity": "DE"} if system == "erp-de" else {}))
    return world.account_of("A1", "crm-a")


def invoice(system: str, key: str, total: str, *, copy_of: str = "", **to: str) -> None:
    pointing = {"customer": f"{system}:1", **({"copy_of": copy_of} if copy_of else {}), **to}
    amount = usd(total)
    more: dict[str, Any] = {"finalized_at": world.days_ago(5)} if system.startswith("billing") else {}
    say(system, fact("invoice", key, pointing, number=f"{system} {key}", status="open", total=amount, **more))


def open_cases(rule: str) -> list[ExceptionCase]:
    for slug in SYSTEMS:
        read_through(slug, ("contract", "invoice"), world.now())
    world.detect()
    return list(ExceptionCase.objects.filter(rule=rule).exclude(status=CaseStatus.CLOSED))


def subjects(case: ExceptionCase) -> set[tuple[str, str]]:
    return {(line["system"], line["external_id"]) for line in case.evidence["records"]}


# --- two ERPs ----------------------------------------------------------------------------------------------------------


def month(day: dt.date, **locks: bool) -> Fact:
    return world.period(day, **locks)


def changed_subscription(billing: str, erp: str) -> None:
    """Billing raised the price last month, the order in the ERP still has the old one."""
    at = dt.datetime.combine(LAST_MONTH, dt.time(9), tzinfo=dt.UTC)
    say(billing, fact(
        "subscription", "sub_1", {"customer": f"{billing}:1"}, status="active", annual_amount=usd("60000.00"), changed_at=at,
    ))  # fmt: skip
    to = {"customer": f"{erp}:1", "subscription": f"{billing}:sub_1"}
    say(erp, fact("sales_order", "77", to, status="active", total=usd("48000.00"), annual_amount=usd("48000.00")))


def test_the_lock_of_another_entitys_books_does_not_matter() -> None:
    halden()
    changed_subscription("billing-us", "erp-us")
    say("erp-us", month(LAST_MONTH))
    say("erp-de", month(LAST_MONTH, ar_locked=True))
    assert open_cases("close_on_stale_subscription") == []
    say("erp-us", month(LAST_MONTH, ar_locked=True))
    (case,) = open_cases("close_on_stale_subscription")
    assert subjects(case) == {("billing-us", "sub_1"), ("erp-us", "77"), ("erp-us", f"{LAST_MONTH:%Y%m}")}


def test_periods_belong_to_the_entity_whose_books_a_system_keeps() -> None:
    account = halden()
    say("erp-us", month(LAST_MONTH))
    say("erp-de", month(LAST_MONTH, closed=True))
    assert dict(LegalEntity.objects.values_list("code", "books_system")) == {"US": "erp-us", "DE": "erp-de"}
    ledger = account_ledger(account)
    us, de = ledger.entity("US"), ledger.entity("DE")
    assert us is not None
    assert de is not None
    found = [ledger.period_of(one, LAST_MONTH) for one in (us, de)]
    assert [(period.system, period.fields["closed"]) for period in found if period] == [("erp-us", False), ("erp-de", True)]
    assert ledger.period_of(us, LAST_MONTH - dt.timedelta(days=400)) is None


def test_a_period_that_names_its_entities_is_theirs_alone() -> None:
    account = halden()
    say("erp-us", fact("legal_entity", "9", code="CA", name="Meridian Canada", currency="CAD"))
    only = fact("accounting_period", "p", {"legal_entity": "erp-us:9"}, name="P", start_on=LAST_MONTH, end_on=LAST_MONTH)
    say("erp-us", only)
    ledger = account_ledger(account)
    periods = {one.code: ledger.period_of(one, LAST_MONTH) for one in ledger.entities}
    assert {code for code, period in periods.items() if period is not None} == {"CA"}


def test_rates_are_those_of_the_books() -> None:
    for system, value in (("erp-us", "1.10"), ("erp-de", "1.25")):
        for days, factor in ((40, Decimal("0.5")), (20, Decimal(1)), (2, Decimal(2))):
            say(system, fact(
                "exchange_rate", f"{days}", currency="EUR", base_currency="USD", rate=Decimal(value) * factor, kind="current",
                on=world.today() - dt.timedelta(days=days),
            ))  # fmt: skip
    on = world.today() - dt.timedelta(days=10)
    hundred = world.eur("100.00")
    assert converted(hundred, "USD", on=on, books="erp-us") == usd("110.00")
    assert converted(hundred, "USD", on=on, books="erp-de") == usd("125.00")
    assert converted(hundred, "USD", on=world.today(), books="erp-us") == usd("220.00")
    assert rate("EUR", "USD", world.today() - dt.timedelta(days=90), books="erp-us") == (
        Decimal("0.55"), world.today() - dt.timedelta(days=40),
    )  # fmt: skip
    assert converted(hundred, "USD", on=on, books="crm-a") is None
    assert converted(hundred, "JPY", on=on, books="") is None
    assert converted(hundred, "USD", on=on, books="") == usd("125.00"), "of what belongs to no entity, the greater amount"
    assert converted(hundred, "USD", on=on, books=None) is None, "of an entity whose books nobody keeps, none"
    say("erp-us", fact("exchange_rate", "20", deleted=True))
    assert converted(hundred, "USD", on=on, books="erp-us") == usd("55.00")


# --- two billing systems that share ids ----------------------------------------------------------------------------------


def test_two_billers_invoices_of_one_id_are_two_invoices() -> None:
    halden()
    invoice("billing-us", "in_1", "100.00")
    invoice("billing-de", "in_1", "900.00")
    invoice("erp-us", "501", "100.00", copy_of="billing-us:in_1")
    invoice("erp-us", "502", "900.00", copy_of="billing-de:in_1")
    assert open_cases("invoice_amount_mismatch") == []
    assert open_cases("invoice_not_posted") == []
    invoice("erp-us", "502", "910.00", copy_of="billing-de:in_1")
    (case,) = open_cases("invoice_amount_mismatch")
    assert (subjects(case), case.amount_minor) == ({("billing-de", "in_1"), ("erp-us", "502")}, 1000)


def test_an_invoice_of_one_biller_is_not_posted_by_the_other_ones_copy() -> None:
    halden()
    invoice("billing-us", "in_1", "100.00")
    invoice("billing-de", "in_1", "100.00")
    invoice("erp-us", "501", "100.00", copy_of="billing-us:in_1")
    (case,) = open_cases("invoice_not_posted")
    assert subjects(case) == {("billing-de", "in_1")}


def test_two_billers_customers_of_one_id_are_two_customers() -> None:
    for crm, billing, name in (("A1", "billing-us", "Halden"), ("A2", "billing-de", "Somebody else")):
        customer("crm-a", crm, name=name)
        customer(billing, "cus_1", f"crm-a:{crm}")
        say(billing, fact("invoice", "in_1", {"customer": f"{billing}:cus_1"}, status="open", total=usd("5.00")))
    owners = SourceRecord.objects.filter(external_id="in_1").order_by("system").values_list("system", "account__name")
    assert list(owners) == [("billing-de", "Somebody else"), ("billing-us", "Halden")]


def test_an_account_billed_in_two_systems_shows_each_document_once() -> None:
    account = halden()
    for billing, erp, key in (("billing-us", "erp-us", "501"), ("billing-de", "erp-de", "501")):
        invoice(billing, "in_1", "100.00")
        invoice(erp, key, "100.00", copy_of=f"{billing}:in_1")
    say("billing-us", fact("proration", "ii_1", {"customer": "billing-us:1"}, amount=usd("5.00"), is_proration=True))
    say("billing-de", fact(
        "invoice", "in_2", {"customer": "billing-de:1"}, status="open", total=usd("0.00"), proration_items=("ii_1",),
    ))  # fmt: skip
    pages = Caller(world.person("fia", "finance_analyst"))
    lines = body(pages.get(f"accounts/{account.pk}/ledger/"))["statement"]
    assert sorted((line["system"], line["document"]) for line in lines if line["document"].endswith("1")) == [
        ("billing-de", "billing-de in_1"), ("billing-us", "billing-us in_1"), ("erp-de", "erp-de 501"), ("erp-us", "erp-us 501"),
    ]  # fmt: skip
    ledger = account_ledger(account)
    ours = ledger.find(Ref("billing-us", "invoice", "in_1"))
    assert ours is not None
    twin = ledger.twin(ours, "erp")
    assert twin is not None
    assert twin.ref == Ref("erp-us", "invoice", "501")
    customer("crm-a", "A1", currency="USD")
    say("erp-us", fact("renewal", "r", {"customer": "erp-us:1"}, stage="not_started"))
    assert [record.external_id for record in ledger.pointing_at(Ref("billing-de", "invoice", "in_1"), "copy_of")] == ["501"]


# --- one invoice in several documents --------------------------------------------------------------------------------------


@pytest.mark.parametrize("forty", ["40.00", "50.00"])
def test_one_billing_invoice_entered_as_two_agrees_as_a_group(forty: str) -> None:
    halden()
    invoice("billing-us", "in_1", "100.00")
    invoice("erp-us", "501", "60.00", copy_of="billing-us:in_1")
    invoice("erp-us", "502", forty, copy_of="billing-us:in_1")
    cases = open_cases("invoice_amount_mismatch")
    assert [case.amount_minor for case in cases] == ([] if forty == "40.00" else [1000])


# --- one account in two CRMs -----------------------------------------------------------------------------------------------


def facts_of_two_crms() -> list[tuple[str, Fact]]:
    return [
        ("crm-a", fact("customer", "A1", name="Halden", currency="USD", legal_entity="US")),
        ("crm-b", fact("customer", "0b4e7a52-6a8f-4c46-9a57-0f3d6f0e8c11", {"same_as": "crm-a:A1"}, name="HALDEN")),
        ("billing-us", fact("customer", "cus_1", {"same_as": "crm-b:0b4e7a52-6a8f-4c46-9a57-0f3d6f0e8c11"}, name="H")),
        ("billing-us", fact("invoice", "in_1", {"customer": "billing-us:cus_1"}, status="draft", total=usd("1.00"))),
    ]  # fmt: skip


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (1, 3, 0, 2)])
def test_an_account_in_two_crms_is_one_in_any_order(order: tuple[int, ...]) -> None:
    facts = facts_of_two_crms()
    for number in order:
        system, said = facts[number]
        say(system, said)
    account = Account.objects.get()
    assert (account.name, account.currency) == ("Halden", "USD")
    assert set(SourceRecord.objects.exclude(object_type="legal_entity").values_list("account", flat=True)) == {account.pk}
    assert dict(AccountLink.objects.values_list("system", "basis")) == {
        "crm-a": "made", "crm-b": "reference", "billing-us": "reference",
    }  # fmt: skip


def test_a_person_links_the_second_crms_customer_and_those_that_refer_to_it_follow() -> None:
    cleo = world.person("cleo", "cs_analyst")
    customer("crm-a", "A1")
    customer("crm-b", "B1")
    customer("billing-us", "cus_1", "crm-b:B1")
    invoice_of = {"customer": "billing-us:cus_1"}
    say("billing-us", fact("invoice", "in_1", invoice_of, status="draft", total=usd("1.00")))
    first, second = world.account_of("A1", "crm-a"), world.account_of("B1", "crm-b")
    assert SourceRecord.objects.get(external_id="in_1").account == second
    unlink_customer(system="crm-b", customer_id="B1", reason="The same company", acting_user=cleo, now=world.now())
    assert SourceRecord.objects.get(external_id="in_1").account is None
    DueAccount.objects.all().delete()
    link_customer(system="crm-b", customer_id="B1", account=first, reason="VAT id", acting_user=cleo, now=world.now())
    assert SourceRecord.objects.get(external_id="in_1").account == first
    customer("crm-b", "B1", currency="USD")
    assert world.account_of("B1", "crm-b") == first, "what a person said stays"
    assert set(DueAccount.objects.values_list("account", flat=True)) == {first.pk}


def test_contracts_are_found_in_the_crm_that_the_invoice_names() -> None:
    halden()
    say("crm-a", fact("contract", "x", {"customer": "crm-a:A1"}, number="C-7", status="draft"))
    say("crm-b", fact("contract", "x", {"customer": "crm-b:1"}, number="C-7", status="activated"))
    invoice("erp-us", "501", "70.00", contract="crm-b#C-7")
    assert open_cases("invoice_before_contract") == []
    invoice("erp-us", "502", "70.00", contract="crm-a#C-7")
    (case,) = open_cases("invoice_before_contract")
    assert subjects(case) == {("erp-us", "502"), ("crm-a", "x")}


# --- references are rows ---------------------------------------------------------------------------------------------------


def test_references_are_rows_of_the_winning_version_and_may_point_to_what_has_not_come() -> None:
    halden()
    invoice("erp-us", "501", "1.00", copy_of="billing-us:in_1", contract="crm-a#C-7")

    def rows() -> set[tuple[str, str, str, str, str]]:
        mine = Link.objects.filter(record__system="erp-us", record__external_id="501")
        return set(mine.values_list("role", "target_system", "target_type", "target_id", "by"))

    assert rows() == {
        ("customer", "erp-us", "customer", "1", ""), ("copy_of", "billing-us", "invoice", "in_1", ""),
        ("contract", "crm-a", "contract", "C-7", "number"),
    }  # fmt: skip
    assert not SourceRecord.objects.filter(external_id__in=["in_1", "C-7"]).exists()
    invoice("erp-us", "501", "1.00", copy_of="billing-de:in_1")
    assert rows() == {("customer", "erp-us", "customer", "1", ""), ("copy_of", "billing-de", "invoice", "in_1", "")}


def test_the_account_that_loses_a_record_is_looked_at_again() -> None:
    customer("crm-a", "A1", name="Halden")
    customer("crm-a", "A2", name="Somebody else")
    customer("billing-us", "1", "crm-a:A1")
    customer("billing-us", "2", "crm-a:A2")
    say("billing-us", fact("invoice", "in_1", {"customer": "billing-us:1"}, status="open", total=usd("5.00")))
    DueAccount.objects.all().delete()
    say("billing-us", fact("invoice", "in_1", {"customer": "billing-us:2"}, status="open", total=usd("5.00")))
    owners = {world.account_of(key, "crm-a").pk for key in ("A1", "A2")}
    assert set(DueAccount.objects.values_list("account", flat=True)) == owners
