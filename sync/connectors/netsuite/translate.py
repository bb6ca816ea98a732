"""NetSuite rows as facts. Pure. Rows are SuiteQL's: everything is text, nulls are absent, a letter means nothing without its
transaction type.

An invoice's amounts follow the billing systems' use of the words: `amount_due` is the total less credit memos, `amount_paid`
what payments have brought, `amount_remaining` what is left. Its version is the latest stamp among itself and what is applied
to it, because an application does not always stamp the invoice.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from revops.errors import Rejected
from revops.ledger.facts import Fact, Value
from revops.ledger.object_type import COPY
from revops.ledger.types import TYPES
from revops.ledger.unread import AMOUNT_ROUNDED, FORM_UNFIT, Unread
from revops.money import Money, total
from revops.reference import Ref
from sync.connectors.netsuite.declared import EXTERNAL_ID, billing_fields, body_field, entity_field
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
from sync.vendor.objects import understood, whole
from sync.vendor.references import ID, contract_numbered, crm_customer, first_of, in_billing, own
from sync.vendor.values import Altered, Stated, computed_money, raw_of, rounded_half_up
from sync.vendor.values import or_none as readable

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


def stamp(text: str, account: AccountSettings, where: str) -> dt.datetime:
    """`YYYY-MM-DD HH:MM:SS` in the account's zone, as aware UTC. In the hour that comes twice when summer time ends it is the
    later one, unless the row was read before that."""
    if not _STAMP.fullmatch(text):
        raise Misunderstood(f"{where} is not a date and time.", "time_invalid", raw=text)
    try:
        local = dt.datetime.fromisoformat(text).replace(tzinfo=account.zone)
    except ValueError:
        raise Misunderstood(f"{where} is not a date and time.", "time_invalid") from None
    first, second = (payload.believable(local.replace(fold=fold).astimezone(dt.UTC), where) for fold in (0, 1))
    return second if first < second <= account.read_at else first


def version(at: dt.datetime) -> str:
    """ISO 8601 in UTC to the second, which sorts as text."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _worth(amount: Decimal, currency: str, where: str) -> Money:
    """The magnitude of a stored amount: signs depend on the side of the ledger, not on what the document is worth. NetSuite
    computes with more decimals than a currency has, and binary noise in the last ones: rounded half up, as its pages show it."""
    return rounded_half_up(abs(amount), currency, where)


@dataclass(frozen=True, slots=True)
class Document:
    """A transaction row with what is known beside it: its status in our words (empty for one that we do not know), the
    applications that touch it, the row as it came, for fields of the account's own, and what is said of it so far."""

    row: Transaction
    status: str
    links: Sequence[Application]
    own: Payload
    said: Stated = field(default_factory=Stated)

    def worth(self, amount: Decimal, field: str) -> Money:
        """What a column holds. The field that states it is marked where it was rounded."""
        found = _worth(amount, self.row.currency, f"{self.own.name}.{field}")
        if found.amount != abs(amount) and (name := _STATED_AS.get(self.row.type, _TOTAL).get(field)):
            self.said.unread[name] = Unread(raw_of(amount), AMOUNT_ROUNDED)
        return found

    @property
    def nothing(self) -> Money:
        return Money.zero(self.row.currency)


_TOTAL = {"foreignamount": "total", "foreignamountpaid": "amount_paid", "foreignamountunpaid": "amount_remaining"}
_STATED_AS: Mapping[str, Mapping[str, str]] = {"CustPymt": {"foreignamount": "amount"}}
"""Type of transaction -> column -> the field that states it, where that is not as in `_TOTAL`."""


def transaction(body: Mapping[str, object], account: AccountSettings) -> Fact:
    """One transaction with the applications that touch it: `{"transaction": row, "applications": [row, ...]}`."""
    read = understood(TransactionRead, body, "body")
    kind = Payload("body.transaction", read.transaction).text("type")
    if kind not in OBJECT_TYPES:
        raise Ignored(f"Transactions of type {payload.word(kind)} are not kept.", "transaction_type")
    name = f"NetSuite {kind}"
    row, said = understood(Transaction, read.transaction, name), Stated()
    links = [understood(Application, link, "NetSuite application") for link in read.applications]
    status = said.value("status", lambda: our_word(row.status, STATUS[kind], f"{name}.status"))
    if status is not None:
        said.fields["status"] = status
    latest = stamp(row.modified, account, f"{name}.modified")
    if kind == "CustInvc":
        latest = max([latest, *(stamp(link.nextmodified, account, NEXT_MODIFIED) for link in links)])
    say = {"CustInvc": _invoice, "CustCred": _credit_memo, "CustPymt": _payment, "SalesOrd": _sales_order}[kind]
    say(Document(row, status or "", links, Payload(name, read.transaction), said), account.config)
    if kind == "SalesOrd":
        said.fields["changed_at"] = latest
    return Fact(OBJECT_TYPES[kind], row.id, version(latest), latest, said.fields, said.refs, unread=said.unread)


