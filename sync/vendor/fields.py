"""Bodies, envelopes and single values of a vendor's JSON: the right kind of value, or `Misunderstood` with a reason. Pure.

What an object says is read by its declared model (`sync.vendor.objects`). `Payload` reads what has no model: the envelope of an
answer, and fields whose names the settings of a connection give. A reason names the field and the class of the value found there
(text, number, list, nothing), never the value itself; `Misunderstood.raw` carries that. `maybe` means absent or null
is understood as None.

Never: a guess, a default in place of a missing needed field, a float.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, TypeVar

from revops import strict_json
from revops.errors import Rejected
from revops.money import Money
from sync.vendor.contract import Incoming, Item, Misunderstood, Refused, Response, RetryLater, Unreadable

Choice = TypeVar("Choice")

TEXT_MAX = 4000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,19}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", re.ASCII)


def item_of(object_type: str, identity: str, value: Mapping[str, object]) -> Item:
    """What a read returned, as it is kept: its canonical JSON. `identity`: the vendor's id, with its stamp where there is one."""
    body = strict_json.canonical(value)
    digest = hashlib.sha256(body).hexdigest()
    # A text that no column can keep is written with a backslash; who parses the body finds it.
    parsed = None if b"\\" in body else value
    return Item(object_type, f"{object_type}:{identity}:{digest[:32]}", body, parsed=parsed, digest=digest)


def body_of(incoming: Incoming) -> Mapping[str, object]:
    """What came in as one object; a text in it may hold characters that no column can keep (`values.Stated`). Raises
    `Misunderstood` for anything that is set aside for a person."""
    if incoming.parsed is not None:
        return incoming.parsed
    return _message(incoming.body, strict_json.parse_canonical if incoming.kind == "read" else strict_json.parse)


def message(body: bytes) -> Mapping[str, object]:
    """A vendor's body as one object. Raises `Misunderstood` for anything that is set aside for a person."""
    return _message(body, strict_json.parse)


class _Parse(Protocol):
    def __call__(self, body: bytes, *, allow_unsafe_text: bool = False) -> object: ...


def _message(body: bytes, parse: _Parse) -> Mapping[str, object]:
    try:
        value = parse(body, allow_unsafe_text=True)
    except strict_json.StrictJsonError as error:
        raise Misunderstood(error.reason, "body_unsafe") from None
    if not isinstance(value, dict):
        raise Misunderstood(f"The body is {kind_of(value)}, not an object.", "body_shape")
    return value


def peek(body: bytes) -> Mapping[str, object]:
    """A body as one object just to find its key: duplicate keys and unsafe text are judged later, by `message`.
    Raises `Unreadable` when it is no object at all."""
    try:
        value = strict_json.parse(body, allow_unsafe_text=True, allow_duplicates=True)
    except strict_json.StrictJsonError as error:
        raise Unreadable(error.reason) from None
    if not isinstance(value, dict):
        raise Unreadable(f"The body is {kind_of(value)}, not an object.")
    return value


def answer_of(answer: Response, name: str) -> Payload:
    """The object that an answer with HTTP 200 holds. Raises `Refused("vendor_refused")` for another status and
    `RetryLater("unreadable_answer")` for anything but an object."""
    if answer.status != 200:
        raise Refused(f"The vendor refuses {name} with HTTP {answer.status}.", "vendor_refused")
    value = answer.json()
    if not isinstance(value, dict):
        raise RetryLater(f"{name} is {kind_of(value)}, not an object.", 60, "unreadable_answer")
    return Payload(name, value)


def key_of(body: bytes, field: str) -> str:
    """The text under which copies of a delivery are one. Raises `Unreadable` when there is none of 1 to 100 characters."""
    key = peek(body).get(field)
    if not isinstance(key, str) or not 0 < len(key) <= 100:
        raise Unreadable(f"The body has no {field}.")
    return key


def or_none(text: str | None) -> str | None:
    """A text that an object may lack: empty is None, and a longer one than the ledger keeps is cut."""
    return text[:TEXT_MAX] if text else None


def our_word(value: str, choices: Mapping[str, Choice], where: str) -> Choice:
    """Our word for the vendor's. A word from the future is `Misunderstood`."""
    if value not in choices:
        raise Misunderstood(f"{where} holds a word that we do not know.", "value_unknown", raw=value)
    return choices[value]


def kind_of(value: object) -> str:
    """The class of a JSON value in words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, Decimal)):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"


def word(value: object) -> str:
    """The value for a reason when it is one harmless word such as an event type or error code, else its class."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else kind_of(value)


def last_line(value: object, length_max: int = 200) -> str:
    """The last line of a vendor's text that says something, its printable characters; empty when it is no text."""
    lines = [line.strip() for line in value.splitlines() if line.strip()] if isinstance(value, str) else []
    return "".join(character for character in lines[-1] if character.isprintable())[:length_max] if lines else ""


