"""The trace and request ids of the work at hand, carried by context variables. Pure.

One trace id runs from a delivery to the confirmed posting; a request id names one HTTP request or one job run.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_trace: ContextVar[str] = ContextVar("revops_trace", default="")
_request: ContextVar[str] = ContextVar("revops_request", default="")


def new_trace_id() -> str:
    """32 lower-case hex digits, the form of a W3C trace id."""
    return secrets.token_hex(16)


def trace_id() -> str:
    return _trace.get()


def request_id() -> str:
    return _request.get()


@contextmanager
def tracing(trace: str, request: str = "") -> Iterator[None]:
    """Everything recorded inside carries these ids."""
    trace_token = _trace.set(trace or new_trace_id())
    request_token = _request.set(request or _request.get())
    try:
        yield
    finally:
        _trace.reset(trace_token)
        _request.reset(request_token)
