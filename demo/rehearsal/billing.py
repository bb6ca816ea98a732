"""The story as Stripe writes it down (API 2026-10-28.endive): customers, subscriptions, invoices, payments, credit notes. Pure.

Every document can be made as of a moment of the past, so that the event log of the last 30 days (`events`) shows what each
object looked like then. Amounts are whole minor units, times Unix seconds.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from demo.rehearsal import catalogue
from demo.rehearsal.story import Bill, Company, Credit, Customer, Line, Payment, Subscription

Json = dict[str, Any]
Document = tuple[str, Json]
"""Collection of the simulator's control API, and the object."""


def unix(moment: dt.datetime | None) -> int | None:
    """Unix seconds, None stays."""
    return None if moment is None else int(moment.timestamp())


def documents(company: Company) -> Iterator[Document]:
    """Everything but the events."""
    yield from catalogue_documents(int((company.anchor - dt.timedelta(days=800)).timestamp()))
    now = company.anchor
    for customer in company.customers:
        yield "customers", customer_document(customer, now)
        for subscription in customer.subscriptions:
            yield "subscriptions", subscription_document(customer, subscription, now)
            for change in subscription.amendments:
                if change.bill is None:
                    for line in change.lines:
                        yield "invoiceitems", item_document(customer, line, None, subscription)
        for bill in customer.bills:
            yield "invoices", invoice_document(customer, bill, now)
            for line in bill.lines:
                if line.invoice_item is not None:
                    yield "invoiceitems", item_document(customer, line, bill, bill.subscription)
            for payment in bill.payments:
                yield "payment_intents", intent_document(customer, payment)
                yield "invoice_payments", payment_document(customer, bill, payment)
            for place, credit in enumerate(bill.credits, 1):
                yield "credit_notes", credit_document(customer, bill, credit, place)


def catalogue_documents(created: int) -> Iterator[Document]:
    """The meter, products and prices."""
    meter: Json = {
        "id": catalogue.METER_ID, "object": "billing.meter", "created": created, "livemode": False, "status": "active",
        "display_name": "Platform calls", "event_name": catalogue.METER_EVENT, "updated": created,
        "default_aggregation": {"formula": "sum"}, "value_settings": {"event_payload_key": "value"},
        "customer_mapping": {"event_payload_key": "stripe_customer_id", "type": "by_id"},
        "status_transitions": {"deactivated_at": None},
    }  # fmt: skip
    yield "meters", meter
    for code, id in catalogue.PRODUCTS.items():
        product: Json = {"id": id, "object": "product", "created": created, "livemode": False, "active": True}
        yield "products", product | {"name": catalogue.PRODUCT_NAMES[code], "metadata": {"plan": code}, "updated": created}
    for price in catalogue.PRICES.values():
        yield "prices", price_document(price, created)


def price_document(price: catalogue.Price, created: int = 1_700_000_000) -> Json:
    """A price; usage is priced by decimal fractions of a minor unit."""
    whole = int(price.unit) if price.unit == price.unit.to_integral_value() else None
    return {
        "id": price.id, "object": "price", "created": created, "livemode": False, "active": True,
        "currency": price.currency.lower(),
        "product": price.product, "billing_scheme": "per_unit", "lookup_key": None, "metadata": {}, "nickname": price.nickname,
        "tiers_mode": None, "type": "recurring", "unit_amount": whole, "unit_amount_decimal": f"{price.unit.normalize():f}",
        "recurring": {
            "interval": price.rhythm.interval, "interval_count": price.rhythm.count, "trial_period_days": None,
            "usage_type": "metered" if price.metered else "licensed", "meter": catalogue.METER_ID if price.metered else None,
        },
    }  # fmt: skip


