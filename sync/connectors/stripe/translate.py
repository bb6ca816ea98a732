"""Stripe objects as facts. Pure. Field names are those after basil (2025-03-31). Versions and days: see `envelope`."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from revops.errors import Rejected
from revops.ledger.facts import Fact
from revops.money import Money
from revops.reference import Ref
from sync.connectors.stripe.envelope import Envelope, contract_number, fact_of, maybe_moment, metadata_text, moment
from sync.connectors.stripe.minor_units import to_money
from sync.connectors.stripe.models import (
    BILLING_REASONS,
    CREDIT_NOTE_STATUS,
    INVOICE_STATUS,
    PAID_BY,
    PAYMENT_STATUS,
    CreditNote,
    Customer,
    DeletedCustomer,
    Event,
    Invoice,
    InvoiceItem,
    InvoicePayment,
    Line,
    PaidInvoice,
    PaymentIntent,
    Read,
    Reference,
    ThinEvent,
)
from sync.connectors.stripe.recurring import reference
from sync.connectors.stripe.subscriptions import subscription, terms_changed
from sync.vendor import fields as payload
from sync.vendor.contract import (
    Config,
    Ignored,
    Incoming,
    Misunderstood,
    Reread,
)
from sync.vendor.fields import or_none, our_word
from sync.vendor.objects import needed, understood, whole
from sync.vendor.references import crm_customer, customer_of, own
from sync.vendor.values import Stated
from sync.vendor.values import or_none as readable


def customer(body: Mapping[str, object], envelope: Envelope, config: Config) -> Fact:
    said = Stated()
    if body.get("deleted") is True:
        gone = whole(DeletedCustomer, body, "Stripe customer")
        return fact_of(gone.id, replace(envelope, deleted=True), said, kind="customer")
    found = understood(Customer, body, "Stripe customer")
    crm_key, erp_key = config.get("crm_id_key", "salesforce_account_id"), config.get("erp_customer_key")
    where = "Stripe customer.balance"
    said.read({
        "name": lambda: or_none(found.name),
        "currency": lambda: found.currency.upper() if found.currency else None,
        "legal_entity": lambda: metadata_text(found.metadata, config.get("legal_entity_key")),
        "status": lambda: "deleted" if envelope.deleted else "active",
        "delinquent": lambda: found.delinquent,
        "balance": lambda: to_money(found.balance, found.currency.upper(), where) if found.currency else None,
    })  # fmt: skip
    said.point({
        "same_as": lambda: crm_customer(
            config, metadata_text(found.metadata, crm_key), f"Stripe customer.metadata.{crm_key}"
        ),
        "known_as": lambda: customer_of(
            config, "erp_connection", "erp_customer_form",
            metadata_text(found.metadata, erp_key), f"Stripe customer.metadata.{erp_key}",
        ),
    })  # fmt: skip
    return fact_of(found.id, envelope, said, kind="customer")


def invoice(body: Mapping[str, object], envelope: Envelope, config: Config) -> Fact | Reread:
    found = understood(Invoice, body, "Stripe invoice")
    if readable(lambda: found.lines.has_more) and not envelope.deleted:
        return Reread("invoice", found.id)
    said = Stated()
    status = said.value("status", lambda: our_word(found.status, INVOICE_STATUS, "Stripe invoice.status"))

    def amount(minor: int, name: str) -> Money:
        return to_money(minor, found.currency.upper(), f"Stripe invoice.{name}")

    if status is not None:
        said.fields["status"] = status
    said.read({
        "number": lambda: or_none(found.number),
        "total": lambda: amount(found.total, "total"),
        "amount_due": lambda: amount(found.amount_due, "amount_due"),
        "amount_paid": lambda: amount(found.amount_paid, "amount_paid"),
        "amount_remaining": lambda: amount(found.amount_remaining, "amount_remaining"),
        "credited": lambda: amount(_credited(found), "credit notes"),
        "issued_on": lambda: _issued_on(found, envelope),
        "due_on": lambda: envelope.day(found.due_date) if found.due_date else None,
        "finalized_at": lambda: maybe_moment(found.status_transitions.get("finalized_at")),
        "billing_reason": lambda: our_word(found.billing_reason, BILLING_REASONS, "Stripe invoice.billing_reason")
        if found.billing_reason
        else None,
        "proration_items": lambda: tuple(sorted({item for line in found.lines.data if (item := _invoice_item(line))})),
        "memo": lambda: or_none(found.description),
    })  # fmt: skip
    if readable(lambda: found.total_excluding_tax is not None, True):
        said.read({
            "net": lambda: amount(_net(found), "total_excluding_tax"),
            "tax": lambda: amount(found.total - _net(found), "total_taxes"),
        })  # fmt: skip
    details, where = readable(lambda: found.parent.subscription_details if found.parent else None), "Stripe invoice"
    said.point({
        "customer": lambda: own(config, "customer", reference(found.customer)),
        "subscription": lambda: own(config, "subscription", reference(_of_subscription(found))),
        "contract": lambda: (
            contract_number(details.metadata, config, f"{where}.parent.subscription_details") if details else None
        ) or contract_number(found.metadata, config, where),
    })  # fmt: skip
    progress = readable(lambda: _progress(found, status), 0)
    stamps = (readable(lambda: found.created), *(readable(lambda: [*found.status_transitions.values()]) or ()))
    kind, rank = "invoice", status or ""
    return fact_of(found.id, envelope, said, kind=kind, status=rank, progress=progress, stamps=stamps)


def _net(found: Invoice) -> int:
    """The total without tax, in minor units."""
    return needed(found.total_excluding_tax, "Stripe invoice.total_excluding_tax", "a whole number")


def _credited(found: Invoice) -> int:
    return found.pre_payment_credit_notes_amount + found.post_payment_credit_notes_amount


def _issued_on(found: Invoice, envelope: Envelope) -> dt.date | None:
    at = found.effective_at or found.status_transitions.get("finalized_at")
    return envelope.day(at) if at and found.status != "draft" else None


def _progress(found: Invoice, status: str | None) -> int:
    """How far an invoice has come within its status: the lines of a draft, later how much of it is settled."""
    settled = found.amount_paid + _credited(found)
    return len(found.lines.data) if status == "draft" else settled * 999 // max(1, abs(found.total))


def _of_subscription(found: Invoice | InvoiceItem) -> Reference | None:
    details = found.parent.subscription_details if found.parent else None
    return details.subscription if details else None


def _invoice_item(line: Line) -> str | None:
    if line.parent is None:
        return None
    both = (line.parent.invoice_item_details, line.parent.subscription_item_details)
    return next((item for details in both if details and (item := reference(details.invoice_item))), None)


def proration(body: Mapping[str, object], envelope: Envelope, config: Config) -> Fact:
    found, said = understood(InvoiceItem, body, "Stripe invoiceitem"), Stated()
    said.read({
        "amount": lambda: to_money(found.amount, found.currency.upper(), "Stripe invoiceitem.amount"),
        "description": lambda: or_none(found.description),
        "period_start_at": lambda: moment(found.period.start),
        "period_end_at": lambda: moment(found.period.end),
        "is_proration": lambda: found.proration,
    })  # fmt: skip
    said.point({
        "customer": lambda: own(config, "customer", reference(found.customer)),
        "subscription": lambda: own(config, "subscription", reference(_of_subscription(found))),
        "invoice": lambda: own(config, "invoice", reference(found.invoice)),
    })  # fmt: skip
    return fact_of(found.id, envelope, said, kind="proration", stamps=(readable(lambda: found.date),))


def paid_with(found: PaidInvoice) -> tuple[str, str]:
    """The kind of what an invoice was paid with, and the id by which the payment is known: that of the payment intent or record,
    which the other systems name. Nothing finds the payment of a charge by the charge, so it has its own id."""
    by = found.payment
    kind = our_word(by.type, dict(zip(PAID_BY, PAID_BY, strict=True)), "Stripe invoice_payment.payment.type")
    if kind == "charge":
        return kind, found.id
    identity = reference({"payment_intent": by.payment_intent, "payment_record": by.payment_record}[kind])
    return kind, needed(identity, f"Stripe invoice_payment.payment.{kind}", "an id")


def names_charges(config: Config) -> bool:
    """Whether payments are to bear the id of their charge, by which another system names them."""
    return config.get("payment_charges") == "yes"


def _charge_of(found: PaidInvoice) -> str | None:
    """The charge behind a payment: what paid it itself, or what its payment intent says where that was read with it."""
    by = found.payment
    if by.type == "charge":
        return reference(by.charge)
    intent = by.payment_intent
    return reference(intent.latest_charge) if isinstance(intent, PaymentIntent) else None


def may_pay_several(found: PaidInvoice) -> bool:
    """Stripe makes the default payment for its one invoice; what somebody attached may be attached to other invoices too."""
    return found.is_default is False and found.payment.type != "charge"


def payment(body: Mapping[str, object], envelope: Envelope, config: Config) -> Fact | Reread:
    """All that one payment intent (or record) pays; what was canceled counts only where all of it was. One that was detached from
    its invoice pays it no longer."""
    found, said = understood(InvoicePayment, body, "Stripe invoice_payment"), Stated()
    kind, identity = paid_with(found)
    if may_pay_several(found) and found.others is None and not envelope.detached:
        return Reread("payment", identity)
    if names_charges(config) and kind == "payment_intent" and not envelope.is_read and not envelope.detached:
        return Reread("payment", identity)  # an event names the payment intent alone
    rows: list[PaidInvoice] = [found, *(found.others or ())]
    status = said.value("status", lambda: "canceled" if envelope.detached else _payments_status(rows))
    counted = rows if status == "canceled" else [row for row in rows if not _is_canceled(row)]
    if status is not None:
        said.fields["status"] = status
    said.read({
        "amount": lambda: _sum(counted),
        "paid_on": lambda: envelope.day(max(paid)) if (paid := _stamps(counted, "paid_at")) else None,
    })  # fmt: skip
    if charge := said.value("number", lambda: _charge_of(found)):
        said.fields["number"] = charge
    said.point({"invoice": lambda: _paid_invoices(counted, config)})
    stamps = [stamp for row in rows for stamp in _all_stamps(row)]
    return fact_of(identity, envelope, said, kind="payment", status=status or "", stamps=stamps)


def _payments_status(rows: Sequence[PaidInvoice]) -> str:
    """`paid` when all that counts is, `canceled` when nothing is left that counts."""
    reached = {status for row in rows if (status := _payment_status(row)) != "canceled"}
    return "canceled" if not reached else "paid" if reached == {"paid"} else "pending"


def _paid_invoices(rows: Sequence[PaidInvoice], config: Config) -> list[Ref]:
    return [to for row in rows if (to := own(config, "invoice", reference(row.invoice)))]


def _stamps(rows: Sequence[PaidInvoice], name: str) -> list[int]:
    return [at for row in rows if (at := row.status_transitions.get(name))]


def _all_stamps(row: PaidInvoice) -> list[int | None]:
    return [readable(lambda: row.created), *(readable(lambda: list(row.status_transitions.values())) or ())]


def _is_canceled(row: PaidInvoice) -> bool:
    return readable(lambda: _payment_status(row)) == "canceled"


def _payment_status(row: PaidInvoice) -> str:
    return our_word(row.status, PAYMENT_STATUS, "Stripe invoice_payment.status")


def _sum(rows: Sequence[PaidInvoice]) -> Money:
    """What they paid or are to pay, in one currency."""
    where, currency = "Stripe invoice_payment.amount_requested", rows[0].currency
    if any(row.currency != currency for row in rows):
        raise Misunderstood("One payment intent pays invoices of several currencies.", "currency_mixed")
    minor = (row.amount_requested if row.amount_paid is None else row.amount_paid for row in rows)
    return to_money(sum(needed(amount, where, "a whole number") for amount in minor), currency.upper(), where)


def credit_note(body: Mapping[str, object], envelope: Envelope, config: Config) -> Fact:
    found, said = understood(CreditNote, body, "Stripe credit_note"), Stated()
    status = said.value("status", lambda: our_word(found.status, CREDIT_NOTE_STATUS, "Stripe credit_note.status"))
    if status is not None:
        said.fields["status"] = status

    def total() -> Money:
        return to_money(found.total, found.currency.upper(), "Stripe credit_note.total")

    def nothing() -> Money:
        return Money.zero(found.currency.upper())

    said.read({
        "number": lambda: or_none(found.number),
        "total": total,
        **({"applied": total if status == "applied" else nothing} if status else {}),
        "unapplied": nothing,
        "issued_on": lambda: envelope.day(found.effective_at or found.created),
        "reason": lambda: or_none(found.reason),
        "memo": lambda: or_none(found.memo),
    })  # fmt: skip
    said.point({
        "customer": lambda: own(config, "customer", reference(found.customer)),
        "invoice": lambda: own(config, "invoice", reference(found.invoice)),
    })  # fmt: skip
    stamps = (readable(lambda: found.created), readable(lambda: found.voided_at))
    return fact_of(found.id, envelope, said, kind="credit_memo", status=status or "", stamps=stamps)


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
    (re.compile(r"invoice_payment\.(paid|detached)"), "invoice_payment"),
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
            return [_from_thin(whole(ThinEvent, body, "event"))]
        return _from_event(body, config)
    except Rejected as error:
        raise Misunderstood(f"A fact cannot be kept: {error.message}", error.code) from None


def _from_read(body: Mapping[str, object], incoming: Incoming, config: Config) -> Fact | Reread:
    name = COLLECTIONS.get(incoming.object_type, ("", ""))[1]
    if not name:
        raise Misunderstood("A read of a kind of object that this connector does not read.", "object_unknown")
    read = understood(Read, body, "body")
    at = incoming.received_at if read.read_at is None else moment(read.read_at)
    coupons = {coupon.id: coupon for coupon in readable(lambda: read.coupons) or ()}
    return TRANSLATORS[name](read.object, Envelope(at, is_read=True, zone=zone_of(config), coupons=coupons), config)


def _from_event(body: Mapping[str, object], config: Config) -> Sequence[Fact | Reread]:
    event = whole(Event, body, "event")
    name = next((target for pattern, target in EVENTS if pattern.fullmatch(event.type)), "")
    if not name:
        raise Ignored(f"Events of type {payload.word(event.type)} say nothing that the ledger keeps.", "event_type")
    if event.account is not None and event.account != config.get("account"):
        raise Misunderstood("The event belongs to another Stripe account.", "account_wrong")
    told, before = event.data.object, event.data.previous_attributes
    if told.get("object") != name:
        raise Misunderstood(f"An event about {name} carries another object.", "field_changed")
    deleted = event.type.endswith(".deleted")
    changed = event.type.endswith("pending_update_applied")
    if event.type.endswith("updated") and before is not None:
        changed = terms_changed(told, before)
    envelope = Envelope(
        at=moment(event.created),
        is_read=False,
        deleted=deleted,
        changed=changed,
        is_creation=event.type.endswith(".created"),
        detached=event.type.endswith(".detached"),
        zone=zone_of(config),
    )
    if is_before_basil(event.api_version):
        return [_in_another_shape(name, told, envelope)]
    found = TRANSLATORS[name](told, envelope, config)
    if envelope.detached and isinstance(found, Fact) and not found.external_id.startswith("inpay_"):
        return [found, Reread(found.object_type, found.external_id)]  # it may pay other invoices
    return [found]


def is_before_basil(version: object) -> bool:
    """Whether an event is rendered in a version whose objects have other shapes than we read. An event keeps the version that the
    account or the endpoint had when it was made, whatever the reader asks for."""
    return isinstance(version, str) and bool(version) and version[:10] < OLDEST_VERSION


def event_key(identity: str, version: object) -> str:
    """Under which copies of an event are one. A rendering that we cannot read is a message of its own: whichever of the two comes
    first, the other one counts."""
    return f"{identity}@before-basil" if is_before_basil(version) else identity


def _in_another_shape(name: str, told: Mapping[str, object], envelope: Envelope) -> Fact | Reread:
    """Type and id are written alike in every version: the object is read again in ours. What was erased cannot be read."""
    identity = payload.Payload(f"Stripe {name}", told).text("id")
    if envelope.deleted and name != "subscription":
        return fact_of(identity, envelope, Stated(), kind=_OURS[name])
    return Reread(
        _OURS[name],
        identity,
        why=f"The event is rendered in a version of the API from before {OLDEST_VERSION}, whose objects have another shape, and "
        "the object cannot be read instead.",
    )


def _from_thin(event: ThinEvent) -> Reread:
    related = event.related_object
    ours = _OURS.get(related.type) if related else None
    if related is None or ours is None:
        raise Ignored("A thin event about an object that the ledger does not keep.", "event_type")
    return Reread(ours, related.id)


def zone_of(config: Config) -> dt.tzinfo:
    """Where the account's days begin."""
    name = config.get("time_zone", "UTC")
    try:
        return dt.UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise Misunderstood("The connection's time zone is no IANA name.", "setting_invalid") from None
