"""Salesforce records as facts. Pure. A deleted record is a tombstone that names its id and stamp only."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence

from revops.errors import Rejected
from revops.ledger.facts import Fact, Value
from revops.money import Money
from revops.reference import NO_REFS, Ref, Refs, refs
from sync.vendor import fields as payload
from sync.vendor.contract import (
    Config,
    Incoming,
    Misunderstood,
    Reread,
)
from sync.vendor.fields import Payload
from sync.vendor.references import own

CONTRACT_STATUS = {"Draft": "draft", "InApproval": "in_approval", "Activated": "activated"}

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?(?:Z|[+-]\d\d:?\d\d)", re.ASCII)
OBJECTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "customer": ("Account", ("Name", "Type", "Owner.Name", "MasterRecordId")),
    "contract": (
        "Contract",
        ("AccountId", "ContractNumber", "StatusCode", "StartDate", "EndDate", "ContractTerm", "ActivatedDate"),
    ),
    "opportunity": (
        "Opportunity",
        ("AccountId", "ContractId", "Name", "Type", "StageName", "IsClosed", "IsWon", "Amount", "CloseDate"),
    ),
}


def translate(incoming: Incoming, config: Config) -> Sequence[Fact | Reread]:
    body = payload.message(incoming.body)
    translator = _TRANSLATORS.get(incoming.object_type)
    if incoming.kind != "read" or translator is None:
        raise Misunderstood("A read of a kind of object that this connector does not read.", "object_unknown")
    row = Payload(f"Salesforce {OBJECTS[incoming.object_type][0]}", body)
    at = stamp(row, "SystemModstamp")
    identity = payload.salesforce_id(row.text("Id"), row.where("Id"))
    deleted = row.flag("IsDeleted")
    try:
        fields, pointing = ({}, NO_REFS) if deleted else translator(row, config)
        return [Fact(incoming.object_type, identity, iso(at), at, fields, pointing, deleted)]
    except Rejected as error:
        raise Misunderstood(f"A fact cannot be kept: {error.message}", error.code) from None


Said = tuple[dict[str, Value], Refs]


def _customer(row: Payload, config: Config) -> Said:
    kind = row.maybe_text("Type")
    fields: dict[str, Value] = {
        "name": row.text("Name"),
        "currency": _currency(row, config),
        "legal_entity": row.maybe_text(config.get("legal_entity_field", "Legal_Entity__c")),
        "status": kind.lower() if kind else None,
        "owner_name": row.maybe_child("Owner").maybe_text("Name"),
    }
    return fields, refs(same_as=_other_customer(row, config))


def _contract(row: Payload, config: Config) -> Said:
    fields: dict[str, Value] = {
        "number": row.text("ContractNumber"),
        "status": row.choice("StatusCode", CONTRACT_STATUS),
        "start_on": _day(row, "StartDate"),
        "end_on": _day(row, "EndDate"),
        "term_months": row.maybe_whole("ContractTerm"),
        "activated_at": stamp(row, "ActivatedDate") if row.has("ActivatedDate") else None,
        "currency": _currency(row, config),
    }
    return fields, refs(customer=_reference(row, config, "customer", "AccountId"))


def _opportunity(row: Payload, config: Config) -> Said:
    kind = row.maybe_text("Type")
    renewals = {name.strip() for name in config.get("renewal_types", "Renewal").split(";")}
    amount = row.maybe_number("Amount")
    fields: dict[str, Value] = {
        "name": row.maybe_text("Name"),
        "kind": "renewal" if kind in renewals else re.sub(r"\W+", "_", kind.lower()) if kind else None,
        "stage": row.text("StageName"),
        "is_closed": row.flag("IsClosed"),
        "is_won": row.flag("IsWon"),
        "amount": _money(row, config) if amount is not None else None,
        "close_on": _day(row, "CloseDate"),
    }
    return fields, refs(
        customer=_reference(row, config, "customer", "AccountId"), contract=_reference(row, config, "contract", "ContractId")
    )


_TRANSLATORS: Mapping[str, Callable[[Payload, Config], Said]] = {
    "customer": _customer,
    "contract": _contract,
    "opportunity": _opportunity,
}


def _currency(row: Payload, config: Config) -> str:
    return config.get("currency") or row.text("CurrencyIsoCode")


def _money(row: Payload, config: Config) -> Money:
    return payload.money(row.number("Amount"), _currency(row, config), row.where("Amount"))


def _day(row: Payload, field: str) -> dt.date | None:
    return payload.day(row.text(field), row.where(field)) if row.has(field) else None


def _reference(row: Payload, config: Config, object_type: str, field: str) -> Ref | None:
    value = row.maybe_text(field)
    return own(config, object_type, payload.salesforce_id(value, row.where(field))) if value else None


def _other_customer(row: Payload, config: Config) -> Ref | None:
    """The customer of another connection that this account says it is, where the connection declares field and connection."""
    slug, field = config.get("same_customer_connection"), config.get("same_customer_field")
    value = row.maybe_text(field) if slug and field else None
    return Ref(slug, "customer", value) if value else None


def stamp(row: Payload, field: str) -> dt.datetime:
    """`2020-10-22T21:03:23.000+0000`, with or without the colon."""
    text = row.text(field)
    if not _STAMP.fullmatch(text):
        raise row.misunderstood(field, "a date and time")
    return payload.instant(re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text), row.where(field))


def iso(at: dt.datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
