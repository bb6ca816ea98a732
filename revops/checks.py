"""Start-up checks: a database that may forget a commit is refused, because every promise of this product rests on it; and so is
one that is a rehearsal where a company is run, or the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DEFAULT_DB_ALIAS, connections

MUST_BE_ON = ("fsync", "synchronous_commit", "full_page_writes")


@register(Tags.database)
def durable_commits(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Refuse fsync, synchronous_commit or full_page_writes switched off (run by `migrate` and `check --database default`)."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(MUST_BE_ON)])
            found += [
                Error(
                    f"The database '{alias}' has {name}={setting}: it may lose what it has confirmed.",
                    hint=f"Set {name}=on in postgresql.conf (or for this role) and restart PostgreSQL.",
                    id="revops.E001",
                )
                for name, setting in cursor.fetchall()
                if setting in {"off", "local"}
            ]
    return found


@register(Tags.database)
def one_kind_of_installation(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Refuse a rehearsal's database without REVOPS_DEMO, and a company's with it."""
    from revops.installation.kind import contradiction
    from revops.installation.models import Installation

    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    if Installation._meta.db_table not in connections[DEFAULT_DB_ALIAS].introspection.table_names():
        return []  # before the first migration
    why = contradiction()
    return [Error(why, id="revops.E002")] if why else []
