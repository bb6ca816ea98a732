"""Invoices with their state machine, and invoice items, which wait until an invoice takes them."""

from __future__ import annotations

from typing import Any

from demo.simulators.stripe.account import CURSOR, DAY_SECONDS, new_id
from demo.simulators.stripe.invoiceitems import InvoiceItems, item_line
from demo.simulators.stripe.parameters import Refused
from demo.simulators.vendor import Json, Request, Response, route

COLLECTION_METHODS = ("charge_automatically", "send_invoice")
_EDITABLE = ("metadata", "description", "due_date", "days_until_due", "auto_advance")


class Invoices(InvoiceItems):
    """`/v1/invoices`: draft, open, paid, void, uncollectible."""

    @route("POST", "/v1/invoices")
    def create_invoice(self, request: Request) -> Response:
        """A draft. Pending items join only with `pending_invoice_items_behavior=include`."""
        names = ("customer", "currency", "collection_method", "subscription", "pending_invoice_items_behavior")
        params = self.params(request).only(*names, *_EDITABLE)
        customer = self.find("customers", params.required("customer"), "customer")
        subscription_id = params.text("subscription")
        subscription = self.find("subscriptions", subscription_id, "subscription") if subscription_id else None
        take = params.one_of("pending_invoice_items_behavior", ("exclude", "include"), "exclude") == "include"
        pending = self.pending_items(customer["id"], subscription_id) if take or subscription else []
        currency = (params.text("currency") or (pending[0]["currency"] if pending else None) or "usd").lower()
        invoice = self.draft(
            customer,
            currency,
            "manual",
            subscription=subscription,
            collection_method=params.one_of("collection_method", COLLECTION_METHODS, "charge_automatically"),
            days_until_due=params.integer("days_until_due"),
            due_date=params.integer("due_date"),
            description=params.text("description"),
            metadata=params.metadata(),
            auto_advance=params.flag("auto_advance"),
        )
        return self.show(self.with_items(invoice, [item for item in pending if item["currency"] == currency]), params)

    @route("GET", "/v1/invoices/{id}/lines")
    def list_invoice_lines(self, request: Request, id: str) -> Response:
        """All lines, in invoice order."""
        params = self.params(request).only(*CURSOR)
        return self.inner_listing(lines_of(self.find("invoices", id)), params, f"/v1/invoices/{id}/lines")

    @route("DELETE", "/v1/invoices/{id}")
    def delete_invoice(self, request: Request, id: str) -> Response:
        """One-off drafts only; their items become pending again."""
        before = self.find("invoices", id)
        if before["status"] != "draft":
            raise Refused("You can only delete draft invoices.", "invoice_not_editable")
        if before.get("parent"):
            raise Refused("You can't delete invoices created by subscriptions.")
        for item in self.store.select("invoiceitems", "invoice = ?", [id]):
            self.change("invoiceitems", item, item | {"invoice": None})
        self.change("invoices", before, None)
        return Response.of({"id": id, "object": "invoice", "deleted": True})

    # -- transitions ----------------------------------------------------------------------------------------------

    @route("POST", "/v1/invoices/{id}/finalize")
    def finalize_invoice(self, request: Request, id: str) -> Response:
        """Draft to open (or paid, when nothing is due)."""
        params = self.params(request).only("auto_advance")
        return self.show(self.finalize(self.in_status(id, "draft")), params)

    @route("POST", "/v1/invoices/{id}/pay")
    def pay_invoice(self, request: Request, id: str) -> Response:
        """Pays what remains, by a payment intent or outside Stripe (`paid_out_of_band`)."""
        params = self.params(request).only("paid_out_of_band", "payment_method", "source", "off_session", "forgive")
        invoice = self.in_status(id, "draft", "open", "uncollectible")
        if invoice["status"] == "draft":
            invoice = self.finalize(invoice)
        if invoice["status"] != "paid":
            remaining = invoice["amount_remaining"]
            if params.flag("paid_out_of_band"):
                off_stripe = invoice.get("amount_paid_off_stripe", 0) + remaining
                invoice = self.received(invoice | {"amount_paid_off_stripe": off_stripe}, remaining, invoice)
            else:
                intent = self.intent(remaining, invoice["currency"], invoice["customer"], True, {})
                self.attach(invoice, intent, remaining, is_default=True)
                invoice = self.received(invoice, remaining, invoice)
                self.emit("invoice.payment_succeeded", invoice)
        return self.show(invoice, params)

    @route("POST", "/v1/invoices/{id}/attach_payment")
    def attach_payment(self, request: Request, id: str) -> Response:
        """Tie a payment intent to an open invoice; a succeeded one pays at once."""
        params = self.params(request).only("payment_intent")
        invoice = self.in_status(id, "open", "uncollectible")
        intent = self.find("payment_intents", params.required("payment_intent"), "payment_intent")
        amount = min(self.unspent(intent), invoice["amount_remaining"])
        self.attach(invoice, intent, amount, is_default=False)
        if intent["status"] == "succeeded":
            invoice = self.received(invoice, amount, invoice)
        return self.show(invoice, params)

    @route("POST", "/v1/invoices/{id}/void")
    def void_invoice(self, request: Request, id: str) -> Response:
        """Open or uncollectible to void; irreversible."""
        params = self.params(request).only()
        return self.show(self.moved(self.in_status(id, "open", "uncollectible"), "void", "voided_at"), params)

    @route("POST", "/v1/invoices/{id}/mark_uncollectible")
    def mark_uncollectible(self, request: Request, id: str) -> Response:
        """Open to uncollectible; it may still be paid."""
        params = self.params(request).only()
        before = self.in_status(id, "open")
        why = {"uncollectible": {"reason": "user_forgiven"}}
        return self.show(self.moved(before, "uncollectible", "marked_uncollectible_at", status_details=why), params)

    # -- for this module and its neighbours -----------------------------------------------------------------------

    def in_status(self, id: str, *allowed: str) -> Json:
        """The invoice, or Stripe's refusal when its status does not allow the step."""
        invoice = self.find("invoices", id)
        if invoice["status"] not in allowed:
            code = "invoice_not_editable" if "draft" in allowed else None
            if invoice["status"] == "paid":
                raise Refused("Invoice is already paid", "invoice_already_paid")
            raise Refused(f"You can't do this to an invoice with status {invoice['status']}.", code)
        return invoice

    def draft(self, customer: Json, currency: str, reason: str, *, subscription: Json | None = None, **values: Any) -> Json:
        """An empty draft, not stored yet. `values` may set collection_method, due dates, description, metadata."""
        days = values.pop("days_until_due", None)
        if days is None and subscription:
            days = subscription.get("days_until_due")
        parent = None
        if subscription:
            details = {"subscription": subscription["id"], "metadata": dict(subscription.get("metadata") or {})}
            parent = {"type": "subscription_details", "subscription_details": details, "quote_details": None}
            values.setdefault("collection_method", subscription["collection_method"])
        invoice = self.new(
            "in", "invoice", customer=customer["id"], customer_name=customer.get("name"), currency=currency,
            customer_email=customer.get("email"), billing_reason=reason, parent=parent, status="draft", number=None,
            attempt_count=0, auto_advance=False, automatically_finalizes_at=None, description=None, due_date=None,
            effective_at=None, from_invoice=None, latest_revision=None, next_payment_attempt=None,
            period_start=self.now(), period_end=self.now(), starting_balance=0, ending_balance=None,
            status_transitions=dict.fromkeys(("finalized_at", "paid_at", "voided_at", "marked_uncollectible_at")),
            status_details=None, post_payment_credit_notes_amount=0, pre_payment_credit_notes_amount=0,
            amount_paid=0, amount_overpaid=0, amount_paid_off_stripe=0, total_discount_amounts=[], total_taxes=[],
            test_clock=None, webhooks_delivered_at=None, metadata={}, lines={"object": "list", "data": []},
        )  # fmt: skip
        invoice |= {name: value for name, value in values.items() if value is not None}
        if invoice["collection_method"] == "send_invoice" and invoice["due_date"] is None:
            invoice["due_date"] = self.now() + (30 if days is None else days) * DAY_SECONDS
        return totalled(invoice)

    def with_items(self, invoice: Json, items: list[Json], lines: list[Json] | None = None) -> Json:
        """Store a draft with these items (and further lines), each item marked as taken."""
        data = [item_line(item, invoice["id"]) for item in items] + (lines or [])
        stored = self.change("invoices", None, totalled(invoice | {"lines": {"object": "list", "data": data}}))
        for item in items:
            self.change("invoiceitems", item, item | {"invoice": stored["id"]})
        return stored

    def finalize(self, before: Json) -> Json:
        """Number it, use the customer's balance, freeze the lines. Nothing due means paid."""
        customer = self.find("customers", before["customer"], "customer")
        sequence = customer.get("next_invoice_sequence") or 1
        prefix = customer.get("invoice_prefix") or customer["id"][-8:].upper()
        balance = customer.get("balance") or 0
        due = before["total"] + balance
        stamps = before["status_transitions"] | {"finalized_at": self.now()}
        invoice = before | {
            "status": "open",
            "number": f"{prefix}-{sequence:04d}",
            "starting_balance": balance,
            "ending_balance": min(due, 0),
            "amount_due": max(due, 0),
            "amount_remaining": max(due, 0),
            "effective_at": self.now(),
            "status_transitions": stamps,
        }
        customer_after = customer | {"next_invoice_sequence": sequence + 1, "balance": min(due, 0)}
        self.change("customers", customer, customer_after, "customer.updated" if min(due, 0) != balance else None)
        invoice = self.change("invoices", before, invoice)
        return invoice if invoice["amount_due"] else self.moved(invoice, "paid", "paid_at")

    def received(self, invoice: Json, amount: int, before: Json) -> Json:
        """Money came in: paid when nothing remains."""
        invoice = invoice | {
            "amount_paid": invoice["amount_paid"] + amount,
            "amount_remaining": invoice["amount_remaining"] - amount,
            "attempt_count": invoice.get("attempt_count", 0) + 1,
        }
        if invoice["amount_remaining"] > 0:
            return self.change("invoices", before, invoice)
        return self.moved(invoice, "paid", "paid_at")

    def moved(self, invoice: Json, status: str, stamp: str, **values: Any) -> Json:
        """Move to a status, stamp the time, emit its event and `invoice.updated`."""
        before = self.find("invoices", invoice["id"])
        stamps = invoice["status_transitions"] | {stamp: self.now()}
        after = self.change("invoices", before, invoice | values | {"status": status, "status_transitions": stamps})
        self.emit("invoice.updated", after, before)
        if status == "paid":
            self._activate(after)
        return after

    def _activate(self, invoice: Json) -> None:
        """The first paid invoice makes an incomplete subscription active."""
        details = (invoice.get("parent") or {}).get("subscription_details") or {}
        subscription = self.store.get("subscriptions", details.get("subscription") or "")
        if subscription and subscription["status"] in ("incomplete", "past_due"):
            self.change("subscriptions", subscription, subscription | {"status": "active"})


