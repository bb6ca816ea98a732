"""Gainsight records as facts. Pure. Dates are epoch milliseconds (object query) or ISO text (logs); a day is taken in the
tenant's zone. A pick-list value is an item id; its label stands beside the record under `labels`."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from revops.errors import Rejected
from revops.ledger.facts import Fact
from revops.money import Money
from revops.reference import Ref
from sync.connectors.gainsight.models import (
    RENEWAL_STAGE,
    STARTED_FIELD,
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
from sync.vendor.fields import Payload, or_none
from sync.vendor.objects import needed, understood, whole
from sync.vendor.references import crm_customer, in_crm, own, place, words_of
from sync.vendor.values import Altered, Stated, computed_money
from sync.vendor.values import or_none as readable

OBJECTS = {"customer": "company", "renewal": "gs_opportunity", "call_to_action": "call_to_action"}
_STAGES = {label.lower(): word for label, word in RENEWAL_STAGE.items()}
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


def _money(amount: Decimal | None, currency: str, name: str, field: str) -> Money | Altered | None:
    """Only a tenant with several currencies names one beside an amount; another tenant's is a setting. Amounts are computed there
    (a yearly one from a monthly one) and shown rounded."""
    if amount is None:
        return None
    return computed_money(
        amount, needed(currency or None, f"{name}.CurrencyIsoCode", "a currency beside an amount"), f"{name}.{field}"
    )


def _currency(found: Company | GsOpportunity, config: Config) -> str:
    return found.CurrencyIsoCode or config.get("currency")


def _label(item: str | None, label: str | None, where: str) -> str | None:
    """The label of a pick-list value: resolved when it was read, or given by the lookup, or a plain text itself."""
    if label or not item:
        return or_none(label)
    if item.startswith("1I00"):
        raise Misunderstood(f"{where} holds a pick-list item whose label we do not know.", "value_unknown", raw=item)
    return item


def customer(read: Read, config: Config) -> Fact:
    name, said = "Gainsight company", Stated()
    found, labels = understood(Company, read.record, name), _labels(read)
    own_fields, crm = Payload(name, read.record), place(config, "crm_id_field")
    at = _stamped(found, name)
    said.read({
        "name": lambda: or_none(found.Name),
        "currency": lambda: _currency(found, config) or None,
        "status": lambda: _label(found.Status, labels.get("Status"), f"{name}.Status"),
        "stage": lambda: _label(found.Stage, labels.get("Stage"), f"{name}.Stage"),
        "arr": lambda: _arr(own_fields, found, config),
        "renewal_on": lambda: _renewal_on(own_fields, config),
        "owner_name": lambda: or_none(found.csm_name),
    })  # fmt: skip
    said.point({"same_as": lambda: crm_customer(config, own_fields.maybe_text(crm), own_fields.where(crm)) if crm else None})
    return Fact("customer", found.Gsid, version(at), at, said.fields, said.refs, unread=said.unread)


def _arr(own_fields: Payload, found: Company, config: Config) -> Money | Altered | None:
    """The amount in the field that is declared for it."""
    field = place(config, "arr_field")
    amount = own_fields.number(field) if field and own_fields.has(field) else None
    return _money(amount, _currency(found, config), own_fields.name, field)


def _renewal_on(own_fields: Payload, config: Config) -> dt.date | None:
    """The day in the field that is declared for it."""
    field = place(config, "renewal_date_field")
    return _own_day(own_fields.data.get(field), own_fields.where(field), zone_of(config)) if field else None


def _labels(read: Read) -> Mapping[str, str]:
    return readable(lambda: read.labels) or {}


def stage_of(label: str, config: Config) -> str | None:
    """Our word for a stage's label, however it is spaced and spelt. The pick-list is the tenant's: a stage that is neither one of
    ours nor declared is not known, and the rest of the renewal is."""
    own_words = {_spelt(theirs): ours for theirs, ours in words_of(config.get("stage_words")).items()}
    return own_words.get(_spelt(label)) or _STAGES.get(_spelt(label))


def _spelt(label: str) -> str:
    return re.sub(r"[\W_]+", " ", label).strip().lower()


def _own_day(value: object, where: str, zone: ZoneInfo) -> dt.date | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal, type(None))):
        raise Misunderstood(f"{where} should be a moment and is {payload.kind_of(value)}.", "field_changed")
    return _day(value, where, zone)


def renewal(read: Read, config: Config) -> Fact:
    name, said = "Gainsight gs_opportunity", Stated()
    found, labels = understood(GsOpportunity, read.record, name), _labels(read)
    at = _stamped(found, name)
    kind = readable(lambda: _label(found.Type, labels.get("Type"), f"{name}.Type"))
    if kind is not None and kind != "Renewal":
        raise Ignored("An opportunity that is no renewal.", "opportunity_type")
    own_fields, zone = Payload(name, read.record), zone_of(config)
    stage = said.value("stage", lambda: _stage(found, labels, config, f"{name}.RenewalStage"))
    if stage is not None:
        said.fields |= {"stage": stage, "is_closed": stage in {"won", "lost"}, "held": stage == "on_hold"}
    started_field = config.get(STARTED_FIELD)
    said.read({
        "name": lambda: or_none(found.Name),
        "hold_reason": lambda: own_fields.maybe_text(config.get("hold_reason_field")),
        "started_on": lambda: _own_day(own_fields.data.get(started_field), f"{name}.{started_field}", zone),
        "close_on": lambda: _day(found.CloseDate, f"{name}.CloseDate", zone),
        "target_amount": lambda: _money(found.TargetAmount, _currency(found, config), name, "TargetAmount"),
        "forecast_amount": lambda: _money(found.ForecastAmount, _currency(found, config), name, "ForecastAmount"),
    })  # fmt: skip
    said.point({
        "customer": lambda: own(config, "customer", found.CompanyId),
        "opportunity": lambda: in_crm(config, "opportunity", found.ExternalId, f"{name}.ExternalId"),
        "change": lambda: _posting(own_fields.maybe_text(config.get("hold_reference_field"))),
    })  # fmt: skip
    return Fact("renewal", found.Gsid, version(at), at, said.fields, said.refs, unread=said.unread)


def _stage(found: GsOpportunity, labels: Mapping[str, str], config: Config, where: str) -> str:
    label = needed(_label(found.RenewalStage, labels.get("RenewalStage"), where), where, "a text")
    stage = stage_of(label, config)
    if stage is None:
        raise Misunderstood(f"{where} holds a stage that we do not know.", "value_unknown", raw=label)
    return stage


def _posting(key: str | None) -> Ref | None:
    return Ref.posting(key[:200]) if key else None


def call_to_action(read: Read, config: Config) -> Fact:
    name, said = "Gainsight call_to_action", Stated()
    found, labels = understood(CallToAction, read.record, name), _labels(read)
    at = _stamped(found, name)
    said.read({
        "name": lambda: or_none(found.Name),
        "status": lambda: _label(found.StatusId, labels.get("StatusId") or found.status_name, f"{name}.StatusId"),
        "is_closed": lambda: found.IsClosed,
        "priority": lambda: _label(found.PriorityId, labels.get("PriorityId") or found.priority_name, f"{name}.PriorityId"),
        "kind": lambda: _label(found.TypeId, labels.get("TypeId") or found.type_name, f"{name}.TypeId"),
        "due_on": lambda: _day(found.DueDate, f"{name}.DueDate", zone_of(config)),
    })  # fmt: skip
    said.point({"customer": lambda: own(config, "customer", found.CompanyId)})
    return Fact("call_to_action", found.Gsid, version(at), at, said.fields, said.refs, unread=said.unread)


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
        return [_hinted(whole(Hint, body, "hint"))]
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
