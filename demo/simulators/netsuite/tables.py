"""The tables of the simulated NetSuite account: names and columns as SuiteQL shows them, kept in SQLite.

One row of a SuiteQL table is one document of the store and, kept in step by a trigger, one row of a plain table with
real columns. So the record service, SuiteQL and the control API can never tell different stories. Column kinds:

- ``i`` internal id or whole number (INTEGER),
- ``m`` exact decimal: amounts, rates, quantities (TEXT, compared by the `ns_decimal` collation in queries, never a binary float),
- ``t`` text, ``f`` flag (``T`` / ``F``),
- ``d`` calendar date without a zone, ``s`` moment in UTC.

In documents a date reads ``2026-03-01``, a moment ``2026-03-01T10:15:00Z``. In the plain tables they are
``2026-03-01T00:00:00.000`` and ``2026-03-01T10:15:00.000Z``: both sort as text, and the unusual fraction lets the query
service tell a raw date (shown in the account's format) from text made by TO_CHAR.

Every plain row carries the span of wall-clock time in which readers see it (`sim_from`, `sim_until`, Unix seconds): under
a read-lag fault the old row stays visible for a while, as on a stale replica.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from demo.simulators.store import Collection

FOREVER = 9_999_999_999.0
"""`sim_until` of the newest version of a row."""

FAR = f"{FOREVER}"

_COLUMNS: dict[str, str] = {
    "transaction": (
        "id:i tranid:t transactionnumber:t externalid:t type:t recordtype:t abbrevtype:t status:t approvalstatus:i "
        "entity:i currency:i exchangerate:m trandate:d duedate:d closedate:d startdate:d enddate:d postingperiod:i "
        "posting:f void:f voided:f isreversal:f reversal:i reversaldate:d reversaldefer:f memo:t otherrefnum:t "
        "foreigntotal:m foreignamountpaid:m foreignamountunpaid:m foreignpaymentamountused:m "
        "foreignpaymentamountunused:m terms:i createdby:i createddate:s lastmodifiedby:i lastmodifieddate:s"
    ),
    "transactionline": (
        "transaction:i id:i uniquekey:i linesequencenumber:i mainline:f taxline:f iscogs:f subsidiary:i entity:i item:i "
        "itemtype:t transactionlinetype:t quantity:m rate:m foreignamount:m foreignamountpaid:m foreignamountunpaid:m "
        "foreignpaymentamountused:m foreignpaymentamountunused:m netamount:m debitforeignamount:m "
        "creditforeignamount:m createdfrom:i expenseaccount:i department:i class:i location:i eliminate:f memo:t "
        "isclosed:f isrevrectransaction:f revenueelement:i linelastmodifieddate:s"
    ),
    "transactionaccountingline": (
        "accountingbook:i transaction:i transactionline:i account:i posting:f debit:m credit:m amount:m netamount:m "
        "amountpaid:m amountunpaid:m paymentamountused:m paymentamountunused:m exchangerate:m"
    ),
    "nexttransactionlink": (
        "previousdoc:i previoustype:t previousdate:d nextdoc:i nexttype:t nextdate:d linktype:t foreignamount:m "
        "lastmodifieddate:s"
    ),
    "nexttransactionlinelink": (
        "previousdoc:i previousline:i previoustype:t nextdoc:i nextline:i nexttype:t linktype:t foreignamount:m "
        "lastmodifieddate:s"
    ),
    "accountingperiod": (
        "id:i periodname:t startdate:d enddate:d isadjust:f isquarter:f isyear:f isposting:f isinactive:f parent:i "
        "closed:f closedondate:d alllocked:f arlocked:f aplocked:f payrolllocked:f allownonglchanges:f "
        "fiscalcalendar:i lastmodifieddate:s"
    ),
    "accountingbook": "id:i name:t isprimary:f isinactive:f externalid:t lastmodifieddate:s",
    "customer": (
        "id:i entityid:t companyname:t altname:t firstname:t lastname:t email:t isperson:f isinactive:f parent:i "
        "currency:i subsidiary:i terms:i creditlimit:m creditholdoverride:t oncredithold:t balancesearch:m "
        "overduebalancesearch:m consolbalancesearch:m receivablesaccount:i salesrep:i category:i externalid:t "
        "comments:t datecreated:s lastmodifieddate:s"
    ),
    "customersubsidiaryrelationship": "id:i entity:i subsidiary:i isprimarysub:f isinactive:f primarycurrency:i balance:m",
    "subsidiary": (
        "id:i name:t fullname:t legalname:t parent:i currency:i country:t iselimination:f isinactive:f externalid:t "
        "fiscalcalendar:i tranprefix:t lastmodifieddate:s"
    ),
    "currency": (
        "id:i name:t symbol:t displaysymbol:t currencyprecision:i exchangerate:m isbasecurrency:f isinactive:f "
        "externalid:t lastmodifieddate:s"
    ),
    "consolidatedexchangerate": (
        "id:i postingperiod:i fromcurrency:i tocurrency:i fromsubsidiary:i tosubsidiary:i accountingbook:i "
        "currentrate:m averagerate:m historicalrate:m externalid:t lastmodifieddate:s"
    ),
    "currencyrate": "id:i basecurrency:i transactioncurrency:i effectivedate:d exchangerate:m lastmodifieddate:s",
    "account": (
        "id:i acctnumber:t accountsearchdisplayname:t fullname:t accttype:t currency:i parent:i isinactive:f "
        "eliminate:f externalid:t lastmodifieddate:s"
    ),
    "item": (
        "id:i itemid:t fullname:t displayname:t itemtype:t description:t incomeaccount:i deferralaccount:i "
        "subsidiary:i isinactive:f externalid:t lastmodifieddate:s"
    ),
    "employee": "id:i entityid:t firstname:t lastname:t email:t isinactive:f subsidiary:i lastmodifieddate:s",
    "term": "id:i name:t daysuntilnetdue:i isinactive:f",
    "department": "id:i name:t fullname:t isinactive:f parent:i",
    "classification": "id:i name:t fullname:t isinactive:f parent:i",
    "location": "id:i name:t fullname:t isinactive:f parent:i",
    "transactionstatus": "id:t trantype:t name:t fullname:t",
    "deletedrecord": (
        "deleteddate:s deletedby:i name:t recordtype:t recordid:i type:t context:t iscustomrecord:f iscustomlist:f"
    ),
    "systemnote": "id:i record:t recordid:i recordtypeid:i field:t oldvalue:t newvalue:t name:i date:s context:i type:i",
}

COLUMNS: dict[str, dict[str, str]] = {
    table: dict(pair.split(":", 1) for pair in text.split()) for table, text in _COLUMNS.items()
}
"""Table -> column -> kind."""

MIRRORS = {
    "previoustransactionlink": "nexttransactionlink",
    "previoustransactionlinelink": "nexttransactionlinelink",
}
"""Tables that show the rows of another one: the same link, seen from its other end."""

_KEYS: dict[str, tuple[str, ...]] = {
    "transactionline": ("transaction", "id"),
    "transactionaccountingline": ("accountingbook", "transaction", "transactionline"),
    "nexttransactionlink": ("previousdoc", "nextdoc", "linktype"),
    "nexttransactionlinelink": ("previousdoc", "previousline", "nextdoc", "nextline", "linktype"),
    "transactionstatus": ("trantype", "id"),
    "deletedrecord": ("recordtype", "recordid", "name"),
}

_INDEXES = (
    "ns_transaction(id)", "ns_transaction(lastmodifieddate, id)", "ns_transaction(externalid)",
    "ns_transaction(entity)", "ns_transactionline(\"transaction\")", "ns_transactionline(createdfrom)",
    "ns_transactionaccountingline(\"transaction\")", "ns_nexttransactionlink(previousdoc)",
    "ns_nexttransactionlink(nextdoc)", "ns_customer(id)", "ns_customer(lastmodifieddate, id)", "ns_customer(externalid)",
)  # fmt: skip

_LOOKUPS = {
    "transaction": ("externalid", "type", "entity"),
    "transactionline": ("transaction",),
    "transactionaccountingline": ("transaction",),
    "nexttransactionlink": ("previousdoc", "nextdoc"),
    "customer": ("externalid",),
    "transactionstatus": ("trantype",),
}
"""Columns the record service looks documents up by."""

_SILENT = {"transactionline", "transactionaccountingline", "nexttransactionlinelink"}
"""Parts of a transaction: not counted as effects of their own."""

COLLECTIONS = tuple(
    Collection(
        table,
        key="_key" if table in _KEYS else "id",
        columns={column: f"$.{column}" for column in _LOOKUPS.get(table, ())},
        internal=table in _SILENT,
    )
    for table in COLUMNS
)

_SQL_TYPES = {"i": "INTEGER", "m": "TEXT", "t": "TEXT", "f": "TEXT", "d": "TEXT", "s": "TEXT"}
_STORED_DATE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z?$")
_US_DATE = re.compile(r"^(\d{1,2})/(\d{1,2})/(\d{4})$")


class BadRow(ValueError):
    """A row names an unknown table or column, or holds a value that its column cannot take."""


def row_of(table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """A document as the store keeps it: known columns only, exact values, nulls left out, its key filled in.

    Raises BadRow for an unknown table or column, a binary float, an unreadable value or an incomplete key.
    """
    columns = COLUMNS.get(table)
    if columns is None:
        raise BadRow(f"no table {table}")
    row: dict[str, Any] = {}
    for given, value in values.items():
        name = given.lower()
        if name == "_key":
            continue
        if name not in columns:
            raise BadRow(f"table {table} has no column {given}")
        kept = _kept(columns[name], value, f"{table}.{name}")
        if kept is not None:
            row[name] = kept
    parts = [row.get(column) for column in _KEYS.get(table, ("id",))]
    if any(part is None for part in parts):
        raise BadRow(f"a row of {table} lacks its key {', '.join(_KEYS.get(table, ('id',)))}")
    if table in _KEYS:
        row["_key"] = "-".join(str(part) for part in parts)
    return row


def key_of(*parts: object) -> str:
    """The key of a document from its parts, in the order of the table's key columns."""
    return "-".join(str(part) for part in parts)


