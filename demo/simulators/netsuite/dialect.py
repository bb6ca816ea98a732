"""From SuiteQL, which is Oracle's SQL with a few words of its own, to SQLite: sqlglot parses, this module rewrites.

What differs: the names `transaction` and `class` (reserved in SQLite), `BUILTIN.DF`, `SYSDATE` and days added to it,
dates written in the account's format, statuses written as ``CustInvc:A``. `LIMIT` is not SuiteQL and is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import sqlglot
from sqlglot import ErrorLevel, exp
from sqlglot.dialects.oracle import Oracle
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import SqlglotError
from sqlglot.generators.sqlite import SQLiteGenerator
from sqlglot.parsers.oracle import OracleParser
from sqlglot.tokenizer_core import TokenType

from demo.simulators.netsuite import tables
from demo.simulators.netsuite.functions import UNSUPPORTED, BadQuery

_TAUGHT = {"NVL", "TRUNC", "TO_CHAR", "TO_DATE", "TO_TIMESTAMP", "TO_NUMBER"}
_US_DATE = re.compile(r"^(\d{1,2})/(\d{1,2})/(\d{4})$")
_OURS = re.compile(r"(ns_|sim_|c_|sqlite_)", re.IGNORECASE)
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between)


def _placed(parser: sqlglot.Parser) -> exp.Expr:
    """A question mark as a parameter named after its place in the text."""
    return parser.expression(exp.Placeholder(this=f"p{parser._prev.start}"))


class _SuiteQL(Oracle):
    """The functions that `functions` teaches SQLite stay calls; nulls sort as in SQLite, so that an index gives the order."""

    NULL_ORDERING = "nulls_are_small"

    class Parser(OracleParser):
        """Reads SuiteQL."""

        FUNCTIONS = {name: build for name, build in OracleParser.FUNCTIONS.items() if name not in _TAUGHT}
        PLACEHOLDER_PARSERS = {**OracleParser.PLACEHOLDER_PARSERS, TokenType.PLACEHOLDER: _placed}


class _Target(SQLite):
    class Generator(SQLiteGenerator):
        """Writes SQLite."""

        RESERVED_KEYWORDS = {"transaction", "class"}


@dataclass(frozen=True)
class Statement:
    """A statement ready for SQLite. `unordered` is the same without its outer ORDER BY: what a count needs.

    `parameters` are the names of the question marks in their order, `compared` those that stand in a comparison,
    `sources` the tables as NetSuite lists them in an error (`t=transaction`).
    """

    sql: str
    unordered: str
    parameters: tuple[str, ...]
    compared: frozenset[str]
    sources: tuple[str, ...]

    def bind(self, values: list[object]) -> dict[str, str | int | None]:
        """The values by parameter name. Raises BadQuery when they are too many, too few or not plain."""
        if len(values) != len(self.parameters):
            raise BadQuery("Search error occurred: the number of parameters does not match the number of question marks.")
        return {name: _plain(value, name in self.compared) for name, value in zip(self.parameters, values, strict=True)}


def _plain(value: object, compared: bool) -> str | int | None:
    if isinstance(value, dict | list):
        raise BadQuery("Search error occurred: a parameter must be a plain value.")
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, str) and compared:
        return us_date(value) or value
    return value if value is None or isinstance(value, int) else str(value)


@lru_cache(maxsize=256)
def translate(query: str) -> Statement:
    """SuiteQL to SQLite. Raises BadQuery."""
    try:
        trees = sqlglot.parse(query, read=_SuiteQL)
    except SqlglotError as error:
        raise BadQuery(UNSUPPORTED) from error
    tree = trees[0]
    if len(trees) != 1 or (isinstance(tree, exp.Query) and tree.find(exp.Limit, exp.Offset, exp.Fetch)):
        raise BadQuery(UNSUPPORTED)
    if not isinstance(tree, exp.Query):
        raise BadQuery("Search error occurred: only SELECT statements are supported.")
    for name in tree.find_all(exp.Identifier):
        if _OURS.match(name.this):
            raise BadQuery(f"Invalid search type: {name.this}.")
    marks = {mark.this: isinstance(mark.parent, _COMPARISONS) for mark in tree.find_all(exp.Placeholder)}
    sources = tuple(f"{table.alias_or_name.lower()}={table.name.lower()}" for table in tree.find_all(exp.Table))
    tree = tree.transform(_rewritten)
    unordered = tree.copy()
    unordered.set("order", None)
    return Statement(
        _text(tree), _text(unordered), tuple(sorted(marks, key=lambda name: int(name[1:]))),
        frozenset(name for name, compared in marks.items() if compared), sources,
    )  # fmt: skip


def _text(tree: exp.Expr) -> str:
    return tree.sql(_Target, unsupported_level=ErrorLevel.IGNORE)


def us_date(text: str) -> str | None:
    """A date in the account's format (3/1/2026) as the tables keep it, None for any other text. Raises BadQuery."""
    match = _US_DATE.match(text)
    if match is None:
        return None
    month, day, year = (int(part) for part in match.groups())
    try:
        return tables.stored_date(datetime(year, month, day, tzinfo=UTC))
    except ValueError as error:
        raise BadQuery(f"Search error occurred: Unparseable date {text!r}.") from error


