"""Salesforce records as facts. Pure. A deleted record is a tombstone: its id and stamp, of an account also the customers of other
systems that it names, and of a merged one the account that it was merged into (Salesforce deletes the loser of a merge and names
the winner in `MasterRecordId`)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence

from revops.errors import Rejected
from revops.ledger.facts import Fact
from revops.reference import Ref
from sync.connectors.salesforce import ids
from sync.connectors.salesforce.declared import number_fields, status_words
from sync.connectors.salesforce.models import CONTRACT_STATUS, Account, Contract, Deleted, Opportunity, Record
from sync.vendor import fields as payload
from sync.vendor.contract import (
    Config,
    Incoming,
    Misunderstood,
    Reread,
)
from sync.vendor.fields import Payload, or_none, our_word
from sync.vendor.objects import needed, understood
from sync.vendor.references import customer_of, first_of, id_in, own, place
from sync.vendor.values import Stated, computed_money

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?(?:Z|[+-]\d\d:?\d\d)", re.ASCII)
OBJECTS = {"customer": "Account", "contract": "Contract", "opportunity": "Opportunity"}


def translate(incoming: Incoming, config: Config) -> Sequence[Fact | Reread]:
    body = payload.body_of(incoming)
    translator = _TRANSLATORS.get(incoming.object_type)
    if incoming.kind != "read" or translator is None:
        raise Misunderstood("A read of a kind of object that this connector does not read.", "object_unknown")
    name = f"Salesforce {OBJECTS[incoming.object_type]}"
    deleted = body.get("IsDeleted") is True
    try:
        row, said = _gone(body, config, name) if deleted else translator(body, config)
        at = stamp(row.SystemModstamp, f"{name}.SystemModstamp")
        identity = ids.full(row.Id, f"{name}.Id")
        return [Fact(incoming.object_type, identity, iso(at), at, said.fields, said.refs, row.IsDeleted, said.unread)]
    except Rejected as error:
        raise Misunderstood(f"A fact cannot be kept: {error.message}", error.code) from None


Body = Mapping[str, object]
RowAndStated = tuple[Record, Stated]


def _gone(body: Body, config: Config, name: str) -> RowAndStated:
    row, said = understood(Deleted, body, name), Stated()
    if name == "Salesforce Account":
        own_fields = Payload(name, body)
        said.point({
            "merged_into": lambda: _reference(row.MasterRecordId, config, "customer", f"{name}.MasterRecordId"),
            "known_as": lambda: _known_as(own_fields, config),
        })  # fmt: skip
    return row, said


def _customer(body: Body, config: Config) -> RowAndStated:
    row, said = understood(Account, body, "Salesforce Account"), Stated()
    own_fields = Payload("Salesforce Account", body)
    said.read({
        "name": lambda: or_none(row.Name),
        "currency": lambda: _currency(row, config, "Salesforce Account"),
        "legal_entity": lambda: own_fields.maybe_text(config.get("legal_entity_field")),
        "status": lambda: or_none(row.Type.lower()) if row.Type else None,
        "owner_name": lambda: or_none(row.Owner.Name) if row.Owner else None,
    })  # fmt: skip
    if (arr := place(config, "arr_field")) and own_fields.has(arr):
        said.read({
            "arr": lambda: computed_money(
                own_fields.number(arr), _currency(row, config, "Salesforce Account"), own_fields.where(arr)
            ),
        })  # fmt: skip
    said.point({
        "same_as": lambda: _other_customer(own_fields, config),
        "known_as": lambda: _known_as(own_fields, config),
    })  # fmt: skip
    return row, said


def _contract(body: Body, config: Config) -> RowAndStated:
    row, said = understood(Contract, body, "Salesforce Contract"), Stated()
    own_fields = Payload("Salesforce Contract", body)
    said.read({
        "number": lambda: _number(own_fields, config),
        "status": lambda: _status(row, config),
        "start_on": lambda: row.StartDate,
        "end_on": lambda: row.EndDate,
        "term_months": lambda: row.ContractTerm,
        "activated_at": lambda: stamp(row.ActivatedDate, "Salesforce Contract.ActivatedDate")
        if row.ActivatedDate is not None
        else None,
        "currency": lambda: _currency(row, config, "Salesforce Contract"),
    })  # fmt: skip
    said.point({
        "customer": lambda: _reference(row.AccountId, config, "customer", "Salesforce Contract.AccountId"),
        "subscription": lambda: _subscription(own_fields, config),
    })  # fmt: skip
    return row, said


def _number(own_fields: Payload, config: Config) -> str | None:
    """The number by the first declared field that holds one."""
    held = ((name, own_fields.maybe_text(name)) for name in number_fields(config))
    name, text = next(((name, text) for name, text in held if text), ("", None))
    return or_none(id_in(config, "contract_number_form", text, own_fields.where(name)))


def _status(row: Contract, config: Config) -> str:
    """By the org's own words for its status where it declares some, else by the status's code."""
    words = status_words(config)
    for theirs in (row.Status or "", row.StatusCode) if words else ():
        if found := words.get(theirs.strip().lower()):
            return found
    return our_word(row.StatusCode, CONTRACT_STATUS, "Salesforce Contract.StatusCode")


def _subscription(own_fields: Payload, config: Config) -> Ref | None:
    """Billing's subscription of this contract, where the connection declares field and connection."""
    slug, field = config.get("billing_connection"), place(config, "subscription_field")
    value = own_fields.maybe_text(field) if slug and field else None
    return Ref(slug, "subscription", value.strip()) if value and value.strip() else None


