"""The inbox: what came in is kept, exactly as it came, before anybody is told that we have it.

One statement stores a delivery, and the same statement recognises a copy. Three ways in: `accept` for one delivery that
was pushed, `store_page` for a page of a pull, `store_read` for one object read again. What happens next is `sync.applying.apply`.

Never: a 2xx before the commit; a second body that replaces the first; a parser between the wire and the row.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from django.db import connection, transaction

from revops.audit.trace import new_trace_id
from revops.bulk import JSONB_VERSION, as_json, copy_rows
from sync.connections import ConnectionHandle
from sync.ground import doorbell
from sync.ground import intake_db as kept
from sync.models import DeliveryKey, DeliveryKind, DeliveryState
from sync.vendor.contract import Item

KEY_LENGTH_MAX = 180
"""Leaves room for the suffix of a conflicting body."""

CONFLICT_REASON = "The same key came before with another body. Both are kept; compare them and replay the right one."


@dataclass(frozen=True, slots=True)
class Accepted:
    """A stored delivery. `copy`: it was there already; `conflict`: its key was there with another body."""

    id: int
    copy: bool = False
    conflict: bool = False


_NEW_ID = "month_id('sync_delivery_id_seq')"
_COLUMNS = """id, connection_id, dedup_key, kind, object_type, body, digest, headers, trace_id,
              copies, attempts, fence, replays"""
_STORE = f"""
    WITH key AS (
        INSERT INTO sync_deliverykey (connection_id, key, delivery_id) VALUES (%s, %s, {_NEW_ID})
        ON CONFLICT (connection_id, key) DO NOTHING RETURNING delivery_id, connection_id, key)
    INSERT INTO sync_delivery ({_COLUMNS}, state, reason, reason_code)
    SELECT delivery_id, connection_id, key, %s, %s, %s, %s, %s::jsonb, %s, 1, 0, 0, 0, 'pending', '', '' FROM key
    RETURNING id
"""
_COUNT_COPY = """
    UPDATE sync_delivery d SET copies = copies + 1 FROM sync_deliverykey k
     WHERE k.connection_id = %s AND k.key = %s AND d.id = k.delivery_id AND d.digest = %s
    RETURNING d.id
"""
_BY_KEY = """
    SELECT k.delivery_id, d.body FROM sync_deliverykey k LEFT JOIN sync_delivery d ON d.id = k.delivery_id
     WHERE k.connection_id = %s AND k.key = %s
"""
_STORE_CONFLICTS = f"""
    WITH said AS (
        SELECT u.*, o.id AS other, o.connection_id, o.dedup_key || u.suffix AS own_key
          FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::text[], %s::text[], %s::text[])
               AS u(kind, type, key, suffix, body, digest, headers, trace)
          JOIN sync_deliverykey k ON k.connection_id = %s AND k.key = u.key
          JOIN sync_delivery o ON o.id = k.delivery_id),
    keys AS (
        INSERT INTO sync_deliverykey (connection_id, key, delivery_id) SELECT connection_id, own_key, {_NEW_ID} FROM said
        ON CONFLICT (connection_id, key) DO NOTHING RETURNING delivery_id, key),
    stored AS (
        INSERT INTO sync_delivery ({_COLUMNS}, state, reason, reason_code, done_at, conflicts_with_id)
        SELECT keys.delivery_id, s.connection_id, s.own_key, s.kind, s.type, s.body, s.digest, s.headers::jsonb, s.trace,
               1, 0, 0, 0, 'quarantined', %s, 'key_conflict', clock_timestamp(), s.other
          FROM said s JOIN keys ON keys.key = s.own_key
        RETURNING id),
    again AS (
        UPDATE sync_delivery d SET copies = copies + %s
          FROM said s JOIN sync_deliverykey k ON k.connection_id = s.connection_id AND k.key = s.own_key
         WHERE d.id = k.delivery_id
        RETURNING d.id)
    SELECT id, false FROM stored UNION ALL SELECT id, true FROM again