def customer_document(customer: Customer, at: dt.datetime) -> Json:
    """The customer with its references to Salesforce."""
    numbered = [b for b in customer.bills if b.finalized and b.finalized <= at]
    overdue = any(b.status(at) in ("open", "uncollectible") and b.due < at for b in numbered)
    return {
        "id": customer.stripe, "object": "customer", "created": unix(customer.joined - dt.timedelta(hours=2)), "livemode": False,
        "name": customer.name, "email": f"billing@c{customer.number:04d}.example", "balance": 0, "invoice_credit_balance": {},
        "currency": customer.entity.currency.lower(), "delinquent": overdue, "description": None, "discount": None,
        "address": dict.fromkeys(("city", "line1", "line2", "postal_code", "state")) | {"country": customer.entity.country},
        "invoice_prefix": customer.prefix, "next_invoice_sequence": len(numbered) + 1, "tax_exempt": "none", "test_clock": None,
        "phone": None, "preferred_locales": [], "shipping": None, "business_name": customer.name, "individual_name": None,
        "metadata": {"salesforce_account_id": customer.crm, "legal_entity": customer.entity.code},
    }  # fmt: skip


def subscription_document(customer: Customer, subscription: Subscription, at: dt.datetime) -> Json:
    """A subscription as it stood at a moment; its periods live on its items."""
    ended = subscription.ended is not None and subscription.ended <= at
    start, end = subscription.period(min(at, subscription.ended) if ended and subscription.ended else at)
    period = start, end
    items = [_item(subscription, subscription.item, subscription.price, period, subscription.seats(at))]
    if subscription.usage_item and subscription.usage_price:
        items.append(_item(subscription, subscription.usage_item, subscription.usage_price, period, None))
    bills = [b for b in customer.bills if b.subscription is subscription and b.created <= at]
    stamp = unix(subscription.ended) if ended else None
    return {
        "id": subscription.id, "object": "subscription", "created": unix(subscription.started), "livemode": False,
        "customer": customer.stripe, "currency": customer.entity.currency.lower(), "status": "canceled" if ended else "active",
        "start_date": unix(subscription.started), "billing_cycle_anchor": unix(subscription.started),
        "billing_mode": {"type": "flexible", "flexible": {}}, "billing_schedules": [], "cancel_at": None,
        "cancel_at_period_end": False, "canceled_at": stamp, "ended_at": stamp, "collection_method": "send_invoice",
        "cancellation_details": {"comment": None, "feedback": None, "reason": "cancellation_requested" if ended else None},
        "days_until_due": 30, "default_tax_rates": [], "discounts": [], "description": None, "pause_collection": None,
        "latest_invoice": max(bills, key=lambda b: b.created).id if bills else None, "pending_update": None, "schedule": None,
        "status_details": None, "test_clock": None, "trial_end": None, "trial_start": None,
        "metadata": {"contract_number": subscription.contract.number}, "items": {"object": "list", "data": items},
    }  # fmt: skip


def _item(
    subscription: Subscription, id: str, price: catalogue.Price, period: tuple[dt.datetime, dt.datetime], quantity: int | None
) -> Json:
    item: Json = {
        "id": id, "object": "subscription_item", "created": unix(subscription.started), "subscription": subscription.id,
        "price": price_document(price), "metadata": {},
        "current_period_start": unix(period[0]), "current_period_end": unix(period[1]),
        "billed_until": unix(period[1]), "discounts": [], "tax_rates": [],
    }  # fmt: skip
    return item if quantity is None else item | {"quantity": quantity}


