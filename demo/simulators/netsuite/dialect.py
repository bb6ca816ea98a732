"""From SuiteQL to SQLite: tokens, and the functions that Oracle has and SQLite lacks.

Only what differs is rewritten; the rest of the statement runs as it stands. Differences handled: the reserved word
`transaction`, `BUILTIN.DF`, `SYSDATE`, dates written as literals in the account's format, statuses written as
``CustInvc:A``, `TOP n`, `FETCH FIRST n ROWS ONLY` and ``ROWNUM <= n``. `LIMIT` is not SuiteQL and is refused.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from demo.simulators.netsuite import tables


class BadQuery(ValueError):
    """The statement is not SuiteQL; the text is what NetSuite's error detail would say."""


UNSUPPORTED = "Search error occurred: Invalid or unsupported search."

_TOKEN = re.compile(
    r"(?P<space>\s+|--[^\n]*|/\*.*?\*/)|(?P<text>'(?:[^']|'')*')|(?P<quoted>\"[^\"]*\")"
    r"|(?P<number>\d+(?:\.\d+)?)|(?P<word>[A-Za-z_][\w$]*)|(?P<mark>\?)|(?P<sign><=|>=|<>|!=|\|\||[^\s])",
    re.DOTALL,
)
_COMPARISONS = ("=", "<>", "!=", "<", ">", "<=", ">=", "IN", "BETWEEN", "(", ",", "AND")
_FORBIDDEN = {"LIMIT", "OFFSET", "INSERT", "UPDATE", "DELETE", "DROP", "ALTER", "CREATE", "PRAGMA", "ATTACH"}
_US_DATE = re.compile(r"^(\d{1,2})/(\d{1,2})/(\d{4})$")


@dataclass
class Token:
    """One piece of a statement; `kind` is text, quoted, number, word, mark or sign."""

    kind: str
    text: str

    @property
    def upper(self) -> str:
        """The text in upper case, for keywords."""
        return self.text.upper()


@dataclass
class Statement:
    """A statement ready for SQLite, its parameters, and the row cap the statement itself asks for.

    `unordered` is the same without its outer ORDER BY: what a count needs.
    """

    sql: str
    unordered: str
    parameters: list[object]
    cap: int | None


def tokens_of(query: str) -> list[Token]:
    """The statement without white space and comments."""
    found = []
    for match in _TOKEN.finditer(query):
        kind = match.lastgroup or "sign"
        if kind != "space":
            found.append(Token(kind, match.group()))
    return found


def translate(query: str, parameters: Iterable[object]) -> Statement:
    """SuiteQL to SQLite. Raises BadQuery."""
    tokens = tokens_of(query)
    if not tokens or tokens[0].upper not in ("SELECT", "WITH"):
        raise BadQuery("Search error occurred: only SELECT statements are supported.")
    for token in tokens:
        if token.text == ";" or (token.kind == "word" and token.upper in _FORBIDDEN):
            raise BadQuery(UNSUPPORTED)
        if token.kind in ("word", "quoted") and re.match(r'"?(ns_|sim_|c_|sqlite_)', token.text, re.IGNORECASE):
            raise BadQuery(f"Invalid search type: {token.text}.")
    values = list(parameters)
    if sum(token.kind == "mark" for token in tokens) != len(values):
        raise BadQuery("Search error occurred: the number of parameters does not match the number of question marks.")
    cap = _take_cap(tokens)
    _plain_dates(tokens, values)
    _plain_statuses(tokens, values)
    return Statement(" ".join(_rewrite(tokens)), " ".join(_rewrite(tokens[: _order_at(tokens)])), values, cap)


def _order_at(tokens: list[Token]) -> int:
    """Where the outer ORDER BY begins; the end of the statement when there is none or it takes a parameter."""
    depth, at = 0, len(tokens)
    for index, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.kind == "word" and token.upper == "ORDER":
            at = index
    return len(tokens) if any(token.kind == "mark" for token in tokens[at:]) else at