def _rewritten(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Literal) and node.is_string and isinstance(node.parent, _COMPARISONS):
        date = us_date(node.this)
        return exp.Literal.string(date) if date else node
    if isinstance(node, exp.EQ | exp.NEQ | exp.In) and isinstance(node.this, exp.Column) and node.this.name.lower() == "status":
        wanted = node.expressions[0] if isinstance(node, exp.In) and node.expressions else node.args.get("expression")
        if isinstance(wanted, exp.Literal | exp.Placeholder):
            letter = node.this
            both = [wanted.copy(), exp.column("type", letter.args.get("table")), letter.copy()]
            node.set("this", exp.Anonymous(this="sim_status", expressions=both))
        return node
    if isinstance(node, exp.Add | exp.Sub) and _is_now(node.this):
        return _now(exp.Neg(this=node.expression) if isinstance(node, exp.Sub) else node.expression)
    if _is_now(node):
        return _now(exp.Literal.number(0))
    if isinstance(node, exp.Dot) and node.this.name.upper() == "BUILTIN":
        return _display(node.expression)
    return node


def _is_now(node: exp.Expr) -> bool:
    return isinstance(node, exp.CurrentTimestamp | exp.CurrentDate)


def _now(days: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this="sim_sysdate", expressions=[days])


_NAMES = {
    "entity": "COALESCE(x.companyname, x.entityid) FROM customer",
    "customer": "COALESCE(x.companyname, x.entityid) FROM customer",
    **dict.fromkeys(("currency", "fromcurrency", "tocurrency"), "x.name FROM currency"),
    "subsidiary": "x.name FROM subsidiary",
    "postingperiod": "x.periodname FROM accountingperiod",
    "item": "x.fullname FROM item",
    "account": "COALESCE(x.accountsearchdisplayname, x.fullname) FROM account",
    **dict.fromkeys(("transaction", "createdfrom", "previousdoc", "nextdoc"), "x.tranid FROM transaction"),
}


def _display(call: exp.Expr) -> exp.Expr:
    """BUILTIN.DF(column): the name behind an id; the value itself where there is no name."""
    column = call.expressions[0] if call.name.upper() == "DF" and len(call.expressions) == 1 else None
    if not isinstance(column, exp.Column):
        raise BadQuery(UNSUPPORTED)
    if column.name.lower() == "status":
        type = exp.column("type", column.args.get("table"))
        return exp.func("COALESCE", _looked_up("x.fullname FROM transactionstatus", column, {"trantype": type}), column)
    named = _NAMES.get(column.name.lower())
    return _looked_up(named, column, {}) if named else column


def _looked_up(what: str, id: exp.Expr, more: dict[str, exp.Expr]) -> exp.Expr:
    found = sqlglot.parse_one(f"SELECT {what} x", read=_SuiteQL)
    assert isinstance(found, exp.Select)
    for name, value in {"id": id, **more}.items():
        found = found.where(exp.EQ(this=exp.column(name, "x"), expression=value.copy()))
    return found.subquery()
