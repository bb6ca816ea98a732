"""Which rows are still sealed with an older key. A model names its sealed column as `sealed_column`; `manage.py reseal` seals."""

from __future__ import annotations

from django.apps import apps
from django.db import connection
from psycopg import sql

from revops.sealing import head_of_newest


def sealed_with_old_key() -> int:
    """How many rows of all models. The older key must stay configured until it is none."""
    total = 0
    with connection.cursor() as cursor:
        for model in apps.get_models():
            if name := getattr(model, "sealed_column", ""):
                names = {"column": sql.Identifier(name), "table": sql.Identifier(model._meta.db_table)}
                begins = head_of_newest()
                cursor.execute(
                    sql.SQL(
                        "SELECT count(*) FROM {table} WHERE octet_length({column}) > 0 AND substring({column} FOR %s) <> %s"
                    ).format(**names),
                    [len(begins), begins],
                )
                total += int(cursor.fetchone()[0])
    return total


def warning() -> str:
    """A sentence while a row is sealed with an older key; empty otherwise."""
    count = sealed_with_old_key()
    rows = "1 secret is" if count == 1 else f"{count} secrets are"
    return f"{rows} sealed with an older key: run `manage.py reseal`, then take that key away." if count else ""
