"""Strict JSON: exact numbers in, exact numbers out, and nothing half-understood. Pure.

What the standard parser lets through and we do not: `NaN` and infinities, numbers so large that they lose their
meaning, the last of two equal keys, thousands of nested brackets, a byte order mark. Money must never be a binary
float, so fractions become `Decimal`. Three kinds of refusal, because they have three consequences:

- `NotJson`: no message at all; a delivery is answered with 400.
- `DuplicateKey`: two values for one key, so the sender and we could read different amounts; a dead letter.
- `UnsafeText`: well-formed, but with NUL or half a surrogate pair, which a text column cannot keep; who reads field by field
  allows it and replaces the characters.

Never: a float in the result; a value that was not in the bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring_ascii
from typing import NoReturn

import orjson

DEPTH_MAX = 64
DIGITS_MAX = 40
"""No amount, id or stamp that we know of needs more digits, before or after the point."""

_TWICE = "An object gives one key twice."
_WORDS = {None: "null", True: "true", False: "false"}
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_LONG, _BEYOND_64_BITS = b"0" * DIGITS_MAX, b"0" * 19
_SUSPECT = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


class StrictJsonError(ValueError):
    """Root of the refusals. `reason` is safe to show: it never quotes the body."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotJson(StrictJsonError): ...


class DuplicateKey(StrictJsonError): ...


class UnsafeText(StrictJsonError): ...


