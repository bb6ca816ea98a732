"""Stripe objects as facts. Pure. Field names are those after basil (2025-03-31).

Versions: objects carry no stamp, so an event's version is its second, then how far the object has come in its life (several
events of one second), then 0; what we read ourselves is the second before that of the vendor's clock (an event of the same
second may have come after our read), the same rank, then 1. An invoice's rank also counts the lines of a draft, and later how
much of it is settled.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from revops.errors import Rejected
from revops.ledger.facts import Fact, Value
from revops.money import Money
from revops.reference import NO_REFS, Refs, refs
from sync.connectors.stripe.minor_units import amount, currency_of, exponent, to_money
from sync.vendor import fields as payload
from sync.vendor.contract import (
    Config,
    Ignored,
    Incoming,
    Misunderstood,
    Reread,
)
from sync.vendor.fields import Payload
from sync.vendor.references import contract_numbered, in_crm, own

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
BILLING_REASONS = frozenset(
    {
        "automatic_pending_invoice_item_invoice",
        "manual",
        "quote_accept",
        "subscription",
        "subscription_create",
        "subscription_cycle",
        "subscription_threshold",
        "subscription_update",
        "upcoming",
    }
)
_PERIODS_A_YEAR = {"day": Decimal(365), "week": Decimal(52), "month": Decimal(12), "year": Decimal(1)}
_RANK = {
    "subscription": ["incomplete", "trialing", "active", "paused", "past_due", "unpaid", "ended", "canceled"],
    "invoice": ["draft", "open", "uncollectible", "paid", "void"],
    "payment": ["pending", "paid", "canceled"],
    "credit_memo": ["applied", "void"],
}
_GONE = 9
_STAMPED = frozenset({"invoice", "payment", "credit_memo", "proration"})
"""Documents, whose amounts stand once they are issued; customers and subscriptions change without any stamp on them."""


@dataclass(frozen=True, slots=True)
class Said:
    """When and how an object was said: the vendor's second, by an event or by our own read; `changed` are the names
    of the keys that an update event says it changed (None when it does not say)."""

    at: dt.datetime
    is_read: bool
    deleted: bool = False
    changed: frozenset[str] | None = None
    is_creation: bool = False


def version(said: Said, object_type: str, status: str = "", progress: int = 0) -> str:
    """`<second, 11 digits>.<rank of the status, 1 digit, and progress within it, 3 digits>.<0 event, 1 read>`."""
    ranks = _RANK.get(object_type, [])
    rank = _GONE if said.deleted else ranks.index(status) if status in ranks else 0
    second = int(said.at.timestamp()) - int(said.is_read)
    return f"{second:011d}.{rank}{max(0, min(progress, 999)):03d}.{int(said.is_read)}"


def reference(body: Payload, field: str) -> str | None:
    """An id, whether Stripe sent it plain or expanded into the object."""
    value = body.data.get(field)
    if isinstance(value, Mapping):
        return body.child(field).text("id")
    return body.maybe_text(field)


def _true_since(body: Payload, said: Said) -> dt.datetime:
    """Since when it has been so: an event says it; of what we read, the latest of the stamps that the object carries."""
    if not said.is_read or said.deleted:
        return said.at
    moved = body.maybe_child("status_transitions")
    stamps = [body.maybe_epoch(name) for name in ("created", "date", "start_date", "canceled_at", "ended_at", "voided_at")]
    stamps += [moved.maybe_epoch(name) for name in moved.data]
    return min(said.at, max((stamp for stamp in stamps if stamp is not None), default=said.at))


def _fact(
    body: Payload,
    said: Said,
    fields: Mapping[str, Value],
    refs: Refs,
    *,
    kind: str,
    status: str = "",
    progress: int | None = None,
) -> Fact:
    if progress is None:  # what was made comes before what happened to it in the same second
        progress = 0 if said.is_creation else 1
    return Fact(
        object_type=kind,
        external_id=body.text("id"),
        version=version(said, kind, status, progress),
        effective_at=_true_since(body, said) if kind in _STAMPED else said.at,
        fields=fields,
        refs=refs,
        deleted=said.deleted,
    )


def customer(body: Payload, said: Said, config: Config) -> Fact:
    if body.data.get("deleted") is True:  # what a read of an erased customer answers: nothing but its id
        gone = replace(said, deleted=True)
        return _fact(body, gone, {}, NO_REFS, kind="customer")
    metadata = body.maybe_child("metadata")
    crm_key = config.get("crm_id_key", "salesforce_account_id")
    balance, currency = body.whole("balance"), body.maybe_text("currency")
    code = currency.upper() if currency else None
    fields: dict[str, Value] = {
        "name": body.maybe_text("name"),
        "currency": code,
        "legal_entity": metadata.maybe_text("legal_entity"),
        "status": "deleted" if said.deleted else "active",
        "delinquent": body.flag("delinquent") if body.has("delinquent") else None,
        "balance": to_money(balance, code, body.where("balance")) if code else None,
    }
    same_as = in_crm(config, "customer", metadata.maybe_text(crm_key), metadata.where(crm_key))
    return _fact(body, said, fields, refs(same_as=same_as), kind="customer")


def subscription(body: Payload, said: Said, config: Config) -> Fact | Reread:
    items = body.child("items")
    if items.data.get("has_more") is True:
        return Reread("subscription", body.text("id"))
    parts = list(items.children("data"))
    status = body.choice("status", SUBSCRIPTION_STATUS)
    currency = currency_of(body)
    starts = [start for part in parts if (start := part.maybe_epoch("current_period_start"))]
    ends = [end for part in parts if (end := part.maybe_epoch("current_period_end"))]
    licensed = [part for part in parts if not _is_metered(part)]
    fields: dict[str, Value] = {
        "status": status,
        "started_on": body.epoch("start_date").date(),
        "period_start_at": min(starts) if starts else None,
        "period_end_at": min(ends) if ends else None,
        "cancel_at_period_end": body.flag("cancel_at_period_end"),
        "quantity": sum((_quantity(part) for part in licensed), Decimal(0)),
        "usage_based": len(licensed) < len(parts),
        "items": tuple(sorted(_item_label(part) for part in parts)),
    }
    annual = _annual(licensed, currency, body.where("items"))
    if annual is not None:
        fields["annual_amount"] = annual
    changed_at = _changed_at(body, parts, said)
    if changed_at is not None:
        fields["changed_at"] = changed_at
    pointing = refs(
        customer=own(config, "customer", reference(body, "customer")),
        contract=contract_numbered(config, _contract_number(body.maybe_child("metadata"), config)),
    )
    # A cancelled subscription is ended, not erased: it still stands in the ledger.
    kept = replace(said, deleted=False)
    return _fact(body, kept, fields, pointing, kind="subscription", status=status)


def _contract_number(metadata: Payload, config: Config) -> str | None:
    """The contract number, where the connection declares under which key of the metadata it stands."""
    key = config.get("contract_number_key")
    return metadata.maybe_text(key) if key else None


def _changed_at(body: Payload, parts: list[Payload], said: Said) -> dt.datetime | None:
    """When the terms last changed. Only an event that changed items or quantity tells; a read knows the items' own
    age.
    """
    if said.is_creation or (said.changed is not None and said.changed & {"items", "quantity", "plan"}):
        return said.at
    if not said.is_read:
        return None
    made = [created for part in parts if (created := part.maybe_epoch("created"))]
    return max([body.epoch("created"), *made])


def _is_metered(item: Payload) -> bool:
    recurring = item.child("price").maybe_child("recurring")
    usage = recurring.choice("usage_type", {"licensed": False, "metered": True}) if recurring.data else False
    return bool(usage)


def _quantity(item: Payload) -> Decimal:
    return Decimal(item.whole("quantity")) if item.has("quantity") else Decimal(0)


def _item_label(item: Payload) -> str:
    price = item.child("price").text("id")
    return f"{price} by usage" if _is_metered(item) else f"{price} x {_quantity(item):f}"


def _annual(items: list[Payload], currency: str, where: str) -> Money | None:
    """What the licensed items cost in a year; None when a price cannot be known from here (tiers, packages)."""
    total = Decimal(0)
    for item in items:
        price = item.child("price")
        recurring = price.child("recurring")
        unit = price.maybe_text("unit_amount_decimal")
        number = payload.decimal_text(unit) if unit else price.maybe_number("unit_amount")
        if number is None or price.has("transform_quantity") or price.data.get("billing_scheme") == "tiered":
            return None
        periods = recurring.choice("interval", _PERIODS_A_YEAR) / recurring.whole("interval_count")
        total += number.scaleb(-exponent(currency)) * _quantity(item) * periods
    return payload.rounded_money(total, currency, where)


def invoice(body: Payload, said: Said, config: Config) -> Fact | Reread:
    lines = body.child("lines")
    if lines.data.get("has_more") is True and not said.deleted:
        return Reread("invoice", body.text("id"))
    currency = currency_of(body)
    status = body.choice("status", INVOICE_STATUS)
    moved = body.child("status_transitions")
    finalized_at = moved.maybe_epoch("finalized_at")
    issued_at = body.maybe_epoch("effective_at") or finalized_at
    due_at = body.maybe_epoch("due_date")
    reason = body.maybe_text("billing_reason")
    if reason is not None and reason not in BILLING_REASONS:
        body.choice("billing_reason", {})
    parent = body.maybe_child("parent").maybe_child("subscription_details")
    credited = body.whole("pre_payment_credit_notes_amount") + body.whole("post_payment_credit_notes_amount")
    fields: dict[str, Value] = {
        "number": body.maybe_text("number"),
        "status": status,
        "total": amount(body, "total", currency),
        "amount_due": amount(body, "amount_due", currency),
        "amount_paid": amount(body, "amount_paid", currency),
        "amount_remaining": amount(body, "amount_remaining", currency),
        "credited": to_money(credited, currency, body.where("credit notes")),
        "issued_on": issued_at.date() if issued_at and status != "draft" else None,
        "due_on": due_at.date() if due_at else None,
        "finalized_at": finalized_at,
        "billing_reason": reason,
        "proration_items": tuple(sorted({item for line in lines.children("data") if (item := _invoice_item(line))})),
        "memo": body.maybe_text("description"),
    }
    number = _contract_number(parent.maybe_child("metadata"), config)
    pointing = refs(
        customer=own(config, "customer", reference(body, "customer")),
        subscription=own(config, "subscription", reference(parent, "subscription")),
        contract=contract_numbered(config, number or _contract_number(body.maybe_child("metadata"), config)),
    )
    parts = list(lines.children("data"))
    settled = body.whole("amount_paid") + credited
    progress = len(parts) if status == "draft" else settled * 999 // max(1, abs(body.whole("total")))
    return _fact(body, said, fields, pointing, kind="invoice", status=status, progress=progress)


def _invoice_item(line: Payload) -> str | None:
    parent = line.maybe_child("parent")
    for details in ("invoice_item_details", "subscription_item_details"):
        item = reference(parent.maybe_child(details), "invoice_item")
        if item:
            return item
    return None


def proration(body: Payload, said: Said, config: Config) -> Fact:
    currency = currency_of(body)
    period = body.child("period")
    fields: dict[str, Value] = {
        "amount": amount(body, "amount", currency),
        "description": body.maybe_text("description"),
        "period_start_at": period.epoch("start"),
        "period_end_at": period.epoch("end"),
        "is_proration": body.flag("proration"),
    }
    details = body.maybe_child("parent").maybe_child("subscription_details")
    pointing = refs(
        customer=own(config, "customer", reference(body, "customer")),
        subscription=own(config, "subscription", reference(details, "subscription")),
        invoice=own(config, "invoice", reference(body, "invoice")),
    )
    return _fact(body, said, fields, pointing, kind="proration")


def payment(body: Payload, said: Said, config: Config) -> Fact:
    """An invoice payment, known by the payment intent (or charge, or record) that the other systems name."""
    currency = currency_of(body)
    made_by = body.child("payment")
    kind = made_by.choice("type", {name: name for name in ("payment_intent", "charge", "payment_record")})
    status = body.choice("status", PAYMENT_STATUS)
    paid_at = body.child("status_transitions").maybe_epoch("paid_at")
    external_id = reference(made_by, kind)
    if external_id is None:
        raise made_by.misunderstood(kind, "an id")
    fields: dict[str, Value] = {
        "status": status,
        "amount": amount(body, "amount_paid" if body.has("amount_paid") else "amount_requested", currency),
        "paid_on": paid_at.date() if paid_at else None,
    }
    pointing = refs(invoice=own(config, "invoice", reference(body, "invoice")))
    known_as = Payload(body.name, {**body.data, "id": external_id})
    return _fact(known_as, said, fields, pointing, kind="payment", status=status)


def credit_note(body: Payload, said: Said, config: Config) -> Fact:
    currency = currency_of(body)
    status = body.choice("status", CREDIT_NOTE_STATUS)
    total = amount(body, "total", currency)
    issued_at = body.maybe_epoch("effective_at") or body.epoch("created")
    fields: dict[str, Value] = {
        "number": body.maybe_text("number"),
        "status": status,
        "total": total,
        "applied": total if status == "applied" else Money.zero(currency),
        "unapplied": Money.zero(currency),
        "issued_on": issued_at.date(),
        "reason": body.maybe_text("reason"),
        "memo": body.maybe_text("memo"),
    }
    pointing = refs(
        customer=own(config, "customer", reference(body, "customer")), invoice=own(config, "invoice", reference(body, "invoice"))
    )
    return _fact(body, said, fields, pointing, kind="credit_memo", status=status)


TRANSLATORS: Mapping[str, Callable[[Payload, Said, Config], Fact | Reread]] = {
    "customer": customer,
    "subscription": subscription,
    "invoice": invoice,
    "invoiceitem": proration,
    "invoice_payment": payment,
    "credit_note": credit_note,
}
"""By Stripe's own name of the object."""

