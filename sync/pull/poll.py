"""Pulling: what the vendors changed since we last asked, page by page, through the same inbox as what they push.

A page and the watermark behind it are committed together, so a reader that dies repeats at most the page in its hand, and
repeating is free. A pull may be given a judge, which says in the same transaction what becomes of the new items; that of the
workers records them in the ledger (`sync.applying.straight`). When a window was read to its end, the ledger hears of it as
`sync.intake.announce` says.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from django.db import DatabaseError, transaction

from revops.errors import RevOpsError
from revops.work_queues.leases import Held, LeaseLost
from sync import connections
from sync.connections import ConnectionHandle
from sync.ground import doorbell
from sync.ground.heartbeat import alive
from sync.intake import inbox
from sync.intake.announce import announce_reads
from sync.intake.inbox import Arrived, Judge, JudgeOfPage, arrived
from sync.models import Connection, Watermark
from sync.pull import streams
from sync.pull.ahead import read_ahead
from sync.pull.streams import StreamClaim
from sync.vendor.contract import ConnectorAnswer, Page, RetryLater, Stream

STUCK_SECONDS = 900
"""How long a worker may talk to a vendor in one pull. Only a read that cannot stop earlier without starting over takes longer
than its turn; one that is not over by now is a failure that people must see."""
NO_STREAM_SECONDS = 900
_log = logging.getLogger("sync.pull.poll")


@dataclass(frozen=True, slots=True)
class Pulled:
    """What one pull of one stream did, also while it runs. `problem` is empty when all went well; `done`: read to the end;
    `busy`: nothing was done, because another worker reads the stream."""

    connection: str
    stream: str
    pages: int = 0
    seen: int = 0
    stored: int = 0
    conflicts: int = 0
    done: bool = False
    busy: bool = False
    problem: str = ""


TOGETHER_FIRST, TOGETHER_MAX = 100, 800
TOGETHER_SECONDS = 2.0
"""How many items go into the ledger in one transaction: few at first, so that the ledger begins at once, then twice as many each
time. And for how long a page waits for the next one."""

OnPage = Callable[[Pulled], None]
JudgeOf = Callable[[ConnectionHandle], JudgeOfPage]
"""For the pages of one connection."""


def pull_due(seconds: float, progress: OnPage | None = None, *, judge_of: JudgeOf | None = None) -> list[Pulled]:
    """Pull every stream that is due, until none is or the time is over. For workers.

    A read that is not at its end by then stops where it can go on later, so that a first load of hours holds up neither the
    other streams nor the worker's end.
    """
    deadline = time.monotonic() + seconds
    results: list[Pulled] = []
    while time.monotonic() < deadline:
        with streams.take_due() as held:
            if not held.rows:
                break
            results.append(_pull(held, progress, deadline, judge_of))
    return results


def pull_now(slug: str, stream: str, progress: OnPage | None = None, *, judge_of: JudgeOf | None = None) -> Pulled:
    """Pull one stream at once, due or not. When another worker reads it at this moment, says so in `problem`."""
    with streams.take_now(slug, stream) as held:
        if not held.rows:
            problem = "Another worker is reading it at this moment, or it does not exist."
            return Pulled(slug, stream, busy=True, problem=problem)
        return _pull(held, progress, math.inf, judge_of)


def streams_of(slug: str) -> list[str]:
    """The stream names of one connection, in its connector's order; streams that are new in this version get a watermark."""
    source = Connection.objects.get(pk=slug)
    names = [stream.name for stream in connections.connector_of(source).streams]
    Watermark.objects.bulk_create([Watermark(connection=source, stream=name) for name in names], ignore_conflicts=True)
    return names


# --- one stream -------------------------------------------------------------------------------------------------------


