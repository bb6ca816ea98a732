"""Salesforce ids and times as text."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def id18(id: str) -> str:
    """15 characters to 18: one suffix character per block of five, a bit for each upper-case letter.

    Raises ValueError when it is not an id at all.
    """
    if not re.fullmatch(r"[A-Za-z0-9]{15}([A-Za-z0-9]{3})?", id):
        raise ValueError(f"malformed id {id}")
    head = id[:15]
    blocks = (head[i : i + 5] for i in (0, 5, 10))
    return head + "".join(_SUFFIX[sum(1 << j for j, c in enumerate(block) if c.isupper())] for block in blocks)


def numbered_id(prefix: str, number: int) -> str:
    """The id of the n-th row of an object."""
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _DIGITS[rest] + digits
    return id18(f"{prefix}Sim{digits.rjust(9, '0')}")


def moment_text(moment: datetime) -> str:
    """`2026-03-01T10:15:00.000+0000`: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def parse_moment(text: str) -> datetime:
    """A date-time in any ISO form with an offset or Z. Raises ValueError."""
    moment = datetime.fromisoformat(re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text))
    if moment.tzinfo is None:
        raise ValueError(f"no time zone in {text}")
    return moment


def add_months(start: date, months: int) -> date:
    """The last day of a term that begins on `start`: 12 months from 1 January end on 31 December."""
    whole = start.month - 1 + months
    year, month = start.year + whole // 12, whole % 12 + 1
    for day in range(start.day, start.day - 4, -1):
        try:
            return date(year, month, day) - timedelta(days=1)
        except ValueError:
            continue
    raise ValueError(f"no such day after {months} months")
