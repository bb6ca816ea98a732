"""One database connection kept per thread for the intake: no set-up, no health query, and never a wait of five seconds.

Django's own connection asks before each request whether it is still there and has no deadline but the server's. The intake
needs the opposite: try at once, open a new connection when the old one is gone, and give up in time to answer 503.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Sequence

import psycopg

from revops.quick_connection import STATEMENT_SECONDS, Row, connect


class _OpenConnection:
    """Closes its connection when the thread that holds it ends."""

    def __init__(self) -> None:
        milliseconds = int(STATEMENT_SECONDS * 1000)
        self.connection = connect(
            "revops intake",
            f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds} -c synchronous_commit=on -c timezone=UTC",
        )
        _open.add(self)

    def close(self) -> None:
        self.connection.close()

    __del__ = close


_local = threading.local()
_open: weakref.WeakSet[_OpenConnection] = weakref.WeakSet()


def fetch_one(query: bytes, values: Sequence[object]) -> Row | None:
    """Run one prepared statement in its own transaction and return its first row.

    A statement that fails because the kept connection was gone is tried once more on a new one: the caller's statement must
    bear being run twice. Raises `psycopg.Error`.
    """
    started = time.monotonic()
    while True:
        kept: _OpenConnection | None = getattr(_local, "open", None)
        fresh = kept is None
        if kept is None:
            _local.open = kept = _OpenConnection()
        try:
            return kept.connection.execute(query, values, prepare=True).fetchone()
        except psycopg.Error:
            if not kept.connection.closed and kept.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
                raise  # the server refused this statement; the connection is well
            kept.close()
            _local.open = None
            if fresh or time.monotonic() - started > 1.0:
                raise


def close_all() -> None:
    """Close every kept connection of this process, so that the database can be dropped; threads open new ones."""
    for kept in list(_open):
        kept.close()
