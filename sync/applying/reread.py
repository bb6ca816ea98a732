"""Objects that are read again at the vendor; what the read returns is a delivery of its own.

Four reasons: a delivery only says "look" or speaks a form that we do not read, or it says something else under a stamp that we
already had, or it is dated later than it came, or it names something without saying it. Vendors stamp whole seconds and their
clocks may be wrong, so nobody can tell what the last word was but the vendor itself, asked once more.

The read happens outside any transaction. Many hints about one object in one batch cost one read, because every one of them
was here before it.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from revops.errors import RevOpsError
from sync import connections
from sync.applying.apply import Understood, record_all, told_in_part, understand
from sync.applying.claims import (
    REREAD,
    REREADS,
    TOLD_IN_PART,
    VERSION_CONFLICT,
    DeliveryClaim,
    Verdict,
    failed,
    finish,
    ignored,
    later,
    quarantined,
)
from sync.applying.dating import DATED_AHEAD
from sync.ground import doorbell
from sync.ground.heartbeat import alive
from sync.intake import inbox
from sync.models import Connection, DeliveryState
from sync.vendor.contract import Client, ConnectorAnswer, Refused, Reread, RetryLater

BATCH = 25
WORKING_SECONDS = 30.0
"""After this long the rest of a batch is given back, so that others may read it."""
ABSENT_ATTEMPTS = 3
"""How often a vendor may not have the object yet before we believe it."""


def process_rereads(now: dt.datetime) -> Counter[str]:
    """One batch, oldest first. Returns how many deliveries ended in each state; empty when nothing was due."""
    done: Counter[str] = Counter()
    for tried, limit in ((False, BATCH), (True, 1)):
        with REREADS.take(limit=limit, tried=tried) as held:
            done += _process(held.rows, now)
    if done:
        doorbell.ring("apply_deliveries")
    return done


def _process(rows: Sequence[DeliveryClaim], now: dt.datetime) -> Counter[str]:
    done: Counter[str] = Counter()
    stop_at = time.monotonic() + WORKING_SECONDS
    found = Connection.objects.in_bulk({row.slug for row in rows}) if rows else {}
    for slug in sorted(found):
        done += _reread_at(found[slug], [row for row in rows if row.slug == slug], now, stop_at)
    return done


def _reread_at(source: Connection, rows: Sequence[DeliveryClaim], now: dt.datetime, stop_at: float) -> Counter[str]:
    understood, verdicts = understand(rows, source)
    for item in understood:
        item.disputed = not item.rereads
        item.rereads = item.rereads or [Reread(fact.object_type, fact.external_id) for fact in item.facts]
    finish(verdicts)
    done = Counter(str(verdict.state) for verdict in verdicts)
    if not understood:
        return done
    try:
        with connections.client_for(source) as client:
            done += _read_each(source, client, understood, now, stop_at)
    except (Refused, RevOpsError) as refused:  # the connection itself cannot be used as it is configured
        reason = refused.reason if isinstance(refused, Refused) else refused.message
        verdicts = [failed(item.row, REREAD, reason) for item in understood]
        finish(verdicts)
        done.update(str(verdict.state) for verdict in verdicts)
    return done


def _read_each(source: Connection, client: Client, items: Sequence[Understood], now: dt.datetime, stop_at: float) -> Counter[str]:
    handle = connections.handle_of(source)
    answers: dict[tuple[Reread, bool], int | Exception | None] = {}
    done: Counter[str] = Counter()
    for item in items:
        alive()
        for wanted in item.rereads:
            key = (wanted, item.disputed)
            if key in answers:
                continue
            if time.monotonic() > stop_at:
                answers[key] = RetryLater("The other reads took too long.", 1, REREAD)
                continue
            try:
                read = handle.connector.reading().read(client, handle.config, wanted.object_type, wanted.external_id)
                disputed_by = item.row.key if item.disputed else None
                answers[key] = None if read is None else inbox.store_read(handle, read, disputed_by=disputed_by)
            except (ConnectorAnswer, RevOpsError) as answer:
                answers[key] = answer
        done += _end(source, item, [answers[wanted, item.disputed] for wanted in item.rereads], now)
    return done


def _end(source: Connection, item: Understood, answers: Sequence[int | Exception | None], now: dt.datetime) -> Counter[str]:
    verdict = _verdict(item, answers, now)
    if item.disputed and verdict.state in {DeliveryState.IGNORED, DeliveryState.QUARANTINED}:  # its facts are recorded
        ahead = any(fact.dated_ahead for fact in item.facts)
        why = "It is dated later than it came, and counts as of its arrival. " if ahead else ""
        in_part = any(told_in_part(fact) for fact in item.facts)
        code = DATED_AHEAD if ahead else TOLD_IN_PART if in_part else VERSION_CONFLICT
        verdict = replace(verdict, state=DeliveryState.APPLIED, code=code, reason=why + verdict.reason)
    elif item.facts and verdict.state == DeliveryState.IGNORED:
        return record_all(str(source.pk), [Understood(item.row, item.facts)], now)
    finish([verdict])
    return Counter([str(verdict.state)])


def _verdict(item: Understood, answers: Sequence[int | Exception | None], now: dt.datetime) -> Verdict:
    row = item.row
    for answer in answers:
        if isinstance(answer, RetryLater):
            return later(row, REREAD, answer.reason, answer.after_seconds, now)
    for wanted, answer in zip(item.rereads, answers, strict=True):
        if isinstance(answer, Refused):
            return quarantined(row, answer.code, f"{wanted.why} {answer.reason}".strip())
        if isinstance(answer, ConnectorAnswer | RevOpsError):
            reason = answer.reason if isinstance(answer, ConnectorAnswer) else answer.message
            return failed(row, REREAD, reason)
    if None in answers:
        if row.attempts < ABSENT_ATTEMPTS:
            return failed(row, REREAD, "The vendor does not show the object yet.")
        return ignored(row, "reread_absent", "The vendor does not have the object. That is no proof that it was deleted.")
    ids = ", ".join(str(answer) for answer in answers)
    return ignored(row, REREAD, f"Read again as delivery {ids}.")
