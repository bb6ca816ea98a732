"""Replay: put deliveries back to the start, after whatever kept them from the ledger has been mended.

Replaying is always safe: the ledger knows what it knows, and the same content under the same version writes nothing. The
preview does the real work in a transaction and takes it back, so what it promises is what will happen. A replay can be stopped:
what is not yet replayed becomes what it was.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import DateTimeField, F, PositiveIntegerField, QuerySet
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, JSONObject, Now
from django.utils import timezone

from revops.audit import log as audit
from revops.errors import Conflict, Missing, Rejected
from revops.ledger.models import SourceRecord
from revops.ledger.record import DeliveredFact, record
from revops.people.actors import System, actor_label, actor_user
from revops.reference import Ref
from revops.sentences import template
from revops.work_queues.queue import free
from sync.applying.apply import place_anew, understand
from sync.applying.claims import DeliveryClaim
from sync.ground import doorbell
from sync.models import Connection, Delivery, DeliveryState, Replay

REPLAYED = template("delivery.replayed", "Replayed delivery {delivery} of {system}")
REPLAYED_MANY = template("delivery.replayed_many", "Replayed {count} deliveries, from {first} to {last}")
STOPPED = template("replay.stopped", "Stopped replay {replay}: {taken} of {total} deliveries are what they were")

if TYPE_CHECKING:
    from revops.people.models import User

BATCH = 400
OnBatch = Callable[[int], None]


@dataclass(slots=True)
class Impact:
    """What a replay would do. `arrivals` counts the ledger's answers (`first`, `newer`, `same`, `late`, `conflict` ...) with
    the object type, `refused` the reasons of those that would not get in, `accounts` how many accounts would be looked at."""

    deliveries: int = 0
    arrivals: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    to_read_again: int = 0
    account_ids: set[int] = field(default_factory=set)

    @property
    def accounts(self) -> int:
        return len(self.account_ids)


def _ours(delivery_id: int) -> Ref:
    return Ref.ours("delivery", str(delivery_id))


def replay(delivery_id: int, *, reason: str, acting_user: User | System) -> Delivery:
    """Put one delivery back to the start. Raises `Missing`, or `Rejected("delivery_pending")` when it is waiting anyway."""
    with transaction.atomic():
        delivery = Delivery.objects.select_for_update().filter(pk=delivery_id).first()
        if delivery is None:
            raise Missing("delivery")
        if delivery.state == DeliveryState.PENDING:
            raise Rejected("delivery_pending", "This delivery is still waiting for its turn; there is nothing to replay.")
        before = {"state": delivery.state, "reason": delivery.reason}
        run = begin_replay(reason=reason, acting_user=acting_user)
        _put_back([delivery_id], run)
        Replay.objects.filter(pk=run.pk).update(total=1)
        audit.record(
            "delivery.replay",
            delivery,
            acting_user=acting_user,
            summary=REPLAYED(delivery=_ours(delivery_id), system=str(delivery.connection_id)),
            reason=reason,
            before=before,
            after={"state": DeliveryState.PENDING},
        )
    doorbell.ring("apply_deliveries")
    delivery.refresh_from_db()
    return delivery


def begin_replay(*, reason: str, acting_user: User | System) -> Replay:
    """A replay that nothing belongs to yet. It is what `cancel_replay` stops."""
    return Replay.objects.create(asked_by=actor_user(acting_user), asked_by_label=actor_label(acting_user), reason=reason)


def replay_many(
    deliveries: QuerySet[Delivery],
    *,
    reason: str,
    acting_user: User | System,
    progress: OnBatch | None = None,
    run: Replay | None = None,
) -> int:
    """Put many back, batch by batch, each batch with one audit row that names its deliveries. Returns how many; fewer than were
    asked for when somebody stops `run` meanwhile."""
    run = run or begin_replay(reason=reason, acting_user=acting_user)
    total = 0
    for ids in _batches(deliveries):
        with transaction.atomic():
            if Replay.objects.select_for_update().get(pk=run.pk).stopped_at is not None:
                break
            first = Delivery.objects.filter(pk=ids[0]).get()
            moved = _put_back(ids, run)
            if moved:
                audit.record(
                    "delivery.replay",
                    first,
                    acting_user=acting_user,
                    summary=REPLAYED_MANY(count=len(moved), first=_ours(moved[0]), last=_ours(moved[-1])),
                    reason=reason,
                    after={"deliveries": moved},
                )
            Replay.objects.filter(pk=run.pk).update(total=F("total") + len(moved))
        total += len(moved)
        doorbell.ring("apply_deliveries")
        if progress is not None:
            progress(len(ids))
    return total


def waiting_in(run: Replay) -> QuerySet[Delivery]:
    """The deliveries of a replay that nobody has worked on yet."""
    return Delivery.objects.filter(replay=run, state=DeliveryState.PENDING)


def cancel_replay(run: Replay, *, acting_user: User | System) -> int:
    """Stop a replay: no further delivery is put back, and each that no worker holds yet becomes what it was. What was replayed
    stays replayed: the ledger forgets nothing. Returns how many were taken back.

    Raises `Conflict("replay_stopped")` when it was stopped before, `Rejected("replay_done")` when nothing waits any more.
    """
    with transaction.atomic():
        row = Replay.objects.select_for_update().get(pk=run.pk)
        if row.stopped_at is not None:
            raise Conflict("replay_stopped", f"Replay {row.pk} was stopped before, by {row.stopped_by_label}.")
        if not waiting_in(row).exists():
            raise Rejected("replay_done", f"Nothing of replay {row.pk} waits any more: there is nothing to stop.")
        taken = 0
        last = 0
        while ids := list(_untouched(row).filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]):
            taken += _as_before(ids)
            last = ids[-1]
        row.stopped_at, row.stopped_by_label, row.taken_back = timezone.now(), actor_label(acting_user), taken
        row.save(update_fields=["stopped_at", "stopped_by_label", "taken_back"])
        audit.record(
            "delivery.replay_cancel",
            row,
            acting_user=acting_user,
            summary=STOPPED(replay=Ref.ours("replay", str(row.pk)), taken=taken, total=row.total),
            reason=row.reason,
            after={"taken_back": taken, "of": row.total},
        )
    return taken


def _untouched(run: Replay) -> QuerySet[Delivery]:
    """Waiting and in nobody's hands; one that a worker claims at this moment is left to it."""
    return waiting_in(run).filter(free()).select_for_update(skip_locked=True)


