"""`GET /{type}`: ids and links only, and the filter language of its `q` parameter.

Supported: EMPTY, IS, CONTAIN, START_WITH, ENDWITH, EQUAL, GREATER, GREATER_OR_EQUAL, LESS, LESS_OR_EQUAL, BETWEEN,
ANY_OF, ON, ON_OR_AFTER, ON_OR_BEFORE, AFTER, BEFORE, each with `_NOT`; AND before OR; brackets. Dates in the account's
format (m/d/yyyy). Only body fields that are columns of the record's own table can be filtered.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from demo.simulators.netsuite.documents import RecordType, columns_of
from demo.simulators.netsuite.errors import refuse_parameter
from demo.simulators.vendor import Json

Test = Callable[[Json], bool]

_TOKEN = re.compile(r'\s*(?:"([^"]*)"|(\[[^\]]*\])|([()])|([^\s()\[\]"]+))')
_DATES = {"ON", "ON_OR_AFTER", "ON_OR_BEFORE", "AFTER", "BEFORE"}
_ORDER: dict[str, Callable[[int], bool]] = {
    "EQUAL": lambda c: c == 0, "GREATER": lambda c: c > 0, "GREATER_OR_EQUAL": lambda c: c >= 0,
    "LESS": lambda c: c < 0, "LESS_OR_EQUAL": lambda c: c <= 0, "ON": lambda c: c == 0, "AFTER": lambda c: c > 0,
    "ON_OR_AFTER": lambda c: c >= 0, "BEFORE": lambda c: c < 0, "ON_OR_BEFORE": lambda c: c <= 0,
}  # fmt: skip


def filter_of(kind: RecordType, text: str) -> Test:
    """The condition of `q` as a function over stored rows. Raises Halt (400 INVALID_PARAMETER)."""
    parser = _Parser(kind, text)
    test = parser.either()
    if parser.tokens:
        raise refuse_parameter(f"Invalid search query: unexpected {parser.tokens[0][1]!r}.", "q")
    return test


class _Parser:
    def __init__(self, kind: RecordType, text: str) -> None:
        self.columns = columns_of(kind)
        self.tokens: list[tuple[str, str]] = []
        for match in _TOKEN.finditer(text):
            for name, value in zip(("text", "list", "bracket", "word"), match.groups(), strict=True):
                if value is not None:
                    self.tokens.append((name, value))

    def next(self) -> tuple[str, str]:
        if not self.tokens:
            raise refuse_parameter("Invalid search query: it ends too early.", "q")
        return self.tokens.pop(0)

    def _at(self, word: str) -> bool:
        if self.tokens and self.tokens[0] == ("word", word):
            self.tokens.pop(0)
            return True
        return False

    def either(self) -> Test:
        tests = [self.both()]
        while self._at("OR"):
            tests.append(self.both())
        return lambda row: any(test(row) for test in tests)

    def both(self) -> Test:
        tests = [self.single()]
        while self._at("AND"):
            tests.append(self.single())
        return lambda row: all(test(row) for test in tests)

    def single(self) -> Test:
        kind, field = self.next()
        if (kind, field) == ("bracket", "("):
            inner = self.either()
            if self.next() != ("bracket", ")"):
                raise refuse_parameter("Invalid search query: a bracket is not closed.", "q")
            return inner
        column = self.columns.get(field.lower())
        if column is None:
            raise refuse_parameter(f"Invalid search query: field '{field}' cannot be used.", "q")
        operator = self.next()[1]
        negated = operator.endswith("_NOT")
        test = self._test(column, operator.removesuffix("_NOT"))
        return (lambda row: not test(row)) if negated else test

    def _test(self, column: str, operator: str) -> Test:
        if operator == "EMPTY":
            return lambda row: row.get(column) is None
        shape, value = self.next()
        values = [v.strip().strip('"') for v in value.strip("[]").split(",")] if shape == "list" else [value]
        if operator == "ANY_OF":
            return lambda row: str(row.get(column)) in values
        if operator in _DATES:
            wanted = _date(values[0])
            return lambda row: row.get(column) is not None and _ORDER[operator](_compare(row[column][:10], wanted))
        if operator == "BETWEEN" and len(values) == 2:
            low, high = values
            return lambda row: (
                row.get(column) is not None and (_compare(row[column], low) >= 0 and _compare(row[column], high) <= 0)
            )
        if operator in _ORDER:
            return lambda row: row.get(column) is not None and _ORDER[operator](_compare(row[column], values[0]))
        wanted = {"true": "T", "false": "F"}.get(values[0], values[0]).lower()
        texts: dict[str, Callable[[str], bool]] = {
            "IS": lambda text: text == wanted,
            "CONTAIN": lambda text: wanted in text,
            "START_WITH": lambda text: text.startswith(wanted),
            "ENDWITH": lambda text: text.endswith(wanted),
        }
        if operator not in texts:
            raise refuse_parameter(f"Invalid search query: operator '{operator}' is not known.", "q")
        return lambda row: row.get(column) is not None and texts[operator](str(row[column]).lower())


def _date(text: str) -> str:
    try:
        return datetime.strptime(text, "%m/%d/%Y").replace(tzinfo=UTC).strftime("%Y-%m-%d")
    except ValueError:
        raise refuse_parameter(f"Unparseable date: {text}", "q") from None


def _compare(left: object, right: str) -> int:
    try:
        a, b = Decimal(str(left)), Decimal(right)
    except InvalidOperation:
        return (str(left) > right) - (str(left) < right)
    return (a > b) - (a < b)
