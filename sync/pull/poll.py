"""Pulling: what the vendors changed since we last asked, page by page, through the same inbox as what they push.

A stream is claimed like a delivery: lease, fence, the database's clock. A page and the watermark behind it are committed
together, so a reader that dies repeats at most the page in its hand, and repeating is free. When a window was read to its
end, we know that we have asked; the ledger hears of it once everything read so far is out of the inbox (`announce_reads`),
because until then something may look missing that only waits.
"""

from __future__ import annotations

import datetime as dt
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from django.db import DatabaseError, connection, transaction

from revops.errors import RevOpsError
from revops.ledger import freshness
from sync import connections
from sync.connections import Door
from sync.ground import doorbell
from sync.ground.heartbeat import alive
from sync.intake import inbox
from sync.models import Connection, Watermark
from sync.vendor.contract import ConnectorAnswer, Page, RetryLater, Stream

LEASE_SECONDS = 120
STUCK_SECONDS = 900
"""How long a worker may talk to a vendor in one pull. Only a read that cannot stop earlier without starting over takes longer
than its turn; one that is not over by now is a failure that people must see."""
FAILURE_WAIT_SECONDS_MAX = 900
_log = logging.getLogger("sync.pull.poll")


@dataclass(frozen=True, slots=True)
class Pulled:
    """What one pull of one stream did, also while it runs. `problem` is empty when all went well; `done`: read to the end."""

    connection: str
    stream: str
    pages: int = 0
    seen: int = 0
    stored: int = 0
    conflicts: int = 0
    done: bool = False
    problem: str = ""


Progress = Callable[[Pulled], None]


@dataclass(frozen=True, slots=True)
class _Held:
    """A claimed stream. `started_at` is the database's time when it was claimed."""

    watermark_id: int
    slug: str
    stream: str
    value: str
    fence: int
    started_at: dt.datetime


class _LeaseLost(Exception):
    """Another reader took the stream over."""


def pull_due(seconds: float, progress: Progress | None = None) -> list[Pulled]:
    """Pull every stream that is due, until none is or the time is over. For workers.

    A read that is not at its end by then stops where it can go on later, so that a first load of hours holds up neither the
    other streams nor the worker's end.
    """
    deadline = time.monotonic() + seconds
    results: list[Pulled] = []
    while time.monotonic() < deadline and (held := _claim(due_only=True)) is not None:
        results.append(_pull(held, progress, deadline))
    return results


def pull_now(slug: str, stream: str, progress: Progress | None = None) -> Pulled:
    """Pull one stream at once, due or not. When another worker reads it at this moment, says so in `problem`."""
    held = _claim(due_only=False, slug=slug, stream=stream)
    if held is None:
        return Pulled(slug, stream, problem="Another worker is reading it at this moment, or it does not exist.")
    return _pull(held, progress, math.inf)


def streams_of(slug: str) -> list[str]:
    """The stream names of one connection, in its connector's order; streams that are new in this version get a watermark."""
    source = Connection.objects.get(pk=slug)
    names = [stream.name for stream in connections.connector_of(source).streams]
    Watermark.objects.bulk_create([Watermark(connection=source, stream=name) for name in names], ignore_conflicts=True)
    return names


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


# --- one stream -------------------------------------------------------------------------------------------------------


