"""Stripe objects as facts. Pure. Field names are those after basil (2025-03-31).

Versions: objects carry no stamp, so an event's version is its second, then how far the object has come in its life (several
events of one second), then 0; what we read ourselves is the second before that of the vendor's clock (an event of the same
second may have come after our read), the same rank, then 1. An invoice's rank also counts the lines of a draft, and later how
much of it is settled.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from revops.errors import Rejected
from revops.ledger.facts import Fact, Value
from revops.money import Money
from revops.reference import NO_REFS, Refs, refs
from sync.connectors.stripe.minor_units import exponent, to_money
from sync.connectors.stripe.models import (
    BILLING_REASONS,
    CREDIT_NOTE_STATUS,
    INVOICE_STATUS,
    IS_METERED,
    PAID_BY,
    PAYMENT_STATUS,
    PERIODS_A_YEAR,
    SUBSCRIPTION_STATUS,
    CreditNote,
    Customer,
    DeletedCustomer,
    Event,
    Expanded,
    Invoice,
    InvoiceItem,
    InvoicePayment,
    Line,
    Metadata,
    Price,
    Read,
    Recurring,
    Reference,
    Subscription,
    SubscriptionItem,
    ThinEvent,
)
from sync.vendor import fields as payload
from sync.vendor.contract import (
    Config,
    Ignored,
    Incoming,
    Misunderstood,
    Reread,
)
from sync.vendor.fields import or_none, our_word
from sync.vendor.objects import needed, understood
from sync.vendor.references import contract_numbered, in_crm, own

_RANK = {
    "subscription": ["incomplete", "trialing", "active", "paused", "past_due", "unpaid", "ended", "canceled"],
    "invoice": ["draft", "open", "uncollectible", "paid", "void"],
    "payment": ["pending", "paid", "canceled"],
    "credit_memo": ["applied", "void"],
}
_GONE = 9


@dataclass(frozen=True, slots=True)
class Envelope:
    """When and how an object was said: the vendor's second, by an event or by our own read; `changed` are the names
    of the keys that an update event says it changed (None when it does not say)."""

    at: dt.datetime
    is_read: bool
    deleted: bool = False
    changed: frozenset[str] | None = None
    is_creation: bool = False


def version(envelope: Envelope, object_type: str, status: str = "", progress: int = 0) -> str:
    """`<second, 11 digits>.<rank of the status, 1 digit, and progress within it, 3 digits>.<0 event, 1 read>`."""
    ranks = _RANK.get(object_type, [])
    rank = _GONE if envelope.deleted else ranks.index(status) if status in ranks else 0
    second = int(envelope.at.timestamp()) - int(envelope.is_read)
    return f"{second:011d}.{rank}{max(0, min(progress, 999)):03d}.{int(envelope.is_read)}"


def reference(found: Reference | None) -> str | None:
    """An id, whether Stripe sent it plain or expanded into the object."""
    return found.id if isinstance(found, Expanded) else found or None


def _moment(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _maybe_moment(seconds: int | None) -> dt.datetime | None:
    return None if seconds is None else _moment(seconds)


def _true_since(envelope: Envelope, stamps: Iterable[int | None]) -> dt.datetime:
    """Since when it has been so: an event says it; of what we read, the latest of the stamps that the object carries."""
    if not envelope.is_read or envelope.deleted:
        return envelope.at
    latest = max((stamp for stamp in stamps if stamp is not None), default=None)
    return envelope.at if latest is None else min(envelope.at, _moment(latest))


def _fact(
    identity: str,
    envelope: Envelope,
    fields: Mapping[str, Value],
    refs: Refs,
    *,
    kind: str,
    status: str = "",
    progress: int | None = None,
    stamps: Iterable[int | None] = (),
) -> Fact:
    """`stamps`: of a document, whose amounts stand once it is issued. Customers and subscriptions change without any stamp."""
    if progress is None:  # what was made comes before what happened to it in the same second
        progress = 0 if envelope.is_creation else 1
    return Fact(
        object_type=kind,
        external_id=identity,
        version=version(envelope, kind, status, progress),
        effective_at=_true_since(envelope, stamps),
        fields=fields,
        refs=refs,
        deleted=envelope.deleted,
    )


def customer(body: Mapping[str, object], envelope: Envelope, config: Config) -> Fact:
    if body.get("deleted") is True:
        gone = understood(DeletedCustomer, body, "Stripe customer")
        return _fact(gone.id, replace(envelope, deleted=True), {}, NO_REFS, kind="customer")
    found = understood(Customer, body, "Stripe customer")
    crm_key = config.get("crm_id_key", "salesforce_account_id")
    code = found.currency.upper() if found.currency else None
    fields: dict[str, Value] = {
        "name": or_none(found.name),
        "currency": code,
        "legal_entity": _metadata(found.metadata, "legal_entity"),
        "status": "deleted" if envelope.deleted else "active",
        "delinquent": found.delinquent,
        "balance": to_money(found.balance, code, "Stripe customer.balance") if code else None,
    }
    same_as = in_crm(config, "customer", _metadata(found.metadata, crm_key), f"Stripe customer.metadata.{crm_key}")
    return _fact(found.id, envelope, fields, refs(same_as=same_as), kind="customer")


def _metadata(metadata: Metadata | None, key: str) -> str | None:
    return or_none(metadata.get(key)) if metadata and key else None


def subscription(body: Mapping[str, object], envelope: Envelope, config: Config) -> Fact | Reread:
    found = understood(Subscription, body, "Stripe subscription")
    if found.items.has_more:
        return Reread("subscription", found.id)
    items = found.items.data
    status = our_word(found.status, SUBSCRIPTION_STATUS, "Stripe subscription.status")
    currency = found.currency.upper()
    starts = [item.current_period_start for item in items if item.current_period_start]
    ends = [item.current_period_end for item in items if item.current_period_end]
    licensed = [item for item in items if not _is_metered(item)]
    fields: dict[str, Value] = {
        "status": status,
        "started_on": _moment(found.start_date).date(),
        "period_start_at": _moment(min(starts)) if starts else None,
        "period_end_at": _moment(max(ends)) if ends else None,
        "cancel_at_period_end": found.cancel_at_period_end,
        "quantity": Decimal(sum(_quantity(item) for item in licensed)),
        "usage_based": len(licensed) < len(items),
        "items": tuple(sorted(_item_label(item) for item in items)),
    }
    annual = _annual(licensed, currency)
    if annual is not None:
        fields["annual_amount"] = annual
    changed_at = _changed_at(found, envelope)
    if changed_at is not None:
        fields["changed_at"] = changed_at
    pointing = refs(
        customer=own(config, "customer", reference(found.customer)),
        contract=contract_numbered(config, _contract_number(found.metadata, config)),
    )
    # A cancelled subscription is ended, not erased: it still stands in the ledger.
    kept = replace(envelope, deleted=False)
    return _fact(found.id, kept, fields, pointing, kind="subscription", status=status)


def _contract_number(metadata: Metadata | None, config: Config) -> str | None:
    """The contract number, where the connection declares under which key of the metadata it stands."""
    return _metadata(metadata, config.get("contract_number_key"))


def _changed_at(found: Subscription, envelope: Envelope) -> dt.datetime | None:
    """When the terms last changed. Only an event that changed items or quantity tells; a read knows the items' own
    age.
    """
    if envelope.is_creation or (envelope.changed is not None and envelope.changed & {"items", "quantity", "plan"}):
        return envelope.at
    if not envelope.is_read:
        return None
    return _moment(max([found.created, *(item.created for item in found.items.data if item.created)]))


def _is_metered(item: SubscriptionItem) -> bool:
    recurring = item.price.recurring
    where = "Stripe subscription.items.price.recurring.usage_type"
    return recurring is not None and our_word(recurring.usage_type, IS_METERED, where)


def _quantity(item: SubscriptionItem) -> int:
    return item.quantity or 0


def _item_label(item: SubscriptionItem) -> str:
    return f"{item.price.id} by usage" if _is_metered(item) else f"{item.price.id} x {_quantity(item)}"


def _annual(items: Sequence[SubscriptionItem], currency: str) -> Money | None:
    """What the licensed items cost in a year; None when a price cannot be known from here (tiers, packages)."""
    total = Decimal(0)
    for item in items:
        recurring = needed(item.price.recurring, "Stripe subscription.items.price.recurring", "an object")
        unit = _unit_amount(item.price)
        if unit is None:
            return None
        total += unit.scaleb(-exponent(currency)) * _quantity(item) * _periods_a_year(recurring)
    return payload.rounded_money(total, currency, "Stripe subscription.items")


def _unit_amount(price: Price) -> Decimal | None:
    if price.transform_quantity is not None or price.billing_scheme == "tiered":
        return None
    if price.unit_amount_decimal:
        return payload.decimal_text(price.unit_amount_decimal)
    return None if price.unit_amount is None else Decimal(price.unit_amount)


def _periods_a_year(recurring: Recurring) -> Decimal:
    where = "Stripe subscription.items.price.recurring.interval"
    return our_word(recurring.interval, PERIODS_A_YEAR, where) / recurring.interval_count


def invoice(body: Mapping[str, object], envelope: Envelope, config: Config) -> Fact | Reread:
    found = understood(Invoice, body, "Stripe invoice")
    if found.lines.has_more and not envelope.deleted:
        return Reread("invoice", found.id)
    currency = found.currency.upper()
    status = our_word(found.status, INVOICE_STATUS, "Stripe invoice.status")
    finalized_at = found.status_transitions.get("finalized_at")
    issued_at = found.effective_at or finalized_at
    credited = found.pre_payment_credit_notes_amount + found.post_payment_credit_notes_amount
    reason = found.billing_reason or None
    fields: dict[str, Value] = {
        "number": or_none(found.number),
        "status": status,
        "total": to_money(found.total, currency, "Stripe invoice.total"),
        "amount_due": to_money(found.amount_due, currency, "Stripe invoice.amount_due"),
        "amount_paid": to_money(found.amount_paid, currency, "Stripe invoice.amount_paid"),
        "amount_remaining": to_money(found.amount_remaining, currency, "Stripe invoice.amount_remaining"),
        "credited": to_money(credited, currency, "Stripe invoice.credit notes"),
        "issued_on": _moment(issued_at).date() if issued_at and status != "draft" else None,
        "due_on": _moment(found.due_date).date() if found.due_date else None,
        "finalized_at": _maybe_moment(finalized_at),
        "billing_reason": our_word(reason, BILLING_REASONS, "Stripe invoice.billing_reason") if reason else None,
        "proration_items": tuple(sorted({item for line in found.lines.data if (item := _invoice_item(line))})),
        "memo": or_none(found.description),
    }
    details = found.parent.subscription_details if found.parent else None
    number = _contract_number(details.metadata, config) if details else None
    pointing = refs(
        customer=own(config, "customer", reference(found.customer)),
        subscription=own(config, "subscription", reference(details.subscription) if details else None),
        contract=contract_numbered(config, number or _contract_number(found.metadata, config)),
    )
    settled = found.amount_paid + credited
    progress = len(found.lines.data) if status == "draft" else settled * 999 // max(1, abs(found.total))
    stamps = (found.created, *found.status_transitions.values())
    return _fact(found.id, envelope, fields, pointing, kind="invoice", status=status, progress=progress, stamps=stamps)


def _invoice_item(line: Line) -> str | None:
    if line.parent is None:
        return None
    both = (line.parent.invoice_item_details, line.parent.subscription_item_details)
    return next((item for details in both if details and (item := reference(details.invoice_item))), None)


def proration(body: Mapping[str, object], envelope: Envelope, config: Config) -> Fact:
    found = understood(InvoiceItem, body, "Stripe invoiceitem")
    fields: dict[str, Value] = {
        "amount": to_money(found.amount, found.currency.upper(), "Stripe invoiceitem.amount"),
        "description": or_none(found.description),
        "period_start_at": _moment(found.period.start),
        "period_end_at": _moment(found.period.end),
        "is_proration": found.proration,
    }
    details = found.parent.subscription_details if found.parent else None
    pointing = refs(
        customer=own(config, "customer", reference(found.customer)),
        subscription=own(config, "subscription", reference(details.subscription) if details else None),
        invoice=own(config, "invoice", reference(found.invoice)),
    )
    return _fact(found.id, envelope, fields, pointing, kind="proration", stamps=(found.date,))


def payment(body: Mapping[str, object], envelope: Envelope, config: Config) -> Fact:
    """An invoice payment, known by the payment intent (or charge, or record) that the other systems name."""
    found = understood(InvoicePayment, body, "Stripe invoice_payment")
    by = found.payment
    kind = our_word(by.type, dict(zip(PAID_BY, PAID_BY, strict=True)), "Stripe invoice_payment.payment.type")
    paid_with = {"payment_intent": by.payment_intent, "charge": by.charge, "payment_record": by.payment_record}[kind]
    identity = needed(reference(paid_with), f"Stripe invoice_payment.payment.{kind}", "an id")
    status = our_word(found.status, PAYMENT_STATUS, "Stripe invoice_payment.status")
    minor = found.amount_requested if found.amount_paid is None else found.amount_paid
    where = "Stripe invoice_payment.amount_requested"
    paid_at = found.status_transitions.get("paid_at")
    fields: dict[str, Value] = {
        "status": status,
        "amount": to_money(needed(minor, where, "a whole number"), found.currency.upper(), where),
        "paid_on": _moment(paid_at).date() if paid_at else None,
    }
    pointing = refs(invoice=own(config, "invoice", reference(found.invoice)))
    stamps = (found.created, *found.status_transitions.values())
    return _fact(identity, envelope, fields, pointing, kind="payment", status=status, stamps=stamps)


def credit_note(body: Mapping[str, object], envelope: Envelope, config: Config) -> Fact:
    found = understood(CreditNote, body, "Stripe credit_note")
    currency = found.currency.upper()
    status = our_word(found.status, CREDIT_NOTE_STATUS, "Stripe credit_note.status")
    total = to_money(found.total, currency, "Stripe credit_note.total")
    fields: dict[str, Value] = {
        "number": or_none(found.number),
        "status": status,
        "total": total,
        "applied": total if status == "applied" else Money.zero(currency),
        "unapplied": Money.zero(currency),
        "issued_on": _moment(found.effective_at or found.created).date(),
        "reason": or_none(found.reason),
        "memo": or_none(found.memo),
    }
    pointing = refs(
        customer=own(config, "customer", reference(found.customer)),
        invoice=own(config, "invoice", reference(found.invoice)),
    )
    stamps = (found.created, found.voided_at)
    return _fact(found.id, envelope, fields, pointing, kind="credit_memo", status=status, stamps=stamps)


TRANSLATORS: Mapping[str, Callable[[Mapping[str, object], Envelope, Config], Fact | Reread]] = {
    "customer": customer,
    "subscription": subscription,
    "invoice": invoice,
    "invoiceitem": proration,
    "invoice_payment": payment,
    "credit_note": credit_note,
}
"""By Stripe's own name of the object."""

