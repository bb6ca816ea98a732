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
from sync.connectors.gainsight.models import (
    RENEWAL_STAGE,
    CallToAction,
    Company,
    DeletedRecord,
    GsOpportunity,
    Hint,
    Moment,
    Read,
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
from sync.vendor.references import in_crm, own

OBJECTS = {"customer": "company", "renewal": "gs_opportunity", "call_to_action": "call_to_action"}
_DELETED = {name.replace("_", ""): object_type for object_type, name in OBJECTS.items()}


def moment(value: int | Decimal | str | None, where: str) -> dt.datetime:
    """Epoch milliseconds or ISO text, as aware UTC."""
    if value is None:
        raise Misunderstood(f"{where} should be a moment and is absent.", "field_missing")
    return payload.instant(value, where) if isinstance(value, str) else payload.epoch_milliseconds(value, where)


def version(at: dt.datetime) -> str:
    """Epoch milliseconds, 13 digits, which sort as text."""
    return f"{(at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1):013d}"


def _stamped(record: Company | GsOpportunity | CallToAction, name: str) -> dt.datetime:
    """When it was modified; a record that never was, when it was made."""
    if record.ModifiedDate is not None:
        return moment(record.ModifiedDate, f"{name}.ModifiedDate")
    return moment(record.CreatedDate, f"{name}.CreatedDate")


def _day(value: Moment | None, where: str, zone: ZoneInfo) -> dt.date | None:
    if isinstance(value, str) and len(value) == 10:
        return payload.day(value, where)
    return moment(value, where).astimezone(zone).date() if value is not None else None


def _money(amount: Decimal | None, currency: str, name: str, field: str) -> Money | None:
    """Only a tenant with several currencies names one beside an amount; another tenant's is a setting."""
    if amount is None:
        return None
    return payload.money(
        amount, needed(currency or None, f"{name}.CurrencyIsoCode", "a currency beside an amount"), f"{name}.{field}"
    )


def _label(item: str | None, label: str | None, where: str) -> str | None:
    """The label of a pick-list value: resolved when it was read, or given by the lookup, or a plain text itself."""
    if label or not item:
        return or_none(label)
    if item.startswith("1I00"):
        raise Misunderstood(f"{where} holds a pick-list item whose label we do not know.", "value_unknown")
    return item


def customer(read: Read, config: Config) -> Fact:
    name = "Gainsight company"
    found, labels = understood(Company, read.record, name), read.labels
    at = _stamped(found, name)
    currency = found.CurrencyIsoCode or config.get("currency")
    fields: dict[str, Value] = {
        "name": or_none(found.Name),
        "currency": currency or None,
        "status": _label(found.Status, labels.get("Status"), f"{name}.Status"),
        "stage": _label(found.Stage, labels.get("Stage"), f"{name}.Stage"),
        "arr": _money(found.Arr, currency, name, "Arr"),
        "renewal_on": _day(found.RenewalDate, f"{name}.RenewalDate", zone_of(config)),
        "owner_name": or_none(found.csm_name),
    }
    same_as = in_crm(config, "customer", found.SfdcAccountId, f"{name}.SfdcAccountId")
    return Fact("customer", found.Gsid, version(at), at, fields, refs(same_as=same_as))


def renewal(read: Read, config: Config) -> Fact:
    name = "Gainsight gs_opportunity"
    found, labels = understood(GsOpportunity, read.record, name), read.labels
    at = _stamped(found, name)
    kind = _label(found.Type, labels.get("Type"), f"{name}.Type")
    if kind is not None and kind != "Renewal":
        raise Ignored("An opportunity that is no renewal.", "opportunity_type")
    where = f"{name}.RenewalStage"
    label = _label(found.RenewalStage, labels.get("RenewalStage"), where)
    stage = our_word(needed(label, where, "a text"), RENEWAL_STAGE, where)
    zone, currency = zone_of(config), found.CurrencyIsoCode or config.get("currency")
    fields: dict[str, Value] = {
        "name": or_none(found.Name),
        "stage": stage,
        "is_closed": stage in {"won", "lost"},
        "held": stage == "on_hold",
        "hold_reason": or_none(found.HoldReason__gc),
        "started_on": _day(found.StartedDate__gc, f"{name}.StartedDate__gc", zone),
        "close_on": _day(found.CloseDate, f"{name}.CloseDate", zone),
        "target_amount": _money(found.TargetAmount, currency, name, "TargetAmount"),
        "forecast_amount": _money(found.ForecastAmount, currency, name, "ForecastAmount"),
    }
    reference = found.HoldReference__gc
    pointing = refs(
        customer=own(config, "customer", found.CompanyId),
        opportunity=in_crm(config, "opportunity", found.ExternalId, f"{name}.ExternalId"),
        change=Ref.posting(reference[:200]) if reference else None,
    )
    return Fact("renewal", found.Gsid, version(at), at, fields, pointing)


def call_to_action(read: Read, config: Config) -> Fact:
    name = "Gainsight call_to_action"
    found, labels = understood(CallToAction, read.record, name), read.labels
    at = _stamped(found, name)
    fields: dict[str, Value] = {
        "name": or_none(found.Name),
        "status": _label(found.StatusId, labels.get("StatusId") or found.status_name, f"{name}.StatusId"),
        "is_closed": found.IsClosed,
        "priority": _label(found.PriorityId, labels.get("PriorityId") or found.priority_name, f"{name}.PriorityId"),
        "kind": _label(found.TypeId, labels.get("TypeId") or found.type_name, f"{name}.TypeId"),
        "due_on": _day(found.DueDate, f"{name}.DueDate", zone_of(config)),
    }
    company = own(config, "customer", found.CompanyId)
    return Fact("call_to_action", found.Gsid, version(at), at, fields, refs(customer=company))


def deletion(read: Read, config: Config) -> Fact:
    """A line of the delete log. It spells an object as `GsOpportunity`, `Call To Action` or `call_to_action`. Its stamp has whole
    seconds, so it stands after every change of its second."""
    found = understood(DeletedRecord, read.record, "Gainsight delete log")
    object_type = _DELETED.get(found.ObjectName.lower().replace("_", "").replace(" ", ""))
    if object_type is None:
        raise Ignored("A record of a type that the ledger does not keep was deleted.", "record_type")
    at = moment(found.DeletedOn, "Gainsight delete log.DeletedOn").replace(microsecond=999_000)
    return Fact(object_type, found.RecordId, version(at), at, {}, deleted=True)


TRANSLATORS: Mapping[str, Callable[[Read, Config], Fact]] = {
    "customer": customer,
    "renewal": renewal,
    "call_to_action": call_to_action,
    "deletion": deletion,
}

_HINTED = {name: object_type for object_type, name in OBJECTS.items()}
GSID = re.compile(r"[A-Za-z0-9]{4,60}", re.ASCII)


def translate(incoming: Incoming, config: Config) -> Sequence[Fact | Reread]:
    body = payload.body_of(incoming)
    if incoming.kind != "read":
        return [_hinted(understood(Hint, body, "hint"))]
    translator = TRANSLATORS.get(incoming.object_type)
    if translator is None:
        raise Misunderstood("A read of a kind of object that this connector does not read.", "object_unknown")
    try:
        return [translator(understood(Read, body, "body"), config)]
    except Rejected as error:
        raise Misunderstood(f"A fact cannot be kept: {error.message}", error.code) from None


def _hinted(hint: Hint) -> Reread:
    if hint.object not in _HINTED:
        raise Ignored(f"Hints about {payload.word(hint.object)} say nothing that the ledger keeps.", "event_type")
    if not GSID.fullmatch(hint.gsid):
        raise Misunderstood("hint.gsid should be a Gainsight id and is another text.", "field_changed")
    return Reread(_HINTED[hint.object], hint.gsid)


def zone_of(config: Config) -> ZoneInfo:
    try:
        return ZoneInfo(config.get("time_zone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        raise Misunderstood("The connection's time zone is no IANA name.", "setting_invalid") from None
