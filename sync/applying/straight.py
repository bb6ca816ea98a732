"""A page of a read goes straight into the ledger: its deliveries are stored as what they have become.

The page, what it says and the watermark behind it are one transaction, so there is nothing to claim and nothing to finish: two
writes a delivery less than through the queue. What cannot be recorded together with its page takes the queue's way, where one
bad row costs its neighbours nothing.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence, Set
from functools import partial

from django.db import transaction
from django.utils import timezone

from revops.ledger.record import DeliveredFact, record
from sync.applying.apply import NotUnderstood, Translation, recorded, translate
from sync.applying.claims import REREAD
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
        said = [translate(_incoming(item, now), handle.connector, handle.config) for item in items]
        for each in said:
            if isinstance(each, Translation):
                for fact in each.facts:
                    fact.content()  # put into JSON here, where nobody waits for it
        return partial(_judge, handle.slug, said, now)

    return judge_of


def _incoming(item: Item, now: dt.datetime) -> Incoming:
    return Incoming(item.kind, item.body, received_at=now, object_type=item.object_type, parsed=item.parsed)


Said = Sequence[Translation | NotUnderstood]
"""What each item of a page says."""


def _judge(slug: str, said: Said, now: dt.datetime, new: Sequence[NewDelivery]) -> Sequence[Ending]:
    endings: dict[int, Ending] = {}
    understood: list[tuple[NewDelivery, Translation]] = []
    for delivery in new:
        found = said[delivery.place]
        if isinstance(found, NotUnderstood):
            endings[delivery.id] = Ending(found.state, found.code[:60], found.reason)
        elif found.rereads:
            endings[delivery.id] = Ending(code=REREAD, reason="Waits to be read again.")
        else:
            understood.append((delivery, found))
    endings |= _recorded(slug, understood, now)
    transaction.on_commit(lambda: _ring(set(endings.values())), robust=True)
    return [endings[delivery.id] for delivery in new]


def _recorded(slug: str, items: Sequence[tuple[NewDelivery, Translation]], now: dt.datetime) -> Mapping[int, Ending]:
    """Record all of them, or none: then they wait for the workers, who try each by itself."""
    delivered = [DeliveredFact(fact, delivery.id, delivery.trace_id) for delivery, said in items for fact in said.facts]
    try:
        arrivals = iter(record(slug, delivered, now=now))
    except Exception as error:  # noqa: BLE001, RUF100 - nothing of it was kept; the queue judges it row by row
        _log.info("a page goes to the queue", extra={"connection": slug, "rows": len(items), "error": type(error).__name__})
        return {delivery.id: TO_THE_QUEUE for delivery, _ in items}
    return {delivery.id: recorded(delivery.kind, said.facts, [next(arrivals) for _ in said.facts]) for delivery, said in items}


def _ring(found: Set[Ending]) -> None:
    """For what the page has made due."""
    if any(ending.state != DeliveryState.PENDING for ending in found):
        doorbell.ring("detect_accounts")
    if any(ending.state == DeliveryState.PENDING and ending.code != REREAD for ending in found):
        doorbell.ring("apply_deliveries")
    if any(ending.code == REREAD for ending in found):
        doorbell.ring("reread")
