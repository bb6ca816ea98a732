"""Salesforce's ids: 15 characters where the case matters, or 18 whose last three tell the case of the others. Pure."""

from __future__ import annotations

import re

from sync.vendor.contract import Misunderstood

_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", re.ASCII)
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def full(text: str, where: str) -> str:
    """The 18-character form. Raises `Misunderstood` for wrong characters, length or checksum."""
    if not _ID.fullmatch(text):
        raise Misunderstood(f"{where} is not a Salesforce id.", "reference_invalid")
    base = text[:15]
    suffix = "".join(
        _ALPHABET[sum(1 << index for index, character in enumerate(base[start : start + 5]) if character.isupper())]
        for start in (0, 5, 10)
    )
    if len(text) == 18 and text[15:].upper() != suffix:
        raise Misunderstood(f"{where} is not a Salesforce id: its checksum is wrong.", "reference_invalid")
    return base + suffix
