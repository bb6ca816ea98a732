"""The one write path of records and entries: what the systems say becomes the ledger.

`record` takes a batch of statements from one system. The rules, in the order they are applied to each statement:

- known version with the same content: nothing is written (`same`);
- newer version: becomes the record's content (`first`, `newer`, or `restated` when the content is the same);
- older version: kept as an entry, changes nothing (`late`);
- known version with other content: kept as an entry (`conflict`); the greater content digest is the record's content, so that
  any order of arrival ends in the same ledger.

The result does not depend on the order or the number of deliveries. Accounts whose content moved are marked due.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import connection

from revops.ledger.attach import attach_accounts
from revops.ledger.due import mark_due, mark_due_everywhere
from revops.ledger.facts import Fact, content_digest
from revops.ledger.freshness import note_changes
from revops.ledger.models import LedgerEntry, SourceRecord

GLOBAL_TYPES = frozenset({"accounting_period", "legal_entity", "exchange_rate"})
"""Object types that belong to no account; a change of an accounting period makes every account due."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One fact with the delivery (inbox row id) and trace that brought it."""

    fact: Fact
    delivery_id: int | None = None
    trace_id: str = ""


@dataclass(slots=True)
class _Work:
    """What a batch will write."""

    records: dict[tuple[str, str], SourceRecord]
    known: set[tuple[int, str, str]]
    entries: list[LedgerEntry] = field(default_factory=list)
    moved: dict[int, SourceRecord] = field(default_factory=dict)
    seen: dict[int, SourceRecord] = field(default_factory=dict)
    winner: dict[int, LedgerEntry] = field(default_factory=dict)


def record(system: str, statements: Sequence[Statement], *, now: dt.datetime) -> list[str]:
    """Record what `system` says; returns for each statement `first`, `newer`, `restated`, `same`, `late` or `conflict`.

    `now` (aware UTC) is when we learned it. Must run inside a transaction. A constant number of SQL statements a batch.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("ledger.record runs inside the transaction of the delivery that it applies")
    if not statements:
        return []
    work = _lock(system, statements, now)
    arrivals = [_apply(work, statement, now) for statement in statements]
    if work.entries:
        created = LedgerEntry.objects.bulk_create(work.entries)
        for entry in created:
            record_row = work.moved.get(entry.record_id)
            if record_row is not None and work.winner.get(entry.record_id) is entry:
                record_row.current_id = entry.pk
    _store(work)
    moved = list(work.moved.values())
    touched = attach_accounts(system, moved)
    told = [(row.account_id, statement.trace_id) for statement, row in _with_rows(work, statements) if row.pk in work.moved]
    traces = {account: trace for account, trace in told if account is not None}
    mark_due({row.account_id for row in moved if row.account_id} | touched, now=now, traces=traces)
    if any(row.object_type == "accounting_period" for row in moved):
        mark_due_everywhere(system, now=now)
    note_changes(system, {row.object_type for row in moved}, at=now)
    return arrivals


def _with_rows(work: _Work, statements: Iterable[Statement]) -> Iterable[tuple[Statement, SourceRecord]]:
    for statement in statements:
        yield statement, work.records[(statement.fact.object_type, statement.fact.external_id)]


def _lock(system: str, statements: Sequence[Statement], now: dt.datetime) -> _Work:
    """Make rows for objects never seen (so that there is something to lock), then lock all of them in key order."""
    facts = {(s.fact.object_type, s.fact.external_id): s.fact for s in statements}
    SourceRecord.objects.bulk_create(
        [
            SourceRecord(
                system_id=system,
                object_type=key[0],
                external_id=key[1],
                version="",
                digest="",
                effective_at=facts[key].effective_at,
                changed_at=now,
                seen_at=now,
            )
            for key in sorted(facts)
        ],
        ignore_conflicts=True,
    )
    rows = (
        SourceRecord.objects.select_for_update()
        .filter(system=system, object_type__in={k[0] for k in facts}, external_id__in={k[1] for k in facts})
        .order_by("object_type", "external_id")
    )
    records = {(row.object_type, row.external_id): row for row in rows}
    known = set(
        LedgerEntry.objects.filter(
            record__in=[row.pk for row in records.values()], version__in={s.fact.version for s in statements}
        ).values_list("record_id", "version", "digest")
    )
    return _Work(records=records, known=known)


def _apply(work: _Work, statement: Statement, now: dt.datetime) -> str:
    fact = statement.fact
    row = work.records[(fact.object_type, fact.external_id)]
    content = fact.content()
    digest = content_digest(content)
    row.seen_at = now
    work.seen[row.pk] = row
    if (row.pk, fact.version, digest) in work.known:
        return "same"
    arrival = LedgerEntry.Arrival
    if not row.version:
        how = arrival.FIRST
    elif fact.version < row.version:
        how = arrival.LATE
    elif fact.version > row.version:
        how = arrival.RESTATED if digest == row.digest else arrival.NEWER
    else:
        how = arrival.CONFLICT
    entry = LedgerEntry(
        record=row,
        version=fact.version,
        effective_at=fact.effective_at,
        recorded_at=now,
        fields=content["fields"],
        refs=content["refs"],
        deleted=fact.deleted,
        digest=digest,
        arrival=how,
        delivery_id=statement.delivery_id,
        trace_id=statement.trace_id,
    )
    work.entries.append(entry)
    work.known.add((row.pk, fact.version, digest))
    if how != arrival.LATE and (how != arrival.CONFLICT or digest > row.digest):
        row.version, row.digest, row.deleted = fact.version, digest, fact.deleted
        row.fields, row.refs = entry.fields, entry.refs
        row.effective_at, row.changed_at = fact.effective_at, now
        row.customer_ref = fact.external_id if fact.object_type == "customer" else fact.refs.get("customer", row.customer_ref)
        work.moved[row.pk] = row
        work.winner[row.pk] = entry
    return how.value


_WRITTEN = [
    "current",
    "version",
    "digest",
    "fields",
    "refs",
    "deleted",
    "effective_at",
    "changed_at",
    "seen_at",
    "customer_ref",
]


def _store(work: _Work) -> None:
    if work.moved:
        SourceRecord.objects.bulk_create(
            list(work.moved.values()),
            update_conflicts=True,
            unique_fields=["system", "object_type", "external_id"],
            update_fields=_WRITTEN,
        )
    only_seen = [pk for pk in work.seen if pk not in work.moved]
    if only_seen:
        SourceRecord.objects.filter(pk__in=only_seen).update(seen_at=work.seen[only_seen[0]].seen_at)
