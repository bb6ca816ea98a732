"""The rule contract. Pure.

A rule is one file `rules/<what_is_wrong>.py` with one `Rule` named `RULE`. It brings its own proof: `fires_on` and
`silent_on` examples, which one generic test runs for every rule.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from revops.ledger.facts import Fact, Value
from revops.ledger.reference import NO_REFS, Refs
from revops.ledger.view import AccountLedger, Entity, LedgerRecord
from revops.money import Money, exponent

SeverityCode = Literal["critical", "high", "medium", "low"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One field on which the systems do not agree. `values` are (record, value) pairs; `owner` is the role whose word counts."""

    field: str
    label: str
    owner: str
    values: tuple[tuple[LedgerRecord, Value], ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction. `subjects` are the records it is about: with the rule they are its identity, so they must be the same
    whenever the same contradiction is looked at. `due_at` (aware UTC): before it, this is not yet due; from it on, broken."""

    subjects: tuple[LedgerRecord, ...]
    sentence: str
    due_at: dt.datetime
    amount: Money | None = None
    differences: tuple[Difference, ...] = ()
    context: tuple[LedgerRecord, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    subject_note: str = ""

    def fingerprint(self, rule: str) -> str:
        """SHA-256 (hex) over the rule and the subjects' keys: row ids and amounts do not enter."""
        parts = [rule, self.subject_note, *sorted("\x1f".join(record.key) for record in self.subjects)]
        return hashlib.sha256("\x1e".join(parts).encode()).hexdigest()

    def is_due(self, now: dt.datetime) -> bool:
        return now >= self.due_at


@dataclass(frozen=True, slots=True)
class Example:
    """A situation told in facts: (role, fact) pairs of one account. `finds` is how many findings are broken, `waits` how many
    are not yet due, at `now`."""

    name: str
    facts: tuple[tuple[str, Fact], ...]
    now: dt.datetime
    finds: int = 0
    waits: int = 0


@dataclass(frozen=True, slots=True)
class Playbook:
    """What people are told: what it means, what to check, and which kinds of change may fix it (codes of `postings.kinds`)."""

    means: str
    check: tuple[str, ...]
    fixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of contradiction. `reads` names the object types whose change can alter its findings.

    Where a missing record is itself the contradiction, `expects` is the role and `expects_type` the object type that is missed:
    it is missing only once every system of that role was read past the due time.
    """

    code: str
    title: str
    severity: SeverityCode
    team: str
    sentence: str
    tolerance: str
    reads: frozenset[str]
    playbook: Playbook
    find: Callable[[AccountLedger, dt.datetime], Iterable[Finding]]
    fires_on: Sequence[Example] = ()
    silent_on: Sequence[Example] = ()
    expects: str = ""
    expects_type: str = ""


def tolerance_for(currency: str) -> Money:
    """The rounding that two systems may differ by: 5 minor units, 1 where the currency has no decimals."""
    return Money.from_minor(1 if exponent(currency) == 0 else 5, currency)


def beyond_tolerance(left: Money, right: Money) -> bool:
    """More apart than rounding explains; different currencies always are."""
    return left.currency != right.currency or abs(left - right) > tolerance_for(left.currency)


def money(record: LedgerRecord, name: str) -> Money | None:
    """A money field, or None when empty or not stated."""
    value = record.fields.get(name)
    return value if isinstance(value, Money) else None


def text(record: LedgerRecord, name: str) -> str:
    """A text field, or the empty string."""
    value = record.fields.get(name)
    return value if isinstance(value, str) else ""


def ledger_of(example: Example) -> AccountLedger:
    """The account ledger that an example describes: the last fact of each object, by version. A system is called by its role, and
    the ERP keeps the books of the account's legal entity."""
    latest: dict[tuple[str, str, str], tuple[str, Fact]] = {}
    for role, fact in example.facts:
        key = (role, fact.object_type, fact.external_id)
        if key not in latest or latest[key][1].version < fact.version:
            latest[key] = (role, fact)
    return AccountLedger(
        account_id=1,
        currency="USD",
        legal_entity_code="US",
        entities=(Entity("US", "USD", "erp"),),
        records=tuple(
            LedgerRecord(
                system=role,
                role=role,
                object_type=fact.object_type,
                external_id=fact.external_id,
                fields=fact.fields,
                refs=fact.refs,
                effective_at=fact.effective_at,
                recorded_at=fact.effective_at,
                version=fact.version,
                deleted=fact.deleted,
            )
            for role, fact in latest.values()
        ),
    )


def fact(
    object_type: str,
    external_id: str,
    at: dt.datetime,
    *,
    refs: Refs = NO_REFS,
    deleted: bool = False,
    **fields: Value,
) -> Fact:
    """A fact for an example; its version is its time."""
    return Fact(object_type, external_id, at.isoformat(), at, fields, refs, deleted)


def usd(amount: str) -> Money:
    """US dollars for an example."""
    return Money(Decimal(amount), "USD")