def _take_cap(tokens: list[Token]) -> int | None:
    """Remove TOP n, FETCH FIRST n ROWS ONLY or ROWNUM <= n; the smallest n."""
    caps: list[int] = []
    index = 0
    while index < len(tokens):
        word = tokens[index].upper if tokens[index].kind == "word" else ""
        following = [token.upper for token in tokens[index + 1 : index + 5]]
        if word == "TOP" and index == 1 and following and following[0].isdigit():
            caps.append(int(following[0]))
            del tokens[index : index + 2]
        elif word == "FETCH" and len(following) == 4 and following[0] in ("FIRST", "NEXT") and following[1].isdigit():
            caps.append(int(following[1]))
            del tokens[index : index + 5]
        elif word == "ROWNUM":
            if len(following) < 2 or following[0] not in ("<=", "<") or not following[1].isdigit():
                raise BadQuery(UNSUPPORTED)
            caps.append(int(following[1]) - (following[0] == "<"))
            tokens[index : index + 3] = [Token("number", "1"), Token("sign", "="), Token("number", "1")]
        index += 1
    return min(caps) if caps else None


def _plain_dates(tokens: list[Token], values: list[object]) -> None:
    """Literals and parameters such as 3/1/2026 that stand beside a comparison become dates, as NetSuite reads them."""
    mark = -1
    for index, token in enumerate(tokens):
        mark += token.kind == "mark"
        compared = index > 0 and tokens[index - 1].upper in _COMPARISONS
        inside_call = index > 1 and tokens[index - 1].text == "(" and tokens[index - 2].upper not in ("IN", "AND", "OR")
        if not compared or inside_call:
            continue
        if token.kind == "text" and (found := _us_date(token.text[1:-1])):
            token.text = f"'{found}'"
        elif token.kind == "mark" and isinstance(values[mark], str) and (found := _us_date(str(values[mark]))):
            values[mark] = found


def _us_date(text: str) -> str | None:
    match = _US_DATE.match(text)
    if match is None:
        return None
    month, day, year = (int(part) for part in match.groups())
    try:
        return tables.stored_date(datetime(year, month, day, tzinfo=UTC))
    except ValueError as error:
        raise BadQuery(f"Search error occurred: Unparseable date {text!r}.") from error


def _plain_statuses(tokens: list[Token], values: list[object]) -> None:
    """`status = 'CustInvc:A'` compares type and letter together; the bare letter compares the letter."""
    mark, index = -1, 0
    while index < len(tokens):
        token = tokens[index]
        mark += token.kind == "mark"
        if token.kind == "word" and token.upper == "STATUS" and index + 1 < len(tokens):
            span, marks = _operands(tokens, index + 1)
            literals = [t.text.strip("'") for t in span if t.kind == "text"]
            literals += [str(values[mark + 1 + n]) for n in range(marks)]
            if any(":" in literal for literal in literals):
                owner = tokens[index - 2].text if index > 1 and tokens[index - 1].text == "." else ""
                start = index - 2 if owner else index
                prefix = [Token("word", owner), Token("sign", ".")] if owner else []
                pair = [*prefix, Token("word", "type"), Token("sign", "||"), Token("text", "':'"), Token("sign", "||")]
                tokens[start : index + 1] = [Token("sign", "("), *pair, *prefix, token, Token("sign", ")")]
                index = start + len(pair) + len(prefix) + 2
        index += 1


def _operands(tokens: list[Token], start: int) -> tuple[list[Token], int]:
    index = start + (tokens[start].upper == "NOT")
    if index >= len(tokens) or tokens[index].upper not in ("=", "<>", "!=", "IN"):
        return [], 0
    span: list[Token] = []
    for token in tokens[index + 1 :]:
        if token.kind not in ("text", "mark") and token.text not in ("(", ","):
            break
        span.append(token)
    return span, sum(token.kind == "mark" for token in span)


