"""The one body that success and failure share."""

from __future__ import annotations

import uuid
from typing import Any

from demo.simulators.vendor import Response


def success(data: Any, **more: Any) -> Response:
    """`result: true` with the data."""
    body = {
        "result": True, "errorCode": None, "errorDesc": None, "requestId": str(uuid.uuid4()), "data": data, "message": None,
    }  # fmt: skip
    return Response.of(body | more)


def failure(status: int, code: str | None, text: str, data: Any = None) -> Response:
    """`result: false`; the HTTP status may well be 200."""
    body = {
        "result": False, "errorCode": code, "errorDesc": text, "requestId": str(uuid.uuid4()), "data": data, "message": None,
    }  # fmt: skip
    return Response.of(body, status)
