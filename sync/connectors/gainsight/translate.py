"""Gainsight records as facts. Pure. Dates are epoch milliseconds (object query) or ISO text (logs); a day is taken in the
tenant's zone. A pick-list value is an item id; its label stands beside the record under `labels`."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from revops.errors import Rejected
from revops.ledger.facts import Fact, Value
from revops.money import Money
from revops.reference import Ref, refs
from sync.vendor import fields as payload
from sync.vendor.contract import (
    Config,
    Ignored,
    Incoming,
    Misunderstood,
    Reread,
)
from sync.vendor.fields import Payload
from sync.vendor.references import in_crm, own

RENEWAL_STAGE = {
    "Not Started": "not_started",
    "In Progress": "in_progress",
    "On Hold": "on_hold",
    "Closed Won": "won",
    "Closed Lost": "lost",
}
OBJECTS = {"customer": "company", "renewal": "gs_opportunity", "call_to_action": "call_to_action"}
_DELETED = {name.replace("_", ""): object_type for object_type, name in OBJECTS.items()}


def moment(record: Payload, field: str) -> dt.datetime:
    """Epoch milliseconds or ISO text, as aware UTC."""
    value = record.data.get(field)
    if isinstance(value, str):
        return payload.instant(value, record.where(field))
    return payload.epoch(record.number(field) / Decimal(1000), record.where(field))


def version(at: dt.datetime) -> str:
    """Epoch milliseconds, 13 digits, which sort as text."""
    return f"{(at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1):013d}"


def stamped(record: Payload) -> dt.datetime:
    """When it was modified; a record that never was, when it was made."""
    return moment(record, "ModifiedDate" if record.has("ModifiedDate") else "CreatedDate")


def _day(record: Payload, field: str, zone: ZoneInfo) -> dt.date | None:
    value = record.data.get(field)
    if isinstance(value, str) and len(value) == 10:
        return payload.day(value, record.where(field))
    return moment(record, field).astimezone(zone).date() if value is not None else None


def _money(record: Payload, field: str) -> Money | None:
    amount, currency = record.maybe_number(field), record.maybe_text("CurrencyIsoCode")
    if amount is None:
        return None
    if currency is None:
        raise record.misunderstood("CurrencyIsoCode", "a currency beside an amount")
    return payload.money(amount, currency, record.where(field))


def _label(record: Payload, labels: Payload, field: str) -> str | None:
    """The label of a pick-list value: resolved when it was read, or given by the lookup, or a plain text itself."""
    if not record.has(field):
        return record.maybe_text(f"{field}__gr.Name")
    label = labels.maybe_text(field) or record.maybe_text(f"{field}__gr.Name")
    if label is not None:
        return label
    value = record.text(field)
    if value.startswith("1I00"):
        raise Misunderstood(f"{record.where(field)} holds a pick-list item whose label we do not know.", "value_unknown")
    return value


def customer(record: Payload, labels: Payload, config: Config) -> Fact:
    at = stamped(record)
    fields: dict[str, Value] = {
        "name": record.maybe_text("Name"),
        "currency": record.maybe_text("CurrencyIsoCode"),
        "status": _label(record, labels, "Status"),
        "stage": _label(record, labels, "Stage"),
        "arr": _money(record, "Arr"),
        "renewal_on": _day(record, "RenewalDate", zone_of(config)),
        "owner_name": record.maybe_text("Csm__gr.Name"),
    }
    same_as = in_crm(config, "customer", record.maybe_text("SfdcAccountId"), record.where("SfdcAccountId"))
    return Fact("customer", record.text("Gsid"), version(at), at, fields, refs(same_as=same_as))


def renewal(record: Payload, labels: Payload, config: Config) -> Fact:
    at = stamped(record)
    kind = _label(record, labels, "Type")
    if kind is not None and kind != "Renewal":
        raise Ignored("An opportunity that is no renewal.", "opportunity_type")
    stage = Payload(record.name, {"RenewalStage": _label(record, labels, "RenewalStage")}).choice("RenewalStage", RENEWAL_STAGE)
    fields: dict[str, Value] = {
        "name": record.maybe_text("Name"),
        "stage": stage,
        "is_closed": stage in {"won", "lost"},
        "held": stage == "on_hold",
        "hold_reason": record.maybe_text("HoldReason__gc"),
        "started_on": _day(record, "StartedDate__gc", zone_of(config)),
        "close_on": _day(record, "CloseDate", zone_of(config)),
        "target_amount": _money(record, "TargetAmount"),
        "forecast_amount": _money(record, "ForecastAmount"),
    }
    reference = record.maybe_text("HoldReference__gc", 200)
    pointing = refs(
        customer=own(config, "customer", record.text("CompanyId")),
        opportunity=in_crm(config, "opportunity", record.maybe_text("ExternalId"), record.where("ExternalId")),
        change=Ref.posting(reference) if reference else None,
    )
    return Fact("renewal", record.text("Gsid"), version(at), at, fields, pointing)


def call_to_action(record: Payload, labels: Payload, config: Config) -> Fact:
    at = stamped(record)
    fields: dict[str, Value] = {
        "name": record.maybe_text("Name"),
        "status": _label(record, labels, "StatusId"),
        "is_closed": record.flag("IsClosed"),
        "priority": _label(record, labels, "PriorityId"),
        "kind": _label(record, labels, "TypeId"),
        "due_on": _day(record, "DueDate", zone_of(config)),
    }
    company = own(config, "customer", record.maybe_text("CompanyId"))
    return Fact("call_to_action", record.text("Gsid"), version(at), at, fields, refs(customer=company))


def deletion(record: Payload) -> Fact:
    """A line of the delete log. It spells an object as `GsOpportunity`, `Call To Action` or `call_to_action`. Its stamp has whole
    seconds, so it stands after every change of its second."""
    object_type = _DELETED.get(record.text("ObjectName").lower().replace("_", "").replace(" ", ""))
    if object_type is None:
        raise Ignored("A record of a type that the ledger does not keep was deleted.", "record_type")
    at = moment(record, "DeletedOn").replace(microsecond=999_000)
    return Fact(object_type, record.text("RecordId"), version(at), at, {}, deleted=True)


TRANSLATORS: Mapping[str, Callable[[Payload, Payload, Config], Fact]] = {
    "customer": customer,
    "renewal": renewal,
    "call_to_action": call_to_action,
}

_HINTED = {name: object_type for object_type, name in OBJECTS.items()}
GSID = re.compile(r"[A-Za-z0-9]{4,60}", re.ASCII)


def translate(incoming: Incoming, config: Config) -> Sequence[Fact | Reread]:
    body = Payload("hint" if incoming.kind == "hint" else "body", payload.message(incoming.body))
    if incoming.kind != "read":
        return [_hinted(body)]
    try:
        if incoming.object_type == "deletion":
            return [deletion(Payload("Gainsight delete log", body.child("record").data))]
        if incoming.object_type not in TRANSLATORS:
            raise Misunderstood("A read of a kind of object that this connector does not read.", "object_unknown")
        # Only a tenant with several currencies names one beside an amount.
        only = {"CurrencyIsoCode": config.get("currency")} if config.get("currency") else {}
        record = Payload(f"Gainsight {OBJECTS[incoming.object_type]}", {**only, **body.child("record").data})
        return [TRANSLATORS[incoming.object_type](record, body.maybe_child("labels"), config)]
    except Rejected as error:
        raise Misunderstood(f"A fact cannot be kept: {error.message}", error.code) from None


def _hinted(hint: Payload) -> Reread:
    name, gsid = hint.text("object"), hint.text("gsid")
    if name not in _HINTED:
        raise Ignored(f"Hints about {payload.word(name)} say nothing that the ledger keeps.", "event_type")
    if not GSID.fullmatch(gsid):
        raise hint.misunderstood("gsid", "a Gainsight id")
    return Reread(_HINTED[name], gsid)


def zone_of(config: Config) -> ZoneInfo:
    try:
        return ZoneInfo(config.get("time_zone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        raise Misunderstood("The connection's time zone is no IANA name.", "setting_invalid") from None
