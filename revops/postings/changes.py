"""The changes that this product makes in other systems, each a type. Pure.

A change is a frozen value that says what is wanted: the objects (`Ref`), the money, the day. A kind of change yields them, a
connector composes an exact call from each, and the ledger's evidence is judged by them. A change also declares

- `touches`: the objects that it alters; two plans under way never share one;
- `evidence`: which record of the vendor proves it;
- `lines`: what it books, in the terms of the trade; empty when it moves no money.

`as_json` is the form in which a change is stored and bound by a plan's digest; `read_change` reads it back and refuses every
other form. A new change is one frozen dataclass with `@register`; its fields are `Ref`, `Money`, `datetime.date` and `str`, each
optional or not.
"""

# ruff: noqa: ARG002 - a change fulfils the whole contract
from __future__ import annotations

import datetime as dt
import functools
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, Literal, Self, TypeVar

from revops.errors import Rejected
from revops.ledger.facts import Value
from revops.money import Money
from revops.reference import Ref, Refs
from revops.sentences import Sentence, template

MEMO_VOID = template("evidence.memo_void", "the credit memo under our reference is void")
MEMO_AMOUNT = template("evidence.memo_amount", "the credit memo under our reference is for {found}, not {wanted}")
MEMO_APPLIED = template(
    "evidence.memo_applied", "the credit memo under our reference is applied with {found}, and {wanted} was to be applied"
)
MEMO_INVOICE = template("evidence.memo_invoice", "the credit memo under our reference is applied to another invoice")
MEMO_WITHOUT_TOTAL = template("evidence.memo_without_total", "no stated amount")
MEMO_CUSTOMER = template("evidence.memo_customer", "the credit memo under our reference belongs to another customer")
HELD = template("evidence.held", "customer success shows the renewal held under our reference")
NOT_HELD = template("evidence.not_held", "customer success shows the renewal not held under our reference")

Side = Literal["debit", "credit"]

LEDGER_ACCOUNTS: Mapping[str, str] = {
    "receivable": "Accounts receivable",
    "contra_revenue": "Contra revenue (credits)",
}
"""Accounts of the general ledger that lines name, with their labels."""


@dataclass(frozen=True, slots=True)
class Line:
    """One side of a booking: `account` is one of `LEDGER_ACCOUNTS`, `amount` is above zero.

    Raises `Rejected("line_invalid")`.
    """

    account: str
    side: Side
    amount: Money

    def __post_init__(self) -> None:
        if self.account not in LEDGER_ACCOUNTS or self.side not in ("debit", "credit") or self.amount.amount <= 0:
            raise Rejected("line_invalid", "A line names an account of the ledger, debit or credit, and an amount above zero.")

    def as_json(self) -> dict[str, object]:
        return {"account": self.account, "side": self.side, "amount": self.amount.as_json()}


def debits(lines: Iterable[Line]) -> dict[str, Money]:
    """The sum of the debits of each currency, in the order of the lines."""
    sums: dict[str, Money] = {}
    for line in lines:
        if line.side == "debit":
            known = sums.get(line.amount.currency, Money.zero(line.amount.currency))
            sums[line.amount.currency] = known + line.amount
    return sums


def unbalanced(lines: Iterable[Line]) -> list[str]:
    """The currencies whose debits and credits differ, sorted."""
    sums: dict[str, Money] = {}
    for line in lines:
        known = sums.get(line.amount.currency, Money.zero(line.amount.currency))
        sums[line.amount.currency] = known + line.amount if line.side == "debit" else known - line.amount
    return sorted(currency for currency, left in sums.items() if left)


@dataclass(frozen=True, slots=True)
class OurKey:
    """Proof by our key: a record of `object_type` whose reference of `role` is the key under which the change was posted."""

    object_type: str
    role: str = "change"


@dataclass(frozen=True, slots=True)
class NaturalKey:
    """Proof where the vendor keeps no key of ours: a record of `object_type` whose `name` is `value`, stated after the first
    byte left. `name` is a field of the object type, or `id` for the id under which the system knows the object."""

    object_type: str
    name: str
    value: str


Evidence = OurKey | NaturalKey


