"""Looking through the dead letters for something that is missing elsewhere."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

from sync.models import DeliveryState

LOOKED_AT_MAX = 5000
"""The latest dead letters of the systems: there should be few, and each holds a body."""

_HOLDING = """
    SELECT count(*) FROM (
        SELECT body FROM sync_delivery WHERE connection_id = ANY(%s) AND state = %s ORDER BY id DESC LIMIT %s) AS letters
     WHERE EXISTS (SELECT FROM unnest(%s::bytea[]) AS t(part) WHERE position(t.part IN letters.body) > 0)
"""


def dead_letters_holding(systems: Collection[str], texts: Collection[str]) -> int:
    """How many of the latest dead letters of these systems hold one of the texts, as UTF-8, in their body."""
    with connection.cursor() as cursor:
        parts = [text.encode() for text in texts]
        cursor.execute(_HOLDING, [list(systems), DeliveryState.QUARANTINED.value, LOOKED_AT_MAX, parts])
        found: int = cursor.fetchone()[0]
    return found