def decimal_text(text: str) -> Decimal | None:
    """A number written as text, or None when it is none."""
    return Decimal(text) if _DECIMAL.fullmatch(text) else None


def money(amount: Decimal, currency: str, where: str) -> Money:
    """`Money` in major units; what money does not allow becomes `Misunderstood`."""
    try:
        return Money(amount, currency)
    except Rejected as error:
        raise Misunderstood(f"{where} is no amount of money: {error.code}.", error.code, raw=f"{amount} {currency}") from None


def rounded_money(amount: Decimal, currency: str, where: str) -> Money:
    """`Money` of an amount that we compute, rounded half to even."""
    try:
        return Money.rounded(amount, currency)
    except Rejected as error:
        raise Misunderstood(f"{where} is no amount of money: {error.code}.", error.code, raw=f"{amount} {currency}") from None


def instant(text: str, where: str) -> dt.datetime:
    """ISO 8601 with a zone, as aware UTC."""
    try:
        value = dt.datetime.fromisoformat(text)
    except ValueError:
        raise Misunderstood(f"{where} is not a date and time.", "time_invalid", raw=text) from None
    if value.tzinfo is None:
        raise Misunderstood(f"{where} has no time zone.", "time_invalid", raw=text)
    return believable(value.astimezone(dt.UTC), where)


def day(text: str, where: str) -> dt.date:
    """`YYYY-MM-DD`."""
    try:
        if len(text) != 10:
            raise ValueError
        return dt.date.fromisoformat(text)
    except ValueError:
        raise Misunderstood(f"{where} is not a day.", "time_invalid", raw=text) from None


def epoch_milliseconds(count: int | Decimal, where: str) -> dt.datetime:
    """Milliseconds since 1970 as aware UTC."""
    try:
        value = _EPOCH + dt.timedelta(microseconds=int(count * 1000))
    except OverflowError:
        raise Misunderstood(f"{where} is no believable time.", "time_invalid", raw=count) from None
    return believable(value, where)


def believable(value: dt.datetime, where: str) -> dt.datetime:
    """The same instant when a business system can mean it: 1990 to 2200."""
    if not 1990 <= value.year <= 2200:
        raise Misunderstood(f"{where} is no believable time.", "time_invalid", raw=value.isoformat())
    return value


@dataclass(frozen=True, slots=True)
class Payload:
    """One JSON object with the name under which reasons speak of it."""

    name: str
    data: Mapping[str, object]

    def where(self, field: str) -> str:
        return f"{self.name}.{field}"

    def misunderstood(self, field: str, wanted: str) -> Misunderstood:
        """The refusal for a field that holds something else than `wanted`."""
        found = kind_of(self.data[field]) if field in self.data else "absent"
        code = "field_missing" if field not in self.data else "field_changed"
        raw = self.data.get(field)
        return Misunderstood(f"{self.where(field)} should be {wanted} and is {found}.", code, raw=raw)

    def has(self, field: str) -> bool:
        return self.data.get(field) is not None

    def text(self, field: str) -> str:
        value = self.data.get(field)
        if not isinstance(value, str) or not value:
            raise self.misunderstood(field, "a text")
        return value

    def maybe_text(self, field: str, length_max: int = 4000) -> str | None:
        """Absent, null and empty are None; longer texts are cut."""
        value = self.data.get(field)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise self.misunderstood(field, "a text or nothing")
        return value[:length_max]

    def whole(self, field: str) -> int:
        value = self.data.get(field)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.misunderstood(field, "a whole number")
        return value

    def number(self, field: str) -> Decimal:
        value = self.data.get(field)
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise self.misunderstood(field, "a number")
        return Decimal(value)

    def written_number(self, field: str) -> Decimal:
        """A number that the vendor writes as text."""
        value = decimal_text(self.text(field))
        if value is None:
            raise self.misunderstood(field, "a number written as text")
        return value

    def flag(self, field: str) -> bool:
        value = self.data.get(field)
        if not isinstance(value, bool):
            raise self.misunderstood(field, "true or false")
        return value

    def child(self, field: str) -> Payload:
        value = self.data.get(field)
        if not isinstance(value, dict):
            raise self.misunderstood(field, "an object")
        return Payload(self.where(field), value)

    def maybe_child(self, field: str) -> Payload:
        """The object, or an empty one when it is absent or null."""
        return self.child(field) if self.has(field) else Payload(self.where(field), {})

    def children(self, field: str) -> Iterator[Payload]:
        value = self.data.get(field)
        if not isinstance(value, list):
            raise self.misunderstood(field, "a list")
        for part in value:
            if not isinstance(part, dict):
                raise Misunderstood(f"{self.where(field)} holds {kind_of(part)} among objects.", "field_changed")
            yield Payload(self.where(field), part)
