"""The contradictions that a run plants: fresh documents of customers of the rehearsal company, put into the simulators as history
of some days ago, and the messages by which the vendors tell of them."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import itertools
import json
import random
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from demo.rehearsal import billing, customers, erp, events, key, success
from demo.rehearsal.catalogue import SERVICE_ITEM
from demo.rehearsal.changes import DAY, HOUR, Numbers, Teller
from demo.rehearsal.company import imagine
from demo.rehearsal.erp_reference import RECEIVABLES, Periods, income_account
from demo.rehearsal.ids import stripe_id
from demo.rehearsal.story import Bill, Customer
from demo.rehearsal.wire import Wire

Json = dict[str, Any]
FIRST_ID, APART = 2_000_000, 1_000
"""NetSuite's ids of what a run plants begin above everything that a rehearsal has. NetSuite itself numbers on from the highest:
there is room for that."""


@dataclass(frozen=True, slots=True)
class Message:
    """One push of a vendor: `key` is what makes copies of it one."""

    vendor: str
    key: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An invoice that the ERP carries `above` minor units above billing."""

    customer: Customer
    billed_id: str
    erp_id: int
    above: int
    messages: tuple[Message, ...]

    def money(self, minor: int) -> Json:
        """As the API takes it."""
        places = self.customer.entity.places
        return {"amount": erp.text(minor, places), "currency": self.customer.entity.currency}


@dataclass(frozen=True, slots=True)
class OpenRenewal:
    """A renewal in progress while an amendment is unfinished."""

    gsid: str
    messages: tuple[Message, ...]


class Company:
    """The rehearsal company of an installation, and what is planted in it."""

    def __init__(self, wires: Mapping[str, Wire]) -> None:
        self.wires = wires
        told = key.find(wires["stripe"].key(), key.COMPANY)
        assert told is not None, "the rehearsal company is loaded"
        company = imagine(told["seed"], told["accounts"], dt.datetime.fromisoformat(told["anchor"]))
        self.anchor, self.periods = company.anchor, Periods(company.anchor)
        self.customers = [one for one in company.customers[1:] if one.subscription.ended is None]
        self.in_dollars = [one for one in self.customers if one.entity.currency == "USD"]
        self._ids = itertools.count(FIRST_ID, APART)
        self._one = threading.Lock()

    def customer(self, number: int, *, in_dollars: bool) -> Customer:
        """The customer of a drawn number."""
        listed = self.in_dollars if in_dollars else self.customers
        return listed[number % len(listed)]

    def _load(self, vendor: str, documents: Iterable[tuple[str, Json]]) -> None:
        """As history: nothing is pushed. One scene at a time, since they share the connection."""
        with self._one:
            sum(self.wires[vendor].load(documents))

    def mismatch(self, customer: Customer, billed: int, above: int) -> Mismatch:
        """Plant it: billing issued an invoice over `billed` three days ago, the ERP entered more."""
        if not customer.entity.places:
            billed, above = billed // 100 * 100, max(above, 100)
        at = self.anchor - 3 * DAY
        teller = Teller(customer, self.anchor, random.Random(), Numbers())
        line = teller.service("Process workshop", billed, at)
        bill = Bill(fresh_id("in"), "manual", at, at + HOUR, [line], Decimal(0), None, None)
        erp_id = next(self._ids)
        bill.number = f"{customer.prefix}-F{erp_id}"
        invoice = billing.invoice_document(customer, bill, self.anchor)
        entered = at + 2 * HOUR
        total = billed + above
        state = {
            "foreignamountpaid": erp.text(0, customer.entity.places),
            "foreignamountunpaid": erp.text(total, customer.entity.places),
        }
        header = {"duedate": bill.due.date().isoformat(), "terms": 1, "approvalstatus": 2, **state}
        lines = [
            erp.Entry(RECEIVABLES, total),
            erp.Entry(income_account(SERVICE_ITEM), -total, SERVICE_ITEM, 1, "Process workshop"),
        ]
        booked = erp.Booked(erp_id, "CustInvc", customer, at, entered, entered, "A", bill.id, lines, header, state)
        self._load("stripe", [("invoices", invoice)])
        self._load("netsuite", erp.rows(booked, self.periods))
        event = envelope("invoice.finalized", invoice, at + HOUR, fresh_id("evt"))
        return Mismatch(customer, bill.id, erp_id, above, (event, hint("invoice", erp_id, "create")))

    def stray(self, mismatch: Mismatch, our_key: str, amount: int) -> Message:
        """A credit memo under our key that nobody here has sent, as a careless integration of the vendor's would leave it."""
        customer, places, erp_id = mismatch.customer, mismatch.customer.entity.places, next(self._ids)
        at = dt.datetime.now(dt.UTC).replace(microsecond=0)
        lines = [
            erp.Entry(RECEIVABLES, -amount, created_from=mismatch.erp_id),
            erp.Entry(income_account(SERVICE_ITEM), amount, SERVICE_ITEM, 1, "Credit"),
        ]
        state = {"foreignpaymentamountused": erp.text(0, places), "foreignpaymentamountunused": erp.text(amount, places)}
        booked = erp.Booked(erp_id, "CustCred", customer, at, at, at, "A", our_key, lines, state, state)
        self._load("netsuite", erp.rows(booked, self.periods))
        return hint("creditMemo", erp_id, "create")

    def open_renewal(self, rng: random.Random, customer: Customer) -> OpenRenewal:
        """Plant it: seats were changed a day ago and are not invoiced; the renewal is in progress since this morning."""
        teller = Teller(customer, self.anchor, random.Random(), Numbers())
        subscription, at = customer.subscription, self.anchor - 5 * HOUR
        change = teller.amend(subscription, at, subscription.seats(at) + rng.randrange(2, 9), "pending")
        items = [billing.item_document(customer, line, None, subscription) for line in change.lines]
        told = [envelope("invoiceitem.created", item, at, fresh_id("evt")) for item in items]
        renewal = customers.renewal(teller, subscription, self.anchor + 60 * DAY, "In Progress")
        renewal.touched = self.anchor - HOUR
        renewal.created = self.anchor - 30 * DAY
        document = success.renewal_document(customer, renewal)
        self._load("stripe", [("invoiceitems", item) for item in items])
        self._load("gainsight", [("gs_opportunity", document)])
        stamp = renewal.touched.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        body = json.dumps({"object": "gs_opportunity", "gsid": renewal.gsid, "modifiedDate": stamp}).encode()
        pushed = Message("gainsight", f"hint:gs_opportunity:{renewal.gsid}:{stamp}", body)
        return OpenRenewal(renewal.gsid, (*told, pushed))


