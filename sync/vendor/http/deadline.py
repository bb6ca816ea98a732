"""The moment at which a request must be over, and connections that end there. Pure sockets: no vendor, no request."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any

import httpcore2


class Deadline(threading.local):
    """When the request that this thread is sending must be over (monotonic seconds), and whether it may change something."""

    at: float = math.inf
    unsafe: bool = False

    def __init__(self, before_write: Callable[[], None]) -> None:
        self.before_write = before_write

    def cap(self, timeout: float | None) -> float:
        left = self.at - time.monotonic()
        return left if timeout is None else min(left, timeout)


class TimedStream(httpcore2.NetworkStream):
    """A connection whose reads and writes end at the deadline, however slowly the bytes drip."""

    def __init__(self, inner: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        capped = self._deadline.cap(timeout)
        if capped <= 0:
            raise httpcore2.ReadTimeout("The deadline has passed.")
        return self._inner.read(max_bytes, capped)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._deadline.before_write()
        capped = self._deadline.cap(timeout)
        if capped <= 0:
            raise httpcore2.WriteTimeout("The deadline has passed.")
        self._inner.write(buffer, capped)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        capped = max(self._deadline.cap(timeout), 0.001)
        return TimedStream(self._inner.start_tls(ssl_context, server_hostname, capped), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
