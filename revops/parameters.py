"""Numbers that come as text, in addresses, forms and cursors. Pure."""

from __future__ import annotations

DIGITS_MAX = 18
"""The longest text of digits that always fits the database's `bigint`."""


def row_id(text: str) -> int | None:
    """The row id that a text names; None for anything that cannot be one (signs, blanks, other characters, 19 digits)."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX else None
