"""A page of a read goes straight into the ledger: its deliveries are stored as what they have become.

The page, what it says and the watermark behind it are one transaction, so there is nothing to claim and nothing to finish: two
writes a delivery less than through the queue. What cannot be recorded together with its page takes the queue's way, where one
bad row costs its neighbours nothing.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction
from django.utils import timezone

from revops.ledger.record import Statement, record
from sync.applying.apply import Understood, recorded, understand
from sync.applying.claims import REREAD, Claimed, Verdict
from sync.connections import Door
from sync.ground import doorbell
from sync.intake.inbox import Ending, Judge, NewDelivery
from sync.models import Connection, DeliveryState

_log = logging.getLogger("sync.applying.straight")

TO_THE_QUEUE = Ending()


def straight_into_the_ledger(door: Door) -> Judge:
    """The judge of one connection's pages."""
    source = Connection.objects.get(pk=door.slug)

    def judge(new: Sequence[NewDelivery]) -> Sequence[Ending]:
        now = timezone.now()
        rows = [_as_claimed(door.slug, delivery, now) for delivery in new]
        understood, verdicts = understand(rows, source)
        endings = {verdict.row.key: _ending(verdict) for verdict in verdicts}
        endings |= {item.row.key: Ending(code=REREAD, reason="Waits to be read again.") for item in understood if item.rereads}
        endings |= _recorded(door.slug, [item for item in understood if not item.rereads], now)
        transaction.on_commit(lambda: _ring(endings.values()), robust=True)
        return [endings[delivery.id] for delivery in new]

    return judge


def _recorded(slug: str, items: Sequence[Understood], now: dt.datetime) -> Mapping[int, Ending]:
    """Record all of them, or none: then they wait for the workers, who try each by itself."""
    statements = [Statement(fact, item.row.key, item.row.trace_id) for item in items for fact in item.facts]
    try:
        with transaction.atomic():
            arrivals = iter(record(slug, statements, now=now))
    except Exception as error:  # noqa: BLE001, RUF100 - the queue judges it row by row
        _log.info("a page goes to the queue", extra={"connection": slug, "rows": len(items), "error": type(error).__name__})
        return {item.row.key: TO_THE_QUEUE for item in items}
    return {item.row.key: _ending(recorded(item, [next(arrivals) for _ in item.facts])) for item in items}


def _ending(verdict: Verdict) -> Ending:
    return Ending(verdict.state, verdict.code[:60], verdict.reason, verdict.after_seconds or 0.0)


def _as_claimed(slug: str, delivery: NewDelivery, now: dt.datetime) -> Claimed:
    return Claimed(
        key=delivery.id, fence=0, attempts=1, slug=slug, kind=delivery.kind, object_type=delivery.object_type,
        body=delivery.body, headers={}, received_at=now, trace_id=delivery.trace_id, reason="",
    )  # fmt: skip


def _ring(endings: Iterable[Ending]) -> None:
    """For what the page has made due."""
    found = set(endings)
    if any(ending.state != DeliveryState.PENDING for ending in found):
        doorbell.ring("detect_accounts")
    if any(ending.state == DeliveryState.PENDING and ending.code != REREAD for ending in found):
        doorbell.ring("apply_deliveries")
    if any(ending.code == REREAD for ending in found):
        doorbell.ring("reread")