NEXT_MODIFIED = "NetSuite application.nextmodified"


def _invoice_amounts(document: Document) -> Mapping[str, Value]:
    """Together: they must add up."""
    row, status = document.row, document.status
    whole = document.worth(row.foreignamount, "foreignamount")
    paid, open_amount = row.foreignamountpaid, row.foreignamountunpaid
    settled = document.nothing if paid is None else document.worth(paid, "foreignamountpaid")
    unpaid = whole - settled if open_amount is None else document.worth(open_amount, "foreignamountunpaid")
    if status == "void":
        settled, unpaid = document.nothing, document.nothing
    elif settled + unpaid != whole or (status == "paid" and unpaid):
        raw = f"{whole}, of which {settled} settled and {unpaid} open"
        raise Misunderstood("The amounts of the NetSuite CustInvc do not add up.", "amounts_inconsistent", raw=raw)
    credited = _applied([link for link in document.links if link.nexttype == "CustCred"], row.currency)
    if status == "void":
        credited = document.nothing
    return {
        "total": whole,
        "amount_due": whole - credited,
        "amount_paid": settled - credited,
        "amount_remaining": unpaid,
        "credited": credited,
    }


def _invoice(document: Document, config: Config) -> None:
    row, said = document.row, document.said
    said.read({
        "number": lambda: or_none(row.tranid),
        "total": lambda: document.worth(row.foreignamount, "foreignamount"),
        "issued_on": lambda: row.trandate,
        "due_on": lambda: row.duedate,
        "posting_period": lambda: or_none(row.postingperiod),
        "memo": lambda: or_none(row.memo),
    })  # fmt: skip
    said.together(("total", "amount_due", "amount_paid", "amount_remaining", "credited"), lambda: _invoice_amounts(document))
    said.point({
        "customer": lambda: _customer(document, config),
        "sales_order": lambda: own(config, "sales_order", row.createdfrom),
        "legal_entity": lambda: own(config, "legal_entity", row.subsidiary),
        "contract": lambda: _contract(document, config),
        "copy_of": lambda: _in_billing(document, config, COPY, "invoice"),
    })  # fmt: skip


def _contract(document: Document, config: Config) -> Ref | None:
    """The contract, where the connection declares which field of a transaction holds its number."""
    field = body_field(config, "contract_number_field", "otherrefnum")
    return contract_numbered(config, document.own.maybe_text(field), document.own.where(field)) if field else None


def _customer(document: Document, config: Config) -> Ref | None:
    """Whose a transaction is: the customer's whom the declared field names, else the payer's."""
    field = body_field(config, "end_customer_field")
    return own(config, "customer", (document.own.maybe_text(field) if field else None) or document.row.entity)


def _in_billing(document: Document, config: Config, role: str, kind: str) -> Ref | None:
    """What a transaction stands for in billing, by the first declared field that holds an id of it. A key of ours is none. Raises
    `Misunderstood` where declared fields hold texts and none of them is such an id; of external ids, which hold whatever whoever
    imported the record gave them, only where forms are declared for them."""
    whys: list[Misunderstood] = []
    for name in billing_fields(config):
        where = document.own.where(name)
        try:
            text = document.own.maybe_text(name)
            found = None if text and text.startswith(OUR_KEYS) else in_billing(config, kind, text, where)
            if found is not None:
                return _allowed(document, found, role, where)
        except Misunderstood as why:
            if why.code == "setting_invalid":
                raise
            if name != EXTERNAL_ID or config.get("billing_id_form") not in ("", ID):
                whys.append(why)
    if whys:
        raise whys[0]
    return None


def _allowed(document: Document, found: Ref, role: str, where: str) -> Ref:
    """The reference, if a transaction of this type may point there in that role."""
    if found.object_type not in TYPES[OBJECT_TYPES[document.row.type]].roles[role].targets:
        raise Misunderstood(f"{where} holds an id of another kind of object.", "reference_invalid", raw=found.id)
    return found


