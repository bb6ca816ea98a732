"""NetSuite rows as facts. Pure. Rows are SuiteQL's: everything is text, nulls are absent, a letter means nothing without its
transaction type.

An invoice's amounts follow the billing systems' use of the words: `amount_due` is the total less credit memos, `amount_paid`
what payments have brought, `amount_remaining` what is left. Its version is the latest stamp among itself and what is applied
to it, because an application does not always stamp the invoice.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from revops.errors import Rejected
from revops.ledger.facts import Fact, Value
from revops.money import Money, total
from revops.reference import Ref, Refs, refs
from sync.connectors.netsuite.models import (
    DELETED_TYPES,
    HINTED,
    OBJECT_TYPES,
    STATUS,
    AccountingPeriod,
    Application,
    ConsolidatedExchangeRate,
    Customer,
    DeletedRecord,
    Hint,
    RowRead,
    Subsidiary,
    Transaction,
    TransactionRead,
)
from sync.vendor import fields as payload
from sync.vendor.contract import (
    NEVER,
    Config,
    Ignored,
    Incoming,
    Misunderstood,
    Reread,
)
from sync.vendor.fields import Payload, or_none, our_word
from sync.vendor.objects import understood
from sync.vendor.references import contract_numbered, in_billing, in_crm, own

OUR_KEYS = "rvo-"
_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """What must be known of the account to read its rows: its connection, the zone of SuiteQL stamps, when the row was read (for
    rows that have no stamp), and our codes of its subsidiaries."""

    config: Config
    zone: ZoneInfo
    read_at: dt.datetime
    codes: Mapping[str, str]


def stamp(text: str, zone: ZoneInfo, where: str) -> dt.datetime:
    """`YYYY-MM-DD HH:MM:SS` in the account's zone, as aware UTC."""
    if not _STAMP.fullmatch(text):
        raise Misunderstood(f"{where} is not a date and time.", "time_invalid")
    try:
        value = dt.datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError:
        raise Misunderstood(f"{where} is not a date and time.", "time_invalid") from None
    return payload.believable(value.astimezone(dt.UTC), where)


def version(at: dt.datetime) -> str:
    """ISO 8601 in UTC to the second, which sorts as text."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _worth(amount: Decimal, currency: str, where: str) -> Money:
    """The magnitude of a stored amount: signs depend on the side of the ledger, not on what the document is worth."""
    return payload.money(abs(amount), currency, where)


@dataclass(frozen=True, slots=True)
class Document:
    """A transaction row with what is known beside it: its status in our words, the applications that touch it, and the row as it
    came, for fields of the account's own."""

    row: Transaction
    status: str
    links: Sequence[Application]
    own: Payload

    def worth(self, amount: Decimal, field: str) -> Money:
        return _worth(amount, self.row.currency, f"{self.own.name}.{field}")

    @property
    def nothing(self) -> Money:
        return Money.zero(self.row.currency)


FieldsAndRefs = tuple[dict[str, Value], Refs]


def transaction(body: Mapping[str, object], account: AccountSettings) -> Fact:
    """One transaction with the applications that touch it: `{"transaction": row, "applications": [row, ...]}`."""
    read = understood(TransactionRead, body, "body")
    kind = Payload("body.transaction", read.transaction).text("type")
    if kind not in OBJECT_TYPES:
        raise Ignored(f"Transactions of type {payload.word(kind)} are not kept.", "transaction_type")
    name = f"NetSuite {kind}"
    row, links = understood(Transaction, read.transaction, name), read.applications
    status = our_word(row.status, STATUS[kind], f"{name}.status")
    latest = stamp(row.modified, account.zone, f"{name}.modified")
    if kind == "CustInvc":
        latest = max([latest, *(stamp(link.nextmodified, account.zone, NEXT_MODIFIED) for link in links)])
    build = {"CustInvc": _invoice, "CustCred": _credit_memo, "CustPymt": _payment, "SalesOrd": _sales_order}[kind]
    fields, pointing = build(Document(row, status, links, Payload(name, read.transaction)), account.config)
    if kind == "SalesOrd":
        fields = {**fields, "changed_at": latest}
    return Fact(OBJECT_TYPES[kind], row.id, version(latest), latest, fields, pointing)


