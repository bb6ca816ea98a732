"""The one write path of records and entries: what the systems say becomes the ledger.

`record` takes a batch of facts from one system. The rules, in the order they are applied to each fact:

- known version with the same content: nothing is written (`same`);
- newer version: becomes the record's content (`first`, `newer`, or `restated` when the content is the same);
- older version: kept as an entry, changes nothing (`late`);
- known version with other content: kept as an entry (`conflict`); until the object is read again (`Fact.resolved_at`) the greater
  content digest is the record's content, so that any order of arrival ends in the same ledger;
- a stamp whose conflict such a read has resolved, with content that is neither the one read nor known: a `conflict` again.

The result does not depend on the order or the number of deliveries. The references of the winning version are rows (`Link`).
Accounts whose content moved are marked due, those that a record left included.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import orjson
from django.db import IntegrityError, connection, transaction
from psycopg.errors import UniqueViolation

from revops.bulk import JSONB_VERSION, as_json, copy_rows
from revops.errors import Rejected
from revops.ledger.attach import attach_accounts, name_customers
from revops.ledger.batch import BatchRecord
from revops.ledger.counterparts import Target, accounts_across
from revops.ledger.due import mark_due, mark_due_everywhere
from revops.ledger.facts import RESOLVED, Content, Fact
from revops.ledger.freshness import note_changes
from revops.ledger.models import LedgerEntry, SourceRecord
from revops.ledger.object_type import COPY, KNOWN_AS
from revops.ledger.rates import note_rates
from revops.ledger.turns import take_turn
from revops.ledger.types import TYPES


@dataclass(frozen=True, slots=True)
class DeliveredFact:
    """One fact with the delivery (inbox row id) and trace that brought it."""

    fact: Fact
    delivery_id: int | None = None
    trace_id: str = ""


Key = tuple[str, str]
"""Object type and external id: which object of the system that speaks."""


@dataclass(slots=True)
class _Entry:
    """One version to be kept."""

    key: Key
    fact: Fact
    content: Content
    arrival: str
    item: DeliveredFact


@dataclass(slots=True)
class _Work:
    """What a batch will write. `records` are the objects spoken of, new ones with `pk` 0 until they are stored; `winner` is
    the entry that became its record's content."""

    records: dict[Key, BatchRecord]
    known: set[tuple[Key, str, str]]
    entries: list[_Entry] = field(default_factory=list)
    winner: dict[Key, _Entry] = field(default_factory=dict)

    def moved(self) -> list[BatchRecord]:
        """The records whose content this batch replaces."""
        return [self.records[key] for key in self.winner]


class _Raced(Exception):
    """Another transaction made one of the new records at the same moment."""


