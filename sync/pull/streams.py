"""The queue of streams: which one is read next, and what became of the read."""

from __future__ import annotations

import datetime as dt
from contextlib import AbstractContextManager
from dataclasses import dataclass

from django.db import connection

from revops.work_queues.leases import Claim, Held
from revops.work_queues.queue import BackOff, WorkQueue


@dataclass(frozen=True, slots=True)
class StreamClaim(Claim):
    """A stream in hand; `key` is its watermark's id. `started_at` is the database's time when it was claimed."""

    slug: str
    stream: str
    value: str
    started_at: dt.datetime


STREAMS = WorkQueue(
    name="streams",
    table="sync_watermark",
    task="pull_streams",
    worker="intake",
    claimed=StreamClaim,
    columns=("q.connection_id", "q.stream", "q.value", "clock_timestamp()"),
    ready="EXISTS (SELECT 1 FROM sync_connection c WHERE c.system_id = q.connection_id AND c.active)",
    back_off=BackOff(10, 900),
    held_seconds_max=900.0,  # between two pages
)


def take_due() -> AbstractContextManager[Held[StreamClaim]]:
    """Take the stream that has been due longest, if there is one, and keep its lease until the block ends."""
    return STREAMS.take(limit=1)


def take_now(slug: str, stream: str) -> AbstractContextManager[Held[StreamClaim]]:
    """Take this stream, due or not, unless another worker reads it."""
    return STREAMS.take(limit=1, early=True, where="q.connection_id = %s AND q.stream = %s", values=[slug, stream])


def note_page(claim: StreamClaim, watermark: str) -> bool:
    """Write down how far the read has come; in the transaction that stores the page. False when the stream is not ours."""
    moved = {} if watermark == claim.value else {"moved_at": dt.datetime.now(dt.UTC)}
    return STREAMS.progress(claim, value=watermark, **moved)


def note_end(claim: StreamClaim, every_seconds: float) -> bool:
    """The window was read to its end: we have asked for everything up to the moment the pull began."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM sync_delivery")
        (last_delivery_id,) = cursor.fetchone()
    asked = {"asked_at": claim.started_at, "asked_delivery_id": last_delivery_id, "read_at": claim.started_at}
    return bool(STREAMS.write([STREAMS.repeat(claim, every_seconds, last_error="", **asked)]))


def note_pause(claim: StreamClaim) -> bool:
    """Its turn is over before its end: it goes on from its watermark."""
    return bool(STREAMS.write([STREAMS.later(claim, 0)]))


def note_failure(claim: StreamClaim, problem: str, after_seconds: float | None = None) -> bool:
    """The read failed: wait as long as the vendor asked for, or the back-off."""
    wait = None if after_seconds is None else max(1.0, min(3600.0, after_seconds))
    return bool(STREAMS.write([STREAMS.retry(claim, after_seconds=wait, last_error=problem[:1000])]))