NEXT_MODIFIED = "NetSuite application.nextmodified"


def _invoice(document: Document, config: Config) -> FieldsAndRefs:
    row, status = document.row, document.status
    whole = document.worth(row.foreignamount, "foreignamount")
    paid, open_amount = row.foreignamountpaid, row.foreignamountunpaid
    settled = document.nothing if paid is None else document.worth(paid, "foreignamountpaid")
    unpaid = whole - settled if open_amount is None else document.worth(open_amount, "foreignamountunpaid")
    if status == "void":
        settled, unpaid = document.nothing, document.nothing
    elif settled + unpaid != whole or (status == "paid" and unpaid):
        raise Misunderstood("The amounts of the NetSuite CustInvc do not add up.", "amounts_inconsistent")
    credited = _applied([link for link in document.links if link.nexttype == "CustCred"], row.currency)
    if status == "void":
        credited = document.nothing
    fields: dict[str, Value] = {
        "number": or_none(row.tranid),
        "status": status,
        "total": whole,
        "amount_due": whole - credited,
        "amount_paid": settled - credited,
        "amount_remaining": unpaid,
        "credited": credited,
        "issued_on": row.trandate,
        "due_on": row.duedate,
        "posting_period": or_none(row.postingperiod),
        "memo": or_none(row.memo),
    }
    return fields, refs(
        customer=own(config, "customer", row.entity),
        sales_order=own(config, "sales_order", row.createdfrom),
        contract=_contract(document, config),
        copy_of=in_billing(config, "invoice", row.externalid),
    )


def _contract(document: Document, config: Config) -> Ref | None:
    """The contract, where the connection declares which field of a transaction holds its number."""
    field = declared_field(config, "contract_number_field", "otherrefnum")
    return contract_numbered(config, document.own.maybe_text(field)) if field else None


_CUSTOM_FIELD = re.compile(r"custbody[a-z0-9_]{1,40}", re.ASCII)


def declared_field(config: Config, setting: str, standard: str = "") -> str:
    """The transaction field that a setting names: the standard one or a custom body field; empty when none is declared. Raises
    `Misunderstood` for any other name."""
    name = config.get(setting)
    if name and name != standard and not _CUSTOM_FIELD.fullmatch(name):
        raise Misunderstood(f"The setting {setting} names no field that can be read.", "setting_invalid")
    return name


def custom_fields(config: Config) -> list[str]:
    """The custom body fields that the settings name, in one order, none twice."""
    names = {
        declared_field(config, "contract_number_field", "otherrefnum"),
        declared_field(config, "order_annual_field", "foreignamount"),
        declared_field(config, "order_term_field"),
    }
    return sorted(name for name in names if _CUSTOM_FIELD.fullmatch(name))


def _applied(links: Sequence[Application], currency: str) -> Money:
    return total((_worth(link.foreignamount, currency, "NetSuite application.foreignamount") for link in links), currency)


def _credit_memo(document: Document, config: Config) -> FieldsAndRefs:
    row, status = document.row, document.status
    whole = document.worth(row.foreignamount, "foreignamount")
    applied = document.nothing if status == "void" else _applied(document.links, row.currency)
    fields: dict[str, Value] = {
        "number": or_none(row.tranid),
        "status": status,
        "total": whole,
        "applied": applied,
        "unapplied": document.nothing if status == "void" else whole - applied,
        "issued_on": row.trandate,
        "posting_period": or_none(row.postingperiod),
        "memo": or_none(row.memo),
    }
    key = row.externalid or ""
    ours = key.startswith(OUR_KEYS)
    return fields, refs(
        customer=own(config, "customer", row.entity),
        invoice=own(config, "invoice", row.createdfrom) or _applied_to(document, config),
        change=Ref.posting(key) if ours else None,
        copy_of=None if ours else in_billing(config, "credit_memo", key),
    )