def _opportunity(body: Body, config: Config) -> RowAndStated:
    row, said, where = understood(Opportunity, body, "Salesforce Opportunity"), Stated(), "Salesforce Opportunity"
    said.read({
        "name": lambda: or_none(row.Name),
        "kind": lambda: _kind(row.Type, config),
        "stage": lambda: or_none(row.StageName),
        "is_closed": lambda: row.IsClosed,
        "is_won": lambda: row.IsWon,
        "amount": lambda: computed_money(row.Amount, _currency(row, config, where), f"{where}.Amount")
        if row.Amount is not None
        else None,
        "close_on": lambda: row.CloseDate,
    })  # fmt: skip
    said.point({
        "customer": lambda: _reference(row.AccountId, config, "customer", f"{where}.AccountId"),
        "contract": lambda: _reference(row.ContractId, config, "contract", f"{where}.ContractId"),
    })  # fmt: skip
    return row, said


def _kind(kind: str | None, config: Config) -> str | None:
    renewals = {name.strip() for name in config.get("renewal_types", "Renewal").split(";")}
    return "renewal" if kind in renewals else re.sub(r"\W+", "_", kind.lower()) if kind else None


_TRANSLATORS: Mapping[str, Callable[[Body, Config], RowAndStated]] = {
    "customer": _customer,
    "contract": _contract,
    "opportunity": _opportunity,
}


def _currency(row: Record, config: Config, name: str) -> str:
    """A record of an org with multiple currencies names its own."""
    return needed(row.CurrencyIsoCode or config.get("currency") or None, f"{name}.CurrencyIsoCode", "a text")


def _reference(identity: str | None, config: Config, object_type: str, where: str) -> Ref | None:
    return own(config, object_type, ids.full(identity, where)) if identity else None


def _other_customer(own_fields: Payload, config: Config) -> Ref | None:
    """The customer of another connection that this account says it is, where the connection declares field and connection."""
    slug, field = config.get("same_customer_connection"), config.get("same_customer_field")
    value = own_fields.maybe_text(field) if slug and field else None
    return Ref(slug, "customer", value) if value else None


def _known_as(own_fields: Payload, config: Config) -> list[Ref]:
    """The customers of the ERP and of billing that this account names, where the connection declares field and connection."""

    def named(system: str) -> Ref | None:
        field = place(config, f"{system}_customer_field")
        text = own_fields.maybe_text(field) if field else None
        return customer_of(config, f"{system}_connection", f"{system}_customer_form", text, own_fields.where(field))

    return first_of(lambda: named("erp"), lambda: named("billing"))


def stamp(text: str, where: str) -> dt.datetime:
    """`2020-10-22T21:03:23.000+0000`, with or without the colon."""
    if not _STAMP.fullmatch(text):
        raise Misunderstood(f"{where} should be a date and time and is another text.", "time_invalid", raw=text)
    return payload.instant(text, where)


def iso(at: dt.datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
