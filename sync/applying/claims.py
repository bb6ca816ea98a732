"""The queues of deliveries and of objects to read again, and what became of a delivery.

The only module that moves a delivery from state to state, but for replays. Both queues are the same table: a pending delivery
whose reason code is `reread` waits for the intake workers, every other for those that apply.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from revops.work_queues.leases import Claim
from revops.work_queues.queue import BackOff, Outcome, WorkQueue
from sync.models import DeliveryState

GIVE_BACK_FOR = dt.timedelta(days=3)
"""How long "try again later" costs no attempt; a delivery older than this ends as a dead letter like any other failure."""

REREAD = "reread"
"""The reason code of a pending delivery that waits for its object to be read again."""

VERSION_CONFLICT = "version_conflict"
"""The reason code of a delivery whose stamp had said something else, after the vendor was asked."""


TOLD_IN_PART = "told_in_part"
"""The reason code of a delivery that named something without saying it, after the vendor was asked."""


@dataclass(frozen=True, slots=True)
class DeliveryClaim(Claim):
    """A delivery in hand; `key` is its id, `reason` the last problem. `replayed`: it was put back to the start."""

    slug: str
    kind: str
    object_type: str
    body: bytes
    headers: Mapping[str, str]
    received_at: dt.datetime
    trace_id: str
    reason: str
    replayed: bool


def _delivery_claim(*columns: Any) -> DeliveryClaim:
    """From what the claim reads, which stands in the order of the class."""
    values = list(columns)
    values[6], values[7] = bytes(values[6]), json.loads(values[7])
    return DeliveryClaim(*values)


_IN_USE = "q.connection_id NOT IN (SELECT c.system_id FROM sync_connection c WHERE NOT c.active)"
"""What a paused connection sent waits until it is resumed."""

_of_deliveries = partial(
    WorkQueue,
    table="sync_delivery",
    claimed=_delivery_claim,
    columns=(
        "q.connection_id",
        "q.kind",
        "q.object_type",
        "q.body",
        "q.headers::text",
        "q.received_at",
        "q.trace_id",
        "q.reason",
        "q.replays > 0",
    ),
    waits="q.state = 'pending'",
    done_at="done_at",
    back_off=BackOff(2, 600),
    attempts_max=8,
)
DELIVERIES = _of_deliveries(
    name="deliveries",
    ready=f"q.reason_code <> 'reread' AND {_IN_USE}",
    task="apply_deliveries",
    worker="apply",
    noun="delivery",
    # One that was put back to the start waits since then, not since it came. Written so that only the index in this very
    # order can answer it, whatever the statistics say.
    oldest=f"""SELECT CASE WHEN o.replays = 0 THEN o.received_at ELSE least(o.next_attempt_at, clock_timestamp()) END FROM (
        SELECT q.state, q.replays, q.received_at, q.next_attempt_at FROM sync_delivery q
         WHERE (q.state, q.id) >= ('pending', 0) AND {_IN_USE} ORDER BY q.state, q.id LIMIT 1) o WHERE o.state = 'pending'""",  # noqa: S608 - no value in it
)
REREADS = _of_deliveries(name="rereads", ready=f"q.reason_code = 'reread' AND {_IN_USE}", task="reread", worker="intake")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one delivery. `after_seconds` is set when it stays pending; `given_back`: this attempt does not count."""

    row: DeliveryClaim
    state: str
    code: str = ""
    reason: str = ""
    after_seconds: float | None = None
    given_back: bool = False


def finish(verdicts: Iterable[Verdict]) -> int:
    """Write verdicts down; returns how many were still ours. Rows that another worker holds by now are left to it."""
    return len(DELIVERIES.write([_outcome(verdict) for verdict in verdicts]))


def _outcome(verdict: Verdict) -> Outcome:
    row = verdict.row
    columns = {"state": verdict.state, "reason": _text(verdict.reason), "reason_code": verdict.code[:60]}
    if verdict.state != DeliveryState.PENDING:
        return DELIVERIES.finish(row, **columns)
    after_seconds = verdict.after_seconds or 0
    if verdict.given_back:
        return DELIVERIES.later(row, after_seconds, **columns)
    return DELIVERIES.retry(row, after_seconds=after_seconds, **columns)


def _text(reason: str) -> str:
    """A reason as a text column can hold it."""
    return reason.replace("\x00", "").encode("utf-8", "replace").decode()[:2000]


# --- verdicts ---------------------------------------------------------------------------------------------------------


def quarantined(row: DeliveryClaim, code: str, reason: str) -> Verdict:
    """A dead letter: kept, shown with its reason, replayed by a person."""
    return Verdict(row, DeliveryState.QUARANTINED, code, reason)


def ignored(row: DeliveryClaim, code: str, reason: str) -> Verdict:
    return Verdict(row, DeliveryState.IGNORED, code, reason)


def failed(row: DeliveryClaim, code: str, reason: str) -> Verdict:
    """It did not work this time: it waits as its queue says, and is a dead letter after the last attempt."""
    if DELIVERIES.gives_up(row):
        return quarantined(row, code, f"Gave up after {row.attempts} attempts. {reason}")
    return Verdict(row, DeliveryState.PENDING, code, reason, after_seconds=DELIVERIES.back_off.seconds(row.attempts))


def later(row: DeliveryClaim, code: str, reason: str, after_seconds: float, now: dt.datetime) -> Verdict:
    """Somebody else is not ready: wait 1 s to 1 h, at no cost for the first three days."""
    if now - row.received_at > GIVE_BACK_FOR:
        return failed(row, code, reason)
    wait = max(1.0, min(3600.0, after_seconds))
    return Verdict(row, DeliveryState.PENDING, code, reason, after_seconds=wait, given_back=True)