OLDEST_VERSION = "2025-03-31"  # basil: the shapes that the translation reads

# Event type prefix -> the object it carries. `invoice.upcoming` has no stored invoice behind it.
EVENTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"customer\.(created|updated|deleted)"), "customer"),
    (
        re.compile(
            r"customer\.subscription\.(created|updated|deleted|paused|resumed|pending_update_applied|"
            r"pending_update_expired|trial_will_end)"
        ),
        "subscription",
    ),
    (
        re.compile(
            r"invoice\.(created|updated|deleted|finalized|finalization_failed|sent|paid|payment_succeeded|payment_failed|"
            r"payment_action_required|payment_attempt_required|overdue|overpaid|voided|marked_uncollectible|will_be_due)"
        ),
        "invoice",
    ),
    (re.compile(r"invoiceitem\.(created|updated|deleted)"), "invoiceitem"),
    (re.compile(r"invoice_payment\.paid"), "invoice_payment"),
    (re.compile(r"credit_note\.(created|updated|voided)"), "credit_note"),
)

# Our object type -> collection, Stripe's object name. The order is the order of the first listing.
COLLECTIONS: Mapping[str, tuple[str, str]] = {
    "customer": ("/v1/customers", "customer"),
    "subscription": ("/v1/subscriptions", "subscription"),
    "invoice": ("/v1/invoices", "invoice"),
    "proration": ("/v1/invoiceitems", "invoiceitem"),
    "payment": ("/v1/invoice_payments", "invoice_payment"),
    "credit_memo": ("/v1/credit_notes", "credit_note"),
}
_OURS = {name: object_type for object_type, (_path, name) in COLLECTIONS.items()}