def _claim(*, due_only: bool, slug: str = "", stream: str = "") -> _Held | None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE sync_watermark SET fence = fence + 1, lease_until = clock_timestamp() + make_interval(secs => %s)
             WHERE id = (
                   SELECT w.id FROM sync_watermark w JOIN sync_connection c ON c.system_id = w.connection_id
                    WHERE c.active AND (w.lease_until IS NULL OR w.lease_until < clock_timestamp())
                      AND (NOT %s OR w.next_pull_at <= clock_timestamp())
                      AND (%s = '' OR w.connection_id = %s) AND (%s = '' OR w.stream = %s)
                    ORDER BY w.next_pull_at, w.id LIMIT 1 FOR UPDATE OF w SKIP LOCKED)
            RETURNING id, connection_id, stream, value, fence, clock_timestamp()
            """,
            [LEASE_SECONDS, due_only, slug, slug, stream, stream],
        )
        row = cursor.fetchone()
    return None if row is None else _Held(*row)


def _pull(held: _Held, progress: Progress | None, turn_ends: float) -> Pulled:
    source = Connection.objects.get(pk=held.slug)
    result = Pulled(held.slug, held.stream)
    within_seconds = STUCK_SECONDS if turn_ends < math.inf else math.inf
    try:
        door = connections.door_of(source)
        stream = _stream(source, held.stream)
        if stream is None:
            _release(held, every_seconds=FAILURE_WAIT_SECONDS_MAX)
            return replace(result, problem="This version of the connector has no such stream.")
        with connections.client_for(source, within_seconds=within_seconds) as client:
            for page in door.connector.reading().pull(client, door.config, held.stream, held.value, held.started_at):
                result = _store(held, door, page, result)
                alive()
                if progress is not None:
                    progress(result)
                if not page.done and page.watermark != held.value and time.monotonic() > turn_ends:
                    _release(held, every_seconds=0)
                    return result
    except _LeaseLost:
        return replace(result, problem="Another worker took the stream over.")
    except RetryLater as answer:
        return replace(result, problem=_failed(held, answer.reason, answer.after_seconds))
    except ConnectorAnswer as answer:
        return replace(result, problem=_failed(held, answer.reason))
    except RevOpsError as error:
        return replace(result, problem=_failed(held, error.message))
    except DatabaseError:
        raise  # without a database nothing can be noted down either: the lease runs out
    except Exception as error:
        _log.exception("a connector failed while reading", extra={"connection": held.slug, "stream": held.stream})
        return replace(result, problem=_failed(held, f"The connector failed ({type(error).__name__})."))
    if not result.done:
        return replace(result, problem=_failed(held, "The connector ended the read before its end."))
    _complete(held, stream)
    return result


def _store(held: _Held, door: Door, page: Page, result: Pulled) -> Pulled:
    """Commit the page and the watermark behind it together, and renew the lease."""
    with transaction.atomic():
        stored = inbox.store_page(door, page.items)
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE sync_watermark
                   SET moved_at = CASE WHEN value <> %s THEN clock_timestamp() ELSE moved_at END, value = %s,
                       lease_until = clock_timestamp() + make_interval(secs => %s)
                 WHERE id = %s AND fence = %s
                """,
                [page.watermark, page.watermark, LEASE_SECONDS, held.watermark_id, held.fence],
            )
            if cursor.rowcount == 0:
                raise _LeaseLost
    if stored.new:
        doorbell.ring("apply_deliveries")
    return replace(
        result,
        pages=result.pages + 1,
        seen=result.seen + len(page.items),
        stored=result.stored + stored.new,
        conflicts=result.conflicts + stored.conflicts,
        done=page.done,
    )


def _complete(held: _Held, stream: Stream) -> None:
    """The window was read to its end: we have asked for everything up to the moment the pull began."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE sync_watermark
               SET lease_until = NULL, failures = 0, last_error = '', asked_at = %s,
                   asked_delivery_id = (SELECT last_value FROM sync_delivery_id_seq),
                   next_pull_at = clock_timestamp() + make_interval(secs => %s)
             WHERE id = %s AND fence = %s
            """,
            [held.started_at, stream.every_seconds, held.watermark_id, held.fence],
        )
    if not Watermark.objects.filter(connection=held.slug, failures__gt=0).exists():
        connections.note_problem(held.slug, "")
    announce_reads()


def _release(held: _Held, *, every_seconds: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE sync_watermark SET lease_until = NULL, next_pull_at = clock_timestamp() + make_interval(secs => %s)
             WHERE id = %s AND fence = %s
            """,
            [every_seconds, held.watermark_id, held.fence],
        )


def _failed(held: _Held, problem: str, after_seconds: int | None = None) -> str:
    """Write the failure down and wait: as long as the vendor asked for, else 10, 20, 40 seconds ... a quarter of an hour."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE sync_watermark
               SET lease_until = NULL, failures = failures + 1, last_error = %s,
                   next_pull_at = clock_timestamp() + make_interval(
                       secs => COALESCE(%s, LEAST(%s, 10 * power(2, LEAST(failures, 10)))))
             WHERE id = %s AND fence = %s
            """,
            [
                problem[:1000],
                None if after_seconds is None else max(1, min(3600, after_seconds)),
                FAILURE_WAIT_SECONDS_MAX,
                held.watermark_id,
                held.fence,
            ],
        )
    connections.note_problem(held.slug, f"Reading {held.stream}: {problem}")
    _log.warning("a pull failed", extra={"connection": held.slug, "stream": held.stream, "problem": problem})
    return problem


def _stream(source: Connection, name: str) -> Stream | None:
    streams: Sequence[Stream] = connections.connector_of(source).streams
    return next((stream for stream in streams if stream.name == name), None)