# --- messages -----------------------------------------------------------------------------------------------------------


def fresh_id(prefix: str) -> str:
    """An id in Stripe's form that nothing has had before, also when a seed is played again on one installation."""
    return stripe_id(random.Random(), prefix)


def envelope(kind: str, document: Json, at: dt.datetime, id: str) -> Message:
    """A Stripe event about the document as it is."""
    shown = dict(document)
    if isinstance(shown.get("lines"), dict):
        data = shown["lines"]["data"]
        path = f"/v1/invoices/{shown['id']}/lines"
        shown["lines"] = {"object": "list", "url": path, "has_more": False, "total_count": len(data), "data": data}
    body = {
        "id": id, "object": "event", "api_version": events.API_VERSION, "created": billing.unix(at), "livemode": False,
        "data": {"object": shown}, "pending_webhooks": 1, "request": {"id": None, "idempotency_key": None}, "type": kind,
    }  # fmt: skip
    return Message("stripe", id, json.dumps(body, indent=2).encode())


def renamed(customer: str, account: str, name: str, at: dt.datetime) -> Message:
    """A Stripe event: the customer has that name since `at`."""
    document = {
        "id": customer, "object": "customer", "balance": 0, "created": 1_780_000_000, "currency": "usd", "delinquent": False,
        "livemode": False, "metadata": {"salesforce_account_id": account, "legal_entity": "US"}, "name": name,
    }  # fmt: skip
    return envelope("customer.updated", document, at, fresh_id("evt"))


def hint(kind: str, id: int, event: str) -> Message:
    """What our SuiteScript in NetSuite pushes."""
    nonce = str(uuid.uuid4())
    stamp = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"type": kind, "id": str(id), "event": event, "at": stamp, "nonce": nonce}
    return Message("netsuite", f"hint:{nonce}", json.dumps(body).encode())


def signed(message: Message, secret: str) -> dict[str, str]:
    """The headers of a push, signed now as its vendor does."""
    stamp = str(int(time.time()))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + message.body, hashlib.sha256).hexdigest()
    named = {
        "stripe": {"Stripe-Signature": f"t={stamp},v1={digest}"},
        "netsuite": {"X-Netsuite-Timestamp": stamp, "X-Netsuite-Signature": digest},
        "gainsight": {"X-Gainsight-Token": secret},
    }
    return {"Content-Type": "application/json", **named[message.vendor]}
