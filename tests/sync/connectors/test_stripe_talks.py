"""The Stripe connector against the simulator in its own process: the first listing, the event log, single objects."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from revops.ledger.facts import Fact
from revops.money import Money
from sync.vendor.contract import Config, Incoming, Misunderstood, Refused, Reread, RetryLater
from sync.vendor.http import HttpClient
from tests.demo.simulators.control import Receiver, eventually
from tests.pointing import pointing
from tests.sync.connectors.talking import FAST, Talk, now, talking


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    with talking("stripe", tmp_path) as talk:
        yield talk


def form(talk: Talk, path: str, **fields: Any) -> dict[str, Any]:
    """One write as somebody in the billing team makes it."""
    url, head = f"{talk.config.base_url}/v1/{path}", {"Authorization": "Bearer sk_test_rehearsal"}
    answer = requests.post(url, data=fields, headers=head, timeout=5)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def customer(talk: Talk) -> str:
    metadata = {"metadata[salesforce_account_id]": "0015500000Xyy06AAB", "metadata[legal_entity]": "DE"}
    return str(form(talk, "customers", name="Northwind", **metadata)["id"])


def subscribe(talk: Talk, buyer: str, quantity: int = 20) -> dict[str, Any]:
    product = form(talk, "products", name="Platform")["id"]
    recurring = {"recurring[interval]": "month"}
    price = form(talk, "prices", product=product, unit_amount=4950, currency="eur", **recurring)["id"]
    items = {"items[0][price]": price, "items[0][quantity]": quantity, "metadata[contract_number]": "C-00000001"}
    return form(talk, "subscriptions", customer=buyer, collection_method="send_invoice", days_until_due=30, **items)


def invoice(talk: Talk, buyer: str, lines: int = 2) -> str:
    draft = form(talk, "invoices", customer=buyer, collection_method="send_invoice", days_until_due=30, currency="eur")
    for _ in range(lines):
        form(talk, "invoiceitems", customer=buyer, invoice=draft["id"], amount=1000, currency="eur")
    return str(form(talk, f"invoices/{draft['id']}/finalize")["id"])


def told(talk: Talk, watermark: str) -> list[Fact | Reread]:
    return [
        answer
        for item in talk.items("events", watermark)
        for answer in talk.connector.translate(
            Incoming(item.kind, item.body, received_at=now(), object_type=item.object_type), talk.config
        )
    ]


def test_the_first_pull_lists_everything_and_ends_at_the_event_log(talk: Talk) -> None:
    buyer = customer(talk)
    plan = subscribe(talk, buyer)
    billed = invoice(talk, buyer, lines=14)
    pages = talk.pull("events")
    assert [page.done for page in pages].count(True) == 1
    assert pages[-1].watermark.startswith("events ")
    facts = {(f.object_type, f.external_id): f for page in pages for item in page.items for f in talk.said(item)}
    assert facts[("customer", buyer)].refs == pointing("customer", {"same_as": "crm:0015500000Xyy06AAB"})
    assert facts[("subscription", plan["id"])].fields["annual_amount"] == Money.parse("11880", "EUR")
    whole = facts[("invoice", billed)]
    assert whole.fields["total"] == Money.parse("140", "EUR")
    items = whole.fields["proration_items"]
    assert isinstance(items, tuple)
    assert len(items) == 14  # more lines than the vendor embeds
    assert len([key for key in facts if key[0] == "proration"]) == 14


def test_a_cancelled_subscription_is_listed_too(talk: Talk) -> None:
    plan = subscribe(talk, customer(talk))
    head = {"Authorization": "Bearer sk_test_rehearsal"}
    requests.delete(f"{talk.config.base_url}/v1/subscriptions/{plan['id']}", headers=head, timeout=5).raise_for_status()
    facts = talk.facts("events")
    assert facts[("subscription", plan["id"])].fields["status"] == "canceled"


def test_a_listing_that_was_cut_off_goes_on_where_it_was(talk: Talk) -> None:
    for number in range(130):
        talk.control.load("customers", made_customer(number))
    pages = talk.pull("events")
    first = [item.dedup_key.split(":")[1] for page in pages for item in page.items]
    assert len(set(first)) == 130
    rest = [item.dedup_key.split(":")[1] for page in talk.pull("events", pages[0].watermark) for item in page.items]
    assert len(rest) == 30
    assert set(rest) == set(first[100:])


def made_customer(number: int) -> dict[str, Any]:
    return {
        "id": f"cus_{number:05d}",
        "object": "customer",
        "created": 1_760_000_000 + number,
        "livemode": False,
        "name": f"Customer {number}",
        "balance": 0,
        "currency": None,
        "delinquent": False,
        "metadata": {},
    }


def test_the_event_log_tells_what_happened_since(talk: Talk) -> None:
    buyer = customer(talk)
    plan = subscribe(talk, buyer)
    watermark = talk.pull("events")[-1].watermark
    item = plan["items"]["data"][0]["id"]
    change = {"items[0][id]": item, "items[0][quantity]": 25, "proration_behavior": "create_prorations"}
    form(talk, f"subscriptions/{plan['id']}", **change)
    billed = invoice(talk, buyer)
    form(talk, f"invoices/{billed}/pay", paid_out_of_band="true")
    facts = [answer for answer in told(talk, watermark) if isinstance(answer, Fact)]
    newest = {}
    for fact in sorted(facts, key=lambda fact: fact.version):
        newest[(fact.object_type, fact.external_id)] = fact
    assert newest[("subscription", plan["id"])].fields["annual_amount"] == Money.parse("14850", "EUR")
    assert newest[("invoice", billed)].fields["status"] == "paid"
    prorations = [fact for key, fact in newest.items() if key[0] == "proration" and fact.fields["is_proration"]]
    assert {target.id for fact in prorations for target in fact.refs["subscription"]} == {plan["id"]}
    assert {"invoice" in fact.refs for fact in prorations} == {False}


def test_the_polled_event_is_a_copy_of_the_pushed_one(talk: Talk) -> None:
    receiver = Receiver()
    talk.control.deliveries(url=receiver.url, secret="whsec_rehearsal")
    watermark = f"events {int(time.time()) - 5}"
    customer(talk)
    eventually(lambda: receiver.received)
    headers, body = receiver.received[0]
    pushed = Incoming("event", body, {name.lower(): value for name, value in headers.items()}, now())
    talk.connector.taking_pushes().verify(pushed, talk.config, now())
    polled = {item.dedup_key: item for item in talk.items("events", watermark)}
    key = talk.connector.taking_pushes().dedup_key(pushed)
    assert talk.connector.content_digest(polled[key].body) == talk.connector.content_digest(body)
    again = Incoming("event", polled[key].body, {}, now())
    assert talk.connector.translate(again, talk.config) == talk.connector.translate(pushed, talk.config)
    receiver.close()


def test_a_gap_longer_than_the_log_lists_everything_again(talk: Talk) -> None:
    buyer = customer(talk)
    old = int((now() - dt.timedelta(days=40)).timestamp())
    assert ("customer", buyer) in talk.facts("events", f"events {old}")
    weeks = int((now() - dt.timedelta(days=10)).timestamp())
    pages = talk.pull("events", f"events {weeks}")
    assert len(pages) >= 10  # a slice a day, so a long catch-up keeps what it has read
    assert pages[-1].done
    marks = [int(page.watermark.split()[1]) for page in pages]
    assert marks == sorted(marks)
    assert abs(marks[-1] - time.time()) < 60


def test_single_objects(talk: Talk) -> None:
    buyer = customer(talk)
    billed = invoice(talk, buyer, lines=12)
    whole = talk.read("invoice", billed)
    assert whole is not None
    assert isinstance(whole.fields["proration_items"], tuple)
    assert len(whole.fields["proration_items"]) == 12
    assert whole.version.endswith(".1")
    assert talk.read("invoice", "in_nothing") is None
    assert talk.read("payment", "pi_nothing") is None
    head = {"Authorization": "Bearer sk_test_rehearsal"}
    requests.delete(f"{talk.config.base_url}/v1/customers/{buyer}", headers=head, timeout=5).raise_for_status()
    gone = talk.read("customer", buyer)
    assert gone is not None
    assert gone.deleted


def test_a_payment_is_known_by_its_payment_intent(talk: Talk) -> None:
    billed = invoice(talk, customer(talk))
    form(talk, f"invoices/{billed}/pay")
    payments = [fact for key, fact in talk.facts("events").items() if key[0] == "payment"]
    assert [fact.refs for fact in payments] == [pointing("payment", {"invoice": f"{talk.config.slug}:{billed}"})]
    assert payments[0].external_id.startswith("pi_")


def attached(talk: Talk, *amounts: int) -> tuple[str, list[str]]:
    """A payment intent that was received, and the invoices that it was attached to, each of so many minor units."""
    buyer = customer(talk)
    intent = form(talk, "payment_intents", amount=sum(amounts), currency="eur", customer=buyer, confirm="true")["id"]
    billed = []
    for amount in amounts:
        draft = form(talk, "invoices", customer=buyer, collection_method="send_invoice", days_until_due=30, currency="eur")
        form(talk, "invoiceitems", customer=buyer, invoice=draft["id"], amount=amount, currency="eur")
        form(talk, f"invoices/{draft['id']}/finalize")
        billed.append(str(form(talk, f"invoices/{draft['id']}/attach_payment", payment_intent=intent)["id"]))
    return intent, billed


def test_one_intent_that_pays_two_invoices_is_one_payment_of_both(talk: Talk) -> None:
    watermark = f"events {int(time.time()) - 5}"
    intent, billed = attached(talk, 3000, 1500)
    both = pointing("payment", {"invoice": " ".join(f"{talk.config.slug}:{each}" for each in billed)})
    listed = [fact for key, fact in talk.facts("events").items() if key == ("payment", intent)]
    read = talk.read("payment", intent)
    assert read is not None
    for fact in (*listed, read):
        assert fact.fields["amount"] == Money.parse("45", "EUR")
        assert fact.fields["status"] == "paid"
        assert fact.refs == both
    assert len(listed) == 1
    told_of = [answer for answer in told(talk, watermark) if isinstance(answer, Reread)]
    assert set(told_of) == {Reread("payment", intent)}


def test_a_payment_of_many_invoices_is_read_to_its_end(talk: Talk) -> None:
    for number in range(130):
        talk.control.load("invoice_payments", made_payment(number, payment_intent="pi_many"))
    whole = talk.read("payment", "pi_many")
    assert whole is not None
    assert whole.fields["amount"] == Money.parse("130", "EUR")
    assert len(whole.refs["invoice"]) == 130


def made_payment(number: int, **paid_with: str) -> dict[str, Any]:
    [(kind, identity)] = paid_with.items()
    return {
        "id": f"inpay_{kind}_{number:05d}",
        "object": "invoice_payment",
        "created": 1_760_000_000 + number,
        "livemode": False,
        "amount_paid": 100,
        "amount_requested": 100,
        "currency": "eur",
        "invoice": f"in_{number:05d}",
        "is_default": False,
        "payment": {"type": kind, kind: identity},
        "status": "paid",
        "status_transitions": {"canceled_at": None, "paid_at": 1_760_000_000 + number},
    }


def test_a_payment_record_and_a_charge_are_read_by_what_they_are(talk: Talk) -> None:
    """The list takes no charge, so a payment by charge has the id of its invoice payment."""
    talk.control.load("invoice_payments", made_payment(1, payment_record="obj_1"), made_payment(2, charge="ch_2"))
    known = {key[1] for key in talk.facts("events") if key[0] == "payment"}
    assert known == {"obj_1", "inpay_charge_00002"}
    for identity in known:
        again = talk.read("payment", identity)
        assert again is not None
        assert again.external_id == identity
        assert again.fields["amount"] == Money.parse("1", "EUR")
    with pytest.raises(Misunderstood) as wrong:
        talk.read("payment", "ch_2")
    assert wrong.value.code == "reference_invalid"
    assert talk.read("payment", "obj_nothing") is None


def test_a_payment_that_is_not_understood_does_not_stop_the_listing(talk: Talk) -> None:
    talk.control.load("invoice_payments", made_payment(1, payment_intent="pi_1") | {"payment": {"type": "barter"}})
    talk.control.load("invoice_payments", made_payment(2, payment_intent="pi_2"))
    items = [item for item in talk.items("events") if item.object_type == "payment"]
    assert len(items) == 2
    with pytest.raises(Misunderstood, match=r"payment\.type holds a word"):
        [talk.said(item) for item in items]


def test_what_is_canceled_of_a_payment_counts_only_where_all_of_it_is(talk: Talk) -> None:
    gone = {"status": "canceled", "amount_paid": None, "status_transitions": {"canceled_at": 1_760_000_009, "paid_at": None}}
    waiting = {"status": "open", "amount_paid": None, "status_transitions": {"canceled_at": None, "paid_at": None}}
    talk.control.load("invoice_payments", made_payment(1, payment_intent="pi_1"), made_payment(2, payment_intent="pi_1") | gone)
    talk.control.load(
        "invoice_payments", made_payment(3, payment_intent="pi_2"), made_payment(4, payment_intent="pi_2") | waiting
    )
    talk.control.load("invoice_payments", made_payment(5, payment_intent="pi_3") | gone)
    said = {}
    for identity in ("pi_1", "pi_2", "pi_3"):
        fact = talk.read("payment", identity)
        assert fact is not None
        said[identity] = (fact.fields["status"], fact.fields["amount"], len(fact.refs["invoice"]))
    one, two = Money.parse("1", "EUR"), Money.parse("2", "EUR")
    assert said == {"pi_1": ("paid", one, 1), "pi_2": ("pending", two, 2), "pi_3": ("canceled", one, 1)}


def test_a_busy_or_broken_vendor_is_later(talk: Talk) -> None:
    customer(talk)
    for fault in ({"status": 429, "body": "{}"}, {"status": 500, "body": "{}"}, {"status": 200, "body": "<html>"}):
        talk.control.fault("GET", "/v1/customers", times=2, **fault)
        with pytest.raises(RetryLater):
            talk.pull("events")
        requests.delete(f"{talk.config.base_url}/_sim/faults", timeout=5).raise_for_status()


def test_a_wrong_key_or_the_other_mode_is_refused(talk: Talk) -> None:
    for change in ({"api_key": "sk_test_wrong"}, {"mode": "live"}, {"api_key": "rk_live_x"}):
        config = Config("wrong", talk.config.base_url, {**talk.config.settings, **change})
        customer(talk)
        with HttpClient(config, allow_loopback=True, limits=FAST) as client, pytest.raises(Refused):
            talk.connector.check(client, config)


def probed(talk: Talk) -> dict[str, tuple[bool, str]]:
    assert talk.connector.probe is not None
    return {each.name: (each.works, each.said) for each in talk.connector.probe(talk.client, talk.config)}


EVERYTHING = (
    "events",
    "events: customers",
    "events: subscriptions",
    "events: invoices",
    "events: invoiceitems",
    "events: invoice_payments",
    "events: credit_notes",
    "events: subscription_items",
    "events: invoice lines",
)


def test_every_collection_is_tried_with_one_row(talk: Talk) -> None:
    told = probed(talk)
    assert tuple(told) == EVERYTHING
    assert {works for works, _ in told.values()} == {True}
    assert told["events: subscription_items"][1] == "not asked for: there is no subscription yet"
    assert talk.calls("GET", "/v1/") == 7
    buyer = customer(talk)
    subscribe(talk, buyer)
    invoice(talk, buyer)
    assert probed(talk) == dict.fromkeys(EVERYTHING, (True, ""))
    assert talk.calls("GET", "/v1/subscription_items") == talk.calls("GET", "/lines") == 1


def test_what_a_restricted_key_lacks_is_named(talk: Talk) -> None:
    talk.control.load("restricted", {"id": "credit_notes", "permission": "rak_credit_note_read"})
    told = probed(talk)
    assert [name for name, (works, _) in told.items() if not works] == ["events: credit_notes"]
    assert "/v1/credit_notes: it lacks the permission rak_credit_note_read" in told["events: credit_notes"][1]
    with pytest.raises(Refused, match="rak_credit_note_read") as refused:
        talk.pull("events")
    assert refused.value.code == "permission_missing"


def test_nothing_is_posted_to_stripe(talk: Talk) -> None:
    assert talk.connector.operations == ()
    with pytest.raises(Refused):
        talk.connector.writing()
