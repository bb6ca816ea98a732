"""What a reader gets: one account's records as plain values, indexed once by what readers ask for. Pure."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from revops.ledger.facts import Value
from revops.ledger.habits import Habits
from revops.ledger.types import TYPES
from revops.reference import Ref, Refs, plain_number
from revops.sentences import Named


@dataclass(frozen=True, slots=True)
class LedgerRecord:
    """One object in one system at one version, with its values and references decoded. `role` is the part its system plays;
    `account_id` whose record it is, None while nobody's."""

    system: str
    role: str
    object_type: str
    external_id: str
    fields: Mapping[str, Value]
    refs: Refs
    effective_at: dt.datetime
    recorded_at: dt.datetime
    version: str = ""
    deleted: bool = False
    id: int = 0
    entry_id: int | None = None
    seen_at: dt.datetime | None = None
    account_id: int | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.system, self.object_type, self.external_id)

    @property
    def ref(self) -> Ref:
        """The reference that points to this record."""
        return Ref(self.system, self.object_type, self.external_id)

    @property
    def label(self) -> str:
        """What people call it (see `label_of`)."""
        return label_of(self.object_type, self.fields, self.refs, self.external_id)

    @property
    def named(self) -> Named:
        """The record as a sentence names it."""
        return Named(self.ref, self.label)

    @property
    def type_label(self) -> str:
        return TYPES.label(self.object_type)

    def targets(self, role: str) -> tuple[Ref, ...]:
        """What the record points to in that role."""
        return self.refs.get(role, ())

    def target(self, role: str) -> Ref | None:
        """The one thing that the record points to in that role; None for nothing and for several."""
        found = self.targets(role)
        return found[0] if len(found) == 1 else None


def label_of(object_type: str, fields: Mapping[str, object], refs: Refs, external_id: str) -> str:
    """What people call a record, as its type declares: its number or name, the number of the contract it belongs to; its id only
    where no system gave it a name."""
    declared = TYPES.get(object_type)
    if declared is None:
        return external_id
    named = [fields.get(name) for name in declared.called_by]
    named += [target.id for target in refs.get(declared.called_by_role, ()) if target.by]
    return next((value for value in named if isinstance(value, str) and value), external_id)


@dataclass(frozen=True, slots=True)
class Entity:
    """A legal entity: our code, its base currency (ISO 4217), and the system that keeps its books (empty: none said so yet)."""

    code: str
    base_currency: str
    books_system: str


