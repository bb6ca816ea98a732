"""How fresh what we show is, per system and object type."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import connection

from revops.ledger.models import Freshness, SourceSystem
from revops.ledger.types import TYPES


@dataclass(frozen=True, slots=True)
class FreshnessLine:
    """One system and object type as a page shows it. `lag_seconds` counts since the last complete read; None = never read.
    Beyond `stale_after_seconds` it is stale."""

    system: str
    label: str
    role: str
    object_type: str
    object_label: str
    read_through_at: dt.datetime | None
    last_change_at: dt.datetime | None
    lag_seconds: int | None
    stale: bool
    stale_after_seconds: int = 900


def note_changes(system: str, object_types: Iterable[str], *, at: dt.datetime) -> None:
    """Something of these types changed. Called by `ledger.record` in its transaction, which may be long: where another
    transaction is noting the same at this moment, its time will do, and nobody waits."""
    types = sorted(set(object_types))
    if not types:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH known AS (
                SELECT id, object_type FROM ledger_freshness WHERE system_id = %s AND object_type = ANY(%s)),
            noted AS (
                UPDATE ledger_freshness f SET last_change_at = GREATEST(f.last_change_at, %s)
                 WHERE f.id IN (SELECT id FROM ledger_freshness WHERE id IN (SELECT id FROM known) FOR UPDATE SKIP LOCKED))
            SELECT object_type FROM known
            """,
            [system, types, at],
        )
        known = {row[0] for row in cursor.fetchall()}
    _upsert(system, set(types) - known, "last_change_at", at)


def read_through(
    system: str, object_types: Iterable[str], at: dt.datetime, *, stale_after: Mapping[str, int] | None = None
) -> None:
    """A complete read has covered everything of these types up to `at` (aware UTC). `stale_after` gives seconds by type where
    the default does not fit: what is read every few hours on purpose is not stale after a quarter of an hour."""
    _upsert(system, object_types, "read_through_at", at)
    for object_type, seconds in (stale_after or {}).items():
        Freshness.objects.filter(system=system, object_type=object_type).exclude(stale_after_seconds=seconds).update(
            stale_after_seconds=seconds
        )


def role_read_through(role: str, object_type: str) -> dt.datetime | None:
    """Up to when (aware UTC) everything of this type is known in every system of that role; None when one was never read."""
    systems = SourceSystem.objects.filter(role=role).values_list("slug", flat=True)
    read = Freshness.objects.filter(system__role=role, object_type=object_type).values_list("system_id", "read_through_at")
    moments = [dict(read).get(slug) for slug in systems]
    known = [moment for moment in moments if moment is not None]
    return min(known) if known and len(known) == len(moments) else None


def _upsert(system: str, object_types: Iterable[str], column: str, at: dt.datetime) -> None:
    types = sorted(set(object_types))
    if not types:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO ledger_freshness AS f (system_id, object_type, {column}, stale_after_seconds)
            SELECT %s, unnest(%s::text[]), %s, 900
            ON CONFLICT (system_id, object_type) DO UPDATE SET {column} = GREATEST(f.{column}, EXCLUDED.{column})
            """,
            [system, types, at],
        )


def freshness_of(systems: Iterable[str] | None = None, *, now: dt.datetime) -> list[FreshnessLine]:
    """Freshness lines, by system and object type. Stale: no complete read within the type's limit (15 minutes by default)."""
    rows = Freshness.objects.select_related("system").order_by("system__role", "system_id", "object_type")
    if systems is not None:
        rows = rows.filter(system__in=list(systems))
    lines = []
    for row in rows:
        lag = int((now - row.read_through_at).total_seconds()) if row.read_through_at else None
        lines.append(
            FreshnessLine(
                system=row.system_id,
                label=row.system.label,
                role=row.system.role,
                object_type=row.object_type,
                object_label=TYPES.label(row.object_type),
                read_through_at=row.read_through_at,
                last_change_at=row.last_change_at,
                lag_seconds=lag,
                stale=lag is None or lag > row.stale_after_seconds,
                stale_after_seconds=row.stale_after_seconds,
            )
        )
    return lines
