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
from sync.vendor import fields as payload
from sync.vendor.contract import (
    NEVER,
    Config,
    Ignored,
    Incoming,
    Misunderstood,
    Reread,
)
from sync.vendor.fields import Payload
from sync.vendor.references import contract_numbered, in_billing, in_crm, own

OBJECT_TYPES = {"CustInvc": "invoice", "CustCred": "credit_memo", "CustPymt": "payment", "SalesOrd": "sales_order"}
STATUS: Mapping[str, Mapping[str, str]] = {
    "CustInvc": {"A": "open", "B": "paid", "D": "pending_approval", "E": "rejected", "V": "void"},
    "CustCred": {"A": "open", "B": "applied", "V": "void"},
    "CustPymt": {"A": "pending", "B": "paid", "C": "paid", "R": "failed"},
    "SalesOrd": {
        "A": "pending",
        "B": "active",
        "C": "canceled",
        "D": "active",
        "E": "active",
        "F": "active",
        "G": "active",
        "H": "ended",
    },
}
DELETED_TYPES = {
    "invoice": "invoice",
    "creditmemo": "credit_memo",
    "customerpayment": "payment",
    "salesorder": "sales_order",
    "customer": "customer",
}
OUR_KEYS = "rvo-"


@dataclass(frozen=True, slots=True)
class Account:
    """What must be known of the account to read its rows: its connection, the zone of SuiteQL stamps, when the row was read (for
    rows that have no stamp), and our codes of its subsidiaries."""

    config: Config
    zone: ZoneInfo
    read_at: dt.datetime
    codes: Mapping[str, str]


def stamp(text: str, zone: ZoneInfo, where: str) -> dt.datetime:
    """`YYYY-MM-DD HH:MM:SS` in the account's zone, as aware UTC."""
    try:
        value = dt.datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone)
    except ValueError:
        raise Misunderstood(f"{where} is not a date and time.", "time_invalid") from None
    return payload.believable(value.astimezone(dt.UTC), where)


