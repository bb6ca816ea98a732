"""The one way a body is read: strict JSON, so that two readers of the same bytes cannot see two requests.

Refused: more than `BODY_BYTES_MAX`, other encodings than UTF-8, equal keys twice, `NaN` and infinities, nesting deeper than
`DEPTH_MAX`, and texts with NUL or half a surrogate pair, which no column can keep. Fractions become `Decimal`, never float.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import IO, Any, NoReturn

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

BODY_BYTES_MAX = 1024 * 1024
DEPTH_MAX = 32


class BodyTooLarge(APIException):
    status_code = 413
    default_code = "body_too_large"
    default_detail = f"A body has at most {BODY_BYTES_MAX // 1024} KiB."


class StrictJson(JSONParser):
    """`application/json`, strictly. Raises a 400 or 413 that never quotes the body."""

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        body = stream.read(BODY_BYTES_MAX + 1)
        if len(body) > BODY_BYTES_MAX:
            raise BodyTooLarge()
        try:
            value = json.loads(body.decode("utf-8"), parse_float=_fraction, parse_constant=_constant, object_pairs_hook=_unique)
        except (ValueError, RecursionError):
            raise ParseError("The body is not well-formed JSON in UTF-8.") from None
        _check(value, DEPTH_MAX)
        return value


def _fraction(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ParseError("A number is outside any range that means something.") from None


def _constant(name: str) -> NoReturn:
    raise ParseError("NaN and Infinity are not JSON.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ParseError("The body says one key twice.")
    return found


def _check(value: Any, depth: int) -> None:
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise ParseError("A text holds NUL or half a surrogate pair.")
    elif isinstance(value, dict | list):
        if depth == 0:
            raise ParseError(f"The body is nested deeper than {DEPTH_MAX} levels.")
        for part in (*value, *value.values()) if isinstance(value, dict) else value:
            _check(part, depth - 1)
