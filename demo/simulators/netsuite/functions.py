"""The functions that Oracle has and SQLite lacks, and exact arithmetic, taught to a reading connection."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from demo.simulators.netsuite import tables

UNSUPPORTED = "Search error occurred: Invalid or unsupported search."


class BadQuery(ValueError):
    """The statement is not SuiteQL; the text is what NetSuite's error detail would say."""


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


def _status(wanted: Any, type: Any, letter: Any) -> Any:
    """What a status is compared as: type and letter when the other side reads `CustInvc:A`, else the letter."""
    return f"{type}:{letter}" if letter is not None and ":" in str(wanted) else letter


def _trunc(value: Any, *_: object) -> Any:
    if isinstance(value, str) and tables.is_stored_date(value):
        return tables.stored_date(tables.from_stored(value).replace(hour=0, minute=0, second=0))
    return None if value is None else math.trunc(exact(value))


def teach(connection: sqlite3.Connection, clock: Callable[[], float], offset: timedelta) -> None:
    """Register the collation and the functions on a reading connection. `offset`: the account's zone against UTC."""

    def sysdate(days: float) -> str:
        return tables.stored_moment(datetime.fromtimestamp(int(clock() + round(days * 86400)), UTC))

    connection.create_collation("ns_decimal", tables.compare_decimals)
    connection.create_function("sim_now", 0, clock, deterministic=True)
    connection.create_function("sim_sysdate", 1, sysdate, deterministic=True)
    connection.create_function("sim_status", 3, _status, deterministic=True)
    connection.create_function("NVL", 2, _nvl, deterministic=True)
    connection.create_function("TRUNC", -1, _trunc, deterministic=True)
    connection.create_function("TO_CHAR", -1, _to_char(offset), deterministic=True)
    connection.create_function("TO_DATE", -1, _to_date(offset, moment_wanted=False), deterministic=True)
    connection.create_function("TO_TIMESTAMP", -1, _to_date(offset, moment_wanted=True), deterministic=True)
    connection.create_function("TO_NUMBER", 1, _number, deterministic=True)
    connection.create_function("ABS", 1, lambda value: None if value is None else comparable(abs(exact(value))))
    connection.create_aggregate("SUM", 1, ExactSum)  # type: ignore[arg-type]  # it may be text