def _pull(held: Held[StreamClaim], progress: OnPage | None, turn_ends: float, judge_of: JudgeOf | None) -> Pulled:
    (claim,) = held.rows
    # A page whose reader died with it is only stored: its rows go to the queue, where the one that kills a worker is found.
    judging = judge_of if claim.attempts <= 1 else None
    source = Connection.objects.get(pk=claim.slug)
    result = Pulled(claim.slug, claim.stream)
    within_seconds = STUCK_SECONDS if turn_ends < math.inf else math.inf
    try:
        handle = connections.handle_of(source)
        stream = _stream(source, claim.stream)
        if stream is None:
            return replace(result, problem=_failed(claim, "This version of the connector has no such stream.", NO_STREAM_SECONDS))
        judge_of_page = judging(handle) if judging is not None else None
        with connections.client_for(source, within_seconds=within_seconds) as client:
            pages = handle.connector.reading().pull(client, handle.config, claim.stream, claim.value, claim.started_at)
            with closing(read_ahead(_batches(pages, judge_of_page))) as batches:
                for batch in batches:
                    result = _store(claim, handle, batch, result)
                    held.progressed()
                    alive()
                    if progress is not None:
                        progress(result)
                    if not batch.page.done and batch.page.watermark != claim.value and time.monotonic() > turn_ends:
                        streams.note_pause(claim)
                        return result
    except LeaseLost:
        return replace(result, problem="Another worker took the stream over.")
    except RetryLater as answer:
        return replace(result, problem=_failed(claim, answer.reason, answer.after_seconds))
    except ConnectorAnswer as answer:
        return replace(result, problem=_failed(claim, answer.reason))
    except RevOpsError as error:
        return replace(result, problem=_failed(claim, error.message))
    except DatabaseError:
        raise  # without a database nothing can be noted down either: the lease runs out
    except Exception as error:
        _log.exception("a connector failed while reading", extra={"connection": claim.slug, "stream": claim.stream})
        return replace(result, problem=_failed(claim, f"The connector failed ({type(error).__name__})."))
    if not result.done:
        return replace(result, problem=_failed(claim, "The connector ended the read before its end."))
    _complete(claim, stream)
    return result


@dataclass(frozen=True, slots=True)
class _Batch:
    """What is stored in one transaction: `count` pages joined to one, made ready for the inbox, and their judge."""

    page: Page
    count: int
    arrived: Sequence[Arrived]
    judge: Judge | None


def _batches(pages: Iterable[Page], judge_of_page: JudgeOfPage | None) -> Iterator[_Batch]:
    if judge_of_page is None:
        yield from (_Batch(page, 1, arrived(page.items), None) for page in pages)
        return
    for page, count in _together(pages):
        yield _Batch(page, count, arrived(page.items), judge_of_page(page.items))


def _together(pages: Iterable[Page]) -> Iterator[tuple[Page, int]]:
    """Pages joined until they have enough items or `TOGETHER_SECONDS` are over, each with the number of pages in it. The ledger
    takes a few hundred rows in one transaction for hardly more statements than one. What was not given yet when a read breaks off
    is read again: the watermark stands behind what was given."""
    held: list[Page] = []
    since = time.monotonic()
    items_min = TOGETHER_FIRST
    for page in pages:
        held.append(page)
        items = sum(len(each.items) for each in held)
        if page.done or items >= items_min or time.monotonic() - since > TOGETHER_SECONDS:
            yield replace(page, items=tuple(item for each in held for item in each.items)), len(held)
            held, since = [], time.monotonic()
            items_min = min(2 * items_min, TOGETHER_MAX)
    if held:
        yield replace(held[-1], items=tuple(item for each in held for item in each.items)), len(held)


def _store(claim: StreamClaim, handle: ConnectionHandle, batch: _Batch, result: Pulled) -> Pulled:
    """Commit the batch and the watermark behind it together, and renew the lease."""
    page = batch.page
    with transaction.atomic():
        stored = inbox.store_page(handle, batch.arrived, batch.judge)
        if not streams.note_page(claim, page.watermark):
            raise LeaseLost
    if stored.new and batch.judge is None:
        doorbell.ring("apply_deliveries")
    return replace(
        result,
        pages=result.pages + batch.count,
        seen=result.seen + len(page.items),
        stored=result.stored + stored.new,
        conflicts=result.conflicts + stored.conflicts,
        done=page.done,
    )


def _complete(claim: StreamClaim, stream: Stream) -> None:
    """The window was read to its end."""
    streams.note_end(claim, stream.every_seconds)
    if not Watermark.objects.filter(connection=claim.slug).exclude(last_error="").exists():
        connections.note_problem(claim.slug, "")
    announce_reads()


def _failed(claim: StreamClaim, problem: str, after_seconds: float | None = None) -> str:
    """Write the failure down where the queue and the people see it; returns the problem."""
    streams.note_failure(claim, problem, after_seconds)
    connections.note_problem(claim.slug, f"Reading {claim.stream}: {problem}")
    _log.warning("a pull failed", extra={"connection": claim.slug, "stream": claim.stream, "problem": problem})
    return problem


def _stream(source: Connection, name: str) -> Stream | None:
    offered: Sequence[Stream] = connections.connector_of(source).streams
    return next((stream for stream in offered if stream.name == name), None)