def invoice_document(customer: Customer, bill: Bill, at: dt.datetime) -> Json:
    """An invoice as it stood at a moment: a draft has no number; after finalising only money and status move."""
    status, final = bill.status(at), bill.finalized
    issued = status != "draft"
    paid, credited = (bill.paid(at), bill.credited(at)) if issued else (0, 0)
    settled = bill.settled_at()
    remaining = 0 if status == "void" else max(0, bill.total - paid - credited)
    stamps = {
        "finalized_at": unix(final) if issued else None,
        "paid_at": unix(settled) if status == "paid" else None,
        "voided_at": unix(bill.voided) if status == "void" else None,
        "marked_uncollectible_at": unix(bill.uncollectible) if status == "uncollectible" else None,
    }
    parent = None
    if bill.subscription is not None:
        metadata = {"contract_number": bill.contract} if bill.contract else {}
        details = {"subscription": bill.subscription.id, "metadata": metadata, "subscription_proration_date": None}
        parent = {"type": "subscription_details", "subscription_details": details, "quote_details": None}
    taxes = [{"amount": bill.tax, "tax_behavior": "exclusive", "taxable_amount": bill.subtotal}] if bill.tax else []
    return {
        "id": bill.id, "object": "invoice", "created": unix(bill.created), "livemode": False, "customer": customer.stripe,
        "customer_name": customer.name, "customer_email": f"billing@c{customer.number:04d}.example",
        "currency": customer.entity.currency.lower(), "number": bill.number if issued else None, "status": status,
        "status_transitions": stamps, "status_details": None, "billing_reason": bill.reason, "parent": parent,
        "collection_method": "send_invoice", "due_date": unix(bill.due), "effective_at": unix(final) if issued else None,
        "subtotal": bill.subtotal, "subtotal_excluding_tax": bill.subtotal, "total": bill.total,
        "total_excluding_tax": bill.subtotal, "total_taxes": taxes, "total_discount_amounts": [],
        "amount_due": max(0, bill.total - credited), "amount_paid": paid, "amount_remaining": remaining, "amount_overpaid": 0,
        "amount_paid_off_stripe": 0, "starting_balance": 0, "ending_balance": 0 if issued else None,
        "pre_payment_credit_notes_amount": credited, "post_payment_credit_notes_amount": 0, "attempt_count": 0,
        "attempted": False, "auto_advance": False, "automatically_finalizes_at": None, "next_payment_attempt": None,
        "description": bill.note or None, "from_invoice": None, "latest_revision": None, "test_clock": None,
        "period_start": unix(bill.created), "period_end": unix(bill.created), "webhooks_delivered_at": unix(bill.created),
        "metadata": {}, "lines": {"object": "list", "data": [line_document(customer, bill, line) for line in bill.lines]},
    }  # fmt: skip


def line_document(customer: Customer, bill: Bill, line: Line) -> Json:
    """One invoice line; prorations and one-off lines come from invoice items, the rest from subscription items."""
    subscription = bill.subscription.id if bill.subscription else None
    if line.invoice_item is not None:
        details = {
            "invoice_item": line.invoice_item, "proration": line.kind == "proration", "subscription": subscription,
            "proration_details": {"credited_items": _credited(line)},
        }  # fmt: skip
        parent: Json = {"type": "invoice_item_details", "invoice_item_details": details, "subscription_item_details": None}
    else:
        details = {
            "invoice_item": None, "proration": False, "proration_details": {"credited_items": None},
            "subscription": subscription, "subscription_item": line.item,
        }  # fmt: skip
        parent = {"type": "subscription_item_details", "invoice_item_details": None, "subscription_item_details": details}
    tax = bill.line_tax(line)
    return {
        "id": line.id, "object": "line_item", "amount": line.amount, "subtotal": line.amount,
        "currency": customer.entity.currency.lower(), "description": line.text, "discountable": line.kind != "proration",
        "discount_amounts": [], "discounts": [], "invoice": bill.id, "livemode": False, "metadata": {},
        "period": {"start": unix(line.start), "end": unix(line.end)}, "quantity": line.quantity, "pretax_credit_amounts": [],
        "taxes": [{"amount": tax, "tax_behavior": "exclusive", "taxable_amount": line.amount}] if tax else [],
        "parent": parent, "pricing": _pricing(line),
    }  # fmt: skip


def _credited(line: Line) -> Json | None:
    return {"invoice": line.credits[0], "invoice_line_items": [line.credits[1]]} if line.credits else None


def _pricing(line: Line) -> Json | None:
    if line.price is None:
        return {"type": "price_details", "price_details": None, "unit_amount_decimal": str(line.amount)}
    details = {"price": line.price.id, "product": line.price.product}
    return {"type": "price_details", "price_details": details, "unit_amount_decimal": f"{line.price.unit.normalize():f}"}