@dataclass(frozen=True, slots=True)
class Difference:
    """Why a record does not prove a change: by `code` and `found` it is known again, `sentence` tells it."""

    code: str
    found: str
    sentence: Sentence


@dataclass(frozen=True, slots=True)
class Change(ABC):
    """One write that is wanted in one system."""

    code: ClassVar[str]

    @property
    @abstractmethod
    def touches(self) -> tuple[Ref, ...]:
        """The objects that it alters, at least one; all are of one system."""

    @property
    @abstractmethod
    def evidence(self) -> Evidence: ...

    @abstractmethod
    def mismatch(self, values: Mapping[str, Value], refs: Refs) -> Difference | None:
        """Judge a vendor's record that `evidence` points to, by its fields and references: None when it proves the change."""

    @property
    def lines(self) -> tuple[Line, ...]:
        """What it books; each currency's debits equal its credits."""
        return ()

    @property
    def system(self) -> str:
        """The connection at which it is made."""
        return self.touches[0].system

    def refs(self) -> tuple[Ref, ...]:
        """Every object that it names."""
        values = (getattr(self, entry.name) for entry in fields(self))
        return tuple(value for value in values if isinstance(value, Ref))

    def as_json(self) -> dict[str, object]:
        """The form in which it is stored and bound."""
        return {"change": self.code, **{entry.name: _encoded(getattr(self, entry.name)) for entry in fields(self)}}

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> Self:
        """Back from `as_json`. Raises `Rejected` for a missing, an unknown or a malformed field."""
        hints = _hints(cls)
        if set(stored) != {"change", *hints} or stored["change"] != cls.code:
            raise _unreadable(f"{cls.code} has the fields {', '.join(hints)}")
        return cls(**{name: _decoded(cls.code, name, hint, stored[name]) for name, hint in hints.items()})


# --- the changes ------------------------------------------------------------------------------------------------------

CHANGES: dict[str, type[Change]] = {}
"""Every change by its code."""


C = TypeVar("C", bound=type[Change])


def register(change: C) -> C:
    """Add a change, so that it can be stored, read back and offered by connectors. Raises `ValueError` for a code in use."""
    if change.code in CHANGES:
        raise ValueError(f"there is a change called {change.code} already")
    CHANGES[change.code] = change
    return change


def unregister(code: str) -> None:
    """Take a change away again. Raises `KeyError` when there is none."""
    del CHANGES[code]


def read_change(stored: object) -> Change:
    """The change of a stored form. Raises `Rejected("change_unreadable")`."""
    code = stored.get("change") if isinstance(stored, Mapping) else None
    change = CHANGES.get(code) if isinstance(code, str) else None
    if change is None:
        raise _unreadable(f"there is no change called {code!r}")
    return change.from_json(typing.cast("Mapping[str, object]", stored))


def _is(ref: Ref | None, object_type: str, system: str) -> None:
    if ref is not None and (ref.object_type != object_type or ref.system != system):
        raise Rejected("change_invalid", f"{ref} is not the {object_type.replace('_', ' ')} in {system} that a change needs.")