def lines_of(invoice: Json) -> list[Json]:
    """All lines of a stored invoice, whether loaded as a list or as a list object."""
    lines = invoice.get("lines") or []
    found: list[Json] = lines["data"] if isinstance(lines, dict) else lines
    return found


def totalled(invoice: Json) -> Json:
    """Totals of a draft from its lines; minor units."""
    total = sum(line["amount"] for line in lines_of(invoice))
    sums = dict.fromkeys(("subtotal", "subtotal_excluding_tax", "total", "total_excluding_tax"), total)
    return invoice | sums | {"amount_due": max(total, 0), "amount_remaining": max(total, 0)}


def subscription_line(subscription: Json, item: Json, invoice: str, start: int, end: int) -> Json:
    """The line for one period of one licensed item."""
    price, quantity = item["price"], item.get("quantity") or 0
    return {
        "id": new_id("il"), "object": "line_item", "amount": price["unit_amount"] * quantity,
        "currency": price["currency"], "description": f"{quantity} x {price.get('nickname') or price['product']}",
        "discountable": True, "discount_amounts": [], "invoice": invoice, "livemode": False,
        "metadata": dict(subscription.get("metadata") or {}), "period": {"start": start, "end": end},
        "quantity": quantity, "pretax_credit_amounts": [], "taxes": [], "subtotal": price["unit_amount"] * quantity,
        "parent": {
            "type": "subscription_item_details",
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None, "proration": False, "proration_details": {"credited_items": None},
                "subscription": subscription["id"], "subscription_item": item["id"],
            },
        },
        "pricing": {
            "type": "price_details", "price_details": {"price": price["id"], "product": price["product"]},
            "unit_amount_decimal": price.get("unit_amount_decimal"),
        },
    }  # fmt: skip


__all__ = ["COLLECTION_METHODS", "Invoices", "lines_of", "subscription_line"]
