"""Stripe's objects as its events and reads render them: customers, subscriptions, invoices, payments, credit notes. Pure.

Amounts are whole minor units of the currency, moments aware. Each change of an object is told with its event.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from demo.companies import stripe_shapes as shapes
from demo.companies.draw import Draw
from demo.companies.story import Change, Json, Story, unix

_OBJECT_TYPES = {
    "customer": "customer", "subscription": "subscription", "invoice": "invoice", "credit_note": "credit_memo",
    "invoice_payment": "payment", "invoiceitem": "proration",
}  # fmt: skip
_SECOND = dt.timedelta(seconds=1)
MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an invoice. `amount` before discounts and tax; `start`, `end`: the period, half open."""

    amount: int
    start: dt.datetime
    end: dt.datetime
    quantity: int = 1
    subscription: str | None = None
    proration: bool = False
    text: str = "Subscription"
    item: str | None = None


@dataclass
class Billing:
    """One Stripe account. `connection`: its name; `prefix`: of its invoice numbers."""

    story: Story
    draw: Draw
    prefix: str
    connection: str = "stripe"
    objects: dict[str, Json] = field(default_factory=dict)

    def tell(self, at: dt.datetime, id: str, event: str, previous: Json | None = None) -> None:
        """That an object is now what it is, by this event."""
        body = self.objects[id]
        object_type = _OBJECT_TYPES[body["object"]]
        arrives = self.draw.seconds(1, 6)
        self.story.tell(Change(at, self.connection, object_type, id, body, event, previous, arrives))

    def change(self, at: dt.datetime, id: str, event: str, **fields: Any) -> None:
        body = self.objects[id]
        previous = {name: body[name] for name in fields if body.get(name) != fields[name]}
        body.update(fields)
        self.tell(at, id, event, previous if event.endswith("updated") else None)

    def _add(self, at: dt.datetime, body: Json, event: str) -> str:
        body["created"], body["livemode"] = unix(at), self.story.live
        self.objects[body["id"]] = body
        self.tell(at, body["id"], event)
        return str(body["id"])

    # --- customers and subscriptions ------------------------------------------------------------------------------------

    def customer(self, at: dt.datetime, name: str, metadata: Json, *, currency: str = "usd", id: str = "") -> str:
        return self._add(at, shapes.customer(id or self.draw.stripe("cus"), name, metadata, currency), "customer.created")

    def subscription(
        self, at: dt.datetime, customer: str, unit: int, *, quantity: int = 1, metadata: Json | None = None,
        currency: str = "usd", interval: str = "month", start: dt.datetime | None = None, by_invoice: bool = True, plan: str = "",
    ) -> str:  # fmt: skip
        """`unit`: the price of one a period; `start`: when it began, otherwise now."""
        ids = shapes.SubscriptionIds(*(self.draw.stripe(prefix) for prefix in ("sub", "si", "price", "prod")))
        body = shapes.subscription(
            ids, customer, unit=unit, quantity=quantity, currency=currency, interval=interval, start=start or at,
            metadata=metadata or {}, by_invoice=by_invoice, plan=plan,
        )  # fmt: skip
        return self._add(at, body, "customer.subscription.created")

    def reprice(self, at: dt.datetime, id: str, *, unit: int | None = None, quantity: int | None = None) -> None:
        """Another price, which is a new object, or another quantity of the item."""
        items = self.objects[id]["items"]
        item = dict(items["data"][0])
        if unit is not None:
            item["price"] = shapes.price(
                self.draw.stripe("price"), item["price"]["product"], unit, item["price"]["currency"],
                item["price"]["recurring"]["interval"],
            )  # fmt: skip
        if quantity is not None:
            item["quantity"] = quantity
        self.change(at, id, "customer.subscription.updated", items={**items, "data": [item]})

    def renew_period(self, at: dt.datetime, id: str, start: dt.datetime, end: dt.datetime) -> None:
        """The item's current period from now on."""
        items = self.objects[id]["items"]
        data = [{**item, "current_period_start": unix(start), "current_period_end": unix(end)} for item in items["data"]]
        self.change(at, id, "customer.subscription.updated", items={**items, "data": data})

    def cancel(self, at: dt.datetime, id: str, reason: str = "cancellation_requested") -> None:
        """At once; terminal."""
        details = {"comment": None, "feedback": None, "reason": reason}
        self.change(
            at, id, "customer.subscription.deleted", status="canceled", canceled_at=unix(at), ended_at=unix(at),
            cancellation_details=details,
        )  # fmt: skip

    def pending(self, at: dt.datetime, customer: str, line: Line, currency: str = "usd") -> str:
        """An item that the next invoice takes."""
        return self._add(at, shapes.invoice_item(self.draw.stripe("ii"), customer, line, currency), "invoiceitem.created")

    # --- invoices -------------------------------------------------------------------------------------------------------

    def draft(
        self, at: dt.datetime, customer: str, lines: Sequence[Line], *, tax: int = 0, discount: int = 0, currency: str = "usd",
        by_invoice: bool = True, metadata: Json | None = None, reason: str = "subscription_cycle", from_invoice: str = "",
    ) -> str:  # fmt: skip
        """An invoice that is no claim yet. Its total: lines less discount, and tax."""
        subscription = next((line.subscription for line in lines if line.subscription), None)
        told = self.objects[subscription]["metadata"] if subscription else {}
        body = shapes.invoice(
            self.draw, customer, lines, tax=tax, discount=discount, currency=currency, by_invoice=by_invoice,
            subscription=subscription, told=told,
        )  # fmt: skip
        body["metadata"], body["billing_reason"] = metadata or {}, reason
        body["automatically_finalizes_at"] = unix(at + dt.timedelta(hours=1))
        if from_invoice:
            body["from_invoice"] = {"action": "revision", "invoice": from_invoice}
        return self._add(at, body, "invoice.created")

    def finalize(self, at: dt.datetime, id: str) -> None:
        body = self.objects[id]
        transitions = {**body["status_transitions"], "finalized_at": unix(at)}
        number = f"{self.prefix}-{self.draw.number('invoice', 200):05d}"
        due = unix(at + dt.timedelta(days=30)) if body["collection_method"] == "send_invoice" else None
        self.change(
            at, id, "invoice.finalized", status="open", number=number, effective_at=unix(at), due_date=due,
            status_transitions=transitions, automatically_finalizes_at=None, attempted=True,
        )  # fmt: skip

    def invoice(self, at: dt.datetime, customer: str, lines: Sequence[Line], **given: Any) -> str:
        """Drafted an hour before, and finalized."""
        id = self.draft(at - dt.timedelta(minutes=58), customer, lines, **given)
        self.finalize(at, id)
        return id

    def pay(self, at: dt.datetime, id: str, *, intent: str = "", off_stripe: bool = False) -> str:
        """What remains of an invoice is paid, by an intent or, off Stripe, told by a payment record. Returns which."""
        body = self.objects[id]
        paid = body["amount_remaining"]
        by = intent or self.draw.stripe("prec" if off_stripe else "pi")
        kind = "payment_record" if off_stripe else "payment_intent"
        made = shapes.invoice_payment(self.draw.stripe("inpay"), body, kind, by)
        made |= {"status": "paid", "amount_paid": paid, "status_transitions": {"canceled_at": None, "paid_at": unix(at)}}
        self._add(at, made, "invoice_payment.paid")
        off = {"amount_paid_off_stripe": paid} if off_stripe else {}
        self.change(
            at + _SECOND, id, "invoice.paid", status="paid", amount_paid=body["amount_paid"] + paid, amount_remaining=0,
            status_transitions={**body["status_transitions"], "paid_at": unix(at)}, **off,
        )  # fmt: skip
        return by

    def void(self, at: dt.datetime, id: str) -> None:
        transitions = {**self.objects[id]["status_transitions"], "voided_at": unix(at)}
        self.change(at, id, "invoice.voided", status="void", status_transitions=transitions)

    def give_up(self, at: dt.datetime, id: str) -> None:
        """Marked uncollectible."""
        transitions = {**self.objects[id]["status_transitions"], "marked_uncollectible_at": unix(at)}
        self.change(at, id, "invoice.marked_uncollectible", status="uncollectible", status_transitions=transitions)

    def credit(self, at: dt.datetime, invoice: str, amount: int) -> str:
        """A credit note: on what is still owed it lowers that, on a paid invoice it becomes the customer's balance."""
        body = self.objects[invoice]
        after = body["status"] == "paid"
        made = shapes.credit_note(self.draw, body, amount, after)
        made["effective_at"] = unix(at)
        note = self._add(at, made, "credit_note.created")
        if after:
            self.change(
                at + _SECOND, invoice, "invoice.updated",
                post_payment_credit_notes_amount=body["post_payment_credit_notes_amount"] + amount,
            )  # fmt: skip
            customer = self.objects[body["customer"]]
            self.change(at + 2 * _SECOND, body["customer"], "customer.updated", balance=customer["balance"] - amount)
            return note
        remaining = body["amount_remaining"] - amount
        fields: Json = {
            "pre_payment_credit_notes_amount": body["pre_payment_credit_notes_amount"] + amount,
            "amount_due": body["amount_due"] - amount, "amount_remaining": remaining,
        }  # fmt: skip
        if remaining == 0:
            fields |= {"status": "paid", "status_transitions": {**body["status_transitions"], "paid_at": unix(at)}}
        self.change(at + _SECOND, invoice, "invoice.updated" if remaining else "invoice.paid", **fields)
        return note

    def synced(self, at: dt.datetime, id: str, **written: str) -> None:
        """A connector wrote ids of the ERP into the object's metadata."""
        event = {"customer": "customer.updated", "invoice": "invoice.updated"}.get(self.objects[id]["object"], "")
        self.change(at, id, event or "credit_note.updated", metadata={**self.objects[id]["metadata"], **written})
