"""Salesforce's ids: 15 characters where the case matters, or 18 whose last three tell the case of the others. Pure."""

from __future__ import annotations

import re

from sync.vendor.contract import Misunderstood

_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", re.ASCII)
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def full(text: str, where: str) -> str:
    """The 18-character form, also of one whose letters a script has made small or large: the last three tell which were which.
    Raises `Misunderstood` for wrong characters, length or checksum."""
    if not _ID.fullmatch(text):
        raise Misunderstood(f"{where} is not a Salesforce id.", "reference_invalid")
    base, suffix = text[:15], text[15:].upper()
    if suffix and suffix != _suffix(base) and text in (text.lower(), text.upper()):
        base = _as_told(base, suffix)
    if suffix and suffix != _suffix(base):
        raise Misunderstood(f"{where} is not a Salesforce id: its checksum is wrong.", "reference_invalid")
    return base + _suffix(base)


def _suffix(base: str) -> str:
    """Which of the fifteen characters are large letters, five to a character."""
    return "".join(
        _ALPHABET[sum(1 << index for index, character in enumerate(base[start : start + 5]) if character.isupper())]
        for start in (0, 5, 10)
    )


def _as_told(base: str, suffix: str) -> str:
    """The fifteen characters with large letters where the suffix says so, as far as it can."""
    told = [_ALPHABET.find(character) for character in suffix]
    return "".join(
        character.upper() if told[place // 5] >> place % 5 & 1 else character.lower() for place, character in enumerate(base)
    )