def item_document(customer: Customer, line: Line, bill: Bill | None, subscription: Subscription | None) -> Json:
    """An invoice item; `bill` None: it is pending."""
    parent = None
    if subscription is not None:
        details = {"subscription": subscription.id, "subscription_item": line.item}
        parent = {"type": "subscription_details", "subscription_details": details}
    credited = None
    if line.credits:
        inner = {"invoice": line.credits[0], "invoice_line_items": [line.credits[1]]}
        credited = {"type": "invoice_line_items", "invoice_item": None, "invoice_line_item_details": inner}
    made = line.made or line.start
    return {
        "id": line.invoice_item, "object": "invoiceitem", "created": unix(made), "date": unix(made), "livemode": False,
        "amount": line.amount, "net_amount": line.amount, "currency": customer.entity.currency.lower(),
        "customer": customer.stripe,
        "description": line.text, "discountable": line.kind != "proration", "discounts": [], "invoice": bill.id if bill else None,
        "period": {"start": unix(line.start), "end": unix(line.end)}, "proration": line.kind == "proration",
        "proration_details": {"credited_items": credited} if line.kind == "proration" else None, "quantity": line.quantity,
        "parent": parent, "pricing": _pricing(line), "metadata": {}, "tax_rates": [], "test_clock": None,
    }  # fmt: skip


def intent_document(customer: Customer, payment: Payment) -> Json:
    """A payment intent that succeeded."""
    return {
        "id": payment.intent, "object": "payment_intent", "created": unix(payment.at), "livemode": False,
        "amount": payment.amount, "amount_capturable": 0, "amount_received": payment.amount,
        "currency": customer.entity.currency.lower(),
        "customer": customer.stripe, "status": "succeeded", "latest_charge": None, "last_payment_error": None,
        "cancellation_reason": None, "canceled_at": None, "capture_method": "automatic", "metadata": {},
    }  # fmt: skip


def payment_document(customer: Customer, bill: Bill, payment: Payment) -> Json:
    """What ties the payment intent to the invoice."""
    return {
        "id": payment.id, "object": "invoice_payment", "created": unix(payment.at), "livemode": False, "invoice": bill.id,
        "amount_paid": payment.amount, "amount_requested": payment.amount, "currency": customer.entity.currency.lower(),
        "is_default": payment is bill.payments[0], "payment": {"type": "payment_intent", "payment_intent": payment.intent},
        "status": "paid", "status_transitions": {"canceled_at": None, "paid_at": unix(payment.at)},
    }  # fmt: skip


def credit_document(customer: Customer, bill: Bill, credit: Credit, place: int) -> Json:
    """A credit note on an open invoice: it lowers what remains to be paid."""
    line: Json = {
        "id": credit.line, "object": "credit_note_line_item", "type": "custom_line_item", "amount": credit.amount,
        "description": "Service credit", "discount_amount": 0, "discount_amounts": [], "invoice_line_item": None,
        "livemode": False, "quantity": 1, "taxes": [], "unit_amount": credit.amount, "unit_amount_decimal": str(credit.amount),
    }  # fmt: skip
    return {
        "id": credit.id, "object": "credit_note", "created": unix(credit.at), "livemode": False, "amount": credit.amount,
        "currency": customer.entity.currency.lower(), "customer": customer.stripe, "invoice": bill.id,
        "number": f"{bill.number}-CN-{place:02d}", "status": "issued", "type": "pre_payment", "reason": "product_unsatisfactory",
        "memo": None, "metadata": {}, "subtotal": credit.amount, "subtotal_excluding_tax": credit.amount, "total": credit.amount,
        "total_excluding_tax": credit.amount, "total_taxes": [], "discount_amount": 0, "discount_amounts": [],
        "pre_payment_amount": credit.amount, "post_payment_amount": 0, "out_of_band_amount": None, "refunds": [],
        "customer_balance_transaction": None, "effective_at": unix(credit.at), "voided_at": None,
        "lines": {"object": "list", "data": [line]},
    }  # fmt: skip
