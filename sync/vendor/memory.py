"""What this process remembers of a connection: short-lived values such as tokens.

Lost with the process and never shared: nothing may depend on it but courtesy and speed.
"""

from __future__ import annotations

import hashlib
import threading
import time

from sync.vendor.contract import Config


class Memory:
    """Short-lived values (tokens, pick-lists) of one connection with one set of credentials."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, tuple[float, str]] = {}

    def get(self, name: str) -> str | None:
        with self._lock:
            until, value = self._values.get(name, (0.0, ""))
            return value if until > time.monotonic() else None

    def put(self, name: str, value: str, seconds: int) -> None:
        with self._lock:
            self._values[name] = (time.monotonic() + seconds, value)

    def drop(self, name: str) -> None:
        with self._lock:
            self._values.pop(name, None)

    def values(self) -> list[str]:
        with self._lock:
            return [value for _until, value in self._values.values()]


_lock = threading.Lock()
_memories: dict[str, Memory] = {}


def memory_for(config: Config) -> Memory:
    identity = "\0".join([config.slug, config.base_url, *(f"{k}={v}" for k, v in sorted(config.settings.items()))])
    key = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
    with _lock:
        if len(_memories) > 500:
            _memories.clear()
        return _memories.setdefault(key, Memory())
