"""Stripe's objects in the shapes after basil (2025-03-31), and its events. Amounts are whole numbers of minor units, moments
epoch seconds; a reference is an id or, expanded, the object itself."""

from __future__ import annotations

from typing import Annotated, Any

from sync.connectors.stripe.translate import (
    BILLING_REASONS,
    CREDIT_NOTE_STATUS,
    INVOICE_STATUS,
    PAYMENT_STATUS,
    SUBSCRIPTION_STATUS,
)
from sync.vendor.objects import Text, VendorObject, known

Reference = str | dict[str, Any]
Metadata = dict[str, str]


class Customer(VendorObject):
    id: Text
    name: str | None = None
    balance: int | None = None  # an erased customer has nothing but its id
    currency: str | None = None
    delinquent: bool | None = None
    deleted: bool | None = None
    metadata: Metadata | None = None


class Recurring(VendorObject):
    interval: Text
    interval_count: int
    usage_type: str | None = None


class Price(VendorObject):
    id: Text
    recurring: Recurring | None = None
    unit_amount: int | None = None
    unit_amount_decimal: str | None = None
    billing_scheme: str | None = None


class SubscriptionItem(VendorObject):
    id: Text
    price: Price
    quantity: int | None = None
    created: int | None = None
    current_period_start: int | None = None
    current_period_end: int | None = None


class SubscriptionItems(VendorObject):
    data: list[SubscriptionItem]
    has_more: bool | None = None


class Subscription(VendorObject):
    id: Text
    status: Annotated[Text, known(SUBSCRIPTION_STATUS)]
    currency: Text
    customer: Reference | None = None
    created: int | None = None
    start_date: int
    cancel_at_period_end: bool
    canceled_at: int | None = None
    ended_at: int | None = None
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


class Invoice(VendorObject):
    id: Text
    number: str | None = None
    status: Annotated[Text, known(INVOICE_STATUS)]
    billing_reason: Annotated[str, known(sorted(BILLING_REASONS))] | None = None
    currency: Text
    customer: Reference | None = None
    total: int
    amount_due: int
    amount_paid: int
    amount_remaining: int
    pre_payment_credit_notes_amount: int
    post_payment_credit_notes_amount: int
    effective_at: int | None = None
    due_date: int | None = None
    description: str | None = None
    status_transitions: dict[str, int | None]
    lines: Lines
    parent: Parent | None = None
    metadata: Metadata | None = None


class Period(VendorObject):
    start: int
    end: int


class InvoiceItem(VendorObject):
    id: Text
    amount: int
    currency: Text
    customer: Reference | None = None
    description: str | None = None
    invoice: Reference | None = None
    parent: Parent | None = None
    period: Period
    proration: bool


class PaidBy(VendorObject):
    type: Annotated[Text, known(("payment_intent", "charge", "payment_record"))]
    payment_intent: Reference | None = None
    charge: Reference | None = None
    payment_record: Reference | None = None


class InvoicePayment(VendorObject):
    id: Text
    status: Annotated[Text, known(PAYMENT_STATUS)]
    currency: Text
    amount_paid: int | None = None
    amount_requested: int | None = None
    invoice: Reference | None = None
    payment: PaidBy
    status_transitions: dict[str, int | None]


class CreditNote(VendorObject):
    id: Text
    number: str | None = None
    status: Annotated[Text, known(CREDIT_NOTE_STATUS)]
    currency: Text
    total: int
    created: int
    effective_at: int | None = None
    customer: Reference | None = None
    invoice: Reference | None = None
    reason: str | None = None
    memo: str | None = None


class EventData(VendorObject):
    object: dict[str, Any]
    previous_attributes: dict[str, Any] | None = None


class Event(VendorObject):
    id: Text
    type: Text
    created: int
    livemode: bool | None = None
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


OBJECTS: dict[str, type[VendorObject]] = {
    "customer": Customer,
    "subscription": Subscription,
    "invoice": Invoice,
    "invoiceitem": InvoiceItem,
    "invoice_payment": InvoicePayment,
    "credit_note": CreditNote,
    "event": Event,
    "v2.core.event": ThinEvent,
}
