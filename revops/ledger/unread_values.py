"""Which values of which system could not be read, counted by field. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from revops.ledger.types import TYPES
from revops.ledger.unread import STATED, Unread


@dataclass(frozen=True, slots=True)
class UnreadField:
    """A field that is unread in so many live records of a system. `record_id` and `example` are one of them, the newest made."""

    system: str
    object_type: str
    field: str
    count: int
    record_id: int
    example: Unread

    @property
    def label(self) -> str:
        """What people call the field."""
        declared = TYPES.get(self.object_type)
        if declared is None:
            return self.field
        return declared.field_label(self.field) if self.field in declared.fields else declared.role_label(self.field)

    @property
    def type_label(self) -> str:
        return TYPES.label(self.object_type)


_COUNTED = """
    SELECT r.system_id, r.object_type, u.key, count(*), max(r.id),
           (array_agg(u.value->>'raw' ORDER BY r.id DESC))[1], (array_agg(u.value->>'code' ORDER BY r.id DESC))[1]
      FROM ledger_sourcerecord r CROSS JOIN LATERAL jsonb_each(r.unread) u
     WHERE r.unread IS NOT NULL AND NOT r.deleted AND NOT u.value->>'code' = ANY(%s) AND (%s::text IS NULL OR r.system_id = %s)
     GROUP BY r.system_id, r.object_type, u.key ORDER BY r.system_id, r.object_type, u.key
"""


def unread_fields(system: str | None = None) -> list[UnreadField]:
    """The fields without a value because it could not be read, of one system or of all. What was only rounded or repaired has a
    value and is not counted. One query, answered by an index over the records that have any."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED, [sorted(STATED), system, system])
        rows = cursor.fetchall()
    return [UnreadField(row[0], row[1], row[2], row[3], row[4], Unread(row[5], row[6])) for row in rows]