def translate(incoming: Incoming, config: Config) -> Sequence[Fact | Reread]:
    body = payload.body_of(incoming)
    try:
        if incoming.kind == "read":
            return [_from_read(body, incoming, config)]
        if body.get("object") == "v2.core.event":
            return [_from_thin(understood(ThinEvent, body, "event"))]
        return [_from_event(body, config)]
    except Rejected as error:
        raise Misunderstood(f"A fact cannot be kept: {error.message}", error.code) from None


def _from_read(body: Mapping[str, object], incoming: Incoming, config: Config) -> Fact | Reread:
    name = COLLECTIONS.get(incoming.object_type, ("", ""))[1]
    if not name:
        raise Misunderstood("A read of a kind of object that this connector does not read.", "object_unknown")
    read = understood(Read, body, "body")
    at = incoming.received_at if read.read_at is None else _moment(read.read_at)
    return TRANSLATORS[name](read.object, Envelope(at, is_read=True), config)


def _from_event(body: Mapping[str, object], config: Config) -> Fact | Reread:
    event = understood(Event, body, "event")
    name = next((target for pattern, target in EVENTS if pattern.fullmatch(event.type)), "")
    if not name:
        raise Ignored(f"Events of type {payload.word(event.type)} say nothing that the ledger keeps.", "event_type")
    if event.api_version and event.api_version[:10] < OLDEST_VERSION:
        raise Misunderstood("The webhook endpoint renders events in a version from before basil.", "api_version")
    if event.account is not None and event.account != config.get("account"):
        raise Misunderstood("The event belongs to another Stripe account.", "account_wrong")
    if event.data.object.get("object") != name:
        raise Misunderstood(f"An event about {name} carries another object.", "field_changed")
    envelope = Envelope(
        at=_moment(event.created),
        is_read=False,
        deleted=event.type.endswith(".deleted"),
        changed=frozenset(event.data.previous_attributes or ()) if event.type.endswith("updated") else None,
        is_creation=event.type.endswith(".created"),
    )
    return TRANSLATORS[name](event.data.object, envelope, config)


def _from_thin(event: ThinEvent) -> Reread:
    related = event.related_object
    ours = _OURS.get(related.type) if related else None
    if related is None or ours is None:
        raise Ignored("A thin event about an object that the ledger does not keep.", "event_type")
    return Reread(ours, related.id)
