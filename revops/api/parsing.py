"""The one way a body is read: strict JSON, so that two readers of the same bytes cannot see two requests.

Refused: more than `BODY_BYTES_MAX`, other encodings than UTF-8, equal keys twice, `NaN` and infinities, nesting deeper than
`DEPTH_MAX`, and texts with NUL or half a surrogate pair, which no column can keep. Fractions become `Decimal`, never float.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

from revops import strict_json

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
            return strict_json.parse(body, depth_max=DEPTH_MAX)
        except strict_json.StrictJsonError as error:
            raise ParseError(error.reason) from None
