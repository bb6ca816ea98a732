"""Values that a system wrote and that could not be taken as they are: the raw text, and why. Pure.

One of them costs the rest of its record nothing. A field that could not be read is absent, which rules take for unknown. One that
was changed a little (rounded to its currency, a character replaced) is stated, and its raw text stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

RAW_MAX = 200
AMOUNT_ROUNDED = "amount_rounded"
TEXT_REPAIRED = "text_repaired"
FORM_UNFIT = "form_unfit"
"""What stands there is written in none of the forms that the connection declares, so that it is no reference."""
NOT_IN_EVENT = "not_in_event"
"""The event names something without saying it, so that only a read of the object tells."""
STATED = frozenset({AMOUNT_ROUNDED, TEXT_REPAIRED})
"""Why a value is not quite what was written, and counts all the same."""

REASONS: Mapping[str, str] = {
    AMOUNT_ROUNDED: "It has more decimals than its currency, and was rounded.",
    TEXT_REPAIRED: "It holds a character that cannot be kept, which was replaced.",
    NOT_IN_EVENT: "The message does not say it; the object is read again.",
    "amount_decimals": "It has more decimals than its currency.",
    "amount_invalid": "It is no amount of money.",
    "amount_too_large": "It is larger than any amount that can be kept.",
    "amounts_inconsistent": "The amounts of the document do not add up.",
    "currency_mixed": "Its parts are in several currencies.",
    "currency_unknown": "Its currency is not one that we know.",
    "field_changed": "It is another kind of value than the one that belongs there.",
    "field_missing": "It is absent where it belongs.",
    FORM_UNFIT: "It is written in none of the forms that the connection declares.",
    "reference_invalid": "It is not written like an id of the system that it names.",
    "time_invalid": "It is no date or time that a business system can mean.",
    "value_unknown": "It is a word that we do not know.",
}


@dataclass(frozen=True, slots=True)
class Unread:
    """What was written in place of a value. `raw`: as text, at most `RAW_MAX` characters; of a list or an object only that it is
    one. `code`: why it was not taken as it is, a key of `REASONS`."""

    raw: str
    code: str

    @property
    def stated(self) -> bool:
        """Whether the field has a value all the same."""
        return self.code in STATED

    @property
    def why(self) -> str:
        """The code as a sentence."""
        return REASONS.get(self.code, "It could not be understood.")

    def as_json(self) -> dict[str, str]:
        """The form in which it is stored."""
        return {"code": self.code, "raw": self.raw}


NOTHING_UNREAD: Mapping[str, Unread] = {}


def storable(text: str) -> bool:
    """What a text column can keep: no NUL, no half of a surrogate pair."""
    if "\x00" in text:
        return False
    return text.isascii() or not any(0xD800 <= ord(character) <= 0xDFFF for character in text)


def repaired(text: str) -> str:
    """The text with U+FFFD in place of each character that no column can keep."""
    if storable(text):
        return text
    return "".join("\ufffd" if character == "\x00" or 0xD800 <= ord(character) <= 0xDFFF else character for character in text)


def unread_from_json(stored: object) -> dict[str, Unread]:
    """Back from what is stored, by field; nothing for None."""
    if not isinstance(stored, Mapping):
        return {}
    return {str(name): Unread(str(each.get("raw", "")), str(each.get("code", ""))) for name, each in stored.items()}
