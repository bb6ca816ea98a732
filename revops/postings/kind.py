"""The contract of a kind of change. Pure.

A kind is one file `kinds/<code>.py` with one object named `KIND`. It declares its form, computes what it would suggest, turns
clean inputs into requests for exact calls, names the facts that the decision rests on, says whether money moves and how it is
undone, and recognises the vendor's own record as evidence. Everything it needs is an argument: no database, no clock.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from revops.errors import Rejected
from revops.ledger.facts import Value
from revops.ledger.reference import Refs
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.money import Money

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
    label: str


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
    notes: tuple[str, ...] = ()
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class CallRequest:
    """One write that is wanted: at which connection, which operation, with which parameters, on which object.
    `target_id` is empty when the vendor will give the new object its id."""

    system: str
    operation: str
    params: Mapping[str, object]
    target_type: str
    target_id: str = ""


@dataclass(frozen=True, slots=True)
class Materiality:
    """Does it move money, and how much. `amount` is zero with a currency when it moves none."""

    moves_money: bool
    amount: Money
    sentence: str


@dataclass(frozen=True, slots=True)
class Reversal:
    """The change that undoes another: its kind and the inputs to begin with."""

    kind: str
    inputs: Mapping[str, str]


class ChangeKind(Protocol):
    """One kind of change. `rules` are the detection rules that propose it; `maker_roles` may compose it; `stages` are the
    sentences of the process shown beside the form. `code` is the file's name."""

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

    def compose(self, inputs: Mapping[str, object], ledger: AccountLedger) -> list[CallRequest]:
        """The writes, in the order in which they must happen. `inputs` are clean."""
        ...

    def subject(self, inputs: Mapping[str, object], ledger: AccountLedger) -> str:
        """The one thing that it changes, as `<type>:<system>:<id>`: no two plans may be under way on it at once."""
        ...

    def facts(self, inputs: Mapping[str, object], ledger: AccountLedger) -> list[LedgerRecord]:
        """The records that the decision rests on. When one of them changes, comes or goes, an approval is void."""
        ...

    def materiality(self, inputs: Mapping[str, object], ledger: AccountLedger) -> Materiality: ...

    def reversal(self, inputs: Mapping[str, object]) -> Reversal | None:
        """The change that undoes it, or None when this version has none (`undone_by` says what to do then)."""
        ...

    def mismatch(self, params: Mapping[str, object], fields: Mapping[str, Value], refs: Refs) -> str:
        """Judge a vendor's record that bears our key: empty when it proves the effect, else what is wrong with it."""
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
