"""Stripe's event log of the last 30 days, consistent with the story: each event shows its object as it was then. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from demo.rehearsal import billing
from demo.rehearsal.billing import Json
from demo.rehearsal.ids import seeded, stripe_id
from demo.rehearsal.story import Bill, Company, Customer, Subscription

API_VERSION = "2026-10-28.endive"
HORIZON = dt.timedelta(days=30)
_SECOND = dt.timedelta(seconds=1)


@dataclass
class Happening:
    """One event before it has an id. `before`: the object a second earlier, for `*.updated`."""

    at: dt.datetime
    type: str
    object: Json
    before: Json | None = None


def documents(company: Company) -> Iterator[billing.Document]:
    """The events, oldest first."""
    since = company.anchor - HORIZON
    found: list[Happening] = []
    for customer in company.customers:
        if customer.joined - dt.timedelta(hours=2) > since:
            at = customer.joined - dt.timedelta(hours=2)
            found.append(Happening(at, "customer.created", billing.customer_document(customer, at)))
        for subscription in customer.subscriptions:
            found += _of_subscription(customer, subscription, since)
        for bill in customer.bills:
            found += _of_bill(customer, bill, since)
    found.sort(key=lambda one: one.at)
    rng = seeded(company.seed, "events")
    for happening in found:
        if since < happening.at <= company.anchor:
            yield "events", _envelope(happening, stripe_id(rng, "evt"))


def _envelope(happening: Happening, id: str) -> Json:
    data: Json = {"object": _presented(happening.object)}
    if happening.before is not None and happening.type.endswith(".updated"):
        data["previous_attributes"] = _changed(_presented(happening.before), data["object"])
    return {
        "id": id, "object": "event", "api_version": API_VERSION, "created": billing.unix(happening.at), "livemode": False,
        "data": data, "pending_webhooks": 0, "request": {"id": None, "idempotency_key": None}, "type": happening.type,
    }  # fmt: skip


def _of_subscription(customer: Customer, subscription: Subscription, since: dt.datetime) -> Iterator[Happening]:
    if subscription.started > since:
        shown = billing.subscription_document(customer, subscription, subscription.started)
        yield Happening(subscription.started, "customer.subscription.created", shown)
    for change in subscription.amendments:
        if change.at <= since:
            continue
        before = billing.subscription_document(customer, subscription, change.at - _SECOND)
        after = billing.subscription_document(customer, subscription, change.at)
        yield Happening(change.at, "customer.subscription.updated", after, before)
        for line in change.lines:
            yield Happening(change.at, "invoiceitem.created", billing.item_document(customer, line, None, subscription))
    if subscription.ended is not None and subscription.ended > since:
        shown = billing.subscription_document(customer, subscription, subscription.ended)
        yield Happening(subscription.ended, "customer.subscription.deleted", shown)


def _of_bill(customer: Customer, bill: Bill, since: dt.datetime) -> Iterator[Happening]:
    def shown(at: dt.datetime) -> Json:
        return billing.invoice_document(customer, bill, at)

    if bill.created > since:
        yield Happening(bill.created, "invoice.created", shown(bill.created))
        for line in bill.lines:
            if line.kind == "service":
                item = billing.item_document(customer, line, bill, None)
                yield Happening(bill.created, "invoiceitem.created", item)
    if bill.finalized is not None and bill.finalized > since:
        yield Happening(bill.finalized, "invoice.finalized", shown(bill.finalized))
        if bill.total == 0:
            yield Happening(bill.finalized, "invoice.paid", shown(bill.finalized))
    for payment in bill.payments:
        if payment.at <= since:
            continue
        yield Happening(payment.at, "payment_intent.succeeded", billing.intent_document(customer, payment))
        yield Happening(payment.at, "invoice_payment.paid", billing.payment_document(customer, bill, payment))
        kinds = ["invoice.updated"]
        if bill.status(payment.at) == "paid" and bill.settled_at() == payment.at:
            kinds = ["invoice.paid", "invoice.updated", "invoice.payment_succeeded"]
        for kind in kinds:
            yield Happening(payment.at, kind, shown(payment.at), shown(payment.at - _SECOND))
    for place, credit in enumerate(bill.credits, 1):
        if credit.at > since:
            yield Happening(credit.at, "credit_note.created", billing.credit_document(customer, bill, credit, place))
            yield Happening(credit.at, "invoice.updated", shown(credit.at), shown(credit.at - _SECOND))
    for moment, kind in ((bill.voided, "invoice.voided"), (bill.uncollectible, "invoice.marked_uncollectible")):
        if moment is not None and moment > since:
            yield Happening(moment, kind, shown(moment))
            yield Happening(moment, "invoice.updated", shown(moment), shown(moment - _SECOND))


def _presented(document: Json) -> Json:
    """Embedded lists as an answer shows them; no document here has more than ten entries."""
    out = dict(document)
    for name, path in (("lines", f"/v1/{document['object']}s/{document['id']}/lines"), ("items", "/v1/subscription_items")):
        if isinstance(out.get(name), dict):
            data = out[name]["data"]
            out[name] = {"object": "list", "url": path, "has_more": False, "total_count": len(data), "data": data}
    return out


def _changed(before: Json, after: Json) -> Json:
    """Old values of what changed; nested objects hold their changed keys only."""
    out: Json = {}
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was != now:
            out[name] = _changed(was, now) if isinstance(was, dict) and isinstance(now, dict) else was
    return out
