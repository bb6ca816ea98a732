"""Somebody with SQL on the connection at hand, which is the application's, as a transaction that wants to commit."""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError, connection, transaction


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
