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

OBJECT_TYPES = {"CustInvc": "invoice", "CustCred": "credit_memo", "CustPymt": "payment", "SalesOrd": "subscription"}
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
    "salesorder": "subscription",
    "customer": "customer",
}
OUR_KEYS = "rvo-"


@dataclass(frozen=True, slots=True)
class Account:
    """What must be known of the account to read its rows: the zone of SuiteQL stamps, when the row was read (for rows that
    have no stamp), and our codes of its subsidiaries."""

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


def _refs(**found: str | None) -> dict[str, str]:
    return {role: target for role, target in found.items() if target}


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
    fields, refs = build(row, status, applications)
    if kind == "SalesOrd":
        fields = {**fields, "changed_at": max(stamps)}
    return Fact(OBJECT_TYPES[kind], own, version(max(stamps)), max(stamps), fields, refs)


def _invoice(row: Payload, status: str, links: list[Payload]) -> tuple[dict[str, Value], dict[str, str]]:
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
    refs = _refs(
        customer=row.maybe_text("entity"),
        subscription=row.maybe_text("createdfrom"),
        contract_number=row.maybe_text("otherrefnum"),
        billing_invoice=row.maybe_text("externalid"),
    )
    return fields, refs


def _applied(links: list[Payload], currency: str) -> Money:
    return total((_amount(link, "foreignamount", currency) for link in links), currency)


def _credit_memo(row: Payload, status: str, links: list[Payload]) -> tuple[dict[str, Value], dict[str, str]]:
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
    refs = _refs(
        customer=row.maybe_text("entity"),
        invoice=row.maybe_text("createdfrom") or _only_invoice(links),
        change=key if key.startswith(OUR_KEYS) else None,
        billing_credit_memo=key if key and not key.startswith(OUR_KEYS) else None,
    )
    return fields, refs


def _only_invoice(links: list[Payload]) -> str | None:
    invoices = {link.text("previousdoc") for link in links}
    return invoices.pop() if len(invoices) == 1 else None


def _payment(row: Payload, status: str, links: list[Payload]) -> tuple[dict[str, Value], dict[str, str]]:
    currency = row.text("currency")
    fields: dict[str, Value] = {
        "number": row.maybe_text("tranid"),
        "status": status,
        "amount": _amount(row, "foreignamount", currency),
        "paid_on": _day(row, "trandate"),
    }
    refs = _refs(customer=row.maybe_text("entity"), invoice=_only_invoice(links), billing_payment=row.maybe_text("externalid"))
    return fields, refs


def _sales_order(row: Payload, status: str, links: list[Payload]) -> tuple[dict[str, Value], dict[str, str]]:
    del links
    fields: dict[str, Value] = {
        "status": status,
        "started_on": _day(row, "trandate"),
        "annual_amount": _amount(row, "foreignamount", row.text("currency")),
    }
    refs = _refs(
        customer=row.maybe_text("entity"),
        contract_number=row.maybe_text("otherrefnum"),
        billing_subscription=row.maybe_text("externalid"),
    )
    return fields, refs


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
    refs = _refs(crm_account=_crm_account(row))
    return Fact("customer", row.text("id"), version(at), at, fields, refs)


def _crm_account(row: Payload) -> str | None:
    """The CRM's id of the customer; None for some other system's id: the customer stays unlinked until a person links it."""
    try:
        return payload.salesforce_id(row.maybe_text("externalid") or "", row.where("externalid"))
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
    fields: dict[str, Value] = {
        "name": row.text("name"),
        "currency": row.text("currency"),
        "code": _code(row, "id", account) or row.text("id"),
    }
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
    "salesOrder": "subscription",
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
    return Account(zone, read_at, pairs(config.get("legal_entities")))


def pairs(text: str) -> dict[str, str]:
    """A setting such as `USD=1, EUR=2` as a mapping."""
    parts = [part.partition("=") for part in re.split(r"[,;\s]+", text) if "=" in part]
    return {name.strip(): value.strip() for name, _, value in parts}
