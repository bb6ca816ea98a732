"""The contract of a kind of change. Pure.

A kind is one file `kinds/<code>.py` with one object named `KIND`. It declares its form, computes what it would suggest, turns
clean inputs into changes (see `changes`), names the facts that the decision rests on, and says how it is undone and, when it
takes several steps, how the rest is done. What a change touches, books and is proven by is declared by the change itself.
Everything a kind needs is an argument: no database, no clock.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from revops.errors import Rejected
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.money import Money
from revops.postings.changes import Change
from revops.sentences import Param, Sentence

TEXT_LENGTH_MAX = 300


@dataclass(frozen=True, slots=True)
class FormField:
    """One input of the form. `choice` fields take one of `ChangeKind.options`; `money` and `date` fields take plain text
    (`1234.50`, `2026-11-30`); a money field's currency follows from the chosen document."""

    name: str
    label: str
    kind: Literal["choice", "money", "date", "text"]
    help: str = ""
    required: bool = True
    length_max: int = TEXT_LENGTH_MAX


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a `choice` field."""

    value: str
    label: Param


@dataclass(frozen=True, slots=True)
class Situation:
    """What a kind looks at: the account's ledger, the records that the case is about (none without a case), and the day."""

    ledger: AccountLedger
    concerns: frozenset[tuple[str, str, str]]
    today: dt.date

    def concerned(self, object_type: str, role: str) -> list[LedgerRecord]:
        """The case's records of that type and role; without any, all of the account's."""
        records = self.ledger.of(object_type, role)
        return [record for record in records if record.key in self.concerns] or records


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What the form starts with. `notes` say how it was computed. `why_not` is set when this change cannot be composed here,
    with what to do instead."""

    inputs: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Sentence, ...] = ()
    why_not: Sentence | None = None


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A plan that follows from another: its kind and the inputs to begin with."""

    kind: str
    inputs: Mapping[str, str]


class ChangeKind(Protocol):
    """One kind of change. `rules` are the detection rules that propose it; `maker_roles` may compose it. `code` is the file's
    name."""

    @property
    def code(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def explains(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def rules(self) -> tuple[str, ...]: ...
    @property
    def maker_roles(self) -> frozenset[str]: ...
    @property
    def fields(self) -> tuple[FormField, ...]: ...
    @property
    def undone_by(self) -> str:
        """How it would be undone, in a sentence."""
        ...

    def options(self, situation: Situation) -> Mapping[str, list[Option]]:
        """The choices of each `choice` field."""
        ...

    def suggest(self, situation: Situation) -> Suggestion:
        """What the form starts with, computed from the ledger and the case."""
        ...

    def clean(self, raw: Mapping[str, object], situation: Situation) -> dict[str, object]:
        """Validated inputs (JSON). Raises `Rejected` with the field and the next move."""
        ...

    def changes(self, inputs: Mapping[str, object], ledger: AccountLedger) -> list[Change]:
        """The changes, in the order in which they must happen. `inputs` are clean."""
        ...

    def facts(self, inputs: Mapping[str, object], ledger: AccountLedger) -> list[LedgerRecord]:
        """The records that the decision rests on. When one of them changes, comes or goes, an approval is void."""
        ...

    def reversal(self, inputs: Mapping[str, object], done: Sequence[Change]) -> FollowUp | None:
        """The plan that undoes the changes that were made (all of the plan, or the first ones), or None when this version has
        none (`undone_by` says what to do then)."""
        ...

    def remainder(self, inputs: Mapping[str, object], missing: Sequence[Change]) -> FollowUp | None:
        """The plan that makes the changes that were not made after the first ones were, or None when this version has none.
        Never asked of a kind with one step."""
        ...


# --- reading raw inputs ---------------------------------------------------------------------------------------------


def text_input(raw: Mapping[str, object], entry: FormField) -> str:
    """A text input without surrounding blanks. Raises `Rejected` when missing, too long or unprintable."""
    value = raw.get(entry.name, "")
    if not isinstance(value, str):
        raise Rejected("input_invalid", f"{entry.label} is text.", field=entry.name)
    words = " ".join(value.split())
    if not words and entry.required:
        raise Rejected("input_missing", f"Fill in {entry.label.lower()}.", field=entry.name)
    if len(words) > entry.length_max:
        raise Rejected("input_too_long", f"{entry.label} has at most {entry.length_max} characters.", field=entry.name)
    if not words.isprintable():
        raise Rejected("input_invalid", f"{entry.label} has characters that cannot be sent.", field=entry.name)
    return words


def date_input(raw: Mapping[str, object], entry: FormField) -> dt.date:
    """A calendar day. Raises `Rejected`."""
    value = text_input(raw, entry)
    try:
        if len(value) != 10:
            raise ValueError(value)
        return dt.date.fromisoformat(value)
    except ValueError:
        raise Rejected("date_invalid", "Write the day as YYYY-MM-DD, such as 2026-11-30.", field=entry.name) from None


def check_text(raw: Mapping[str, object], entry: FormField) -> None:
    """What can be said about a typed input without the ledger: a form shows it for every field at once. Raises `Rejected`."""
    if text_input(raw, entry) and entry.kind == "date":
        date_input(raw, entry)


def money_input(raw: Mapping[str, object], entry: FormField, currency: str) -> Money:
    """A positive amount in `currency`, as text or in the outside form. Raises `Rejected`; JSON numbers are refused."""
    value = raw.get(entry.name, "")
    try:
        amount = Money.parse(value.strip(), currency) if isinstance(value, str) else Money.from_json(value)
    except Rejected as wrong:
        raise Rejected(wrong.code, wrong.message, field=entry.name) from None
    if amount.currency != currency:
        raise Rejected("currency_mixed", f"The document is in {currency}; enter the amount in {currency}.", field=entry.name)
    if amount.amount <= 0:
        raise Rejected("amount_not_positive", f"{entry.label} must be above zero.", field=entry.name)
    return amount


def chosen(raw: Mapping[str, object], entry: FormField, records: list[LedgerRecord]) -> LedgerRecord:
    """The record whose external id was chosen among `records`. Raises `Rejected`."""
    value = text_input(raw, entry)
    for record in records:
        if record.external_id == value:
            return record
    raise Rejected("choice_unknown", f"{entry.label}: choose one of the list; the ledger has no other.", field=entry.name)


def money_of(record: LedgerRecord, name: str) -> Money | None:
    """A money field, or None when empty or not stated."""
    value = record.fields.get(name)
    return value if isinstance(value, Money) else None


def text_of(record: LedgerRecord, name: str) -> str:
    """A text field, or the empty string."""
    value = record.fields.get(name)
    return value if isinstance(value, str) else ""
