"""Start-up checks: a database that may forget a commit is refused, because every promise of this product rests on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

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