def _rewrite(tokens: list[Token]) -> list[str]:
    out: list[str] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.kind == "word" and token.upper == "BUILTIN" and [t.upper for t in tokens[index + 1 : index + 4]] == [
            ".", "DF", "(",
        ]:  # fmt: skip
            end = next((i for i in range(index + 4, len(tokens)) if tokens[i].text == ")"), None)
            if end is None:
                raise BadQuery(UNSUPPORTED)
            out.append(_display([part.text for part in tokens[index + 4 : end]]))
            index = end
        elif token.kind == "word" and token.upper in ("SYSDATE", "CURRENT_DATE", "CURRENT_TIMESTAMP", "SYSTIMESTAMP"):
            text, taken = _system_date(tokens, index)
            out.append(text)
            index += taken
        elif token.kind == "word" and token.upper in ("TRANSACTION", "CLASS"):
            out.append(f'"{token.text.lower()}"')
        elif token.kind == "word" and token.upper in ("NVL", "TRUNC"):
            out.append(f"sim_{token.text.lower()}")
        else:
            out.append(token.text)
        index += 1
    return out


def _system_date(tokens: list[Token], index: int) -> tuple[str, int]:
    """SYSDATE, SYSDATE - 7, SYSDATE - 2/24: (expression, further tokens used)."""
    rest = [token.text for token in tokens[index + 1 : index + 5]]
    if len(rest) < 2 or rest[0] not in ("+", "-") or not re.match(r"^\d", rest[1]):
        return "sim_sysdate(0)", 0
    sign = -1 if rest[0] == "-" else 1
    days, used = Decimal(rest[1]), 2
    if len(rest) == 4 and rest[2] == "/" and re.match(r"^\d", rest[3]):
        days, used = days / Decimal(rest[3]), 4
    return f"sim_sysdate({sign * round(days * 86400)})", used


_NAMES = {
    "entity": "SELECT COALESCE(x.companyname, x.entityid) FROM customer x",
    "customer": "SELECT COALESCE(x.companyname, x.entityid) FROM customer x",
    "currency": "SELECT x.name FROM currency x",
    "fromcurrency": "SELECT x.name FROM currency x",
    "tocurrency": "SELECT x.name FROM currency x",
    "subsidiary": "SELECT x.name FROM subsidiary x",
    "postingperiod": "SELECT x.periodname FROM accountingperiod x",
    "item": "SELECT x.itemid FROM item x",
    "account": "SELECT COALESCE(x.accountsearchdisplayname, x.fullname) FROM account x",
    "terms": "SELECT x.name FROM term x",
    **dict.fromkeys(("transaction", "createdfrom", "previousdoc", "nextdoc"), 'SELECT x.tranid FROM "transaction" x'),
}


def _display(argument: list[str]) -> str:
    """BUILTIN.DF(column): the name behind an id."""
    column = argument[-1].lower()
    owner = "".join(argument[:-1])
    inner = "".join('"transaction"' if part.lower() == "transaction" else part for part in argument)
    if column == "status":
        return (
            f"COALESCE((SELECT x.fullname FROM transactionstatus x WHERE x.id = {inner} AND x.trantype = {owner}type), {inner})"
        )
    if column in _NAMES:
        return f"({_NAMES[column]} WHERE x.id = {inner})"
    return inner


# -- functions ----------------------------------------------------------------------------------------------------

_FORMATS = (
    ("YYYY", "%Y"), ("HH24", "%H"), ("HH12", "%I"), ("MI", "%M"), ("SS", "%S"), ("MON", "%b"), ("MM", "%m"),
    ("DD", "%d"), ("HH", "%I"), ("AM", "%p"), ("PM", "%p"), ("YY", "%y"),
)  # fmt: skip


@lru_cache(maxsize=256)
def python_format(oracle: str) -> str:
    """An Oracle date format as strftime/strptime understand it; quoted text is kept. Raises BadQuery."""
    out, index = "", 0
    while index < len(oracle):
        rest = oracle[index:].upper()
        if oracle[index] == '"' and '"' in oracle[index + 1 :]:
            end = oracle.index('"', index + 1)
            out += oracle[index + 1 : end].replace("%", "%%")
            index = end + 1
            continue
        for name, directive in _FORMATS:
            if rest.startswith(name):
                out += directive
                index += len(name)
                break
        else:
            if oracle[index].isalpha():
                raise BadQuery(f"Search error occurred: date format {oracle!r} is not understood.")
            out += oracle[index].replace("%", "%%")
            index += 1
    return out