"""
"""`again` sees keys of earlier statements only, never those that this one makes."""


def accept(
    handle: ConnectionHandle,
    *,
    kind: str,
    dedup_key: str,
    body: bytes,
    object_type: str = "",
    headers: Mapping[str, str] | None = None,
) -> Accepted:
    """Commit one delivery, then ring. A copy counts as one more receipt of the same row.

    Outside a transaction this is one statement on the thread's kept connection, durable when it returns; a copy takes a second
    one. Inside a transaction the row stands or falls with it. Raises `psycopg.Error` or `django.db.Error` when it cannot be
    made durable.
    """
    arrived = Arrived(kind, object_type, dedup_key, body, json.dumps(dict(headers or {})))
    row = _run(_STORE, [handle.slug, *arrived.columns()])
    accepted = Accepted(row[0]) if row is not None else _known(handle, arrived)
    if not accepted.copy and not accepted.conflict:
        if connection.in_atomic_block:
            transaction.on_commit(lambda: doorbell.ring("apply_deliveries"), robust=True)
        else:
            doorbell.ring("apply_deliveries")
    return accepted


class Arrived:
    """One thing on its way into the table; `place` is its number in the page that brought it."""

    __slots__ = ("body", "digest", "headers", "key", "kind", "object_type", "place", "trace")

    def __init__(
        self, kind: str, object_type: str, dedup_key: str, body: bytes, headers: str = "{}", *, place: int = 0, digest: str = ""
    ) -> None:
        self.kind, self.object_type, self.body, self.headers, self.place = kind, object_type, body, headers, place
        self.digest = digest or hashlib.sha256(body).hexdigest()
        self.key = storable_key(dedup_key, self.digest)
        self.trace = new_trace_id()

    def columns(self) -> list[Any]:
        return [self.key, self.kind, self.object_type, self.body, self.digest, self.headers, self.trace]


def _known(handle: ConnectionHandle, arrived: Arrived) -> Accepted:
    """The key is there. The same bytes are a copy, and so is the same message written anew; another message is kept beside it.
    What is in the archive cannot be compared any more: it counts as a copy."""
    row = _run(_COUNT_COPY, [handle.slug, arrived.key, arrived.digest])
    if row is not None:
        return Accepted(row[0], copy=True)
    row = _run(_BY_KEY, [handle.slug, arrived.key])
    assert row is not None, "keys are never removed"
    if row[1] is None:
        return Accepted(row[0], copy=True)
    if handle.connector.is_copy(arrived.body, bytes(row[1])):
        _run("UPDATE sync_delivery SET copies = copies + 1 WHERE id = %s RETURNING id", [row[0]])
        return Accepted(row[0], copy=True)
    digest = handle.connector.content_digest(arrived.body)
    conflict = [*_conflict_columns([(arrived, digest)]), handle.slug, CONFLICT_REASON, 1]
    row = _run(_STORE_CONFLICTS, conflict) or _run(_STORE_CONFLICTS, conflict)  # the second sees what came at the same moment
    assert row is not None, "it joins the row it conflicts with"
    return Accepted(row[0], copy=row[1], conflict=True)


def _conflict_columns(found: Sequence[tuple[Arrived, str]]) -> list[list[Any]]:
    return [
        [arrived.kind for arrived, _ in found],
        [arrived.object_type for arrived, _ in found],
        [arrived.key for arrived, _ in found],
        [f"#{digest[:12]}" for _, digest in found],
        [arrived.body for arrived, _ in found],
        [arrived.digest for arrived, _ in found],
        [arrived.headers for arrived, _ in found],
        [arrived.trace for arrived, _ in found],
    ]


def storable_key(dedup_key: str, digest: str) -> str:
    """The key as a text column can hold it; one that it cannot hold is replaced by the body's digest, so nothing is lost."""
    fits = 0 < len(dedup_key) <= KEY_LENGTH_MAX and dedup_key.isprintable() and not dedup_key.isspace()
    return dedup_key if fits else f"sha256:{digest}"