@dataclass(frozen=True)
class AccountLedger:
    """Everything the systems say about one account, with the periods and entities of every account.

    `elsewhere` are the copies and originals of its documents that stand on another account, or on none yet: they are found by
    reference and are the other side of a document, but not the account's own. `verdicts`: what people said of two documents, by
    their keys: true where they are the same. `habits`: of the systems that keep the books, by slug. Deleted records are included,
    marked; readers leave them out unless asked for. Every index is made once, when first used.
    """

    account_id: int
    currency: str
    legal_entity_code: str
    records: tuple[LedgerRecord, ...]
    name: str = ""
    entities: tuple[Entity, ...] = ()
    elsewhere: tuple[LedgerRecord, ...] = ()
    verdicts: Mapping[frozenset[tuple[str, str, str]], bool] = field(default_factory=dict)
    habits: Mapping[str, Habits] = field(default_factory=dict)

    @cached_property
    def derived(self) -> dict[object, object]:
        """What readers have worked out of it, each under a key of its own: worked out once a reading."""
        return {}

    # --- records ---------------------------------------------------------------------------------------------------

    def of(self, object_type: str, role: str | None = None, *, deleted: bool = False) -> list[LedgerRecord]:
        """Records of a type, of one role or all, without the deleted ones unless asked for."""
        return list(self._by_type.get((object_type, role, deleted), ()))

    def find(self, ref: Ref) -> LedgerRecord | None:
        """The record that a reference points to, deleted or not; of several that bear a number, a live one."""
        return self._by_key.get((ref.system, ref.object_type, ref.id)) if not ref.by else self._numbered(ref)

    def pointing_at(
        self, target: Ref | LedgerRecord, role: str, object_type: str | None = None, *, deleted: bool = False
    ) -> list[LedgerRecord]:
        """Records that point to it in that role, of a type (or any), without the deleted ones unless asked for."""
        key = (*target.key, "") if isinstance(target, LedgerRecord) else (target.system, target.object_type, target.id, target.by)
        return [
            record
            for record in self._incoming.get((role, *key), ())
            if object_type in (None, record.object_type) and (deleted or not record.deleted)
        ]

    def pointed_to(self, record: LedgerRecord, role: str) -> list[LedgerRecord]:
        """The records that this one points to in that role, as far as they have come."""
        return [found for ref in record.targets(role) if (found := self.find(ref)) is not None]

    def twins(self, record: LedgerRecord, role: str) -> list[LedgerRecord]:
        """The same document in the systems of that role: what `record` is a copy of, and what is a copy of it."""
        both = (*self.pointed_to(record, "copy_of"), *self.pointing_at(record, "copy_of"))
        found = [twin for twin in both if twin.role == role and twin.object_type == record.object_type and not twin.deleted]
        return list({twin.key: twin for twin in found}.values()) if len(found) > 1 else found

    def twin(self, record: LedgerRecord, role: str) -> LedgerRecord | None:
        """The one same document in a system of that role; None for none and for several."""
        found = self.twins(record, role)
        return found[0] if len(found) == 1 else None

    # --- books -----------------------------------------------------------------------------------------------------

    def entity(self, code: str) -> Entity | None:
        """The legal entity with that code."""
        return next((entity for entity in self.entities if entity.code == code), None)

    def entity_of(self, record: LedgerRecord) -> Entity | None:
        """The legal entity in whose books a record stands: the one it names, the one its customer names, the account's own, or
        the only one whose books its system keeps. Where no system names a legal entity, each keeps the books of
        one without a code. None when its system keeps none of these."""
        kept = [entity for entity in self.entities if entity.books_system == record.system]
        customer = record.target("customer")
        stated = self.find(customer) if customer is not None else None
        named = [found.fields.get("code") for found in self.pointed_to(record, "legal_entity")]
        codes = [*named, stated.fields.get("legal_entity") if stated is not None else None, self.legal_entity_code]
        for code in codes:
            found = next((entity for entity in kept if entity.code == code), None)
            if found is not None:
                return found
        nameless = Entity("", "", record.system)
        if nameless in self._periods:
            return nameless
        return kept[0] if len(kept) == 1 else None

    def periods_of(self, entity: Entity) -> Sequence[LedgerRecord]:
        """The entity's accounting periods with both dates, by start; quarters and years too where the system states them."""
        return self._periods.get(entity, ())

    def period_of(self, entity: Entity, day: dt.date) -> LedgerRecord | None:
        """The entity's accounting period that contains the day; the shortest where quarters and years are kept too."""
        spans = ((period, *span_of(period)) for period in self.periods_of(entity))
        found = [(end - start, period.external_id, period) for period, start, end in spans if start <= day <= end]
        return min(found, key=lambda line: line[:2])[2] if found else None

    # --- indexes ---------------------------------------------------------------------------------------------------

    @cached_property
    def _by_type(self) -> Mapping[tuple[str, str | None, bool], Sequence[LedgerRecord]]:
        found: dict[tuple[str, str | None, bool], list[LedgerRecord]] = defaultdict(list)
        for record in self.records:
            for role in (None, record.role):
                found[record.object_type, role, True].append(record)
                if not record.deleted:
                    found[record.object_type, role, False].append(record)
        return found

    @cached_property
    def _by_key(self) -> Mapping[tuple[str, str, str], LedgerRecord]:
        return {record.key: record for record in (*self.records, *self.elsewhere)}

    @cached_property
    def _by_number(self) -> dict[str, Mapping[Ref, LedgerRecord]]:
        return {}

    def _numbered(self, ref: Ref) -> LedgerRecord | None:
        if ref.by not in self._by_number:
            everything = (*self.records, *self.elsewhere)
            alive_last = sorted(everything, key=lambda record: (not record.deleted, record.effective_at, record.external_id))
            self._by_number[ref.by] = {
                Ref(record.system, record.object_type, plain_number(number), ref.by): record
                for record in alive_last
                if isinstance(number := record.fields.get(ref.by), str) and number
            }
        return self._by_number[ref.by].get(ref)

    @cached_property
    def _incoming(self) -> Mapping[tuple[str, str, str, str, str], Sequence[LedgerRecord]]:
        """(role, system, type, id, by) of a target -> the records that point to it in that role, each once. What goes by a number
        is entered under the id of the record that bears it, once that has come."""
        found: dict[tuple[str, str, str, str, str], list[LedgerRecord]] = defaultdict(list)
        for record in (*self.records, *self.elsewhere):
            for role, targets in record.refs.items():
                for target in targets:
                    known = self._numbered(target) if target.by else None
                    key = (*known.key, "") if known is not None else (target.system, target.object_type, target.id, target.by)
                    pointing = found[(role, *key)]
                    if not pointing or pointing[-1] is not record:  # by its id and by its number
                        pointing.append(record)
        return found

    @cached_property
    def _periods(self) -> Mapping[Entity, Sequence[LedgerRecord]]:
        found: dict[Entity, list[LedgerRecord]] = {entity: [] for entity in self.entities if entity.books_system}
        if not found:
            found = {Entity("", "", each.system): [] for each in self.of("accounting_period")}
        for period in self.of("accounting_period"):
            if not isinstance(period.fields.get("start_on"), dt.date) or not isinstance(period.fields.get("end_on"), dt.date):
                continue
            named = {stated.fields.get("code") for stated in self.pointed_to(period, "legal_entity")}
            every = not period.targets("legal_entity")
            for entity, periods in found.items():
                if period.system == entity.books_system and (every or entity.code in named):
                    periods.append(period)
        for periods in found.values():
            periods.sort(key=lambda period: (span_of(period), period.external_id))
        return found


def span_of(period: LedgerRecord) -> tuple[dt.date, dt.date]:
    """First and last day of an accounting period that states both."""
    start, end = period.fields["start_on"], period.fields["end_on"]
    assert isinstance(start, dt.date)
    assert isinstance(end, dt.date)
    return start, end


def latest(records: Iterable[LedgerRecord]) -> dt.datetime:
    """When the last of these records changed (aware UTC). Raises `ValueError` without any."""
    return max(record.effective_at for record in records)