def record(system: str, delivered: Sequence[DeliveredFact], *, now: dt.datetime) -> list[str]:
    """Record what `system` says; returns for each fact `first`, `newer`, `restated`, `same`, `late` or `conflict`.

    `now` (aware UTC) is when we learned it. Must run inside a transaction, which stays usable when this raises: nothing of the
    batch is kept then. A constant number of SQL statements a batch.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("ledger.record runs inside the transaction of the delivery that it applies")
    if not delivered:
        return []
    _check_customers(system, delivered)
    facts = [item.fact for item in delivered]
    while True:
        # 1. Whoever decides about the same objects goes first.
        # 2. Known records are locked in key order; new ones are made as a whole further down, in key order too, so that two
        #    transactions with the same new records never wait for each other in a circle.
        # 3. Where another transaction has made one of them meanwhile, nothing of this batch is kept: it waited for that
        #    transaction's end, finds the record now, and locks it.
        try:
            with transaction.atomic():
                take_turn(system, facts)
                return _record(system, delivered, now)
        except _Raced:
            continue


def _record(system: str, delivered: Sequence[DeliveredFact], now: dt.datetime) -> list[str]:
    work = _lock(system, delivered)
    arrivals = [_apply(work, item) for item in delivered]
    moved = work.moved()
    types: dict[int, set[str]] = {}  # account -> what moved on it, also on one that a record is taken from below
    for row in moved:
        if row.account_id is not None:
            types.setdefault(row.account_id, set()).add(row.object_type)
    name_customers(system, moved)
    let_go = _write(system, work, now)
    note_rates(moved)
    touched = attach_accounts(moved, {(target[0], target[2]) for role, target in let_go if role == KNOWN_AS})
    copied = TYPES.copied()
    originals = [target for role, target in let_go if role == COPY]
    across = accounts_across([row.pk for row in moved if row.object_type in copied], originals)
    traces = {}
    for entry in work.winner.values():
        account_id = work.records[entry.key].account_id
        if account_id is not None:
            traces[account_id] = entry.item.trace_id
    for row in moved:
        if row.account_id is not None:
            types.setdefault(row.account_id, set()).add(row.object_type)
    for account_id, object_types in across.items():
        types.setdefault(account_id, set()).update(object_types)
    mark_due(types.keys() - touched, now=now, traces=traces, moved=types)
    mark_due(touched, now=now, traces=traces)  # records came or went with a link: any type may have moved
    everywhere = {row.object_type for row in moved if TYPES[row.object_type].in_every_ledger}
    if everywhere:
        mark_due_everywhere(system, now=now, moved=everywhere)
    note_changes(system, {row.object_type for row in moved}, at=now)
    return arrivals


def _check_customers(system: str, delivered: Sequence[DeliveredFact]) -> None:
    """A record belongs to a customer of its own system, by its id; ties between systems are the customers' own."""
    for item in delivered:
        fact = item.fact
        for target in fact.refs.get("customer", ()):
            if target.system != system or target.by or len(fact.refs["customer"]) > 1:
                raise Rejected(
                    "reference_invalid",
                    f"{fact.object_type} {fact.external_id} must name one customer of {system} by its id.",
                )


_LOCK = """
    SELECT r.object_type, r.external_id, r.id, r.version, r.digest, r.customer_ref, r.account_id
      FROM ROWS FROM (json_array_elements_text(%s), json_array_elements_text(%s)) AS o(object_type, external_id)
      JOIN ledger_sourcerecord r ON r.system_id = %s AND r.object_type = o.object_type AND r.external_id = o.external_id
     ORDER BY r.object_type, r.external_id FOR UPDATE OF r
"""


def _lock(system: str, delivered: Sequence[DeliveredFact]) -> _Work:
    """The records that are spoken of, known ones locked in key order, and which of the versions we have already."""
    keys = sorted({(s.fact.object_type, s.fact.external_id) for s in delivered})
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [as_json(key[0] for key in keys), as_json(key[1] for key in keys), system])
        rows = cursor.fetchall()
    records = {
        (row[0], row[1]): BatchRecord(
            system, row[0], row[1], pk=row[2], version=row[3], digest=row[4], customer_ref=row[5], account_id=row[6]
        )
        for row in rows
    }  # fmt: skip
    by_id = {row.pk: key for key, row in records.items()}
    asked = [  # a version newer than the record's is surely new
        (record.pk, s.fact.version)
        for s in delivered
        if (record := records.get((s.fact.object_type, s.fact.external_id))) and s.fact.version <= record.version
    ]
    known = LedgerEntry.objects.filter(record__in={pk for pk, _ in asked}, version__in={version for _, version in asked})
    found = {(by_id[pk], version, digest) for pk, version, digest in known.values_list("record_id", "version", "digest")}
    for key in keys:
        if key not in records:
            records[key] = BatchRecord(system, key[0], key[1])
    return _Work(records, found)


def _apply(work: _Work, item: DeliveredFact) -> str:
    fact = item.fact
    key = (fact.object_type, fact.external_id)
    row = work.records[key]
    content = fact.content()
    digest = content.digest
    if (key, fact.version, digest) in work.known:
        return "same"
    arrival = LedgerEntry.Arrival
    if not row.version:
        how = arrival.FIRST
    elif fact.version < row.version:
        resolved = row.version.startswith(fact.version + RESOLVED)
        how = arrival.CONFLICT if resolved and digest != row.digest else arrival.LATE
    elif fact.version > row.version:
        how = arrival.RESTATED if digest == row.digest else arrival.NEWER
    else:
        how = arrival.CONFLICT
    entry = _Entry(key, fact, content, how.value, item)
    work.entries.append(entry)
    work.known.add((key, fact.version, digest))
    if (fact.version, digest) > (row.version, row.digest):
        row.version, row.digest, row.deleted = fact.version, digest, fact.deleted
        row.content, row.targets = content, fact.refs
        named = fact.refs.get("customer", ())
        row.customer_ref = fact.external_id if fact.object_type == "customer" else named[0].id if named else row.customer_ref
        work.winner[key] = entry
    return how.value