def _kept(kind: str, value: object, where: str) -> str | int | None:
    if value is None or value == "":
        return None
    try:
        match kind:
            case "i":
                return int(str(value))
            case "m":
                return decimal_text(value)
            case "f":
                return _flag(value)
            case "d" | "s":
                return _dated(kind, str(value).strip())
    except (ValueError, InvalidOperation) as error:
        raise BadRow(f"{where}: {value!r} does not fit ({error})") from error
    return str(value)


def decimal_text(value: object) -> str:
    """An exact decimal as plain text without exponent. Raises BadRow for a float or infinity, InvalidOperation else."""
    if isinstance(value, float):
        raise BadRow("amounts arrive as text or Decimal, never as a binary float")
    number = Decimal(str(value).strip())
    if not number.is_finite():
        raise BadRow("not a finite number")
    return f"{number:f}"


def _flag(value: object) -> str:
    text = str(value).strip().upper()
    if text in ("T", "TRUE"):
        return "T"
    if text in ("F", "FALSE"):
        return "F"
    raise ValueError("neither T nor F")


def _dated(kind: str, text: str) -> str:
    us_date = _US_DATE.match(text)
    if us_date:
        month, day, year = (int(part) for part in us_date.groups())
        moment = datetime(year, month, day, tzinfo=UTC)
    else:
        moment = datetime.fromisoformat(text)
    if kind == "d":
        return moment.strftime("%Y-%m-%d")
    return (moment.astimezone(UTC) if moment.tzinfo else moment).strftime("%Y-%m-%dT%H:%M:%SZ")


