"""What this process remembers of a connection: short-lived values such as tokens, and how many calls it has made.

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


class Bucket:
    """A token bucket: `per_minute` requests, refilled evenly. Says how long to wait instead of waiting."""

    def __init__(self, per_minute: int) -> None:
        self._lock = threading.Lock()
        self._rate = per_minute / 60
        self._capacity = self._left = float(per_minute)
        self._at = time.monotonic()

    def take(self) -> float:
        """Seconds until the next request may go; 0.0 when it may go now and has been counted."""
        with self._lock:
            now = time.monotonic()
            self._left = min(self._capacity, self._left + (now - self._at) * self._rate)
            self._at = now
            if self._left >= 1:
                self._left -= 1
                return 0.0
            return (1 - self._left) / self._rate


_lock = threading.Lock()
_memories: dict[str, Memory] = {}
_buckets: dict[tuple[str, str, int], Bucket] = {}


def memory_for(config: Config) -> Memory:
    identity = "\0".join([config.slug, config.base_url, *(f"{k}={v}" for k, v in sorted(config.settings.items()))])
    key = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
    with _lock:
        if len(_memories) > 500:
            _memories.clear()
        return _memories.setdefault(key, Memory())


def bucket_for(config: Config, per_minute: int) -> Bucket:
    with _lock:
        return _buckets.setdefault((config.slug, config.base_url, per_minute), Bucket(per_minute))