class ExactSum:
    """SUM in decimals: binary fractions never enter a total."""

    def __init__(self) -> None:
        self.total: Decimal | None = None

    def step(self, value: Any, /) -> None:
        """Add one value; nulls are skipped."""
        if value is not None:
            self.total = (self.total or Decimal(0)) + exact(value)

    def finalize(self) -> int | float | str | None:
        """The total, or null."""
        return None if self.total is None else comparable(self.total)


def exact(value: object) -> Decimal:
    """A column or computed value as Decimal; a computed binary fraction is cut to 15 digits first."""
    return Decimal(f"{value:.15g}") if isinstance(value, float) else Decimal(str(value))


def comparable(number: Decimal) -> int | float | str:
    """A computed number as SQLite compares it. Up to 15 digits survive a binary fraction unharmed; longer ones go as text."""
    if number == number.to_integral_value():
        return int(number)
    return float(number) if len(number.normalize().as_tuple().digits) <= 15 else f"{number:f}"


def _number(value: object) -> int | float | str | None:
    try:
        return None if value is None else comparable(exact(value))
    except InvalidOperation:
        return None


def _nvl(value: Any, default: Any) -> Any:
    if value is None:
        return default
    if isinstance(default, int | float) and isinstance(value, str):
        return _number(value)
    return value


def _to_char(offset: timedelta) -> Callable[..., str | None]:
    def to_char(value: object, oracle: str = "MM/DD/YYYY") -> str | None:
        if value is None:
            return None
        text = str(value)
        if not tables.is_stored_date(text):
            return text
        moment = tables.from_stored(text) + (offset if text.endswith("Z") else timedelta())
        return moment.strftime(python_format(oracle))

    return to_char


def _to_date(offset: timedelta, moment_wanted: bool) -> Callable[..., str | None]:
    @lru_cache(maxsize=1024)
    def to_date(value: object, oracle: str = "MM/DD/YYYY") -> str | None:
        if value is None:
            return None
        moment = datetime.strptime(str(value), python_format(oracle)).replace(tzinfo=UTC)
        return tables.stored_moment(moment - offset) if moment_wanted else tables.stored_date(moment)

    return to_date


def _trunc(value: Any, *_: object) -> Any:
    if isinstance(value, str) and tables.is_stored_date(value):
        return tables.stored_date(tables.from_stored(value).replace(hour=0, minute=0, second=0))
    return None if value is None else math.trunc(exact(value))


def teach(connection: sqlite3.Connection, clock: Callable[[], float], offset: timedelta) -> None:
    """Register the collation and the functions on a reading connection. `offset`: the account's zone against UTC."""

    def sysdate(seconds: int) -> str:
        return tables.stored_moment(datetime.fromtimestamp(int(clock() + seconds), UTC))

    connection.create_collation("ns_decimal", tables.compare_decimals)
    connection.create_function("sim_now", 0, clock, deterministic=True)
    connection.create_function("sim_sysdate", 1, sysdate, deterministic=True)
    connection.create_function("sim_nvl", 2, _nvl, deterministic=True)
    connection.create_function("sim_trunc", -1, _trunc, deterministic=True)
    connection.create_function("TO_CHAR", -1, _to_char(offset), deterministic=True)
    connection.create_function("TO_DATE", -1, _to_date(offset, moment_wanted=False), deterministic=True)
    connection.create_function("TO_TIMESTAMP", -1, _to_date(offset, moment_wanted=True), deterministic=True)
    connection.create_function("TO_NUMBER", 1, _number, deterministic=True)
    connection.create_function("ABS", 1, lambda value: None if value is None else comparable(abs(exact(value))))
    connection.create_aggregate("SUM", 1, ExactSum)  # type: ignore[arg-type]  # it may be text
