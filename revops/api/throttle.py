"""How often one person's programs may ask. A courtesy among users, not a security control: it lives in the cache.

Counted per person and not per token, so that a second token buys nothing. One atomic increment a request, so that parallel
requests cannot slip through together. When the cache does not answer, nobody is kept waiting.
"""

from __future__ import annotations

import time

from django.core.cache import cache
from redis import RedisError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

WINDOW_SECONDS = 60
READS_MAX = 600
CHANGES_MAX = 120
"""Requests per person and window: `GET` on one count, everything that may change something on another."""


class PerPerson(BaseThrottle):
    """Refuses with 429 and Retry-After once a window's count is used up."""

    left_seconds: float = WINDOW_SECONDS

    def allow_request(self, request: Request, view: APIView) -> bool:
        reads = request.method in SAFE_METHODS
        now = time.time()
        self.left_seconds = WINDOW_SECONDS - now % WINDOW_SECONDS
        key = f"api:{'read' if reads else 'change'}:{request.user.pk}:{int(now // WINDOW_SECONDS)}"
        try:
            cache.add(key, 0, timeout=2 * WINDOW_SECONDS)
            return int(cache.incr(key)) <= (READS_MAX if reads else CHANGES_MAX)
        except (RedisError, ValueError):  # ValueError: the count was emptied between the two steps
            return True

    def wait(self) -> float:
        """Seconds until the next window."""
        return self.left_seconds