def parse(body: bytes, *, allow_unsafe_text: bool = False, allow_duplicates: bool = False, depth_max: int = DEPTH_MAX) -> object:
    """Numbers with a point or an exponent become `Decimal`, others `int`.

    `allow_unsafe_text` is for whoever judges each text by itself, where one spoilt text must not hide the rest.
    `allow_duplicates` is for finding the id of a message that
    will be set aside.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise NotJson("The body is not UTF-8.") from None
    if text.startswith("\ufeff"):
        raise NotJson("The body starts with a byte order mark.")
    escaped = b"\\" in body
    outside = _STRINGS.sub(b"", body) if escaped else b"".join(body.split(b'"')[::2])
    _check_depth(outside, depth_max)
    digits = outside.translate(_DIGITS)
    exactly = escaped or _LONG in digits
    try:
        if not exactly and _only_short_whole_numbers(digits):
            value = orjson.loads(body)
        else:
            value = json.loads(
                text,
                parse_float=_fraction,
                parse_int=_integer if exactly else None,
                parse_constant=_constant,
                object_pairs_hook=_unique if exactly and not allow_duplicates else None,
            )
        if not exactly and not allow_duplicates and _lost_a_pair(value, body, outside):
            raise DuplicateKey(_TWICE)
    except StrictJsonError:
        raise
    except (ValueError, RecursionError):
        raise NotJson("The body is not well-formed JSON.") from None
    if escaped and not allow_unsafe_text and _SUSPECT.search(text) and _has_unsafe_text(value):
        raise UnsafeText("A text holds NUL or half a surrogate pair.")
    return value


def _only_short_whole_numbers(digits: bytes) -> bool:
    """Whether the fast parser is exact: it makes floats of fractions and of whole numbers beyond 64 bits. `digits`: the body
    without its strings, each digit a zero."""
    if b"." in digits or _BEYOND_64_BITS in digits:
        return False
    exponents = digits.count(b"e") + digits.count(b"E") - digits.count(b"true") - digits.count(b"false")
    return exponents == 0


def _lost_a_pair(value: object, body: bytes, outside: bytes) -> bool:
    """Whether the parser saw one key twice, of which it keeps the last: then writing the value gives fewer colons outside the
    strings than the body has. For bodies without escapes. Many times faster than a look at each object."""
    try:
        written = orjson.dumps(value, default=_nothing)
    except TypeError:  # a whole number beyond 64 bits
        written = json.dumps(value, separators=(",", ":"), default=_nothing).encode()
    return written != body and b"".join(written.split(b'"')[::2]).count(b":") != outside.count(b":")


def _nothing(_decimal: object) -> None:
    return None


def parse_canonical(body: bytes, *, allow_unsafe_text: bool = False) -> object:
    """Back from `canonical`: what we wrote ourselves has no key twice, no depth and no number that `parse` would not take. Text
    that no column can keep is refused all the same, unless it is allowed. Raises what `parse` raises."""
    if b"\\" in body:
        return parse(body, allow_unsafe_text=allow_unsafe_text)
    try:
        return json.loads(body, parse_float=_fraction, parse_constant=_constant)
    except ValueError:
        raise NotJson("The body is not well-formed JSON.") from None


def dump(value: object) -> bytes:
    """The same value as ASCII JSON without spaces, in the given key order; decimals keep their digits.

    Raises `TypeError` for anything that `parse` cannot have made, floats above all.
    """
    return _written(value, ordered=False)


def canonical(parsed: object) -> bytes:
    """A value that `parse` made, as JSON without spaces and with sorted keys: equal values give equal bytes.

    The fast writer does it where it is exact, which is for values without decimals and without whole numbers beyond 64 bits; it
    would write a float, so this is for parsed values only. Whatever we make up ourselves is written by `dump`.
    """
    try:
        return orjson.dumps(parsed, default=_not_exact, option=CANONICALLY)
    except TypeError:
        return _written(parsed, ordered=True)


def content_digest(value: object, ignoring: Collection[str] = ()) -> str:
    """SHA-256 (hex) of a parsed value in its canonical form, leaving out the top-level keys `ignoring`."""
    if isinstance(value, Mapping) and ignoring:
        value = {key: part for key, part in value.items() if key not in ignoring}
    return hashlib.sha256(canonical(value)).hexdigest()


def _not_exact(_value: object) -> NoReturn:
    raise TypeError


CANONICALLY = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
"""How the fast writer makes the canonical form."""


def _check_depth(outside: bytes, depth_max: int) -> None:
    """`outside`: the body without its strings."""
    if outside.count(b"[") + outside.count(b"{") <= depth_max:  # most bodies: they cannot be that deep
        return
    depth = 0
    for bracket in outside.translate(None, _NOT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > depth_max:
            raise NotJson(f"The body is nested deeper than {depth_max} levels.")


def _fraction(text: str) -> Decimal:
    if len(text) > 2 * DIGITS_MAX:
        raise NotJson("A number is too long.")
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent beyond what Decimal itself can hold
        raise NotJson("A number is outside any range that means something.") from None
    if number.adjusted() > DIGITS_MAX or number.adjusted() < -DIGITS_MAX:
        raise NotJson("A number is outside any range that means something.")
    return number


def _integer(text: str) -> int:
    if len(text) > DIGITS_MAX:
        raise NotJson("A whole number is too long.")
    return int(text)


def _constant(_name: str) -> NoReturn:
    raise NotJson("NaN and infinities are no JSON numbers.")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise DuplicateKey(_TWICE)
    return result


def _has_unsafe_text(value: object) -> bool:
    if isinstance(value, str):
        return "\x00" in value or any(0xD800 <= ord(character) <= 0xDFFF for character in value)
    if isinstance(value, dict):
        return any(_has_unsafe_text(key) or _has_unsafe_text(part) for key, part in value.items())
    if isinstance(value, list):
        return any(_has_unsafe_text(part) for part in value)
    return False


def _written(value: object, *, ordered: bool) -> bytes:
    parts: list[str] = []
    _write(value, parts, ordered)
    return "".join(parts).encode()


def _text(text: str, as_canonical: bool) -> str:
    if as_canonical:
        try:
            return orjson.dumps(text).decode()
        except TypeError:  # half of a surrogate pair
            pass
    return encode_basestring_ascii(text)


def _write(value: object, parts: list[str], ordered: bool) -> None:
    if isinstance(value, str):
        parts.append(_text(value, ordered))
    elif value is None or isinstance(value, bool):
        parts.append(_WORDS[value])
    elif isinstance(value, int):
        parts.append(str(value))
    elif isinstance(value, (dict, Mapping)):  # dict is named for speed
        before = "{"
        for key in sorted(value) if ordered else value:
            if not isinstance(key, str):
                raise TypeError("Keys are texts.")
            parts.append(f"{before}{_text(key, ordered)}:")
            _write(value[key], parts, ordered)
            before = ","
        parts.append("}" if value else "{}")
    elif isinstance(value, (list, tuple)):
        before = "["
        for part in value:
            parts.append(before)
            _write(part, parts, ordered)
            before = ","
        parts.append("]" if value else "[]")
    elif isinstance(value, Decimal) and value.is_finite():
        parts.append(f"{value:f}" if abs(value.adjusted()) <= DIGITS_MAX else str(value))
    else:
        raise TypeError(f"{type(value).__name__} has no exact JSON form.")
