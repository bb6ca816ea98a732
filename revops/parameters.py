"""Numbers and moments that come as text, in addresses, forms and cursors. Pure."""

from __future__ import annotations

import datetime as dt

DIGITS_MAX = 18
"""The longest text of digits that always fits the database's `bigint`."""


def row_id(text: str) -> int | None:
    """The row id that a text names; None for anything that cannot be one (signs, blanks, other characters, 19 digits)."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX else None


def moment(text: str, zone: dt.tzinfo | None = None, *, end_of_day: bool = False) -> dt.datetime | None:
    """The moment that an ISO 8601 text names, in UTC, the only zone that every part of ours takes; None for anything that
    is none. A text without a zone is meant in `zone`, and is none without one. A day alone is its beginning, or with `end_of_day`
    its last second."""
    if not (text.isascii() and text.isprintable()):  # the parser lets a NUL at the end pass
        return None
    try:
        found = dt.datetime.fromisoformat(text)
        if end_of_day and len(text) == len("2026-11-20"):
            found = found.replace(hour=23, minute=59, second=59)
        if found.tzinfo is None and zone is None:
            return None
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
