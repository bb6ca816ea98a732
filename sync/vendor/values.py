"""What an object says, value by value: one that cannot be read costs the others nothing. Pure.

A translation gives each value as a function. Where that raises, the field is left out and marked with what was written there
(`revops.ledger.unread`). What identifies the object (id, type, stamp, customer) is read outside: without it there is no fact.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from revops.errors import Rejected
from revops.ledger.facts import Value
from revops.ledger.unread import AMOUNT_ROUNDED, FORM_UNFIT, RAW_MAX, TEXT_REPAIRED, Unread, repaired, storable
from revops.money import Money
from revops.reference import Ref, Refs, refs
from sync.vendor.contract import Misunderstood
from sync.vendor.fields import kind_of

Found = TypeVar("Found")
_SECRET = re.compile(r"\b(?:sk|rk|whsec)_[A-Za-z0-9_]{8,}|\b[Bb]earer\s+\S{8,}", re.ASCII)
_WHOSE = frozenset({"customer"})
"""The roles that say whose a document is."""
_OURS = frozenset({"setting_invalid"})
"""Codes that speak of our own settings and not of the vendor's value."""


@dataclass(frozen=True, slots=True)
class Altered:
    """A value that counts although it is not quite what was written: that, and why (`ledger.unread.STATED`)."""

    value: Value
    raw: str
    code: str


Read = Callable[[], Value | Altered]
Pointed = Callable[[], Ref | Iterable[Ref] | None]


def raw_of(found: object) -> str:
    """A value as a person may see it: its text, cut; of a list or an object only that it is one; no key."""
    if found is None:
        return ""
    if isinstance(found, (str, int, Decimal)) and not isinstance(found, bool):
        return _SECRET.sub("(a key)", repaired(str(found)[: RAW_MAX * 2]))[:RAW_MAX]
    return kind_of(found) if not isinstance(found, bool) else str(found).lower()


class Stated:
    """The fields of one object, its references, and what of both could not be read."""

    __slots__ = ("fields", "refs", "unread")

    def __init__(self) -> None:
        self.fields: dict[str, Value] = {}
        self.refs: Refs = {}
        self.unread: dict[str, Unread] = {}

    def read(self, values: Mapping[str, Read]) -> None:
        """Each field by its function. A text that no column can keep is repaired."""
        for name, read in values.items():
            try:
                found = read()
            except (Misunderstood, Rejected) as why:
                self._mark(name, why)
                continue
            self.fields[name] = self._kept(name, found) if isinstance(found, (Altered, str, tuple)) else found

    def _kept(self, name: str, found: Altered | str | tuple[str, ...]) -> Value:
        """A value as it can be kept, marked where that is not as it was written."""
        if isinstance(found, Altered):
            self.unread[name] = Unread(raw_of(found.raw), found.code)
            return found.value
        if isinstance(found, str) and not storable(found):
            self.unread[name] = Unread(raw_of(found), TEXT_REPAIRED)
            return repaired(found)
        if isinstance(found, tuple) and not all(storable(each) for each in found):
            self.unread[name] = Unread(raw_of(next(each for each in found if not storable(each))), TEXT_REPAIRED)
            return tuple(repaired(each) for each in found)
        return found

    def together(self, names: Iterable[str], read: Callable[[], Mapping[str, Value]]) -> None:
        """Fields that are read together, or not at all. Those that have been read before stay as they are."""
        try:
            self.fields.update(read())
        except (Misunderstood, Rejected) as why:
            for name in names:
                if name not in self.fields:
                    self._mark(name, why)

    def value(self, name: str, read: Callable[[], Found]) -> Found | None:
        """A value that others depend on, or None; it is not yet a field."""
        try:
            return read()
        except (Misunderstood, Rejected) as why:
            self._mark(name, why)
            return None

    def point(self, roles: Mapping[str, Pointed]) -> None:
        """References by role. Raises `Misunderstood` for one that says whose a document is and cannot be read, unless it is none
        by the forms that the connection declares."""
        found = {role: self._whose(role, read) if role in _WHOSE else self.value(role, read) for role, read in roles.items()}
        self.refs = {**self.refs, **refs(**found)}

    def _whose(self, role: str, read: Pointed) -> Ref | Iterable[Ref] | None:
        try:
            return read()
        except Misunderstood as why:
            if why.code != FORM_UNFIT:
                raise
            self._mark(role, why)
            return None

    def _mark(self, name: str, why: Misunderstood | Rejected) -> None:
        if why.code in _OURS:
            raise why
        raw = why.raw if isinstance(why, Misunderstood) else None
        self.unread[name] = Unread(raw_of(raw), why.code)


def or_none(read: Callable[[], Found], otherwise: Found | None = None) -> Found | None:
    """What orders versions and may be missing: the value, or the other one where it cannot be read."""
    try:
        return read()
    except Misunderstood:
        return otherwise


def rounded_half_up(amount: Decimal, currency: str, where: str) -> Money:
    """`Money` of an amount that the vendor computes, in major units: more decimals than the currency has are rounded half up, as
    the vendors' own pages show it. Raises `Misunderstood` for what is no amount."""
    try:
        return Money.half_up(amount, currency)
    except Rejected as error:
        raise Misunderstood(f"{where} is no amount of money: {error.code}.", error.code, raw=f"{amount} {currency}") from None


def computed_money(amount: Decimal, currency: str, where: str) -> Money | Altered:
    """As `rounded_half_up`, with the raw amount where it was rounded."""
    found = rounded_half_up(amount, currency, where)
    return found if found.amount == amount else Altered(found, str(amount), AMOUNT_ROUNDED)
