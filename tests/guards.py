"""The database without its guards, as a superuser could have it: plant what is impossible, and see the next guard hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def down() -> Iterator[None]:
    """Inside, no trigger fires on this connection: no history is demanded, no role refused, nothing frozen."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
    yield
    with connection.cursor() as cursor:
        cursor.execute("RESET session_replication_role")