def _sums(links: Sequence[Application]) -> dict[tuple[str, str], Decimal]:
    """(invoice, what is applied to it) -> the sum of the rows of the two; pairs that come to nothing are left out."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for link in links:
        sums[link.previousdoc, link.nextdoc] += link.foreignamount
    return {pair: amount for pair, amount in sums.items() if amount}


def _applied(links: Sequence[Application], currency: str) -> Money:
    return total((_worth(amount, currency, "NetSuite application.foreignamount") for amount in _sums(links).values()), currency)


def _credit_memo_amounts(document: Document) -> Mapping[str, Value]:
    """Together: what is applied is a part of the whole."""
    row, status = document.row, document.status
    whole = document.worth(row.foreignamount, "foreignamount")
    applied = document.nothing if status == "void" else _applied(document.links, row.currency)
    return {
        "total": whole,
        "applied": applied,
        "unapplied": document.nothing if status == "void" else whole - applied,
    }


def _credit_memo(document: Document, config: Config) -> None:
    row, said = document.row, document.said
    said.read({
        "number": lambda: or_none(row.tranid),
        "total": lambda: document.worth(row.foreignamount, "foreignamount"),
        "issued_on": lambda: row.trandate,
        "posting_period": lambda: or_none(row.postingperiod),
        "memo": lambda: or_none(row.memo),
    })  # fmt: skip
    said.together(("total", "applied", "unapplied"), lambda: _credit_memo_amounts(document))
    key = readable(lambda: row.externalid) or ""
    said.point({
        "customer": lambda: _customer(document, config),
        "invoice": lambda: own(config, "invoice", row.createdfrom),
        "applied_to": lambda: _applied_to(document, config),
        "change": lambda: Ref.posting(key) if key.startswith(OUR_KEYS) else None,
        "copy_of": lambda: _in_billing(document, config, COPY, "credit_memo"),
    })  # fmt: skip


def _applied_to(document: Document, config: Config) -> list[Ref]:
    """Every invoice that a credit memo or a payment is applied to."""
    return [Ref(config.slug, "invoice", invoice) for invoice, _ in _sums(document.links)]


def _payment(document: Document, config: Config) -> None:
    row, said = document.row, document.said
    said.read({
        "number": lambda: or_none(row.tranid),
        "amount": lambda: document.worth(row.foreignamount, "foreignamount"),
        "paid_on": lambda: row.trandate,
    })  # fmt: skip
    said.point({
        "customer": lambda: _customer(document, config),
        "invoice": lambda: _applied_to(document, config),
        "copy_of": lambda: _in_billing(document, config, COPY, "payment"),
    })  # fmt: skip


def _sales_order(document: Document, config: Config) -> None:
    row, said, own_fields = document.row, document.said, document.own
    annual = body_field(config, "order_annual_field", "foreignamount")
    term = body_field(config, "order_term_field")
    said.read({
        "number": lambda: or_none(row.tranid),
        "ordered_on": lambda: row.trandate,
        "total": lambda: document.worth(row.foreignamount, "foreignamount"),
    })  # fmt: skip
    if term:
        said.read({"term_months": lambda: _whole(own_fields, term) if own_fields.has(term) else None})
    if annual:
        said.read({"annual_amount": lambda: _annual(document, annual) if own_fields.has(annual) else None})
    said.point({
        "customer": lambda: _customer(document, config),
        "contract": lambda: _contract(document, config),
        "subscription": lambda: _in_billing(document, config, "subscription", "subscription"),
    })  # fmt: skip


def _annual(document: Document, field: str) -> Money | Altered:
    amount = abs(document.own.written_number(field))
    return computed_money(amount, document.row.currency, document.own.where(field))


def _whole(row: Payload, field: str) -> int:
    number = row.written_number(field)
    if number != number.to_integral_value() or number < 0:
        raise row.misunderstood(field, "a whole number")
    return int(number)


def customer(body: Mapping[str, object], account: AccountSettings) -> Fact:
    row, said = understood(Customer, _row(body), "NetSuite customer"), Stated()
    own_fields = Payload("NetSuite customer", _row(body))
    at = stamp(row.modified, account, "NetSuite customer.modified")
    said.read({
        "name": lambda: or_none(row.companyname) or or_none(row.entityid),
        "currency": lambda: row.currency or None,
        "legal_entity": lambda: account.codes.get(row.subsidiary or "") or row.country or None,
        "status": lambda: "inactive" if row.isinactive == "T" else "active",
        "balance": lambda: _balance(row),
    })  # fmt: skip
    said.point({
        "same_as": lambda: _same_customer(own_fields, account.config),
        "parent": lambda: own(account.config, "customer", row.parent),
    })  # fmt: skip
    return Fact("customer", row.id, version(at), at, said.fields, said.refs, unread=said.unread)


def _row(body: Mapping[str, object]) -> Mapping[str, object]:
    return understood(RowRead, body, "body").row


def _same_customer(own_fields: Payload, config: Config) -> list[Ref]:
    """The CRM's and the billing system's customer, by the fields that are declared to hold their ids. None for some other
    system's id that stands in the external id: the customer stays unlinked until a person links it."""
    name, crm = "NetSuite customer", entity_field(config, "crm_id_field")
    billing = entity_field(config, "billing_customer_field")
    return first_of(
        lambda: _at(crm, own_fields, lambda text: crm_customer(config, text, f"{name}.{crm}")),
        lambda: _at(billing, own_fields, lambda text: _billing_customer(config, text, f"{name}.{billing}")),
    )


