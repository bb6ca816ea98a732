"""Somebody with SQL: as the database account that a running application has, and as a transaction that wants to commit."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, connection, transaction
from psycopg import sql

_numbers = itertools.count()


def refusal_of(statement: str, values: Any = None) -> str:
    """What the database says when this commits; empty when it goes through. Nothing of it stays either way."""
    point = transaction.savepoint()
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what a commit asks first
        return ""
    except DatabaseError as refused:
        return str(refused)
    finally:
        transaction.savepoint_rollback(point)


def committed() -> None:
    """As if what was done so far had been committed: every deferred guard looks now."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


@contextmanager
def application() -> Iterator[None]:
    """Inside, statements run as an account that may read and write every table, owns none, and is no superuser."""
    role = sql.Identifier(f"revops_application_{os.getpid()}_{next(_numbers)}")
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN NOSUPERUSER").format(role))
        cursor.execute(sql.SQL("GRANT ALL ON ALL TABLES IN SCHEMA public TO {}").format(role))
        cursor.execute(sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}").format(role))
        cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(role))
    yield
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
