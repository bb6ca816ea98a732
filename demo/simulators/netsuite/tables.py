"""The tables of the simulated NetSuite account, kept in SQLite: those that `published.toml` lists, with its columns.

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
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from demo.simulators.store import Collection

FOREVER = 9_999_999_999.0
"""`sim_until` of the newest version of a row."""

FAR = f"{FOREVER}"


def _kinds(text: str) -> dict[str, str]:
    return dict(pair.split(":", 1) for pair in text.split())


_PUBLISHED = tomllib.loads(Path(__file__).with_name("published.toml").read_text())

PUBLISHED: dict[str, dict[str, str]] = {table: _kinds(listed["columns"]) for table, listed in _PUBLISHED.items()}
"""Table -> column -> kind, of what SuiteQL can be asked for: nothing that no published list names."""

ROWS_OF: dict[str, str] = {table: listed["rows_of"] for table, listed in _PUBLISHED.items() if "rows_of" in listed}
"""Tables that show the rows of another one."""

_RECORDS_ONLY = {
    "transaction": "void:f startdate:d enddate:d",
    "accountingperiod": "payrolllocked:f",
    "customer": "subsidiary:i",
    "item": "itemid:t displayname:t isinactive:f lastmodifieddate:s",
    "term": "id:i name:t daysuntilnetdue:i isinactive:f",
}
"""Fields of the record service for which no published list names a column: kept, and no query sees them."""

COLUMNS: dict[str, dict[str, str]] = {
    table: PUBLISHED.get(table, {}) | _kinds(_RECORDS_ONLY.get(table, ""))
    for table in [*(table for table in PUBLISHED if table not in ROWS_OF), "term"]
}
"""Table -> column -> kind, of what is kept."""

_KEYS: dict[str, tuple[str, ...]] = {
    "transactionline": ("transaction", "id"),
    "transactionaccountingline": ("accountingbook", "transaction", "transactionline"),
    "nexttransactionlinelink": ("previousdoc", "previousline", "nextdoc", "nextline", "linktype"),
    "transactionstatus": ("trantype", "id"),
    "deletedrecord": ("type", "recordid", "name"),
}

_INDEXES = (
    "ns_transaction(id)", "ns_transaction(lastmodifieddate, id)", "ns_transaction(externalid)",
    "ns_transaction(entity)", "ns_transactionline(\"transaction\")", "ns_transactionline(createdfrom)",
    "ns_transactionaccountingline(\"transaction\")", "ns_nexttransactionlinelink(previousdoc)",
    "ns_nexttransactionlinelink(nextdoc)", "ns_customer(id)", "ns_customer(lastmodifieddate, id)", "ns_customer(externalid)",
)  # fmt: skip

_LOOKUPS = {
    "transaction": ("externalid", "type", "entity"),
    "transactionline": ("transaction",),
    "transactionaccountingline": ("transaction",),
    "nexttransactionlinelink": ("previousdoc", "nextdoc"),
    "customer": ("externalid",),
    "transactionstatus": ("trantype",),
}
"""Columns the record service looks documents up by."""

_SILENT = {"transactionline", "transactionaccountingline"}
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
    for view, columns in PUBLISHED.items():
        connection.execute(f'DROP VIEW IF EXISTS temp."{view}"')
        if view not in hidden:
            names = ", ".join(
                f'"{name}" COLLATE ns_decimal AS "{name}"' if kind == "m" else f'"{name}"' for name, kind in columns.items()
            )
            each_once = "DISTINCT " if view in ROWS_OF else ""
            connection.execute(
                f'CREATE TEMP VIEW "{view}" AS SELECT {each_once}{names} FROM main.ns_{ROWS_OF.get(view, view)} '
                "WHERE sim_from <= sim_now() AND sim_until > sim_now()"
            )
