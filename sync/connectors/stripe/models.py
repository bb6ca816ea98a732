"""Stripe's objects in the shapes after basil (2025-03-31), its events, and the words of its lists with ours for them. Amounts are
whole numbers of minor units, moments epoch seconds; a reference is an id or, expanded, the object itself."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from sync.vendor.objects import Epoch, Number, Text, VendorObject, Wanted, Whole, known

SUBSCRIPTION_STATUS = {
    "incomplete": "incomplete",
    "incomplete_expired": "ended",
    "trialing": "trialing",
    "active": "active",
    "past_due": "past_due",
    "unpaid": "unpaid",
    "paused": "paused",
    "canceled": "canceled",
}
INVOICE_STATUS = {status: status for status in ("draft", "open", "paid", "void", "uncollectible")}
PAYMENT_STATUS = {"open": "pending", "paid": "paid", "canceled": "canceled"}
CREDIT_NOTE_STATUS = {"issued": "applied", "void": "void"}
BILLING_REASONS = {
    reason: reason
    for reason in (
        "automatic_pending_invoice_item_invoice",
        "manual",
        "quote_accept",
        "subscription",
        "subscription_create",
        "subscription_cycle",
        "subscription_threshold",
        "subscription_update",
        "upcoming",
    )
}
PAUSED_COLLECTION = {behavior: behavior for behavior in ("keep_as_draft", "mark_uncollectible", "void")}
COUPON_DURATION = {duration: duration for duration in ("forever", "once", "repeating")}
IS_METERED = {"licensed": False, "metered": True}
PERIODS_A_YEAR = {"day": Decimal(365), "week": Decimal(52), "month": Decimal(12), "year": Decimal(1)}
PAID_BY = ("payment_intent", "charge", "payment_record")
Metadata = dict[str, str]


class Expanded(VendorObject):
    id: Text


Reference = Annotated[str | Expanded, Field(union_mode="left_to_right"), Wanted("an id")]


class Customer(VendorObject):
    id: Text
    name: str | None = None
    balance: int
    currency: str | None = None
    delinquent: bool | None = None
    metadata: Metadata | None = None


class DeletedCustomer(VendorObject):
    """What a read of an erased customer answers."""

    id: Text
    deleted: Literal[True]


class Recurring(VendorObject):
    interval: Annotated[Text, known(PERIODS_A_YEAR)]
    interval_count: Annotated[int, Field(ge=1)]
    usage_type: Annotated[Text, known(IS_METERED)]


class Coupon(VendorObject):
    """What a discount takes off. Read beside a subscription: no event and no list of subscriptions holds it."""

    id: Text
    duration: Annotated[Text, known(COUPON_DURATION)]
    percent_off: Number | None = None
    amount_off: int | None = None
    currency: str | None = None
    applies_to: Whole | None = None


class DiscountSource(VendorObject):
    coupon: Reference | None = None


class Discount(VendorObject):
    id: Text
    end: Epoch | None = None
    source: DiscountSource


Discounted = Annotated[str | Discount, Field(union_mode="left_to_right"), Wanted("a discount")]


class TaxRate(VendorObject):
    id: Text
    inclusive: bool
    percentage: Number


class Price(VendorObject):
    id: Text
    product: Reference | None = None
    tax_behavior: str | None = None
    recurring: Recurring | None = None
    unit_amount: int | None = None
    unit_amount_decimal: str | None = None
    billing_scheme: str | None = None
    transform_quantity: Whole | None = None


class SubscriptionItem(VendorObject):
    id: Text
    price: Price
    quantity: int | None = None
    created: Epoch | None = None
    current_period_start: Epoch | None = None
    current_period_end: Epoch | None = None
    discounts: list[Discounted] | None = None
    tax_rates: list[TaxRate] | None = None


class SubscriptionItems(VendorObject):
    data: list[SubscriptionItem]
    has_more: bool | None = None


class PausedCollection(VendorObject):
    behavior: Annotated[Text, known(PAUSED_COLLECTION)]
    resumes_at: Epoch | None = None


class Subscription(VendorObject):
    id: Text
    status: Annotated[Text, known(SUBSCRIPTION_STATUS)]
    currency: Text
    customer: Reference | None = None
    created: Epoch
    start_date: Epoch
    cancel_at: Epoch | None = None
    cancel_at_period_end: bool
    ended_at: Epoch | None = None
    pause_collection: PausedCollection | None = None
    discounts: list[Discounted] | None = None
    default_tax_rates: list[TaxRate] | None = None
    items: SubscriptionItems
    metadata: Metadata | None = None


class SubscriptionDetails(VendorObject):
    subscription: Reference | None = None
    metadata: Metadata | None = None


class Parent(VendorObject):
    subscription_details: SubscriptionDetails | None = None


class LineDetails(VendorObject):
    invoice_item: Reference | None = None


class LineParent(VendorObject):
    invoice_item_details: LineDetails | None = None
    subscription_item_details: LineDetails | None = None


class Line(VendorObject):
    id: Text
    parent: LineParent | None = None


class Lines(VendorObject):
    data: list[Line]
    has_more: bool | None = None


class Tax(VendorObject):
    amount: int


class Invoice(VendorObject):
    id: Text
    number: str | None = None
    status: Annotated[Text, known(INVOICE_STATUS)]
    billing_reason: Annotated[str, known(BILLING_REASONS)] | None = None
    created: Epoch | None = None
    currency: Text
    customer: Reference | None = None
    total: int
    total_excluding_tax: int | None = None
    total_taxes: list[Tax] | None = None
    amount_due: int
    amount_paid: int
    amount_remaining: int
    pre_payment_credit_notes_amount: int
    post_payment_credit_notes_amount: int
    effective_at: Epoch | None = None
    due_date: Epoch | None = None
    description: str | None = None
    status_transitions: dict[str, Epoch | None]
    lines: Lines
    parent: Parent | None = None
    metadata: Metadata | None = None


class Period(VendorObject):
    start: Epoch
    end: Epoch


class InvoiceItem(VendorObject):
    id: Text
    amount: int
    currency: Text
    customer: Reference | None = None
    date: Epoch | None = None
    description: str | None = None
    invoice: Reference | None = None
    parent: Parent | None = None
    period: Period
    proration: bool


class PaymentIntent(Expanded):
    """A payment intent that a read was asked to expand. Its latest charge is the one that succeeded, once one has."""

    latest_charge: Reference | None = None


class PaidBy(VendorObject):
    type: Annotated[Text, known(PAID_BY)]
    payment_intent: (
        Annotated[str | PaymentIntent, Field(union_mode="left_to_right"), Wanted("an id or a payment intent")] | None
    ) = None
    charge: Reference | None = None
    payment_record: Reference | None = None


class PaidInvoice(VendorObject):
    id: Text
    status: Annotated[Text, known(PAYMENT_STATUS)]
    created: Epoch | None = None
    currency: Text
    amount_paid: int | None = None
    amount_requested: int | None = None
    invoice: Reference | None = None
    is_default: bool | None = None
    payment: PaidBy
    status_transitions: dict[str, Epoch | None]


class InvoicePayment(PaidInvoice):
    """`others` is put there by our own read: what else was paid with the same."""

    others: list[PaidInvoice] | None = None


class CreditNote(VendorObject):
    id: Text
    number: str | None = None
    status: Annotated[Text, known(CREDIT_NOTE_STATUS)]
    currency: Text
    total: int
    created: Epoch
    effective_at: Epoch | None = None
    voided_at: Epoch | None = None
    customer: Reference | None = None
    invoice: Reference | None = None
    reason: str | None = None
    memo: str | None = None


class EventData(VendorObject):
    object: Whole
    previous_attributes: Whole | None = None


class Event(VendorObject):
    id: Text
    type: Text
    created: Epoch
    api_version: str | None = None
    account: str | None = None
    data: EventData


class Related(VendorObject):
    id: Text
    type: Text


class ThinEvent(VendorObject):
    id: Text
    type: Text
    related_object: Related | None = None


class Read(VendorObject):
    """An object as our own read keeps it, with the vendor's second of reading and the coupons behind its discounts."""

    read_at: Epoch | None = None
    object: Whole
    coupons: list[Coupon] = []


OBJECTS: dict[str, type[VendorObject]] = {
    "customer": Customer,
    "deleted_customer": DeletedCustomer,
    "subscription": Subscription,
    "invoice": Invoice,
    "invoiceitem": InvoiceItem,
    "invoice_payment": InvoicePayment,
    "credit_note": CreditNote,
    "event": Event,
    "v2.core.event": ThinEvent,
}