_NEXT_IDS = """
    SELECT ARRAY(SELECT nextval('ledger_sourcerecord_id_seq') FROM generate_series(1, %s)),
           ARRAY(SELECT month_id('ledger_ledgerentry_id_seq') FROM generate_series(1, %s))
"""
_ENTRIES = {
    "id": "int8", "record_id": "int8", "version": "text", "effective_at": "timestamptz", "recorded_at": "timestamptz",
    "fields": "jsonb", "refs": "jsonb", "unread": "jsonb", "deleted": "bool", "digest": "text", "arrival": "text",
    "delivery_id": "int8", "trace_id": "text",
}  # fmt: skip
_RECORDS = {
    "id": "int8", "system_id": "text", "object_type": "text", "external_id": "text", "account_id": "int8", "customer_ref": "text",
    "current_id": "int8", "version": "text", "digest": "text", "fields": "jsonb", "refs": "jsonb", "unread": "jsonb",
    "deleted": "bool", "effective_at": "timestamptz", "changed_at": "timestamptz", "seen_at": "timestamptz",
}  # fmt: skip
_CHANGE = """
    UPDATE ledger_sourcerecord r
       SET current_id = s.current_id, version = s.version, digest = s.digest, fields = s.fields, refs = s.refs,
           unread = s.unread, deleted = s.deleted, effective_at = s.effective_at, changed_at = %s, seen_at = %s,
           customer_ref = s.customer_ref, account_id = s.account_id
      FROM jsonb_to_recordset(%s)
           AS s(id bigint, current_id bigint, version text, digest text, fields jsonb, refs jsonb, unread jsonb,
                deleted boolean, effective_at timestamptz, customer_ref text, account_id bigint)
     WHERE r.id = s.id
"""


def _write(system: str, work: _Work, now: dt.datetime) -> list[tuple[str, Target]]:
    """Store the entries and, with those that won, the records and their references; the others were confirmed just now. The
    entries first: the database compares what a record says with them. Returns the role and
    the target of each reference that is no more.

    Raises `_Raced` when a record that was new is there by now.
    """
    let_go: list[tuple[str, Target]] = []
    if work.entries:
        new = [work.records[key] for key in sorted(work.winner) if not work.records[key].pk]
        entry_ids = _take_ids(new, work.entries)
        current = {entry.key: number for number, entry in zip(entry_ids, work.entries, strict=True) if _wins(work, entry)}
        copy_rows("ledger_ledgerentry", _ENTRIES, (
            (number, work.records[entry.key].pk, entry.fact.version, entry.fact.effective_at, now,
             JSONB_VERSION + entry.content.fields_json, JSONB_VERSION + entry.content.refs_json, _unread(entry),
             entry.fact.deleted, entry.content.digest, entry.arrival, entry.item.delivery_id, entry.item.trace_id)
            for number, entry in zip(entry_ids, work.entries, strict=True)
        ))  # fmt: skip
        _add_records(system, new, work, current, now)
        _change_records(work, current, {row.pk for row in new}, now)
        let_go = _write_links(work.moved(), frozenset(row.pk for row in new))
    same = [row.pk for key, row in work.records.items() if key not in work.winner]
    if same:
        SourceRecord.objects.filter(pk__in=same).update(seen_at=now)
    return let_go


def _wins(work: _Work, entry: _Entry) -> bool:
    return work.winner.get(entry.key) is entry


def _unread(entry: _Entry) -> bytes | None:
    """What could not be read, as the column takes it."""
    return None if entry.content.unread_json is None else JSONB_VERSION + entry.content.unread_json