OLDEST_VERSION = "2025-03-31"  # basil: the shapes that the translation reads  # basil: the shapes that the translation reads

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
    body = Payload("body", payload.message(incoming.body))
    try:
        if incoming.kind == "read":
            return [_from_read(body, incoming, config)]
        if body.data.get("object") == "v2.core.event":
            return [_from_thin(Payload("event", body.data))]
        return [_from_event(Payload("event", body.data), config)]
    except Rejected as error:
        raise Misunderstood(f"A fact cannot be kept: {error.message}", error.code) from None


def _from_read(body: Payload, incoming: Incoming, config: Config) -> Fact | Reread:
    name = COLLECTIONS.get(incoming.object_type, ("", ""))[1]
    if not name:
        raise Misunderstood("A read of a kind of object that this connector does not read.", "object_unknown")
    at = body.epoch("read_at") if body.has("read_at") else incoming.received_at
    return TRANSLATORS[name](Payload(f"Stripe {name}", body.child("object").data), Said(at, is_read=True), config)


def _from_event(event: Payload, config: Config) -> Fact | Reread:
    event_type = event.text("type")
    name = next((target for pattern, target in EVENTS if pattern.fullmatch(event_type)), "")
    if not name:
        raise Ignored(f"Events of type {payload.word(event_type)} say nothing that the ledger keeps.", "event_type")
    if (version := event.maybe_text("api_version")) and version[:10] < OLDEST_VERSION:
        raise Misunderstood("The webhook endpoint renders events in a version from before basil.", "api_version")
    if event.has("account") and event.text("account") != config.get("account"):
        raise Misunderstood("The event belongs to another Stripe account.", "account_wrong")
    data = event.child("data")
    found = data.child("object")
    if found.text("object") != name:
        raise Misunderstood(f"An event about {name} carries another object.", "field_changed")
    said = Said(
        at=event.epoch("created"),
        is_read=False,
        deleted=event_type.endswith(".deleted"),
        changed=frozenset(data.maybe_child("previous_attributes").data) if event_type.endswith("updated") else None,
        is_creation=event_type.endswith(".created"),
    )
    return TRANSLATORS[name](Payload(f"Stripe {name}", found.data), said, config)


def _from_thin(event: Payload) -> Reread:
    related = event.maybe_child("related_object")
    ours = _OURS.get(related.maybe_text("type") or "")
    if ours is None:
        raise Ignored("A thin event about an object that the ledger does not keep.", "event_type")
    return Reread(ours, related.text("id"))