def _applied_to(document: Document, config: Config) -> list[Ref]:
    """Every invoice that a credit memo or a payment is applied to."""
    return [Ref(config.slug, "invoice", link.previousdoc) for link in document.links]


def _payment(document: Document, config: Config) -> FieldsAndRefs:
    row = document.row
    fields: dict[str, Value] = {
        "number": or_none(row.tranid),
        "status": document.status,
        "amount": document.worth(row.foreignamount, "foreignamount"),
        "paid_on": row.trandate,
    }
    return fields, refs(
        customer=own(config, "customer", row.entity),
        invoice=_applied_to(document, config),
        copy_of=in_billing(config, "payment", row.externalid),
    )


def _sales_order(document: Document, config: Config) -> FieldsAndRefs:
    row = document.row
    annual = declared_field(config, "order_annual_field", "foreignamount")
    term = declared_field(config, "order_term_field")
    fields: dict[str, Value] = {
        "number": or_none(row.tranid),
        "status": document.status,
        "ordered_on": row.trandate,
        "total": document.worth(row.foreignamount, "foreignamount"),
    }
    if term:
        fields["term_months"] = _whole(document.own, term) if document.own.has(term) else None
    if annual:
        has_annual = document.own.has(annual)
        fields["annual_amount"] = document.worth(document.own.written_number(annual), annual) if has_annual else None
    return fields, refs(
        customer=own(config, "customer", row.entity),
        contract=_contract(document, config),
        subscription=in_billing(config, "subscription", row.externalid),
    )


def _whole(row: Payload, field: str) -> int:
    number = row.written_number(field)
    if number != number.to_integral_value() or number < 0:
        raise row.misunderstood(field, "a whole number")
    return int(number)


def customer(body: Mapping[str, object], account: AccountSettings) -> Fact:
    row = understood(Customer, _row(body), "NetSuite customer")
    at = stamp(row.modified, account.zone, "NetSuite customer.modified")
    fields: dict[str, Value] = {
        "name": or_none(row.companyname) or or_none(row.entityid),
        "currency": row.currency or None,
        "legal_entity": account.codes.get(row.subsidiary or "") or row.country or None,
        "status": "inactive" if row.isinactive == "T" else "active",
        "balance": _balance(row),
    }
    return Fact("customer", row.id, version(at), at, fields, refs(same_as=_same_customer(row, account.config)))


def _row(body: Mapping[str, object]) -> Mapping[str, object]:
    return understood(RowRead, body, "body").row


def _same_customer(row: Customer, config: Config) -> Ref | None:
    """The CRM's customer; None for some other system's id: the customer stays unlinked until a person links it."""
    try:
        return in_crm(config, "customer", row.externalid, "NetSuite customer.externalid")
    except Misunderstood:
        return None


def _balance(row: Customer) -> Money | None:
    if not row.currency or row.balancesearch is None:
        return None
    return payload.money(row.balancesearch, row.currency, "NetSuite customer.balancesearch")


def _listed_at(modified: str | None, account: AccountSettings, where: str) -> dt.datetime:
    """The stamp of a row of a whole list; where the account gives none, when we read it."""
    return account.read_at if modified is None else stamp(modified, account.zone, where)


def accounting_period(body: Mapping[str, object], account: AccountSettings) -> Fact:
    row = understood(AccountingPeriod, _row(body), "NetSuite accountingperiod")
    at = _listed_at(row.modified, account, "NetSuite accountingperiod.modified")
    fields: dict[str, Value] = {
        "name": or_none(row.periodname),
        "start_on": row.startdate,
        "end_on": row.enddate,
        "ar_locked": row.arlocked == "T",
        "all_locked": row.alllocked == "T",
        "closed": row.closed == "T",
    }
    return Fact("accounting_period", row.id, version(at), at, fields)


