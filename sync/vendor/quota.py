"""Our own limits of calls to a connection, shared by all processes through Redis.

Each class of calls (`sync.vendor.contract.Rate`) is a token bucket: it holds the calls of one window, refilled evenly by Redis's
clock. One script looks at all classes that count a call and takes from each, or from none. A used-up bucket says how long to
wait; nothing waits here.

While Redis is away each process keeps to a quarter of every limit by itself, says so in the log once a minute and in the reason
that a waiting call gets.

Never: a secret; a call that waits.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sync.vendor.contract import Config, Rate, RetryLater

LOCAL_SHARE = 4
SAY_AGAIN_SECONDS = 60.0

_log = logging.getLogger("sync.vendor.quota")

# KEYS: one hash a class. ARGV: calls and seconds of each. Answers the seconds to wait, 0 when the call was counted.
_TAKE = """
local clock = redis.call('TIME')
local now, wait, left = clock[1] + clock[2] / 1000000, 0, {}
for i, key in ipairs(KEYS) do
  local calls, rate = tonumber(ARGV[2 * i - 1]), ARGV[2 * i - 1] / ARGV[2 * i]
  local kept = redis.call('HMGET', key, 'left', 'at')
  left[i] = math.min(calls, (tonumber(kept[1]) or calls) + math.max(0, now - (tonumber(kept[2]) or now)) * rate)
  if left[i] < 1 then wait = math.max(wait, (1 - left[i]) / rate) end
end
for i, key in ipairs(KEYS) do
  local after = left[i]
  if wait == 0 then after = after - 1 end
  redis.call('HSET', key, 'left', string.format('%.9f', after), 'at', string.format('%.6f', now))
  redis.call('EXPIRE', key, 2 * ARGV[2 * i])
end
return string.format('%.6f', wait)
"""


def server(url: str) -> redis.Redis:
    """The server at this address, asked once with little patience: the client's own repetitions would let every call wait for
    seconds while Redis is away."""
    return redis.Redis.from_url(url, socket_connect_timeout=0.5, socket_timeout=0.5, retry=Retry(NoBackoff(), 0))


class _Script(Protocol):
    def __call__(self, keys: Sequence[str], args: Sequence[int]) -> object: ...


class Bucket:
    """A token bucket in this process: `calls` every `seconds`."""

    def __init__(self, calls: int, seconds: int) -> None:
        self._lock = threading.Lock()
        self._rate = calls / seconds
        self._capacity: float = calls
        self._left: float = calls
        self._at = time.monotonic()

    def take(self) -> float:
        """Seconds until the next call may go; 0.0 when it may go now and has been counted."""
        with self._lock:
            now = time.monotonic()
            self._left = min(self._capacity, self._left + (now - self._at) * self._rate)
            self._at = now
            if self._left >= 1:
                self._left -= 1
                return 0.0
            return (1 - self._left) / self._rate


@dataclass(frozen=True, slots=True)
class Used:
    """How many of a class's calls are used up; they come back evenly over `seconds`."""

    name: str
    used: int
    calls: int
    seconds: int


class SharedQuota:
    """Fulfils `sync.vendor.http.Quota` for one connection."""

    def __init__(self, config: Config, rates: Sequence[Rate], server: Callable[[], redis.Redis]) -> None:
        self._slug = config.slug
        self._rates = [(rate, rate.calls_of(config)) for rate in rates]
        self._server = server

    def take(self, method: str, path: str) -> None:
        """Count one call in every class that it belongs to. Raises `RetryLater("quota_used_up")`."""
        del method
        rates = [(rate, calls) for rate, calls in self._rates if rate.counts(path)]
        if not rates:
            return
        away = ""
        try:
            wait = self._take_shared(rates)
        except (redis.RedisError, OSError) as error:
            wait = max(self._local(rate, calls).take() for rate, calls in rates)
            away = f" Redis is away, so this process keeps to a quarter of it ({type(error).__name__})."
            _say(self._slug, away)
        if wait > 0:
            seconds = max(1, min(3600, math.ceil(wait)))
            raise RetryLater(f"Our own quota for this connection is used up.{away}", seconds, "quota_used_up")

    def used(self) -> list[Used] | None:
        """How much of each class is used up at this moment; None when Redis does not tell."""
        found = []
        try:
            server = self._server()
            seconds, micros = server.time()
            for rate, calls in self._rates:
                left, at = server.hmget(self._key(rate), "left", "at")
                since = max(0.0, seconds + micros / 1e6 - float(at)) if at else 0.0
                now_left = min(calls, float(left) + since * calls / rate.seconds) if left else calls
                found.append(Used(rate.name, max(0, calls - math.floor(now_left)), calls, rate.seconds))
        except (redis.RedisError, OSError):
            return None
        return found

    def _key(self, rate: Rate) -> str:
        return f"revops:quota:{self._slug}:{rate.name}"

    def _take_shared(self, rates: Sequence[tuple[Rate, int]]) -> float:
        keys = [self._key(rate) for rate, _calls in rates]
        numbers = [number for rate, calls in rates for number in (calls, rate.seconds)]
        script: _Script = self._server().register_script(_TAKE)
        answer = script(keys=keys, args=numbers)
        seconds = answer.decode() if isinstance(answer, bytes) else str(answer)
        return float(seconds)

    def _local(self, rate: Rate, calls: int) -> Bucket:
        share = max(1, calls // LOCAL_SHARE)
        with _lock:
            return _local.setdefault((self._slug, rate.name, share, rate.seconds), Bucket(share, rate.seconds))


_lock = threading.Lock()
_local: dict[tuple[str, str, int, int], Bucket] = {}
_said_at: dict[str, float] = {}


def _say(slug: str, words: str) -> None:
    with _lock:
        if time.monotonic() - _said_at.get(slug, -math.inf) < SAY_AGAIN_SECONDS:
            return
        _said_at[slug] = time.monotonic()
    _log.warning("the shared quota cannot be asked: %s", words.strip(), extra={"connection": slug})
