"""A page of a read goes straight into the ledger: its deliveries are stored as what they have become.

The page, what it says and the watermark behind it are one transaction, so there is nothing to claim and nothing to finish: two
writes a delivery less than through the queue. What cannot be recorded together with its page takes the queue's way, where one
bad row costs its neighbours nothing.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from django.db import transaction
from django.utils import timezone

from revops.ledger.record import DeliveredFact, record
from sync.applying.apply import NotUnderstood, Translation, Understood, recorded, translate
from sync.applying.claims import REREAD, Claimed, Verdict
from sync.connections import ConnectionHandle
from sync.ground import doorbell
from sync.intake.inbox import Ending, Judge, JudgeOfPage, NewDelivery
from sync.models import DeliveryState
from sync.vendor.contract import Incoming, Item

_log = logging.getLogger("sync.applying.straight")

TO_THE_QUEUE = Ending()


def straight_into_the_ledger(handle: ConnectionHandle) -> JudgeOfPage:
    """For the pages of one connection: what a page says is understood where it was read, ahead of its turn; its judge records
    that."""

    def judge_of(items: Sequence[Item]) -> Judge:
        now = timezone.now()
        said = {_what(item): translate(_incoming(item, now), handle.connector, handle.config) for item in items}
        return partial(_judge, handle.slug, said, now)

    return judge_of


Translations = Mapping[tuple[str, str, bytes], Translation | NotUnderstood]
"""What the items of a page say."""


def _what(item: Item | NewDelivery) -> tuple[str, str, bytes]:
    return (item.kind, item.object_type, item.body)


def _incoming(item: Item, now: dt.datetime) -> Incoming:
    return Incoming(kind=item.kind, body=item.body, received_at=now, object_type=item.object_type)


def _judge(slug: str, said: Translations, now: dt.datetime, new: Sequence[NewDelivery]) -> Sequence[Ending]:
    endings: dict[int, Ending] = {}
    understood: list[Understood] = []
    for delivery in new:
        found = said[_what(delivery)]
        if isinstance(found, NotUnderstood):
            endings[delivery.id] = Ending(found.state, found.code[:60], found.reason)
        elif found.rereads:
            endings[delivery.id] = Ending(code=REREAD, reason="Waits to be read again.")
        else:
            understood.append(Understood(_as_claimed(slug, delivery, now), found.facts))
    endings |= _recorded(slug, understood, now)
    transaction.on_commit(lambda: _ring(endings.values()), robust=True)
    return [endings[delivery.id] for delivery in new]


def _recorded(slug: str, items: Sequence[Understood], now: dt.datetime) -> Mapping[int, Ending]:
    """Record all of them, or none: then they wait for the workers, who try each by itself."""
    statements = [DeliveredFact(fact, item.row.key, item.row.trace_id) for item in items for fact in item.facts]
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
