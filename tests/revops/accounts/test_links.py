"""Whose is this customer? By the id that the system itself carries, in either length, or by a person; never by resemblance.

Billing's customers come as Stripe sends them, the CRM's accounts as facts.
"""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import pytest

from revops.accounts.models import Account, AccountLink
from revops.audit.models import ActionRecord
from revops.cases.models import ExceptionCase
from revops.errors import Conflict
from revops.ledger.models import SourceRecord
from revops.ledger.relink import link_customer, unlink_customer
from revops.money import Money
from revops.people.actors import System
from sync import connections
from sync.applying.drain import process_all
from sync.intake import inbox
from sync.models import Delivery
from tests.revops import world
from tests.revops.api.caller import Caller, body
from tests.revops.attacker import refusal_of
from tests.sync.stripe_sender import API_KEY, SECRET, event, rendered

pytestmark = pytest.mark.django_db

LONG = "0015e00000AbCd1AAF"
SHORT = LONG[:15]
OTHER_CASE = "0015e00000abcd1AAA"
"""Another account: ids differ in case alone, and their checksums tell them apart."""
_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def systems() -> None:
    connections.connect(
        slug="stripe", vendor="stripe", base_url="https://api.stripe.com", acting_user=System("tests"),
        values={"api_key": API_KEY, "webhook_secret": SECRET, "crm_connection": "salesforce"},
    )  # fmt: skip
    connections.resume("stripe", acting_user=System("tests"))
    world.systems()
    world.erp()


def stripe_says(customer: str, account_id: str | None, name: str = "Halden") -> Delivery:
    """`customer.updated` with this Salesforce id in its metadata, through the inbox."""
    number = next(_numbers)
    said: dict[str, Any] = event(number, name, customer=customer)
    said["data"]["object"]["metadata"] = {} if account_id is None else {"salesforce_account_id": account_id}
    handle = connections.handle("stripe")
    assert handle is not None
    kept = inbox.accept(handle, kind="event", dedup_key=said["id"], body=rendered(said))
    process_all(world.now())
    return Delivery.objects.get(pk=kept.id)


def crm_says(account_id: str, name: str = "Halden", **more: Any) -> None:
    world.say("salesforce", world.fact("customer", account_id, name=name, currency="USD", **more))


def account_of(customer: str, system: str = "stripe") -> str | None:
    row = SourceRecord.objects.select_related("account").get(system=system, object_type="customer", external_id=customer)
    made = AccountLink.objects.filter(account=row.account, system="salesforce", basis="made").first()
    return made.customer_id if made is not None else None


@pytest.mark.parametrize("carried", [LONG, SHORT], ids=["18 characters", "15 characters"])
@pytest.mark.parametrize("crm_first", [True, False], ids=["the account comes first", "the customer comes first"])
def test_either_length_of_the_id_finds_the_account(carried: str, crm_first: bool) -> None:
    if crm_first:
        crm_says(LONG)
    stripe_says("cus_1", carried)
    if not crm_first:
        assert account_of("cus_1") is None
        crm_says(LONG)
    assert account_of("cus_1") == LONG
    link = AccountLink.objects.get(system="stripe")
    assert (link.account, link.basis) == (world.account_of(LONG), "reference")


def test_ids_that_differ_in_case_alone_are_two_accounts() -> None:
    crm_says(LONG)
    crm_says(OTHER_CASE, "Somebody else")
    stripe_says("cus_1", SHORT)
    stripe_says("cus_2", OTHER_CASE[:15])
    assert (account_of("cus_1"), account_of("cus_2")) == (LONG, OTHER_CASE)


@pytest.mark.parametrize(
    "carried", [LONG[:17], SHORT + "AAB", LONG.replace("A", "А"), SHORT[:14], "0" * 19, "0015e00000AbCd!AAF", " " + SHORT[1:]],
    ids=["17", "wrong checksum", "a Cyrillic letter", "14", "19", "a sign", "a blank"],
)  # fmt: skip
def test_w27_what_is_no_id_is_marked_and_links_nothing(carried: str) -> None:
    crm_says(LONG)
    assert stripe_says("cus_1", carried).state == "applied"
    kept = SourceRecord.objects.get(system="stripe")
    assert (kept.unread or {})["same_as"]["code"] == "reference_invalid"
    assert (kept.account_id, kept.refs) == (None, {})
    assert AccountLink.objects.filter(system="stripe").count() == 0


@pytest.mark.parametrize("carried", [LONG.lower(), LONG.upper(), OTHER_CASE.lower()])
def test_an_id_whose_letters_were_made_small_or_large_is_told_by_its_suffix(carried: str) -> None:
    crm_says(LONG)
    crm_says(OTHER_CASE, "Somebody else")
    stripe_says("cus_1", carried)
    assert account_of("cus_1") == (OTHER_CASE if carried == OTHER_CASE.lower() else LONG)


def test_an_unknown_account_is_waited_for_and_never_guessed() -> None:
    crm_says(OTHER_CASE, "Halden")
    stripe_says("cus_1", LONG, "Halden")
    stripe_says("cus_2", None, "Halden")
    assert (account_of("cus_1"), account_of("cus_2")) == (None, None)
    analyst = Caller(world.person("cleo", "cs_analyst"))
    waiting = body(analyst.get("records/?unlinked=true&system=stripe&object_type=customer"))["results"]
    assert {row["external_id"] for row in waiting} == {"cus_1", "cus_2"}
    crm_says(LONG, "Another name")
    assert (account_of("cus_1"), account_of("cus_2")) == (LONG, None)


