"""What the page of a connection is made of: how far its streams are read, and what was done with it."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from revops.audit.models import ActionRecord
from revops.web.timeline import changes_of
from sync.connections import condition
from sync.models import Connection

HISTORY_MAX = 30


def streams_of(row: Connection) -> dict[str, Any]:
    """`streams`, and `reading`: whether one is read now or is due."""
    now = timezone.now()
    connector = condition.connector_or_none(row)
    found = condition.streams(row, connector) if connector else []
    return {"streams": found, "reading": row.active and any(each.reading or each.next_at <= now for each in found)}


def history_of(slug: str) -> list[tuple[ActionRecord, Any]]:
    """The newest actions on the connection, each with what it changed."""
    rows = ActionRecord.objects.filter(subject=f"connection:{slug}").select_related("actor").order_by("-id")
    return [(action, changes_of(action) if action.verb == "connection.change" else ()) for action in rows[:HISTORY_MAX]]
