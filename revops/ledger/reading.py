"""Reading the ledger: an account as it is now, or as it was at any time, by either time axis.

`as_of` asks what was true then; `known_at` asks what we had learned by then. Both default to now. Links are those of today:
the question "whose record is it" has one current answer, its history is in the audit.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import QuerySet

from revops.accounts.models import Account, AccountLink
from revops.ledger.counterparts import counterparts_elsewhere, verdicts_on
from revops.ledger.facts import decode_fields
from revops.ledger.habits import habits_from_json
from revops.ledger.models import LedgerEntry, SourceRecord, SourceSystem, SystemRole
from revops.ledger.types import TYPES
from revops.ledger.view import AccountLedger, Entity, LedgerRecord
from revops.people.models import LegalEntity
from revops.reference import Ref, refs_from_json


def account_ledger(account: Account, *, as_of: dt.datetime | None = None, known_at: dt.datetime | None = None) -> AccountLedger:
    """The account's records, and those of every account (periods, entities), now or as of a moment."""
    return account_ledgers([account], as_of=as_of, known_at=known_at)[account.pk]


def account_ledgers(
    accounts: Sequence[Account], *, as_of: dt.datetime | None = None, known_at: dt.datetime | None = None
) -> dict[int, AccountLedger]:
    """Several accounts at once, in a constant number of queries."""
    shared = TYPES.in_every_ledger()
    systems = list(SourceSystem.objects.values_list("slug", "role", "habits"))
    roles = {slug: role for slug, role, _ in systems}
    habits = {slug: habits_from_json(stored) for slug, role, stored in systems if role == SystemRole.ERP}
    mine: dict[int, list[LedgerRecord]] = {account.pk: [] for account in accounts}
    world: list[LedgerRecord] = []
    counterparts = counterparts_elsewhere(list(mine))
    verdicts = verdicts_on(list(mine))
    known: dict[int, LedgerRecord] = {}
    everybodys = SourceRecord.objects.filter(system__in=list(roles), object_type__in=shared)
    found = [
        rows.order_by("object_type", "system_id", "external_id")
        for rows in (
            SourceRecord.objects.filter(account__in=list(mine)),
            everybodys,
            *([SourceRecord.objects.filter(pk__in={pk for _, pk in counterparts})] if counterparts else []),
        )
    ]
    if as_of is None and known_at is None:
        stated: Iterable[tuple[int | None, LedgerRecord]] = (
            _current(row, roles) for rows in found for row in rows.values_list(*_CURRENT)
        )
    else:
        stated = _at([row for rows in found for row in rows], roles, as_of=as_of, known_at=known_at)
    for account_id, record in stated:
        if record.object_type in shared:
            world.append(record)
        elif account_id in mine and record.id not in known:
            mine[account_id].append(record)
        known[record.id] = record
    elsewhere: dict[int, list[LedgerRecord]] = {account.pk: [] for account in accounts}
    for account_id, pk in counterparts:
        if pk in known:
            elsewhere[account_id].append(known[pk])
    entities = {
        entity.pk: Entity(entity.code, entity.base_currency, entity.books_system)
        for entity in LegalEntity.objects.order_by("code")
    }
    return {
        account.pk: AccountLedger(
            account_id=account.pk,
            currency=account.currency,
            legal_entity_code=entities[account.legal_entity_id].code if account.legal_entity_id is not None else "",
            records=tuple(mine[account.pk] + world),
            name=account.name,
            entities=tuple(entities.values()),
            elsewhere=tuple(elsewhere[account.pk]),
            verdicts=verdicts[account.pk],
            habits=habits,
        )
        for account in accounts
    }


_CURRENT = (
    "account_id", "system_id", "object_type", "external_id", "fields", "refs", "effective_at", "changed_at", "version", "deleted",
    "id", "current_id", "seen_at",
)  # fmt: skip
"""The columns that `_current` reads, in its order. A model object a row would cost a fifth of a look at an account."""


