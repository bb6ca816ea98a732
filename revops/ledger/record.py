"""The one write path of records and entries: what the systems say becomes the ledger.

`record` takes a batch of statements from one system. The rules, in the order they are applied to each statement:

- known version with the same content: nothing is written (`same`);
- newer version: becomes the record's content (`first`, `newer`, or `restated` when the content is the same);
- older version: kept as an entry, changes nothing (`late`);
- known version with other content: kept as an entry (`conflict`); until the object is read again (`Fact.settled`) the greater
  content digest is the record's content, so that any order of arrival ends in the same ledger;
- a stamp that such a read has settled, with content that is neither the settled one nor known: a `conflict` again.

The result does not depend on the order or the number of deliveries. The references of the winning version are rows (`Link`).
Accounts whose content moved are marked due, those that a record left included.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import connection

from revops.errors import Rejected
from revops.ledger.attach import attach_accounts, name_customers, take_turn
from revops.ledger.due import mark_due, mark_due_everywhere
from revops.ledger.facts import SETTLED, Fact, content_digest
from revops.ledger.freshness import note_changes
from revops.ledger.models import LedgerEntry, SourceRecord
from revops.ledger.rates import note_rates
from revops.ledger.types import TYPES


@dataclass(frozen=True, slots=True)
class Statement:
    """One fact with the delivery (inbox row id) and trace that brought it."""

    fact: Fact
    delivery_id: int | None = None
    trace_id: str = ""


@dataclass(slots=True)
class _Work:
    """What a batch will write. `entries` are columns by name; `wins` marks those that became their record's content."""

    records: dict[tuple[str, str], SourceRecord]
    known: set[tuple[int, str, str]]
    entries: list[dict[str, object]] = field(default_factory=list)
    moved: dict[int, SourceRecord] = field(default_factory=dict)
    winner: dict[int, dict[str, object]] = field(default_factory=dict)


def record(system: str, statements: Sequence[Statement], *, now: dt.datetime) -> list[str]:
    """Record what `system` says; returns for each statement `first`, `newer`, `restated`, `same`, `late` or `conflict`.

    `now` (aware UTC) is when we learned it. Must run inside a transaction. A constant number of SQL statements a batch.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("ledger.record runs inside the transaction of the delivery that it applies")
    if not statements:
        return []
    _check_customers(system, statements)
    take_turn(alone=any(s.fact.object_type == "customer" or not s.fact.refs.get("customer") for s in statements))
    work = _lock(system, statements, now)
    arrivals = [_apply(work, statement) for statement in statements]
    moved = list(work.moved.values())
    types: dict[int, set[str]] = {}  # account -> what moved on it, also on one that a record is taken from below
    for row in moved:
        if row.account_id is not None:
            types.setdefault(row.account_id, set()).add(row.object_type)
    name_customers(system, moved)
    _write(work, now)
    _write_links(moved)
    note_rates(moved)
    touched = attach_accounts(moved)
    told = [(row.account_id, statement.trace_id) for statement, row in _with_rows(work, statements) if row.pk in work.moved]
    traces = {account: trace for account, trace in told if account is not None}
    for row in moved:
        if row.account_id is not None:
            types.setdefault(row.account_id, set()).add(row.object_type)
    mark_due(types.keys() - touched, now=now, traces=traces, moved=types)
    mark_due(touched, now=now, traces=traces)  # records came or went with a link: any type may have moved
    everywhere = {row.object_type for row in moved if TYPES[row.object_type].in_every_ledger}
    if everywhere:
        mark_due_everywhere(system, now=now, moved=everywhere)
    note_changes(system, {row.object_type for row in moved}, at=now)
    return arrivals


def _check_customers(system: str, statements: Sequence[Statement]) -> None:
    """A record belongs to a customer of its own system, by its id; ties between systems are the customers' own."""
    for statement in statements:
        fact = statement.fact
        if fact.object_type == "customer":
            continue
        for target in fact.refs.get("customer", ()):
            if target.system != system or target.by or len(fact.refs["customer"]) > 1:
                raise Rejected(
                    "reference_invalid",
                    f"{fact.object_type} {fact.external_id} must name one customer of {system} by its id.",
                )


def _with_rows(work: _Work, statements: Iterable[Statement]) -> Iterable[tuple[Statement, SourceRecord]]:
    for statement in statements:
        yield statement, work.records[(statement.fact.object_type, statement.fact.external_id)]


_MAKE = """
    INSERT INTO ledger_sourcerecord (system_id, object_type, external_id, customer_ref, version, digest, fields, refs, deleted,
                                     effective_at, changed_at, seen_at)
    SELECT %s, o.type, o.id, '', '', '', '{}', '{}', false, o.at, o.at, o.at
      FROM jsonb_to_recordset(%s) AS o(type text, id text, at timestamptz)
    ON CONFLICT (system_id, object_type, external_id) DO NOTHING
"""