def _at(field: str, own_fields: Payload, read: Callable[[str | None], Ref | None]) -> Ref | None:
    """The customer whose id stands in a declared field, if one is declared."""
    text = own_fields.maybe_text(field) if field else None
    try:
        return read(text)
    except Misunderstood as why:
        if why.code != "reference_invalid":
            raise
        if field == EXTERNAL_ID:
            return None
        raise Misunderstood(why.reason, FORM_UNFIT, raw=text) from None


def _billing_customer(config: Config, text: str | None, where: str) -> Ref | None:
    found = in_billing(config, "customer", text, where, "billing_customer_form")
    if found is not None and found.object_type != "customer":
        raise Misunderstood(f"{where} holds an id of another kind of object.", "reference_invalid", raw=text)
    return found


def _balance(row: Customer) -> Money | Altered | None:
    if not row.currency or row.balancesearch is None:
        return None
    return computed_money(row.balancesearch, row.currency, "NetSuite customer.balancesearch")


def _listed_at(modified: str | None, account: AccountSettings, where: str) -> dt.datetime:
    """The stamp of a row of a whole list; where the account gives none, when we read it."""
    return account.read_at if modified is None else stamp(modified, account, where)


def accounting_period(body: Mapping[str, object], account: AccountSettings) -> Fact:
    row, said = understood(AccountingPeriod, _row(body), "NetSuite accountingperiod"), Stated()
    at = _listed_at(row.modified, account, "NetSuite accountingperiod.modified")
    said.read({
        "name": lambda: or_none(row.periodname),
        "start_on": lambda: row.startdate,
        "end_on": lambda: row.enddate,
        "ar_locked": lambda: row.arlocked == "T",
        "all_locked": lambda: row.alllocked == "T",
        "closed": lambda: row.closed == "T",
    })  # fmt: skip
    return Fact("accounting_period", row.id, version(at), at, said.fields, unread=said.unread)


def legal_entity(body: Mapping[str, object], account: AccountSettings) -> Fact:
    row, said = understood(Subsidiary, _row(body), "NetSuite subsidiary"), Stated()
    at = _listed_at(row.modified, account, "NetSuite subsidiary.modified")
    code = account.codes.get(row.id) or row.country or row.id
    said.read({"name": lambda: or_none(row.name), "currency": lambda: row.currency, "code": lambda: code})
    if books := account.config.get("books_of"):
        said.fields["keeps_books"] = code in re.split(r"[,;\s]+", books.strip())
    return Fact("legal_entity", row.id, version(at), at, said.fields, unread=said.unread)


def exchange_rate(body: Mapping[str, object], account: AccountSettings) -> Fact:
    """A consolidated rate of a period. It has no stamp: the version is the second at which we read it. It is all of these values
    or none: a part of it converts nothing."""
    row = whole(ConsolidatedExchangeRate, _row(body), "NetSuite consolidatedexchangerate")
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
    object_type = DELETED_TYPES.get(re.sub("[^a-z]", "", row.type.lower()))
    if object_type is None:
        raise Ignored("A record of a type that the ledger does not keep was deleted.", "record_type")
    at = stamp(row.modified, account, "NetSuite deletedrecord.deleteddate")
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
        return [_hinted(whole(Hint, body, "hint"))]
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


def has_subsidiaries(config: Config) -> bool:
    """Whether the account is a OneWorld one: others have no table and no column of subsidiaries."""
    return config.get("one_world", "yes") == "yes"


def pairs(text: str) -> dict[str, str]:
    """A setting such as `USD=1, EUR=2` as a mapping."""
    parts = [part.partition("=") for part in re.split(r"[,;\s]+", text) if "=" in part]
    return {name.strip(): value.strip() for name, _, value in parts}