def version(at: dt.datetime) -> str:
    """ISO 8601 in UTC to the second, which sorts as text."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _amount(row: Payload, field: str, currency: str) -> Money:
    """The magnitude of a stored amount: signs depend on the side of the ledger, not on what the document is worth."""
    return payload.money(abs(row.written_number(field)), currency, row.where(field))


def _flag(row: Payload, field: str) -> bool:
    return row.choice(field, {"T": True, "F": False})


def _day(row: Payload, field: str) -> dt.date | None:
    text = row.maybe_text(field)
    return payload.day(text, row.where(field)) if text else None


Said = tuple[dict[str, Value], Refs]


def transaction(body: Payload, account: Account) -> Fact:
    """One transaction with the applications that touch it: `{"transaction": row, "applications": [row, ...]}`."""
    found = body.child("transaction")
    kind = found.text("type")
    if kind not in OBJECT_TYPES:
        raise Ignored(f"Transactions of type {payload.word(kind)} are not kept.", "transaction_type")
    row = Payload(f"NetSuite {kind}", found.data)
    if not row.has("status"):
        raise row.misunderstood("status", "a status letter")
    status = row.choice("status", STATUS[kind])
    applications = [Payload("NetSuite application", link.data) for link in body.children("applications")]
    own = row.text("id")
    stamps = [stamp(row.text("modified"), account.zone, row.where("modified"))]
    if kind == "CustInvc":
        stamps += [stamp(link.text("nextmodified"), account.zone, link.where("nextmodified")) for link in applications]
    build = {"CustInvc": _invoice, "CustCred": _credit_memo, "CustPymt": _payment, "SalesOrd": _sales_order}[kind]
    fields, pointing = build(row, status, applications, account.config)
    if kind == "SalesOrd":
        fields = {**fields, "changed_at": max(stamps)}
    return Fact(OBJECT_TYPES[kind], own, version(max(stamps)), max(stamps), fields, pointing)


def _invoice(row: Payload, status: str, links: list[Payload], config: Config) -> Said:
    currency = row.text("currency")
    whole = _amount(row, "foreignamount", currency)
    settled = _amount(row, "foreignamountpaid", currency) if row.has("foreignamountpaid") else Money.zero(currency)
    unpaid = _amount(row, "foreignamountunpaid", currency) if row.has("foreignamountunpaid") else whole - settled
    if status == "void":
        settled, unpaid = Money.zero(currency), Money.zero(currency)
    elif settled + unpaid != whole or (status == "paid" and unpaid):
        raise Misunderstood("The amounts of the NetSuite CustInvc do not add up.", "amounts_inconsistent")
    credited = _applied([link for link in links if link.text("nexttype") == "CustCred"], currency)
    if status == "void":
        credited = Money.zero(currency)
    fields: dict[str, Value] = {
        "number": row.maybe_text("tranid"),
        "status": status,
        "total": whole,
        "amount_due": whole - credited,
        "amount_paid": settled - credited,
        "amount_remaining": unpaid,
        "credited": credited,
        "issued_on": _day(row, "trandate"),
        "due_on": _day(row, "duedate"),
        "posting_period": row.maybe_text("postingperiod"),
        "memo": row.maybe_text("memo"),
    }
    return fields, refs(
        customer=own(config, "customer", row.maybe_text("entity")),
        sales_order=own(config, "sales_order", row.maybe_text("createdfrom")),
        contract=_contract(row, config),
        copy_of=in_billing(config, "invoice", row.maybe_text("externalid")),
    )


def _whole(row: Payload, field: str) -> int:
    number = row.written_number(field)
    if number != number.to_integral_value() or number < 0:
        raise row.misunderstood(field, "a whole number")
    return int(number)


def _contract(row: Payload, config: Config) -> Ref | None:
    """The contract, where the connection declares which field of a transaction holds its number."""
    field = declared_field(config, "contract_number_field", "otherrefnum")
    return contract_numbered(config, row.maybe_text(field)) if field else None


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


def _applied(links: list[Payload], currency: str) -> Money:
    return total((_amount(link, "foreignamount", currency) for link in links), currency)


def _credit_memo(row: Payload, status: str, links: list[Payload], config: Config) -> Said:
    currency = row.text("currency")
    whole = _amount(row, "foreignamount", currency)
    applied = Money.zero(currency) if status == "void" else _applied(links, currency)
    fields: dict[str, Value] = {
        "number": row.maybe_text("tranid"),
        "status": status,
        "total": whole,
        "applied": applied,
        "unapplied": Money.zero(currency) if status == "void" else whole - applied,
        "issued_on": _day(row, "trandate"),
        "posting_period": row.maybe_text("postingperiod"),
        "memo": row.maybe_text("memo"),
    }
    key = row.maybe_text("externalid") or ""
    created_from = own(config, "invoice", row.maybe_text("createdfrom"))
    ours = key.startswith(OUR_KEYS)
    return fields, refs(
        customer=own(config, "customer", row.maybe_text("entity")),
        invoice=created_from or _applied_to(links, config),
        change=Ref.posting(key) if ours else None,
        copy_of=None if ours else in_billing(config, "credit_memo", key),
    )


def _applied_to(links: list[Payload], config: Config) -> list[Ref]:
    """Every invoice that a credit memo or a payment is applied to."""
    return [Ref(config.slug, "invoice", link.text("previousdoc")) for link in links]


def _payment(row: Payload, status: str, links: list[Payload], config: Config) -> Said:
    currency = row.text("currency")
    fields: dict[str, Value] = {
        "number": row.maybe_text("tranid"),
        "status": status,
        "amount": _amount(row, "foreignamount", currency),
        "paid_on": _day(row, "trandate"),
    }
    return fields, refs(
        customer=own(config, "customer", row.maybe_text("entity")),
        invoice=_applied_to(links, config),
        copy_of=in_billing(config, "payment", row.maybe_text("externalid")),
    )


def _sales_order(row: Payload, status: str, links: list[Payload], config: Config) -> Said:
    del links
    currency = row.text("currency")
    annual = declared_field(config, "order_annual_field", "foreignamount")
    term = declared_field(config, "order_term_field")
    fields: dict[str, Value] = {
        "number": row.maybe_text("tranid"),
        "status": status,
        "ordered_on": _day(row, "trandate"),
        "total": _amount(row, "foreignamount", currency),
    }
    if term:
        fields["term_months"] = _whole(row, term) if row.has(term) else None
    if annual:
        fields["annual_amount"] = _amount(row, annual, currency) if row.has(annual) else None
    return fields, refs(
        customer=own(config, "customer", row.maybe_text("entity")),
        contract=_contract(row, config),
        subscription=in_billing(config, "subscription", row.maybe_text("externalid")),
    )


def customer(body: Payload, account: Account) -> Fact:
    row = Payload("NetSuite customer", body.child("row").data)
    at = stamp(row.text("modified"), account.zone, row.where("modified"))
    currency = row.maybe_text("currency")
    fields: dict[str, Value] = {
        "name": row.maybe_text("companyname") or row.maybe_text("entityid"),
        "currency": currency,
        "legal_entity": _code(row, "subsidiary", account),
        "status": "inactive" if _flag(row, "isinactive") else "active",
        "balance": _balance(row, currency),
    }
    same_as = _same_customer(row, account.config)
    return Fact("customer", row.text("id"), version(at), at, fields, refs(same_as=same_as))


def _same_customer(row: Payload, config: Config) -> Ref | None:
    """The CRM's customer; None for some other system's id: the customer stays unlinked until a person links it."""
    try:
        return in_crm(config, "customer", row.maybe_text("externalid"), row.where("externalid"))
    except Misunderstood:
        return None


def _balance(row: Payload, currency: str | None) -> Money | None:
    if currency is None or not row.has("balancesearch"):
        return None
    return payload.money(row.written_number("balancesearch"), currency, row.where("balancesearch"))


def _code(row: Payload, field: str, account: Account) -> str | None:
    """Our code of a subsidiary: as configured, else its country."""
    subsidiary = row.maybe_text(field)
    return account.codes.get(subsidiary or "") or row.maybe_text("country")


def _listed_at(row: Payload, account: Account) -> dt.datetime:
    """The stamp of a row of a whole list; where the account gives none, when we read it."""
    return stamp(row.text("modified"), account.zone, row.where("modified")) if row.has("modified") else account.read_at


def accounting_period(body: Payload, account: Account) -> Fact:
    row = Payload("NetSuite accountingperiod", body.child("row").data)
    at = _listed_at(row, account)
    fields: dict[str, Value] = {
        "name": row.text("periodname"),
        "start_on": payload.day(row.text("startdate"), row.where("startdate")),
        "end_on": payload.day(row.text("enddate"), row.where("enddate")),
        "ar_locked": _flag(row, "arlocked"),
        "all_locked": _flag(row, "alllocked"),
        "closed": _flag(row, "closed"),
    }
    return Fact("accounting_period", row.text("id"), version(at), at, fields)


def legal_entity(body: Payload, account: Account) -> Fact:
    row = Payload("NetSuite subsidiary", body.child("row").data)
    at = _listed_at(row, account)
    code = _code(row, "id", account) or row.text("id")
    fields: dict[str, Value] = {"name": row.text("name"), "currency": row.text("currency"), "code": code}
    if books := account.config.get("books_of"):
        fields["keeps_books"] = code in re.split(r"[,;\s]+", books.strip())
    return Fact("legal_entity", row.text("id"), version(at), at, fields)


def exchange_rate(body: Payload, account: Account) -> Fact:
    """A consolidated rate of a period. It has no stamp: the version is the second at which we read it."""
    row = Payload("NetSuite consolidatedexchangerate", body.child("row").data)
    start = payload.day(row.text("startdate"), row.where("startdate"))
    rate = row.written_number("currentrate")
    if rate <= Decimal(0):
        raise Misunderstood("A NetSuite exchange rate is not positive.", "value_unknown")
    fields: dict[str, Value] = {
        "currency": row.text("currency"),
        "base_currency": row.text("basecurrency"),
        "rate": rate,
        "on": payload.day(row.text("enddate"), row.where("enddate")),
        "kind": "current",
    }
    effective_at = dt.datetime.combine(start, dt.time(), tzinfo=dt.UTC)
    return Fact("exchange_rate", row.text("id"), version(account.read_at), effective_at, fields)


def deletion(body: Payload, account: Account) -> Fact:
    row = Payload("NetSuite deletedrecord", body.child("row").data)
    object_type = DELETED_TYPES.get(row.text("recordtype").lower())
    if object_type is None:
        raise Ignored("A record of a type that the ledger does not keep was deleted.", "record_type")
    at = stamp(row.text("modified"), account.zone, row.where("deleteddate"))
    return Fact(object_type, row.text("id"), version(at), at, {}, deleted=True)


TRANSLATORS: Mapping[str, Callable[[Payload, Account], Fact]] = {
    **dict.fromkeys(OBJECT_TYPES.values(), transaction),
    "customer": customer,
    "accounting_period": accounting_period,
    "legal_entity": legal_entity,
    "exchange_rate": exchange_rate,
    "deletion": deletion,
}

HINTED = {
    "invoice": "invoice",
    "creditMemo": "credit_memo",
    "customerPayment": "payment",
    "salesOrder": "sales_order",
    "customer": "customer",
    "accountingPeriod": "accounting_period",
}

_ID = re.compile(r"[0-9]{1,18}", re.ASCII)


def translate(incoming: Incoming, config: Config) -> Sequence[Fact | Reread]:
    body = Payload("hint" if incoming.kind == "hint" else "body", payload.message(incoming.body))
    if incoming.kind != "read":
        return [_hinted(body)]
    translator = TRANSLATORS.get(incoming.object_type)
    if translator is None:
        raise Misunderstood("A read of a kind of object that this connector does not read.", "object_unknown")
    try:
        return [translator(body, account_of(config, incoming.received_at))]
    except Rejected as error:
        raise Misunderstood(f"A fact cannot be kept: {error.message}", error.code) from None


def _hinted(hint: Payload) -> Reread:
    kind, identity = hint.text("type"), hint.text("id")
    if kind not in HINTED:
        raise Ignored(f"Hints about {payload.word(kind)} say nothing that the ledger keeps.", "event_type")
    if not _ID.fullmatch(identity):
        raise hint.misunderstood("id", "an internal id")
    return Reread(HINTED[kind], identity)


def account_of(config: Config, read_at: dt.datetime = NEVER) -> Account:
    try:
        zone = ZoneInfo(config.get("time_zone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        raise Misunderstood("The connection's time zone is no IANA name.", "setting_invalid") from None
    return Account(config, zone, read_at, pairs(config.get("legal_entities")))


def pairs(text: str) -> dict[str, str]:
    """A setting such as `USD=1, EUR=2` as a mapping."""
    parts = [part.partition("=") for part in re.split(r"[,;\s]+", text) if "=" in part]
    return {name.strip(): value.strip() for name, _, value in parts}