def _take_ids(new: Sequence[BatchRecord], entries: Sequence[_Entry]) -> list[int]:
    """Give the new records their ids; returns one for each entry."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_IDS, [len(new), len(entries)])
        record_ids, entry_ids = cursor.fetchone()
    for row, number in zip(new, record_ids, strict=True):
        row.pk = number
    found: list[int] = entry_ids
    return found


def _add_records(system: str, new: Sequence[BatchRecord], work: _Work, current: Mapping[Key, int], now: dt.datetime) -> None:
    """In the order of their keys, as `record` says."""
    if not new:
        return
    winners = [(row, work.winner[row.object_type, row.external_id]) for row in new]
    try:
        copy_rows("ledger_sourcerecord", _RECORDS, (
            (row.pk, system, row.object_type, row.external_id, row.account_id, row.customer_ref, current[entry.key], row.version,
             row.digest, JSONB_VERSION + entry.content.fields_json, JSONB_VERSION + entry.content.refs_json, _unread(entry),
             row.deleted, entry.fact.effective_at, now, now)
            for row, entry in winners
        ))  # fmt: skip
    except IntegrityError as error:
        if isinstance(error.__cause__, UniqueViolation):
            raise _Raced from None
        raise


def _change_records(work: _Work, current: Mapping[Key, int], new: Collection[int], now: dt.datetime) -> None:
    """Give the records that were there before the content of the entries that won."""
    changed = [(work.records[key], entry) for key, entry in work.winner.items() if work.records[key].pk not in new]
    if not changed:
        return
    rows = b",".join([_columns(row, entry, current[entry.key]) for row, entry in changed])
    with connection.cursor() as cursor:
        cursor.execute(_CHANGE, [now, now, f"[{rows.decode()}]"])


def _columns(row: BatchRecord, entry: _Entry, current: int) -> bytes:
    """One row of `_CHANGE`, in JSON."""
    columns = {
        "id": row.pk, "current_id": current, "version": row.version, "digest": row.digest, "deleted": row.deleted,
        "effective_at": entry.fact.effective_at.isoformat(), "customer_ref": row.customer_ref, "account_id": row.account_id,
    }  # fmt: skip
    content = entry.content
    unread = (b',"unread":', content.unread_json) if content.unread_json is not None else ()
    parts = (orjson.dumps(columns)[:-1], b',"fields":', content.fields_json, b',"refs":', content.refs_json, *unread, b"}")
    return b"".join(parts)


_REMOVE_LINKS = """
    DELETE FROM ledger_link l WHERE l.record_id = ANY(%s) AND NOT EXISTS (
        SELECT FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
               AS s(record_id, role, target_system, target_type, target_id, by)
         WHERE (s.record_id, s.role, s.target_system, s.target_type, s.target_id, s.by)
             = (l.record_id, l.role, l.target_system, l.target_type, l.target_id, l.by))
    RETURNING l.role, l.target_system, l.target_type, l.target_id
"""
_ADD_LINKS = """
    INSERT INTO ledger_link (record_id, role, target_system, target_type, target_id, by)
    SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
    ON CONFLICT DO NOTHING
"""
_LINKS = {
    "record_id": "int8", "role": "text", "target_system": "text", "target_type": "text", "target_id": "text", "by": "text",
}  # fmt: skip
_LinkRow = tuple[int, str, str, str, str, str]


def _write_links(moved: Sequence[BatchRecord], new: frozenset[int]) -> list[tuple[str, Target]]:
    """Make the reference rows of these records those of their content; those that are new have none yet. Returns the role and
    the target of each reference that is no more."""
    added = [link for row in moved if row.pk in new for link in _links_of(row)]
    if added:
        copy_rows("ledger_link", _LINKS, added)
    old = [row for row in moved if row.pk not in new]
    let_go: list[tuple[str, Target]] = []
    if old:
        links = [link for row in old for link in _links_of(row)]
        columns = [list(column) for column in zip(*links, strict=True)] if links else [[] for _ in range(6)]
        with connection.cursor() as cursor:
            cursor.execute(_REMOVE_LINKS, [[row.pk for row in old], *columns])
            let_go = [(role, (system, object_type, id)) for role, system, object_type, id in cursor.fetchall()]
            if links:
                cursor.execute(_ADD_LINKS, columns)
    return let_go


def _links_of(row: BatchRecord) -> list[_LinkRow]:
    return [
        (row.pk, role, target.system, target.object_type, target.id, target.by)
        for role, targets in row.targets.items()
        for target in dict.fromkeys(targets)
    ]