def _current(row: tuple[Any, ...], roles: Mapping[str, str]) -> tuple[int | None, LedgerRecord]:
    account_id, system, object_type, external_id, fields, refs, effective_at, changed_at, version, deleted, pk, entry, seen = row
    return account_id, LedgerRecord(
        system=system,
        role=roles[system],
        object_type=object_type,
        external_id=external_id,
        fields=decode_fields(object_type, fields),
        refs=refs_from_json(refs),
        effective_at=effective_at,
        recorded_at=changed_at,
        version=version,
        deleted=deleted,
        id=pk,
        entry_id=entry,
        seen_at=seen,
        account_id=account_id,
    )


def _at(
    rows: Sequence[SourceRecord], roles: Mapping[str, str], *, as_of: dt.datetime | None, known_at: dt.datetime | None
) -> Iterable[tuple[int | None, LedgerRecord]]:
    entries = LedgerEntry.objects.filter(record__in=[row.pk for row in rows])
    if as_of is not None:
        entries = entries.filter(effective_at__lte=as_of)
    if known_at is not None:
        entries = entries.filter(recorded_at__lte=known_at)
    latest = {entry.record_id: entry for entry in entries.order_by("record_id", "-version", "-digest").distinct("record_id")}
    for row in rows:
        entry = latest.get(row.pk)
        if entry is not None:
            yield row.account_id, entry_record(row, entry, roles[row.system_id])


def entry_record(row: SourceRecord, entry: LedgerEntry, role: str) -> LedgerRecord:
    """One entry of a record, decoded: the record as that version stated it."""
    return LedgerRecord(
        system=row.system_id,
        role=role,
        object_type=row.object_type,
        external_id=row.external_id,
        fields=decode_fields(row.object_type, entry.fields),
        refs=refs_from_json(entry.refs),
        effective_at=entry.effective_at,
        recorded_at=entry.recorded_at,
        version=entry.version,
        deleted=entry.deleted,
        id=row.pk,
        entry_id=entry.pk,
        account_id=row.account_id,
    )


def systems_knowing(account_id: int) -> QuerySet[SourceSystem]:
    """The systems that have a customer record of this account."""
    mine = SourceRecord.objects.filter(account=account_id, object_type="customer", deleted=False)
    return SourceSystem.objects.filter(slug__in=mine.values("system"))


def record_at(ref: Ref) -> SourceRecord | None:
    """The record that a reference points to; of several that bear a number, a live one, the latest. None while it has not
    come."""
    rows = SourceRecord.objects.filter(system=ref.system, object_type=ref.object_type).select_related("system")
    if not ref.by:
        return rows.filter(external_id=ref.id).first()
    return rows.filter(**{f"fields__{ref.by}": ref.id}).order_by("deleted", "-effective_at", "external_id").first()


def record_history(row: SourceRecord) -> list[LedgerEntry]:
    """Every version of a record, newest version first, late evidence and conflicts included."""
    return list(LedgerEntry.objects.filter(record=row).order_by("-version", "-id"))


def state_digest() -> str:
    """SHA-256 (hex) over what the ledger says now, independent of row ids and of the order in which it was learned. An account is
    known by the customers that are linked to it."""
    digest = hashlib.sha256()
    customers: dict[int, list[str]] = {}
    linked = AccountLink.objects.exclude(basis=AccountLink.Basis.REFUSED).order_by("system", "customer_id")
    for account_id, system, customer_id in linked.values_list("account_id", "system", "customer_id"):
        customers.setdefault(account_id, []).append(f"{system} {customer_id}")
    rows = SourceRecord.objects.order_by("system_id", "object_type", "external_id").values_list(
        "system_id", "object_type", "external_id", "version", "digest", "deleted", "account_id"
    )
    for *said, account_id in rows.iterator():
        digest.update("\x1f".join(str(part) for part in (*said, customers.get(account_id))).encode() + b"\x1e")
    return digest.hexdigest()