def _run(statement: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
    if not connection.in_atomic_block:
        return kept.fetch_one(statement.encode(), values)
    with connection.cursor() as cursor:
        cursor.execute(statement, list(values))
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row


# --- what our own reads bring -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredPage:
    """How many of a page's items were new, already there, and there with another body."""

    new: int
    known: int
    conflicts: int


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """One item of a page that nobody had seen: its place in the page, and the id, trace and kind that its row will have."""

    place: int
    id: int
    trace_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class Ending:
    """What becomes of a delivery as it is stored. `pending` leaves it to the workers, from `after_seconds` on."""

    state: str = DeliveryState.PENDING
    code: str = ""
    reason: str = ""
    after_seconds: float = 0.0


Judge = Callable[[Sequence[NewDelivery]], Sequence[Ending]]
"""Says what becomes of a page's new items, in the transaction that stores them. One ending for each, in their order."""

JudgeOfPage = Callable[[Sequence[Item]], Judge]
"""Makes the judge of one page as soon as it was read. Asks the database nothing: it runs where pages are read ahead."""

_RESERVE = f"""
    WITH reserved AS (
        INSERT INTO sync_deliverykey (connection_id, key, delivery_id)
        SELECT %s, u.key, {_NEW_ID} FROM json_array_elements_text(%s) WITH ORDINALITY AS u(key, number)
         ORDER BY u.number
        ON CONFLICT (connection_id, key) DO NOTHING RETURNING key, delivery_id)
    SELECT clock_timestamp(), array_agg(key), array_agg(delivery_id) FROM reserved
"""
_NO_HEADERS = JSONB_VERSION + b"{}"
_DELIVERIES = {
    "id": "int8", "connection_id": "text", "dedup_key": "text", "kind": "text", "object_type": "text", "body": "bytea",
    "digest": "text", "headers": "jsonb", "trace_id": "text", "copies": "int4", "attempts": "int4", "fence": "int8",
    "replays": "int4", "state": "text", "reason": "text", "reason_code": "text", "next_attempt_at": "timestamptz",
    "done_at": "timestamptz",
}  # fmt: skip
_OTHER_BYTES = """
    SELECT u.number, o.body
      FROM unnest(%s::int[], %s::text[], %s::text[]) AS u(number, key, digest)
      JOIN sync_deliverykey k ON k.connection_id = %s AND k.key = u.key
      JOIN sync_delivery o ON o.id = k.delivery_id AND o.digest <> u.digest
     ORDER BY u.number
"""


def arrived(items: Sequence[Item]) -> list[Arrived]:
    """What a read returned, as `store_page` takes it. Asks the database nothing."""
    return [
        Arrived(item.kind, item.object_type, item.dedup_key, item.body, place=place, digest=item.digest)
        for place, item in enumerate(items)
    ]


def store_page(handle: ConnectionHandle, items: Sequence[Arrived], judge: Judge | None = None) -> StoredPage:
    """Store what a read returned, in the caller's transaction. What we have already is left untouched.

    `judge` is asked what becomes of the new items; without one they wait for the workers.
    """
    unique: dict[tuple[str, str], Arrived] = {}
    for item in items:
        unique.setdefault((item.key, item.digest), item)
    rows = list(unique.values())
    if not rows:
        return StoredPage(0, 0, 0)
    first: dict[str, Arrived] = {}
    for row in rows:
        first.setdefault(row.key, row)
    with connection.cursor() as cursor:
        cursor.execute(_RESERVE, [handle.slug, as_json(first)])
        now, keys, numbers = cursor.fetchone()
        new = [(number, first[key]) for key, number in zip(keys or (), numbers or (), strict=True)]
        if new:
            _insert(handle, new, judge, now)
        conflicts = 0
        if len(new) < len(rows):
            known: list[list[Any]] = [list(range(len(rows))), [row.key for row in rows], [row.digest for row in rows]]
            cursor.execute(_OTHER_BYTES, [*known, handle.slug])
            connector = handle.connector
            differing = [(rows[number], bytes(body)) for number, body in cursor.fetchall()]
            others = [row for row, body in differing if not connector.is_copy(row.body, body)]
            found = [(row, connector.content_digest(row.body)) for row in others]
            if found:
                cursor.execute(_STORE_CONFLICTS, [*_conflict_columns(found), handle.slug, CONFLICT_REASON, 0])
                conflicts = len(found)
    return StoredPage(len(new), len(items) - len(new) - conflicts, conflicts)


def _insert(handle: ConnectionHandle, new: Sequence[tuple[int, Arrived]], judge: Judge | None, now: dt.datetime) -> None:
    """Store what nobody had seen. `now` is the database's time."""
    endings: Sequence[Ending] = [Ending()] * len(new)
    if judge is not None:
        endings = judge([NewDelivery(row.place, number, row.trace, row.kind) for number, row in new])
    copy_rows("sync_delivery", _DELIVERIES, (
        (number, handle.slug, row.key, row.kind, row.object_type, row.body, row.digest, _NO_HEADERS, row.trace, 1, 0, 0, 0,
         ending.state, ending.reason, ending.code, _after(now, ending), None if ending.state == DeliveryState.PENDING else now)
        for (number, row), ending in zip(new, endings, strict=True)
    ))  # fmt: skip


def _after(now: dt.datetime, ending: Ending) -> dt.datetime:
    return now + dt.timedelta(seconds=ending.after_seconds) if ending.after_seconds else now


def store_read(handle: ConnectionHandle, item: Item, *, disputed_by: int | None = None) -> int:
    """Store one object that was read again; returns the delivery's id, an older one's when nothing had changed.

    A read that resolves the conflict of the delivery `disputed_by` is always one of its own: that the vendor says the same
    as before is just what was asked.
    """
    kind, key = (
        (item.kind, item.dedup_key) if disputed_by is None else (DeliveryKind.RESOLUTION, f"{item.dedup_key}~{disputed_by}")
    )
    read = Arrived(kind, item.object_type, key, item.body)
    with transaction.atomic():
        store_page(handle, [read])
        return DeliveryKey.objects.filter(connection_id=handle.slug, key=read.key).values_list("delivery_id", flat=True).get()


# --- what became of it ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Conservation:
    """Every delivery received is in exactly one of these states; at rest `pending` is 0. `copies` counts receipts beyond the
    first; `oldest_pending_seconds` is how long ago the longest waiting one arrived (0 when none waits)."""

    received: int = 0
    applied: int = 0
    superseded: int = 0
    ignored: int = 0
    quarantined: int = 0
    pending: int = 0
    copies: int = 0
    oldest_pending_seconds: int = 0

    @property
    def holds(self) -> bool:
        """Nothing has vanished, and nothing is in a state that nobody knows."""
        return self.received == self.applied + self.superseded + self.ignored + self.quarantined + self.pending


def conservation() -> Conservation:
    """Count the inbox, in one statement and so at one instant."""
    each = list(conservation_of_each().values())
    names = [field.name for field in fields(Conservation)]
    totals = {name: sum(getattr(one, name) for one in each) for name in names}
    totals["oldest_pending_seconds"] = max((one.oldest_pending_seconds for one in each), default=0)
    return Conservation(**totals)


def conservation_of_each() -> dict[str, Conservation]:
    """Count the inbox of each connection, all at one instant. Reads indexes, not the deliveries themselves."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH counted AS MATERIALIZED (
                SELECT connection_id, coalesce(state, 'received') AS state, count(*) AS number FROM sync_delivery
                 GROUP BY connection_id, ROLLUP (state))
            SELECT c.system_id,
                   (SELECT json_object_agg(n.state, n.number) FROM counted n WHERE n.connection_id = c.system_id)::text,
                   (SELECT sum(d.copies - 1) FROM sync_delivery d WHERE d.connection_id = c.system_id AND d.copies > 1),
                   (SELECT extract(epoch FROM clock_timestamp() - o.received_at) FROM (
                       -- written so that only the index in this very order can answer it, whatever the statistics say
                       SELECT d.connection_id, d.state, d.received_at FROM sync_delivery d
                        WHERE (d.connection_id, d.state, d.id) >= (c.system_id, 'pending', 0)
                        ORDER BY d.connection_id, d.state, d.id LIMIT 1) o
                     WHERE o.connection_id = c.system_id AND o.state = 'pending')
              FROM sync_connection c
            """
        )
        rows = cursor.fetchall()
    found = {}
    for slug, counts_text, copies, oldest_seconds in rows:
        counts = {name: int(number) for name, number in json.loads(counts_text or "{}").items()}
        known = {name: counts.get(name, 0) for name in ("received", *DeliveryState.values)}
        found[slug] = Conservation(**known, copies=int(copies or 0), oldest_pending_seconds=max(0, int(oldest_seconds or 0)))
    return found