def _as_before(ids: Sequence[int]) -> int:
    """What each was before it was put back. The fence moves: whoever claimed it long ago changes nothing."""
    return Delivery.objects.filter(pk__in=ids).update(
        state=KT("before_replay__state"),
        reason=KT("before_replay__reason"),
        reason_code=KT("before_replay__reason_code"),
        attempts=Cast(KT("before_replay__attempts"), PositiveIntegerField()),
        done_at=Cast(KT("before_replay__done_at"), DateTimeField()),
        replays=F("replays") - 1,
        fence=F("fence") + 1,
        lease_until=None,
    )


def impact_of(deliveries: QuerySet[Delivery], *, now: dt.datetime, progress: OnBatch | None = None) -> Impact:
    """What replaying these would do, at this moment. Changes nothing."""
    impact = Impact()
    for ids in _batches(deliveries):
        rows = list(Delivery.objects.filter(pk__in=ids).order_by("pk"))
        for slug in sorted({row.connection_id for row in rows}):
            _add_impact(impact, slug, [_as_claim(row) for row in rows if row.connection_id == slug], now)
        if progress is not None:
            progress(len(ids))
    return impact


def _add_impact(impact: Impact, slug: str, rows: Sequence[DeliveryClaim], now: dt.datetime) -> None:
    understood, verdicts = understand(rows, Connection.objects.get(pk=slug))
    impact.deliveries += len(rows)
    for verdict in verdicts:
        counts = impact.ignored if verdict.state == DeliveryState.IGNORED else impact.refused
        counts[verdict.reason] += 1
    impact.to_read_again += sum(1 for item in understood if item.rereads)
    items = [item for item in understood if item.facts and not item.rereads]
    place_anew(slug, items, now)
    delivered = [DeliveredFact(fact, item.row.key, item.row.trace_id) for item in items for fact in item.facts]
    with transaction.atomic():
        try:
            with transaction.atomic():
                arrivals = record(slug, delivered, now=now)
        except Rejected as rejected:
            impact.refused[rejected.message] += len(items)
        else:
            impact.arrivals.update((s.fact.object_type, how) for s, how in zip(delivered, arrivals, strict=True))
            touched = {(s.fact.object_type, s.fact.external_id) for s in delivered}
            rows_touched = SourceRecord.objects.filter(
                system=slug, object_type__in={key[0] for key in touched}, external_id__in={key[1] for key in touched}
            )
            impact.account_ids |= set(rows_touched.exclude(account=None).values_list("account_id", flat=True))
        transaction.set_rollback(True)


def _as_claim(row: Delivery) -> DeliveryClaim:
    return DeliveryClaim(
        key=row.pk,
        slug=row.connection_id,
        kind=row.kind,
        object_type=row.object_type,
        body=bytes(row.body),
        headers=row.headers,
        received_at=row.received_at,
        attempts=0,
        fence=row.fence,
        trace_id=row.trace_id,
        reason=row.reason,
        replayed=True,
    )


def _put_back(ids: Sequence[int], run: Replay) -> list[int]:
    """Pending again, as if it had just come; the fence moves, so that a worker that still holds it changes nothing. What it was
    is kept beside it."""
    found = Delivery.objects.filter(pk__in=ids).exclude(state=DeliveryState.PENDING)
    moved = sorted(found.select_for_update().values_list("pk", flat=True))
    Delivery.objects.filter(pk__in=moved).update(
        state=DeliveryState.PENDING,
        reason="",
        reason_code="",
        attempts=0,
        replays=F("replays") + 1,
        fence=F("fence") + 1,
        lease_until=None,
        next_attempt_at=Now(),
        done_at=None,
        replay=run,
        before_replay=JSONObject(
            state=F("state"), reason=F("reason"), reason_code=F("reason_code"), attempts=F("attempts"), done_at=F("done_at")
        ),
    )
    return moved


def _batches(deliveries: QuerySet[Delivery]) -> Iterator[list[int]]:
    """Ids in order, in batches; rows that come to match meanwhile with a higher id are taken as well, none is taken twice."""
    last = 0
    while ids := list(deliveries.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        yield ids
        last = ids[-1]
