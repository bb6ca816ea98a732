"""Numbers, moments and words that come as text, in addresses, forms, bodies and cursors. Pure."""

from __future__ import annotations

import datetime as dt
import unicodedata

_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They make the characters after them show in another order than they stand (the bidirectional controls of Unicode, UAX 9), so
that whoever signs would read another sentence than the one that is kept."""

DIGITS_MAX = 18
"""The longest text of digits that always fits the database's `bigint`."""


def row_id(text: str) -> int | None:
    """The row id that a text names; None for anything that cannot be one (signs, blanks, other characters, 19 digits)."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX else None


def unreadable(text: str) -> bool:
    """Whether words that a person wrote hold what nobody can see and what changes how the rest is shown: control characters other
    than a new line and a tab, and what reorders characters."""
    if text.isascii() and text.isprintable():
        return False
    lines = text.replace("\r\n", "\n")
    return any(c in _REORDERING or (unicodedata.category(c) == "Cc" and c not in "\n\t") for c in lines)


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
