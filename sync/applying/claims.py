"""Claiming deliveries and writing down what became of them. The only SQL that moves a delivery from state to state.

A claim is committed before the work starts: it counts the attempt, moves the fence, and lends the row until a time of the
database's clock. A worker that dies is simply late; one that comes back from the dead finds another fence and changes nothing.

A row that was tried before and came to no end is claimed alone, so that one that kills its worker cannot take its neighbours
along to the dead letters.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection

from sync.models import DeliveryState

ATTEMPTS_MAX = 8
GIVE_BACK_FOR = dt.timedelta(days=3)
"""How long "try again later" costs no attempt; a delivery older than this ends as a dead letter like any other failure."""

REREAD = "reread"
"""The reason code of a pending delivery that waits for its object to be read again."""

VERSION_CONFLICT = "version_conflict"
"""The reason code of a delivery whose stamp had said something else, after the vendor was asked."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery in hand. `attempts` includes this one; `reason` is the last problem."""

    id: int
    slug: str
    kind: str
    object_type: str
    body: bytes
    headers: Mapping[str, str]
    received_at: dt.datetime
    attempts: int
    fence: int
    trace_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one delivery. `after_seconds` is set when it stays pending; `given_back`: this attempt does not count."""

    row: Claimed
    state: str
    code: str = ""
    reason: str = ""
    after_seconds: float | None = None
    given_back: bool = False


_TAKE = """
    WITH due AS (
        SELECT id FROM sync_delivery
         WHERE state = 'pending' AND next_attempt_at <= clock_timestamp() AND {chosen}
         ORDER BY next_attempt_at, id LIMIT %s FOR UPDATE SKIP LOCKED)
    UPDATE sync_delivery d
       SET attempts = d.attempts + 1, fence = d.fence + 1,
           lease_until = clock_timestamp() + make_interval(secs => %s),
           next_attempt_at = clock_timestamp() + make_interval(secs => %s)
      FROM due WHERE d.id = due.id
    RETURNING d.id, d.connection_id, d.kind, d.object_type, d.body, d.headers::text, d.received_at, d.attempts, d.fence,
              d.trace_id, d.reason
"""
_CLAIM = _TAKE.format(chosen="(reason_code = 'reread') = %s AND (attempts > 0) = %s")
_CLAIM_THESE = _TAKE.format(chosen="id = ANY(%s)")


def claim(*, limit: int, tried: bool = False, reread: bool = False) -> list[Claimed]:
    """Take up to `limit` due deliveries, oldest first, and commit the claim. `tried`: those that came to no end before."""
    return _take(_CLAIM, [reread, tried, limit])


def claim_these(ids: Sequence[int]) -> list[Claimed]:
    """Take these deliveries, as far as they are due and in nobody's hands, and commit the claim."""
    return _take(_CLAIM_THESE, [list(ids), len(ids)]) if ids else []


def _take(statement: str, chosen: Sequence[Any]) -> list[Claimed]:
    lease = settings.REVOPS_DELIVERY_LEASE_SECONDS
    with connection.cursor() as cursor:  # one statement, which commits itself
        cursor.execute(statement, [*chosen, lease, lease])
        rows = cursor.fetchall()
    return sorted((_claimed(row) for row in rows), key=lambda row: row.id)


def _claimed(row: Sequence[Any]) -> Claimed:
    """From the statement's columns, which stand in the order of the class."""
    values = list(row)
    values[4] = bytes(values[4])
    values[5] = json.loads(values[5])
    return Claimed(*values)


_FINISH = """
    UPDATE sync_delivery d
       SET state = u.state, reason = u.reason, reason_code = u.code, lease_until = NULL,
           attempts = d.attempts - CASE WHEN u.given_back THEN 1 ELSE 0 END,
           done_at = CASE WHEN u.state = 'pending' THEN NULL ELSE clock_timestamp() END,
           next_attempt_at = CASE WHEN u.state = 'pending'
                                  THEN clock_timestamp() + make_interval(secs => u.after_seconds) ELSE d.next_attempt_at END
      FROM json_to_recordset(%s)
           AS u(id bigint, fence bigint, state text, reason text, code text, after_seconds float8, given_back boolean)
     WHERE d.id = u.id AND d.fence = u.fence AND d.state = 'pending'
"""


def finish(verdicts: Iterable[Verdict]) -> int:
    """Write verdicts down; returns how many were still ours. Rows that another worker holds by now are left to it."""
    found = sorted(verdicts, key=lambda verdict: verdict.row.id)
    if not found:
        return 0
    rows = [
        {
            "id": verdict.row.id,
            "fence": verdict.row.fence,
            "state": verdict.state,
            "reason": _text(verdict.reason),
            "code": verdict.code[:60],
            "after_seconds": verdict.after_seconds or 0,
            "given_back": verdict.given_back,
        }
        for verdict in found
    ]
    with connection.cursor() as cursor:
        cursor.execute(_FINISH, [json.dumps(rows)])
        return int(cursor.rowcount)


def _text(reason: str) -> str:
    """A reason as a text column can hold it."""
    return reason.replace("\x00", "").encode("utf-8", "replace").decode()[:2000]


# --- verdicts ---------------------------------------------------------------------------------------------------------


def quarantined(row: Claimed, code: str, reason: str) -> Verdict:
    """A dead letter: kept, shown with its reason, replayed by a person."""
    return Verdict(row, DeliveryState.QUARANTINED, code, reason)


def ignored(row: Claimed, code: str, reason: str) -> Verdict:
    return Verdict(row, DeliveryState.IGNORED, code, reason)


def failed(row: Claimed, code: str, reason: str) -> Verdict:
    """It did not work this time: wait 2, 4, 8 ... 600 seconds; after `ATTEMPTS_MAX` attempts a dead letter."""
    if row.attempts >= ATTEMPTS_MAX:
        return quarantined(row, code, f"Gave up after {row.attempts} attempts. {reason}")
    return Verdict(row, DeliveryState.PENDING, code, reason, after_seconds=min(600, 2**row.attempts))


def later(row: Claimed, code: str, reason: str, after_seconds: float, now: dt.datetime) -> Verdict:
    """Somebody else is not ready: wait 1 s to 1 h, at no cost for the first three days."""
    if now - row.received_at > GIVE_BACK_FOR:
        return failed(row, code, reason)
    wait = max(1.0, min(3600.0, after_seconds))
    return Verdict(row, DeliveryState.PENDING, code, reason, after_seconds=wait, given_back=True)
