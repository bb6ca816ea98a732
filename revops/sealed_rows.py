"""Which rows are not sealed with the newest key. A model names its sealed column as `sealed_column`; `manage.py reseal` seals."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.db import connection
from django.db.models import Model
from psycopg import sql

from revops.sealing import head_of_newest, heads_of_known

NAMED_MAX = 5
_OTHERS = sql.SQL(
    "SELECT {key}::text FROM {table} WHERE octet_length({column}) > 0 AND NOT substring({column} FOR %s) = ANY(%s) ORDER BY 1"
)


def sealed_with_old_key() -> int:
    """How many rows of all models. The older key must stay configured until it is none."""
    return sum(len(keys) for _, keys in _sealed_with_others([head_of_newest()]))


def warnings() -> list[str]:
    """A sentence on what no configured key opens, and one while a row is sealed with an older key."""
    found = []
    shut = [f"{model._meta.verbose_name} {key}" for model, keys in _sealed_with_others(heads_of_known()) for key in keys]
    if shut:
        named = ", ".join(shut[:NAMED_MAX]) + (f" and {len(shut) - NAMED_MAX} more" if len(shut) > NAMED_MAX else "")
        found.append(
            f"No key in REVOPS_ENCRYPTION_KEY opens the secrets of {named}: put the key that sealed them behind the first."
        )
    if old := sealed_with_old_key() - len(shut):
        rows = "1 secret is" if old == 1 else f"{old} secrets are"
        found.append(f"{rows} sealed with an older key: run `manage.py reseal`, then take that key away.")
    return found


def _sealed_with_others(heads: list[bytes]) -> Iterator[tuple[type[Model], list[str]]]:
    """The rows of each model whose envelope begins with none of these."""
    with connection.cursor() as cursor:
        for model in apps.get_models():
            if name := getattr(model, "sealed_column", ""):
                table, key = model._meta.db_table, model._meta.pk
                names = {"column": name, "table": table, "key": key.column}
                cursor.execute(
                    _OTHERS.format(**{part: sql.Identifier(str(word)) for part, word in names.items()}), [len(heads[0]), heads]
                )
                yield model, [str(row[0]) for row in cursor.fetchall()]