def is_stored_date(text: str) -> bool:
    """True for the plain tables' form of a date or moment (see the module docstring)."""
    return _STORED_DATE.match(text) is not None


def stored_date(moment: datetime) -> str:
    """The plain tables' form of a date."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000")


def stored_moment(moment: datetime) -> str:
    """The plain tables' form of a moment in UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def from_stored(text: str) -> datetime:
    """The plain tables' form as a datetime; a date without zone reads as midnight UTC."""
    return datetime.fromisoformat(text[:19] + "+00:00")


def compare_decimals(left: str, right: str) -> int:
    """Collation `ns_decimal`: by number where both sides are numbers, else by text."""
    try:
        a, b = Decimal(left), Decimal(right)
    except InvalidOperation:
        return (left > right) - (left < right)
    return (a > b) - (a < b)


def _extract(column: str, kind: str, source: str) -> str:
    taken = f"json_extract({source}, '$.{column}')"
    if kind == "d":
        return f"{taken} || 'T00:00:00.000'"
    if kind == "s":
        return f"substr({taken}, 1, 19) || '.000Z'"
    return taken


def create_tables(run: Callable[[str], object]) -> None:
    """Make the plain tables and the triggers that keep them in step with the documents. `run` executes one statement."""
    for table, columns in COLUMNS.items():
        defined = ", ".join(f'"{name}" {_SQL_TYPES[kind]}' for name, kind in columns.items())
        run(
            f"CREATE TABLE IF NOT EXISTS ns_{table} "
            f"(sim_key TEXT NOT NULL, sim_from REAL NOT NULL, sim_until REAL NOT NULL, {defined})"
        )
        run(f"CREATE INDEX IF NOT EXISTS ns_{table}_key ON ns_{table}(sim_key)")
        new = ", ".join(_extract(name, kind, "new.body") for name, kind in columns.items())
        old = ", ".join(_extract(name, kind, "new.shadow") for name, kind in columns.items())
        clear = f"DELETE FROM ns_{table} WHERE sim_key = "
        fill = (
            f"INSERT INTO ns_{table} SELECT new.id, new.visible_at, {FAR}, {new}; "
            f"INSERT INTO ns_{table} SELECT new.id, 0, new.visible_at, {old} WHERE new.shadow IS NOT NULL;"
        )
        on = f'ON "c_{table}" BEGIN'
        run(f"CREATE TRIGGER IF NOT EXISTS ns_{table}_i AFTER INSERT {on} {fill} END")
        run(f"CREATE TRIGGER IF NOT EXISTS ns_{table}_u AFTER UPDATE {on} {clear} old.id; {fill} END")
        run(f"CREATE TRIGGER IF NOT EXISTS ns_{table}_d AFTER DELETE {on} {clear} old.id; END")
    for number, target in enumerate(_INDEXES):
        run(f"CREATE INDEX IF NOT EXISTS ns_index_{number} ON {target}")


def create_views(connection: sqlite3.Connection, hidden: frozenset[str] = frozenset()) -> None:
    """Give a reading connection the SuiteQL table names, except `hidden` ones. It must know `sim_now()` and `ns_decimal`."""
    for view, table in [(name, name) for name in COLUMNS] + list(MIRRORS.items()):
        connection.execute(f'DROP VIEW IF EXISTS temp."{view}"')
        if view not in hidden:
            names = ", ".join(
                f'"{name}" COLLATE ns_decimal AS "{name}"' if kind == "m" else f'"{name}"'
                for name, kind in COLUMNS[table].items()
            )
            connection.execute(
                f'CREATE TEMP VIEW "{view}" AS SELECT {names} FROM main.ns_{table} '
                "WHERE sim_from <= sim_now() AND sim_until > sim_now()"
            )