@register
@dataclass(frozen=True, slots=True)
class CreateCreditMemo(Change):
    """Create a credit memo of `amount` for the customer, dated `on`, and apply it to the invoice. `period` is the accounting
    period to post into; the system takes that of the date when there is none. `legal_entity` is the one in whose books the
    invoice stands, where its system states it. Raises `Rejected`."""

    code: ClassVar[str] = "create_credit_memo"
    invoice: Ref
    customer: Ref
    amount: Money
    on: dt.date
    memo: str = ""
    period: Ref | None = None
    legal_entity: Ref | None = None

    def __post_init__(self) -> None:
        system = self.invoice.system
        _is(self.invoice, "invoice", system)
        _is(self.customer, "customer", system)
        _is(self.period, "accounting_period", system)
        _is(self.legal_entity, "legal_entity", system)
        if self.amount.amount <= 0:
            raise Rejected("amount_not_positive", "A credit memo needs an amount above zero.", field="amount")

    @property
    def touches(self) -> tuple[Ref, ...]:
        return (self.invoice,)

    @property
    def evidence(self) -> Evidence:
        return OurKey("credit_memo")

    @property
    def lines(self) -> tuple[Line, ...]:
        return (Line("contra_revenue", "debit", self.amount), Line("receivable", "credit", self.amount))

    def mismatch(self, values: Mapping[str, Value], refs: Refs) -> Difference | None:
        found, customers = values.get("total"), refs.get("customer", ())
        if values.get("status") == "void":
            return Difference("void", "void", MEMO_VOID())
        if not isinstance(found, Money) or found != self.amount:
            said = found if isinstance(found, Money) else MEMO_WITHOUT_TOTAL()
            return Difference("amount", str(found), MEMO_AMOUNT(found=said, wanted=self.amount))
        if customers != (self.customer,):
            names = ", ".join(customer.id for customer in customers)
            return Difference("customer", names, MEMO_CUSTOMER())
        return self._not_applied(values.get("applied"), refs.get("invoice", ()))

    def _not_applied(self, applied: Value, invoices: tuple[Ref, ...]) -> Difference | None:
        """How the application differs, of a system that states it."""
        if isinstance(applied, Money) and applied != self.amount:
            return Difference("applied", str(applied), MEMO_APPLIED(found=applied, wanted=self.amount))
        if invoices and self.invoice not in invoices:
            return Difference("invoice", ", ".join(invoice.id for invoice in invoices), MEMO_INVOICE())
        return None


@dataclass(frozen=True, slots=True)
class _StageOfRenewal(Change):
    """Move a renewal from `from_stage`, in which it must still be, to another. `reason` is shown to the renewal's owner."""

    holds: ClassVar[bool]
    renewal: Ref
    reason: str
    from_stage: str

    def __post_init__(self) -> None:
        _is(self.renewal, "renewal", self.renewal.system)

    @property
    def touches(self) -> tuple[Ref, ...]:
        return (self.renewal,)

    @property
    def evidence(self) -> Evidence:
        return OurKey("renewal")

    def mismatch(self, values: Mapping[str, Value], refs: Refs) -> Difference | None:
        held = values.get("held") is True
        if held != self.holds:
            return Difference("held", "held", HELD()) if held else Difference("held", "not_held", NOT_HELD())
        return None


@register
@dataclass(frozen=True, slots=True)
class HoldRenewal(_StageOfRenewal):
    """Set a renewal to On Hold."""

    code: ClassVar[str] = "hold_renewal"
    holds: ClassVar[bool] = True


@register
@dataclass(frozen=True, slots=True)
class ReleaseRenewal(_StageOfRenewal):
    """Set a held renewal back to In Progress."""

    code: ClassVar[str] = "release_renewal"
    holds: ClassVar[bool] = False


# --- reading and writing the stored form --------------------------------------------------------------------------------


def _unreadable(why: str) -> Rejected:
    return Rejected("change_unreadable", f"This stored change cannot be read: {why}.")


@functools.cache
def _hints(change: type[Change]) -> Mapping[str, object]:
    """The type of each field. Read once for each change."""
    hints = typing.get_type_hints(change)
    return {entry.name: hints[entry.name] for entry in fields(change)}


def _encoded(value: object) -> object:
    if isinstance(value, (Ref, Money)):
        return value.as_json()
    return value.isoformat() if isinstance(value, dt.date) else value


def _decoded(code: str, name: str, hint: object, value: object) -> object:
    if isinstance(hint, types.UnionType):
        (hint,) = [part for part in typing.get_args(hint) if part is not types.NoneType]
        if value is None:
            return None
    try:
        return _READERS[hint](value)
    except (Rejected, ValueError) as wrong:
        raise _unreadable(f"{name} of {code}: {wrong}") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value


def _date(value: object) -> dt.date:
    text = _text(value)
    if len(text) != len("2026-11-30"):
        raise ValueError("not a day such as 2026-11-30")
    return dt.date.fromisoformat(text)


def _ref(value: object) -> Ref:
    if isinstance(value, Mapping) and not all(isinstance(part, str) for part in value.values()):
        raise ValueError("not a reference")
    return Ref.from_json(value)


_READERS: Mapping[object, typing.Callable[[object], object]] = {str: _text, Ref: _ref, Money: Money.from_json, dt.date: _date}
