"""One database connection kept per thread for the intake: no set-up, no health query, and never a wait of five seconds.

Django's own connection asks before each request whether it is still there and has no deadline but the server's. The intake
needs the opposite: try at once, open a new connection when the old one is gone, and give up in time to answer 503.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Sequence
from typing import Any, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.abc import PQGen

Value = TypeVar("Value")
Row = tuple[Any, ...]

CONNECT_SECONDS = 2
STATEMENT_SECONDS = 2.0
"""Connecting and one statement together stay below the five seconds within which the intake must answer."""

_NOT_FOR_LIBPQ = ("context", "cursor_factory", "prepare_threshold")


class _Hasty(psycopg.Connection[Row]):
    """Gives up on a statement even when the server is frozen and could not cancel it."""

    def wait(self, gen: PQGen[Value], interval: float = 0.1, timeout: float | None = None) -> Value:
        return super().wait(gen, interval, STATEMENT_SECONDS if timeout is None else timeout)


class _Kept:
    """Closes its connection when the thread that holds it ends."""

    def __init__(self) -> None:
        params = connections[DEFAULT_DB_ALIAS].get_connection_params()
        for name in _NOT_FOR_LIBPQ:
            params.pop(name, None)
        milliseconds = int(STATEMENT_SECONDS * 1000)
        params["connect_timeout"] = CONNECT_SECONDS
        params["options"] = (
            f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds} -c synchronous_commit=on -c timezone=UTC"
        )
        params["application_name"] = "revops intake"
        self.connection = _Hasty.connect(**params, autocommit=True)
        _open.add(self)

    def close(self) -> None:
        self.connection.close()

    __del__ = close


_local = threading.local()
_open: weakref.WeakSet[_Kept] = weakref.WeakSet()


def fetch_one(query: bytes, values: Sequence[object]) -> Row | None:
    """Run one prepared statement in its own transaction and return its first row.

    A statement that fails because the kept connection was gone is tried once more on a new one: the caller's statement must
    bear being run twice. Raises `psycopg.Error`.
    """
    started = time.monotonic()
    while True:
        kept: _Kept | None = getattr(_local, "kept", None)
        fresh = kept is None
        if kept is None:
            _local.kept = kept = _Kept()
        try:
            return kept.connection.execute(query, values, prepare=True).fetchone()
        except psycopg.Error:
            if not kept.connection.closed and kept.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
                raise  # the server refused this statement; the connection is well
            kept.close()
            _local.kept = None
            if fresh or time.monotonic() - started > 1.0:
                raise


def close_all() -> None:
    """Close every kept connection of this process, so that the database can be dropped; threads open new ones."""
    for kept in list(_open):
        kept.close()
