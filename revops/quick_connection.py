"""Database connections that give up in time: for the intake, which answers within five seconds, and for the health probes.

Django's own connection waits as long as the server does. A server that is frozen neither answers nor cancels, so the deadline of
a statement is kept on this side as well.
"""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.abc import PQGen

Value = TypeVar("Value")
Row = tuple[Any, ...]

CONNECT_SECONDS = 2
STATEMENT_SECONDS = 2.0
"""Connecting and one statement together stay below the five seconds within which the intake must answer."""

_DJANGO_ONLY = ("context", "cursor_factory", "prepare_threshold")


class QuickConnection(psycopg.Connection[Row]):
    """Raises `psycopg.OperationalError` when a statement has no answer after `STATEMENT_SECONDS`."""

    def wait(self, gen: PQGen[Value], interval: float = 0.1, timeout: float | None = None) -> Value:
        return super().wait(gen, interval, STATEMENT_SECONDS if timeout is None else timeout)


def connect(application_name: str, options: str | None = None) -> QuickConnection:
    """A new connection to Django's database, in autocommit. `options` replaces Django's own, as libpq takes them."""
    params = connections[DEFAULT_DB_ALIAS].get_connection_params()
    for name in _DJANGO_ONLY:
        params.pop(name, None)
    params |= {"connect_timeout": CONNECT_SECONDS, "application_name": application_name}
    if options is not None:
        params["options"] = options
    return QuickConnection.connect(**params, autocommit=True)