def legal_entity(body: Mapping[str, object], account: AccountSettings) -> Fact:
    row = understood(Subsidiary, _row(body), "NetSuite subsidiary")
    at = _listed_at(row.modified, account, "NetSuite subsidiary.modified")
    code = account.codes.get(row.id) or row.country or row.id
    fields: dict[str, Value] = {"name": or_none(row.name), "currency": row.currency, "code": code}
    if books := account.config.get("books_of"):
        fields["keeps_books"] = code in re.split(r"[,;\s]+", books.strip())
    return Fact("legal_entity", row.id, version(at), at, fields)


def exchange_rate(body: Mapping[str, object], account: AccountSettings) -> Fact:
    """A consolidated rate of a period. It has no stamp: the version is the second at which we read it."""
    row = understood(ConsolidatedExchangeRate, _row(body), "NetSuite consolidatedexchangerate")
    if row.currentrate <= 0:
        raise Misunderstood("A NetSuite exchange rate is not positive.", "value_unknown")
    fields: dict[str, Value] = {
        "currency": row.currency,
        "base_currency": row.basecurrency,
        "rate": row.currentrate,
        "on": row.enddate,
        "kind": "current",
    }
    effective_at = dt.datetime.combine(row.startdate, dt.time(), tzinfo=dt.UTC)
    return Fact("exchange_rate", row.id, version(account.read_at), effective_at, fields)


def deletion(body: Mapping[str, object], account: AccountSettings) -> Fact:
    row = understood(DeletedRecord, _row(body), "NetSuite deletedrecord")
    object_type = DELETED_TYPES.get(row.recordtype.lower())
    if object_type is None:
        raise Ignored("A record of a type that the ledger does not keep was deleted.", "record_type")
    at = stamp(row.modified, account.zone, "NetSuite deletedrecord.deleteddate")
    return Fact(object_type, row.id, version(at), at, {}, deleted=True)


TRANSLATORS: Mapping[str, Callable[[Mapping[str, object], AccountSettings], Fact]] = {
    **dict.fromkeys(OBJECT_TYPES.values(), transaction),
    "customer": customer,
    "accounting_period": accounting_period,
    "legal_entity": legal_entity,
    "exchange_rate": exchange_rate,
    "deletion": deletion,
}

_ID = re.compile(r"[0-9]{1,18}", re.ASCII)


def translate(incoming: Incoming, config: Config) -> Sequence[Fact | Reread]:
    body = payload.body_of(incoming)
    if incoming.kind != "read":
        return [_hinted(understood(Hint, body, "hint"))]
    translator = TRANSLATORS.get(incoming.object_type)
    if translator is None:
        raise Misunderstood("A read of a kind of object that this connector does not read.", "object_unknown")
    try:
        return [translator(body, account_of(config, incoming.received_at))]
    except Rejected as error:
        raise Misunderstood(f"A fact cannot be kept: {error.message}", error.code) from None


def _hinted(hint: Hint) -> Reread:
    if hint.type not in HINTED:
        raise Ignored(f"Hints about {payload.word(hint.type)} say nothing that the ledger keeps.", "event_type")
    if not _ID.fullmatch(hint.id):
        raise Misunderstood("hint.id should be an internal id and is another text.", "field_changed")
    return Reread(HINTED[hint.type], hint.id)


def account_of(config: Config, read_at: dt.datetime = NEVER) -> AccountSettings:
    try:
        zone = ZoneInfo(config.get("time_zone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        raise Misunderstood("The connection's time zone is no IANA name.", "setting_invalid") from None
    return AccountSettings(config, zone, read_at, pairs(config.get("legal_entities")))


def pairs(text: str) -> dict[str, str]:
    """A setting such as `USD=1, EUR=2` as a mapping."""
    parts = [part.partition("=") for part in re.split(r"[,;\s]+", text) if "=" in part]
    return {name.strip(): value.strip() for name, _, value in parts}
