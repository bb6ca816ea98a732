"""How far we have read, told to the ledger once what was read is out of the inbox.

When a window was read to its end we know that we have asked. Until its deliveries are applied, something may look missing that
only waits; so the ledger hears of it afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection, transaction

from revops.ledger import freshness
from sync import connections
from sync.models import Connection, Watermark
from sync.vendor.contract import Stream


def announce_reads() -> int:
    """Tell the ledger how far we have read, for windows whose deliveries are all out of the inbox. Returns how many.

    Safe to call at any time and from many processes.
    """
    announced = 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT w.id, w.connection_id, w.stream, w.asked_at FROM sync_watermark w
             WHERE w.asked_at IS NOT NULL AND NOT EXISTS (
                   SELECT 1 FROM sync_delivery d
                    WHERE d.connection_id = w.connection_id AND d.state = 'pending' AND d.id <= w.asked_delivery_id
                      AND d.reason_code <> 'reread')
             ORDER BY w.id FOR UPDATE OF w SKIP LOCKED
            """
        )
        for watermark_id, slug, name, asked_at in cursor.fetchall():
            streams = connections.connector_of(Connection.objects.get(pk=slug)).streams
            stream = next((found for found in streams if found.name == name), None)
            if stream is not None:
                freshness.read_through(slug, stream.object_types, asked_at, stale_after=_limits(stream, streams))
            Watermark.objects.filter(pk=watermark_id).update(asked_at=None)
            announced += 1
    return announced


def _limits(stream: Stream, streams: Sequence[Stream]) -> dict[str, int]:
    """Seconds by object type after which it is stale: three turns of the stream that reads it most often, and never less than
    a quarter of an hour."""
    every = {t: min(s.every_seconds for s in streams if t in s.object_types) for t in stream.object_types}
    return {object_type: max(900, 3 * seconds) for object_type, seconds in every.items()}
