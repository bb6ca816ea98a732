from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import DatabaseError


class SyncConfig(AppConfig):
    name = "sync"
    label = "sync"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        register(this_machine_is_for_rehearsals, Tags.database)


def this_machine_is_for_rehearsals(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Warn of connections to this machine itself outside a rehearsal's database. They are refused whenever they are used."""
    from revops.installation.kind import is_rehearsal
    from sync.models import Connection

    try:
        if not databases or is_rehearsal():
            return []
        found = list(Connection.objects.filter(active=True, base_url__startswith="http://").values_list("pk", flat=True))
    except DatabaseError:  # before the first migration there is no table
        return []
    told = f"These connections name this machine itself, which only a rehearsal may: {', '.join(map(str, found))}."
    hint = "Nothing is read from them or posted to them. Give them the address of the system, or pause them."
    return [Warning(told, hint=hint, id="revops.W002")] if found else []
