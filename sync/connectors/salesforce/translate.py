"""Salesforce records as facts. Pure. A deleted record is a tombstone that names its id and stamp only."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence

from revops.errors import Rejected
from revops.ledger.facts import Fact, Value
from revops.reference import NO_REFS, Ref, Refs, refs
from sync.connectors.salesforce import ids
from sync.connectors.salesforce.models import CONTRACT_STATUS, Account, Contract, Opportunity, Record
from sync.vendor import fields as payload
from sync.vendor.contract import (
    Config,
    Incoming,
    Misunderstood,
    Reread,
)
from sync.vendor.fields import Payload, or_none, our_word
from sync.vendor.objects import needed, understood
from sync.vendor.references import own

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
    body = payload.body_of(incoming)
    translator = _TRANSLATORS.get(incoming.object_type)
    if incoming.kind != "read" or translator is None:
        raise Misunderstood("A read of a kind of object that this connector does not read.", "object_unknown")
    name = f"Salesforce {OBJECTS[incoming.object_type][0]}"
    deleted = body.get("IsDeleted") is True
    try:
        row, fields, pointing = (understood(Record, body, name), {}, NO_REFS) if deleted else translator(body, config)
        at = stamp(row.SystemModstamp, f"{name}.SystemModstamp")
        identity = ids.full(row.Id, f"{name}.Id")
        return [Fact(incoming.object_type, identity, iso(at), at, fields, pointing, deleted)]
    except Rejected as error:
        raise Misunderstood(f"A fact cannot be kept: {error.message}", error.code) from None


Body = Mapping[str, object]
RowFieldsAndRefs = tuple[Record, dict[str, Value], Refs]


def _customer(body: Body, config: Config) -> RowFieldsAndRefs:
    row = understood(Account, body, "Salesforce Account")
    own_fields = Payload("Salesforce Account", body)
    fields: dict[str, Value] = {
        "name": or_none(row.Name),
        "currency": _currency(row, config, "Salesforce Account"),
        "legal_entity": own_fields.maybe_text(config.get("legal_entity_field", "Legal_Entity__c")),
        "status": row.Type.lower() if row.Type else None,
        "owner_name": or_none(row.Owner.Name) if row.Owner else None,
    }
    return row, fields, refs(same_as=_other_customer(own_fields, config))


def _contract(body: Body, config: Config) -> RowFieldsAndRefs:
    row = understood(Contract, body, "Salesforce Contract")
    activated = row.ActivatedDate
    fields: dict[str, Value] = {
        "number": row.ContractNumber,
        "status": our_word(row.StatusCode, CONTRACT_STATUS, "Salesforce Contract.StatusCode"),
        "start_on": row.StartDate,
        "end_on": row.EndDate,
        "term_months": row.ContractTerm,
        "activated_at": None if activated is None else stamp(activated, "Salesforce Contract.ActivatedDate"),
        "currency": _currency(row, config, "Salesforce Contract"),
    }
    return row, fields, refs(customer=_reference(row.AccountId, config, "customer", "Salesforce Contract.AccountId"))


def _opportunity(body: Body, config: Config) -> RowFieldsAndRefs:
    row = understood(Opportunity, body, "Salesforce Opportunity")
    kind, where = row.Type, "Salesforce Opportunity"
    renewals = {name.strip() for name in config.get("renewal_types", "Renewal").split(";")}
    amount = row.Amount
    fields: dict[str, Value] = {
        "name": or_none(row.Name),
        "kind": "renewal" if kind in renewals else re.sub(r"\W+", "_", kind.lower()) if kind else None,
        "stage": or_none(row.StageName),
        "is_closed": row.IsClosed,
        "is_won": row.IsWon,
        "amount": None if amount is None else payload.money(amount, _currency(row, config, where), f"{where}.Amount"),
        "close_on": row.CloseDate,
    }
    return (
        row,
        fields,
        refs(
            customer=_reference(row.AccountId, config, "customer", f"{where}.AccountId"),
            contract=_reference(row.ContractId, config, "contract", f"{where}.ContractId"),
        ),
    )


_TRANSLATORS: Mapping[str, Callable[[Body, Config], RowFieldsAndRefs]] = {
    "customer": _customer,
    "contract": _contract,
    "opportunity": _opportunity,
}


def _currency(row: Record, config: Config, name: str) -> str:
    return config.get("currency") or needed(row.CurrencyIsoCode or None, f"{name}.CurrencyIsoCode", "a text")


def _reference(identity: str | None, config: Config, object_type: str, where: str) -> Ref | None:
    return own(config, object_type, ids.full(identity, where)) if identity else None


def _other_customer(own_fields: Payload, config: Config) -> Ref | None:
    """The customer of another connection that this account says it is, where the connection declares field and connection."""
    slug, field = config.get("same_customer_connection"), config.get("same_customer_field")
    value = own_fields.maybe_text(field) if slug and field else None
    return Ref(slug, "customer", value) if value else None


def stamp(text: str, where: str) -> dt.datetime:
    """`2020-10-22T21:03:23.000+0000`, with or without the colon."""
    if not _STAMP.fullmatch(text):
        raise Misunderstood(f"{where} should be a date and time and is another text.", "time_invalid")
    return payload.instant(text, where)


def iso(at: dt.datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
