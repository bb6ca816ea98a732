"""What a reader gets: one account's records as plain values. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from revops.ledger.facts import SHAPES, Value
from revops.ledger.reference import Ref


@dataclass(frozen=True, slots=True)
class LedgerRecord:
    """One object in one system at one version, with its values decoded (see `ledger.facts`)."""

    system: str
    role: str
    object_type: str
    external_id: str
    fields: Mapping[str, Value]
    refs: Mapping[str, str]
    effective_at: dt.datetime
    recorded_at: dt.datetime
    version: str = ""
    deleted: bool = False
    id: int = 0
    entry_id: int | None = None
    seen_at: dt.datetime | None = None

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
    def type_label(self) -> str:
        return SHAPES[self.object_type].label


def label_of(object_type: str, fields: Mapping[str, object], refs: Mapping[str, str], external_id: str) -> str:
    """What people call a record: its number or name, a pending line's description, a subscription's contract number; its id
    only where no system gave it a name."""
    named = [fields.get("number"), fields.get("name"), fields.get("description")]
    if object_type == "subscription":
        named.append(refs.get("contract_number"))
    return next((value for value in named if isinstance(value, str) and value), external_id)


@dataclass(frozen=True, slots=True)
class AccountLedger:
    """Everything the systems say about one account. Deleted records are included, marked; `of` leaves them out."""

    account_id: int
    currency: str
    legal_entity_code: str
    records: tuple[LedgerRecord, ...]
    name: str = ""

    def of(self, object_type: str, role: str | None = None, *, deleted: bool = False) -> list[LedgerRecord]:
        """Records of a type, of one role or all, without the deleted ones unless asked for."""
        return [
            record
            for record in self.records
            if record.object_type == object_type and (role is None or record.role == role) and (deleted or not record.deleted)
        ]

    def find(self, key: tuple[str, str, str]) -> LedgerRecord | None:
        """The record of that (system, object type, external id)."""
        return next((record for record in self.records if record.key == key), None)
