"""Every field of Stripe's objects after basil, as a new object has them. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.companies.draw import Draw
from demo.companies.story import Json, unix

if TYPE_CHECKING:
    from demo.companies.billing import Line

_MONTHS = {"month": 1, "year": 12}


@dataclass(frozen=True, slots=True)
class SubscriptionIds:
    subscription: str
    item: str
    price: str
    product: str


def later(moment: dt.datetime, months: int) -> dt.datetime:
    """The same day and time that many months on; its month's last day where there is no such day."""
    year, month = moment.year + (moment.month - 1 + months) // 12, (moment.month - 1 + months) % 12 + 1
    last = (dt.date(year + month // 12, month % 12 + 1, 1) - dt.timedelta(days=1)).day
    return moment.replace(year=year, month=month, day=min(moment.day, last))


def customer(id: str, name: str, metadata: Json, currency: str) -> Json:
    return {
        "id": id, "object": "customer", "address": None, "balance": 0, "created": 0, "currency": currency, "default_source": None,
        "delinquent": False, "description": None, "discount": None,
        "email": f"billing@{name.split(maxsplit=1)[0].lower()}.example", "invoice_prefix": None,
        "invoice_settings": {
            "custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None,
        },
        "livemode": True, "metadata": metadata, "name": name, "next_invoice_sequence": 2, "phone": None, "preferred_locales": [],
        "shipping": None, "tax_exempt": "none", "test_clock": None,
    }  # fmt: skip


def price(id: str, product: str, unit: int, currency: str, interval: str) -> Json:
    return {
        "id": id, "object": "price", "active": True, "billing_scheme": "per_unit", "created": 1735689600, "currency": currency,
        "custom_unit_amount": None, "livemode": True, "lookup_key": None, "metadata": {}, "nickname": None, "product": product,
        "recurring": {
            "interval": interval, "interval_count": 1, "meter": None, "trial_period_days": None, "usage_type": "licensed",
        },
        "tax_behavior": "exclusive", "tiers_mode": None, "transform_quantity": None, "type": "recurring", "unit_amount": unit,
        "unit_amount_decimal": str(unit),
    }  # fmt: skip


def subscription(
    ids: SubscriptionIds, customer: str, *, unit: int, quantity: int, currency: str, interval: str, start: dt.datetime,
    metadata: Json, by_invoice: bool, plan: str,
) -> Json:  # fmt: skip
    """`plan`: in the metadata of its price, where a company keeps it there."""
    priced = price(ids.price, ids.product, unit, currency, interval)
    if plan:
        priced["metadata"] = {"plan": plan}
    item: Json = {
        "id": ids.item, "object": "subscription_item", "billing_thresholds": None, "created": unix(start),
        "current_period_start": unix(start), "current_period_end": unix(later(start, _MONTHS[interval])), "discounts": [],
        "metadata": {}, "price": priced, "subscription": ids.subscription, "tax_rates": [], "quantity": quantity,
    }  # fmt: skip
    return {
        "id": ids.subscription, "object": "subscription", "application": None, "application_fee_percent": None,
        "automatic_tax": {"enabled": False, "liability": None, "disabled_reason": None}, "billing_cycle_anchor": unix(start),
        "billing_cycle_anchor_config": None, "cancel_at": None, "canceled_at": None, "cancellation_details": None,
        "collection_method": "send_invoice" if by_invoice else "charge_automatically", "created": 0, "currency": currency,
        "customer": customer, "days_until_due": 30 if by_invoice else None, "default_payment_method": None,
        "default_source": None, "default_tax_rates": [], "description": None, "discounts": [], "ended_at": None,
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": {
            "object": "list", "data": [item], "has_more": False, "total_count": 1,
            "url": f"/v1/subscription_items?subscription={ids.subscription}",
        },
        "latest_invoice": None, "livemode": True, "metadata": metadata, "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None, "pause_collection": None, "payment_settings": None, "pending_invoice_item_interval": None,
        "pending_setup_intent": None, "pending_update": None, "schedule": None, "start_date": unix(start), "status": "active",
        "test_clock": None, "transfer_data": None, "trial_end": None, "trial_settings": None, "trial_start": None,
        "cancel_at_period_end": False, "billing_thresholds": None,
        "billing_mode": {
            "type": "flexible", "flexible": {"proration_discounts": "included"}, "updated_at": unix(start),
        },
        "customer_account": None, "managed_payments": None, "billing_schedules": None,
    }  # fmt: skip


def _line(draw: Draw, invoice: str, line: Line, *, currency: str, discount: int, tax: int) -> Json:
    details: Json = {
        "invoice_item": line.item, "proration": line.proration, "proration_details": {"credited_items": None},
        "subscription": line.subscription,
    }  # fmt: skip
    kind = "invoice_item_details" if line.item or not line.subscription else "subscription_item_details"
    if kind == "subscription_item_details":
        details |= {"invoice_item": None, "subscription_item": draw.stripe("si")}
    return {
        "id": draw.stripe("il"), "object": "line_item", "amount": line.amount, "subtotal": line.amount, "currency": currency,
        "description": line.text, "discount_amounts": [{"amount": discount, "discount": "di_yearly"}] if discount else [],
        "discountable": not line.proration, "discounts": [], "invoice": invoice, "livemode": True, "metadata": {},
        "parent": {
            "type": kind, "invoice_item_details": None, "subscription_item_details": None, kind: details,
        },
        "period": {"start": unix(line.start), "end": unix(line.end)}, "pretax_credit_amounts": [],
        "pricing": {
            "type": "price_details", "price_details": {"price": draw.stripe("price"), "product": draw.stripe("prod")},
            "unit_amount_decimal": str(line.amount // line.quantity),
        },
        "quantity": line.quantity, "taxes": [_tax(tax, line.amount - discount)] if tax else [],
    }  # fmt: skip


def _tax(amount: int, of: int) -> Json:
    return {
        "amount": amount, "tax_behavior": "exclusive", "taxability_reason": "standard_rated", "taxable_amount": of,
        "tax_rate_details": {"tax_rate": "txr_state"}, "type": "tax_rate_details",
    }  # fmt: skip


def invoice(
    draw: Draw, customer: str, lines: Sequence[Line], *, tax: int, discount: int, currency: str, by_invoice: bool,
    subscription: str | None, told: Json,
) -> Json:  # fmt: skip
    """A draft. `told`: the metadata of the subscription as of now."""
    id = draw.stripe("in")
    subtotal = sum(line.amount for line in lines)
    total = subtotal - discount + tax
    start, end = min(line.start for line in lines), max(line.end for line in lines)
    parent = {
        "type": "subscription_details", "quote_details": None,
        "subscription_details": {"metadata": told, "subscription": subscription},
    } if subscription else None  # fmt: skip
    data = [
        _line(draw, id, line, currency=currency, discount=0 if place else discount, tax=0 if place else tax)
        for place, line in enumerate(lines)
    ]
    return {
        "id": id, "object": "invoice", "account_country": "US", "account_name": None, "account_tax_ids": None,
        "amount_due": total, "amount_overpaid": 0, "amount_paid": 0, "amount_paid_off_stripe": 0, "amount_remaining": total,
        "amount_shipping": 0, "application": None, "attempt_count": 0, "attempted": False, "auto_advance": True,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None, "disabled_reason": None},
        "billing_reason": None, "collection_method": "send_invoice" if by_invoice else "charge_automatically", "created": 0,
        "currency": currency, "custom_fields": None, "customer": customer, "customer_account": None, "customer_address": None,
        "customer_email": None, "customer_name": None, "customer_phone": None, "customer_shipping": None,
        "customer_tax_exempt": "none", "customer_tax_ids": [], "default_payment_method": None, "default_source": None,
        "default_tax_rates": [], "description": None, "discounts": [], "due_date": None, "effective_at": None,
        "ending_balance": 0, "footer": None, "from_invoice": None, "hosted_invoice_url": None, "invoice_pdf": None,
        "issuer": {"type": "self"}, "last_finalization_error": None, "latest_revision": None,
        "lines": {"object": "list", "data": data, "has_more": False, "url": f"/v1/invoices/{id}/lines"},
        "livemode": True, "metadata": {}, "next_payment_attempt": None, "number": None, "on_behalf_of": None,
        "parent": parent,
        "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
        "period_end": unix(end), "period_start": unix(start), "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0, "receipt_number": None, "rendering": None, "shipping_cost": None,
        "shipping_details": None, "starting_balance": 0, "statement_descriptor": None, "status": "draft",
        "status_transitions": {
            "finalized_at": None, "marked_uncollectible_at": None, "paid_at": None, "voided_at": None,
        },
        "subtotal": subtotal, "subtotal_excluding_tax": subtotal, "test_clock": None, "total": total,
        "total_discount_amounts": [{"amount": discount, "discount": "di_yearly"}] if discount else [],
        "total_excluding_tax": total - tax, "total_pretax_credit_amounts": [],
        "total_taxes": [_tax(tax, total - tax)] if tax else [], "webhooks_delivered_at": None,
        "automatically_finalizes_at": None,
    }  # fmt: skip


def invoice_payment(id: str, invoice: Json, kind: str, by: str) -> Json:
    """All that remains of an invoice is asked; nothing of it is paid yet."""
    return {
        "id": id, "object": "invoice_payment", "amount_paid": None, "amount_requested": invoice["amount_remaining"],
        "created": 0, "currency": invoice["currency"], "invoice": invoice["id"], "is_default": True, "livemode": True,
        "payment": {"type": kind, kind: by}, "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }  # fmt: skip


def credit_note(draw: Draw, invoice: Json, amount: int, after_payment: bool) -> Json:
    id = draw.stripe("cn")
    return {
        "id": id, "object": "credit_note", "amount": amount, "amount_shipping": 0, "created": 0,
        "currency": invoice["currency"], "customer": invoice["customer"], "customer_account": None,
        "customer_balance_transaction": draw.stripe("cbtxn") if after_payment else None, "discount_amount": 0,
        "discount_amounts": [], "effective_at": None, "invoice": invoice["id"],
        "lines": {"object": "list", "data": [], "has_more": False, "url": f"/v1/credit_notes/{id}/lines"},
        "livemode": True, "memo": None, "metadata": {}, "number": f"{invoice['number']}-CN-01", "out_of_band_amount": None,
        "pdf": "", "post_payment_amount": amount if after_payment else 0,
        "pre_payment_amount": 0 if after_payment else amount, "pretax_credit_amounts": [], "reason": "order_change",
        "refunds": [], "shipping_cost": None, "status": "issued", "subtotal": amount, "subtotal_excluding_tax": amount,
        "total": amount, "total_excluding_tax": amount, "total_taxes": [], "type":
        "post_payment" if after_payment else "pre_payment", "voided_at": None,
    }  # fmt: skip


def invoice_item(id: str, customer: str, line: Line, currency: str) -> Json:
    """A pending proration or a single charge, until an invoice takes it."""
    parent = {
        "type": "subscription_details", "subscription_details": {"subscription": line.subscription, "subscription_item": None},
    } if line.subscription else None  # fmt: skip
    return {
        "id": id, "object": "invoiceitem", "amount": line.amount, "created": 0, "currency": currency, "customer": customer,
        "date": unix(line.start), "description": line.text, "discountable": not line.proration, "discounts": [], "invoice": None,
        "livemode": True, "metadata": {}, "net_amount": line.amount, "parent": parent,
        "period": {"start": unix(line.start), "end": unix(line.end)}, "pricing": None, "proration": line.proration,
        "proration_details": None, "quantity": 1, "quantity_decimal": "1", "tax_rates": [], "test_clock": None,
    }  # fmt: skip