def _lock(system: str, statements: Sequence[Statement], now: dt.datetime) -> _Work:
    """Make rows for objects never seen (so that there is something to lock), then lock all of them in key order."""
    keys = sorted({(s.fact.object_type, s.fact.external_id) for s in statements})
    with connection.cursor() as cursor:
        objects = [{"type": kind, "id": key, "at": now.isoformat()} for kind, key in keys]
        cursor.execute(_MAKE, [system, json.dumps(objects)])
    rows = (
        SourceRecord.objects.select_for_update()
        .filter(system=system, object_type__in={key[0] for key in keys}, external_id__in={key[1] for key in keys})
        .only("system", "object_type", "external_id", "version", "digest", "customer_ref", "account")
        .order_by("object_type", "external_id")
    )
    records = {(row.object_type, row.external_id): row for row in rows}
    old = [row.pk for row in records.values() if row.version]
    known = LedgerEntry.objects.filter(record__in=old, version__in={s.fact.version for s in statements})
    return _Work(records, set(known.values_list("record_id", "version", "digest")) if old else set())


def _apply(work: _Work, statement: Statement) -> str:
    fact = statement.fact
    row = work.records[(fact.object_type, fact.external_id)]
    content = fact.content()
    digest = content_digest(content)
    if (row.pk, fact.version, digest) in work.known:
        return "same"
    arrival = LedgerEntry.Arrival
    if not row.version:
        how = arrival.FIRST
    elif fact.version < row.version:
        settled = row.version.startswith(fact.version + SETTLED)
        how = arrival.CONFLICT if settled and digest != row.digest else arrival.LATE
    elif fact.version > row.version:
        how = arrival.RESTATED if digest == row.digest else arrival.NEWER
    else:
        how = arrival.CONFLICT
    entry = {
        "record_id": row.pk,
        "version": fact.version,
        "effective_at": fact.effective_at.isoformat(),
        **content,
        "digest": digest,
        "arrival": how.value,
        "delivery_id": statement.delivery_id,
        "trace_id": statement.trace_id,
        "wins": False,
    }
    work.entries.append(entry)
    work.known.add((row.pk, fact.version, digest))
    if (fact.version, digest) > (row.version, row.digest):
        row.version, row.digest = fact.version, digest
        row.fields, row.refs = content["fields"], content["refs"]
        named = fact.refs.get("customer", ())
        row.customer_ref = fact.external_id if fact.object_type == "customer" else named[0].id if named else row.customer_ref
        work.moved[row.pk] = row
        work.winner[row.pk] = entry
    return how.value


_WRITE = """
    WITH said AS (
        SELECT * FROM jsonb_to_recordset(%(entries)s)
            AS e(record_id bigint, version text, effective_at timestamptz, fields jsonb, refs jsonb, deleted boolean, digest text,
                 arrival text, delivery_id bigint, trace_id text, wins boolean, customer_ref text, account_id bigint)),
    written AS (
        INSERT INTO ledger_ledgerentry (record_id, version, effective_at, recorded_at, fields, refs, deleted, digest, arrival,
                                        delivery_id, trace_id)
        SELECT record_id, version, effective_at, %(now)s, fields, refs, deleted, digest, arrival, delivery_id, trace_id FROM said
        RETURNING id, record_id, version, digest)
    UPDATE ledger_sourcerecord r
       SET current_id = w.id, version = s.version, digest = s.digest, fields = s.fields, refs = s.refs, deleted = s.deleted,
           effective_at = s.effective_at, changed_at = %(now)s, seen_at = %(now)s, customer_ref = s.customer_ref,
           account_id = s.account_id
      FROM said s JOIN written w USING (record_id, version, digest)
     WHERE s.wins AND r.id = s.record_id
"""


def _write(work: _Work, now: dt.datetime) -> None:
    """Store the entries and, with those that won, the records; the others were confirmed just now."""
    for pk, entry in work.winner.items():
        entry |= {"wins": True, "customer_ref": work.moved[pk].customer_ref, "account_id": work.moved[pk].account_id}
    if work.entries:
        with connection.cursor() as cursor:
            cursor.execute(_WRITE, {"entries": json.dumps(work.entries), "now": now})
    SourceRecord.objects.filter(pk__in=[row.pk for row in work.records.values() if row.pk not in work.moved]).update(seen_at=now)


_WRITE_LINKS = """
    WITH said AS (
        SELECT * FROM jsonb_to_recordset(%(links)s)
            AS s(record_id bigint, role text, target_system text, target_type text, target_id text, by text)),
    gone AS (
        DELETE FROM ledger_link l WHERE l.record_id = ANY(%(records)s) AND NOT EXISTS (
            SELECT FROM said s WHERE (s.record_id, s.role, s.target_system, s.target_type, s.target_id, s.by)
                                   = (l.record_id, l.role, l.target_system, l.target_type, l.target_id, l.by)))
    INSERT INTO ledger_link (record_id, role, target_system, target_type, target_id, by)
    SELECT record_id, role, target_system, target_type, target_id, by FROM said
    ON CONFLICT DO NOTHING
"""


def _write_links(moved: Sequence[SourceRecord]) -> None:
    """Make the reference rows of these records those of their content."""
    if not moved:
        return
    links = [
        {
            "record_id": row.pk,
            "role": role,
            "target_system": target["system"],
            "target_type": target["object_type"],
            "target_id": target["id"],
            "by": target.get("by", ""),
        }
        for row in moved
        for role, targets in row.refs.items()
        for target in targets
    ]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE_LINKS, {"links": json.dumps(links), "records": [row.pk for row in moved]})