def test_several_customers_of_one_system_are_one_account() -> None:
    crm_says(LONG)
    for customer in ("cus_1", "cus_2", "cus_3"):
        stripe_says(customer, SHORT)
    assert Account.objects.count() == 1
    assert AccountLink.objects.filter(system="stripe", account=world.account_of(LONG)).count() == 3


def test_the_same_number_in_two_systems_is_two_customers() -> None:
    crm_says(LONG)
    crm_says(OTHER_CASE, "Somebody else")
    stripe_says("50", LONG)
    world.say("netsuite", world.fact("customer", "50", world.same_as(OTHER_CASE), name="Somebody else"))
    assert (account_of("50"), account_of("50", "netsuite")) == (LONG, OTHER_CASE)


# --- merged -----------------------------------------------------------------------------------------------------------


def bill(total: str) -> None:
    money = Money(Decimal(total), "USD")
    world.say("stripe", world.fact(
        "invoice", "in_700", {"customer": "stripe:cus_1"}, number="A-1", status="open", total=money, credited=Money.zero("USD"),
        finalized_at=world.days_ago(5),
    ))  # fmt: skip


def test_two_accounts_that_the_crm_merged_become_one_as_their_customers_move() -> None:
    """The loser is deleted in the CRM; billing's customer names the winner from then on. Its records and cases follow."""
    crm_says(LONG, "Winner")
    crm_says(OTHER_CASE, "Loser")
    stripe_says("cus_1", OTHER_CASE)
    world.say("netsuite", world.fact("customer", world.CUSTOMER, world.same_as(OTHER_CASE), name="Loser"))
    bill("1000.00")
    world.say("netsuite", world.period(), world.entered(world.usd("1120.00")))
    world.detect()
    loser, winner = (world.account_of(key) for key in (OTHER_CASE, LONG))
    assert ExceptionCase.objects.get(status="open").account == loser
    world.say("salesforce", world.fact("customer", OTHER_CASE, deleted=True, name="Loser"))
    stripe_says("cus_1", LONG)
    world.say("netsuite", world.fact("customer", world.CUSTOMER, world.same_as(LONG), name="Winner"))
    moved = SourceRecord.objects.filter(system__in=("stripe", "netsuite"), object_type__in=("customer", "invoice"))
    assert set(moved.values_list("account", flat=True)) == {winner.pk}
    world.detect()
    assert list(ExceptionCase.objects.filter(status="open").values_list("account", flat=True)) == [winner.pk]
    lines = ActionRecord.objects.filter(verb="account.relink").order_by("id")
    assert [(line.before, line.after) for line in lines] == [({"account": loser.pk}, {"account": winner.pk})] * 2
    assert [row.account_id for row in AccountLink.history.filter(system="stripe").order_by("history_id")] == [loser.pk, winner.pk]


def test_a_person_overrules_a_reference_and_stays_right() -> None:
    cleo = world.person("cleo", "cs_analyst")
    crm_says(LONG)
    crm_says(OTHER_CASE, "Somebody else")
    other = world.account_of(OTHER_CASE)
    stripe_says("cus_1", LONG)
    unlink_customer(system="stripe", customer_id="cus_1", reason="Another company", acting_user=cleo, now=world.now())
    stripe_says("cus_1", LONG)
    assert account_of("cus_1") is None
    link_customer(system="stripe", customer_id="cus_1", account=other, reason="VAT id", acting_user=cleo, now=world.now())
    stripe_says("cus_1", LONG)
    assert account_of("cus_1") == OTHER_CASE
    first = world.account_of(LONG)
    with pytest.raises(Conflict, match="linked to Somebody else"):
        link_customer(system="stripe", customer_id="cus_1", account=first, reason="x", acting_user=cleo, now=world.now())


def test_an_account_waits_for_its_legal_entity_and_the_log_says_when_it_came() -> None:
    crm_says(LONG, legal_entity="DE")
    assert Account.objects.get().legal_entity is None
    for name in ("Meridian GmbH", "Meridian Deutschland GmbH"):
        world.say("netsuite", world.fact("legal_entity", "2", code="DE", name=name, currency="EUR"))
    account = Account.objects.get()
    assert account.legal_entity is not None
    assert (account.legal_entity.name, account.legal_entity.base_currency) == ("Meridian Deutschland GmbH", "EUR")
    line = ActionRecord.objects.get(verb="account.refresh")
    assert (line.account_id, line.after) == (account.pk, {"legal_entity_id": account.legal_entity.pk})


def test_the_database_holds_one_account_for_each_customer_and_a_person_behind_each_decision() -> None:
    crm_says(LONG)
    stripe_says("cus_1", LONG)
    link = (
        "INSERT INTO accounts_accountlink (account_id, system, customer_id, basis, reason) "
        "SELECT account_id, system, %s, %s, '' FROM accounts_accountlink WHERE system = 'stripe'"
    )
    assert AccountLink.objects.filter(system="stripe", customer_id="cus_1").count() == 1
    assert "one_account_per_customer" in refusal_of(link, ["cus_1", "reference"])
    for decided in ("confirmed", "refused"):
        assert "person_stands_behind_link" in refusal_of(link, ["cus_2", decided])
    assert "person_stands_behind_link" not in refusal_of(link, ["cus_2", "reference"])
