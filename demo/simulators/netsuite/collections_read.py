"""The `q` of `GET /{type}`: one condition over a body field, as text, number or date in the account's format (m/d/yyyy).

NetSuite joins conditions with AND and OR; this account refuses that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from demo.simulators.netsuite.documents import RecordType, columns_of
from demo.simulators.netsuite.errors import refuse_parameter
from demo.simulators.vendor import Json

_CONDITION = re.compile(r'\s*(\w+)\s+(\w+?)(_NOT)?\s+"?([^"()\[\]]*?)"?\s*$')
_DATES: dict[str, Callable[[str, str], bool]] = {
    "ON": lambda have, want: have == want, "AFTER": lambda have, want: have > want,
    "ON_OR_AFTER": lambda have, want: have >= want, "BEFORE": lambda have, want: have < want,
    "ON_OR_BEFORE": lambda have, want: have <= want,
}  # fmt: skip
_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "IS": lambda have, want: have == want, "CONTAIN": lambda have, want: want in have,
    "START_WITH": lambda have, want: have.startswith(want),
}  # fmt: skip
_NUMBERS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "EQUAL": lambda have, want: have == want, "GREATER": lambda have, want: have > want,
    "LESS": lambda have, want: have < want,
}  # fmt: skip


def filter_of(kind: RecordType, text: str) -> Callable[[Json], bool]:
    """The condition of `q` as a function over stored rows. Raises Halt (400 INVALID_PARAMETER)."""
    match = _CONDITION.match(text)
    if match is None:
        raise refuse_parameter("Invalid search query.", "q")
    field, operator, negated, value = match.groups()
    column = columns_of(kind).get(field.lower())
    if column is None:
        raise refuse_parameter(f"Invalid search query: field '{field}' cannot be used.", "q")
    test = _test(operator, value)
    return lambda row: row.get(column) is not None and test(str(row[column])) != bool(negated)


def _test(operator: str, value: str) -> Callable[[str], bool]:
    if operator in _DATES:
        day = _date(value)
        return lambda have: _DATES[operator](have[:10], day)
    if operator in _TEXTS:
        wanted = {"true": "t", "false": "f"}.get(value, value.lower())
        return lambda have: _TEXTS[operator](have.lower(), wanted)
    if operator in _NUMBERS:
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise refuse_parameter(f"Invalid number: {value}", "q") from None
        return lambda have: _NUMBERS[operator](Decimal(have), number)
    raise refuse_parameter(f"Invalid search query: operator '{operator}' is not known.", "q")


def _date(text: str) -> str:
    try:
        return datetime.strptime(text, "%m/%d/%Y").replace(tzinfo=UTC).strftime("%Y-%m-%d")
    except ValueError:
        raise refuse_parameter(f"Unparseable date: {text}", "q") from None
