"""Groups of documents that are the same in several systems: one to one, one to many, many to many. Pure.

Two documents are tied by the first rung of the ladder that holds:

1. `person`: somebody said that they are the same;
2. `reference`: one says that it is a copy of the other;
3. `number`: two systems call it by the same number, for the same customer, within a month;
4. `particulars`: the same customer, amount and currency within a few days, where each is the only candidate of the other.

A lower rung ties only what no higher one has tied, and nothing ties two of which somebody said that they are not the same. An
amount alone ties nothing; two candidates are left to a person.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from revops.ledger.object_type import COPY
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.money import Money

Key = tuple[str, str, str]
"""(system, object type, id)"""

NUMBER_DAYS = 31
PARTICULARS_DAYS = 5
DEAD = frozenset({"void", "rejected", "draft", "failed", "canceled"})
"""Statuses in which a document is tied by reference only."""

AMOUNT = {"invoice": "total", "credit_memo": "total", "payment": "amount"}
DAY = {"invoice": "issued_on", "credit_memo": "issued_on", "payment": "paid_on"}


class Rung(enum.IntEnum):
    """How we know, best first."""

    PERSON = 0
    REFERENCE = 1
    NUMBER = 2
    PARTICULARS = 3


@dataclass(frozen=True, slots=True)
class Tie:
    """Two documents that are the same, and how we know."""

    left: Key
    right: Key
    rung: Rung


@dataclass(frozen=True, slots=True)
class Group:
    """Documents of one type that are the same, by key. `candidates` are documents of other systems that may be, where several
    may: it takes a person."""

    object_type: str
    records: tuple[LedgerRecord, ...]
    ties: tuple[Tie, ...] = ()
    candidates: tuple[LedgerRecord, ...] = ()

    def of(self, role: str) -> tuple[LedgerRecord, ...]:
        """Its documents in systems of that role."""
        return tuple(record for record in self.records if record.role == role)


@dataclass(frozen=True, slots=True)
class Matched:
    """All groups of one type on an account; every document is in exactly one."""

    groups: tuple[Group, ...]
    by_key: Mapping[Key, Group]

    def group_of(self, record: LedgerRecord) -> Group:
        return self.by_key[record.key]


def matched(ledger: AccountLedger, object_type: str) -> Matched:
    """The groups of the account's documents of that type, with their copies that stand elsewhere; without deleted ones. Worked
    out once a reading of the ledger."""
    known = ledger.derived.get((matched, object_type))
    if not isinstance(known, Matched):
        known = _match(ledger, object_type)
        ledger.derived[matched, object_type] = known
    return known


def _match(ledger: AccountLedger, object_type: str) -> Matched:
    mine = ledger.of(object_type)
    others = [record for record in ledger.elsewhere if record.object_type == object_type and not record.deleted]
    records = {record.key: record for record in sorted((*mine, *others), key=lambda each: each.key)}
    joined = _Joined(records, {pair for pair, same in ledger.verdicts.items() if not same})
    for pair, same in ledger.verdicts.items():
        one, other = sorted(pair)
        if same and one in records and other in records:
            joined.tie(one, other, Rung.PERSON)
    for record in records.values():
        for original in record.targets(COPY):
            found = ledger.find(original)
            if found is not None and found.key in records and found.system != record.system:
                joined.tie(record.key, found.key, Rung.REFERENCE)
    for left, right in _by_number(joined.alone(mine), object_type):
        joined.tie(left.key, right.key, Rung.NUMBER)
    pairs, unclear = _by_particulars(joined.alone(mine), object_type)
    for left, right in pairs:
        joined.tie(left.key, right.key, Rung.PARTICULARS)
    unclear = {
        key: [other for other in others if ledger.verdicts.get(frozenset({key, other.key})) is not False]
        for key, others in unclear.items()
    }
    groups = tuple(
        Group(object_type, tuple(records[key] for key in keys), tuple(ties), tuple(unclear.get(keys[0], ())))
        for keys, ties in joined.groups()
    )
    return Matched(groups, {record.key: group for group in groups for record in group.records})


class _Joined:
    """Union by ties."""

    def __init__(self, records: Mapping[Key, LedgerRecord], apart: Collection[frozenset[Key]]) -> None:
        self._head = {key: key for key in records}
        self._apart = apart
        self._ties: list[Tie] = []

    def _find(self, key: Key) -> Key:
        while self._head[key] != key:
            self._head[key] = key = self._head[self._head[key]]
        return key

    def tie(self, left: Key, right: Key, rung: Rung) -> None:
        if frozenset({left, right}) in self._apart:
            return
        self._ties.append(Tie(left, right, rung))
        one, other = sorted((self._find(left), self._find(right)))
        self._head[other] = one

    def alone(self, records: Sequence[LedgerRecord]) -> list[LedgerRecord]:
        """Those that are tied to nothing so far and move money."""
        tied = {key for tie in self._ties for key in (tie.left, tie.right)}
        return [record for record in records if record.key not in tied and record.fields.get("status") not in DEAD]

    def groups(self) -> Iterable[tuple[list[Key], list[Tie]]]:
        members: dict[Key, list[Key]] = defaultdict(list)
        for key in self._head:
            members[self._find(key)].append(key)
        ties: dict[Key, list[Tie]] = defaultdict(list)
        for tie in self._ties:
            ties[self._find(tie.left)].append(tie)
        return [(keys, ties[head]) for head, keys in members.items()]


def _by_number(records: Sequence[LedgerRecord], object_type: str) -> Iterable[tuple[LedgerRecord, LedgerRecord]]:
    """Pairs of two systems with the same number, which no other document of these systems bears."""
    bearing: dict[str, list[LedgerRecord]] = defaultdict(list)
    for record in records:
        number = record.fields.get("number")
        if isinstance(number, str) and number.strip():
            bearing[number.strip().casefold()].append(record)
    for found in bearing.values():
        if len(found) == 2 and found[0].system != found[1].system and _days_apart(found[0], found[1], object_type) <= NUMBER_DAYS:
            yield found[0], found[1]


def _by_particulars(
    records: Sequence[LedgerRecord], object_type: str
) -> tuple[list[tuple[LedgerRecord, LedgerRecord]], dict[Key, list[LedgerRecord]]]:
    """Pairs of two roles with the same amount within a few days, each the other's only candidate; and the candidates of those
    that have several."""
    by_amount: dict[Money, list[LedgerRecord]] = defaultdict(list)
    for record in records:
        amount = record.fields.get(AMOUNT[object_type])
        if isinstance(amount, Money) and amount:
            by_amount[amount].append(record)
    near: dict[Key, list[LedgerRecord]] = {}
    for found in by_amount.values():
        for record in found:
            near[record.key] = [
                other
                for other in found
                if other.role != record.role and _days_apart(record, other, object_type) <= PARTICULARS_DAYS
            ]
    pairs = [
        (record, others[0])
        for record in records
        if len(others := near.get(record.key, [])) == 1 and len(near[others[0].key]) == 1 and record.key < others[0].key
    ]
    paired = {record.key for pair in pairs for record in pair}
    return pairs, {key: others for key, others in near.items() if others and key not in paired}


def _days_apart(left: LedgerRecord, right: LedgerRecord, object_type: str) -> int:
    """Days between the dates that the documents state; for ever where one states none."""
    days = [record.fields.get(DAY[object_type]) for record in (left, right)]
    dates = [day for day in days if isinstance(day, dt.date)]
    return abs((dates[0] - dates[1]).days) if len(dates) == 2 else dt.timedelta.max.days
