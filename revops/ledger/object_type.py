"""What an object type declares. Pure. One file a type stands in `ledger/types/`; everything that depends on a type reads it
there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

COPY = "copy_of"
"""The role in which a document points to the document of another system that it carries."""
KNOWN_AS = "known_as"
"""The role in which a customer points to the customers of other systems that it says are the same, and that follow it where they
refer to nobody themselves."""

Kind = Literal["money", "date", "instant", "text", "flag", "count", "texts", "decimal"]
"""`money` (Money), `date` (datetime.date, a plain calendar day), `instant` (aware datetime, UTC), `text`, `flag` (bool), `count`
(int), `texts` (tuple of str), `decimal` (Decimal; rates and quantities)."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `label` is what people read (by default the name in words); `points_to` is the object type whose ids in the
    same system the field holds; `local` marks a field of which every system keeps its own, so that two values are no
    contradiction; `coded` marks a text whose values are codes of ours, shown as words."""

    kind: Kind
    label: str = ""
    points_to: str = ""
    local: bool = False
    coded: bool = False


@dataclass(frozen=True, slots=True)
class Role:
    """What a record may point to in one role: `targets` are object types. `label` is what people read."""

    targets: tuple[str, ...]
    label: str = ""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose word counts by default: systems of `role` for `field` (`*` = every other field) at `stage` (`*` = any)."""

    role: str
    why: str
    field: str = "*"
    stage: str = "*"


@dataclass(frozen=True, slots=True)
class StatementSide:
    """How a document stands on an account's statement: its side, the field of its amount, the field of its date, and the
    statuses in which it moves no receivable (it keeps its line, without amounts)."""

    side: Literal["debit", "credit"]
    amount: str
    on: str
    still: frozenset[str]


@dataclass(frozen=True, slots=True)
class Summary:
    """A value at the top of the account page: `field` as systems of `role` state it. `{}` in `label` is the record's name."""

    role: str
    field: str
    label: str


@dataclass(frozen=True, slots=True)
class ObjectType:
    """One canonical object type.

    `parents`: roles from whose target a record that names no customer inherits it, first one first. `called_by`: the text fields
    that name a record to people, `called_by_role` the role whose target's number does when none is filled. `of_account`: records
    belong to a customer's account; `in_every_ledger`: they are part of every account's ledger, such as accounting periods.
    `headline`: the fields whose first stated value stands for the record in a list. `summary`: what the account page shows at its
    top. `position` orders lists of types.
    """

    code: str
    label: str
    fields: Mapping[str, Field]
    owners: tuple[Owner, ...]
    roles: Mapping[str, Role] = field(default_factory=lambda: MappingProxyType({}))
    parents: tuple[str, ...] = ()
    called_by: tuple[str, ...] = ("number", "name", "description")
    called_by_role: str = ""
    statement: StatementSide | None = None
    of_account: bool = True
    in_every_ledger: bool = False
    headline: tuple[str, ...] = ()
    summary: tuple[Summary, ...] = ()
    position: int = 100

    def __post_init__(self) -> None:
        if not any(line.field == "*" and line.stage == "*" for line in self.owners):
            raise ValueError(f"{self.code} must say whose word counts for every field at every stage")
        unknown = {line.field for line in self.owners} - {"*"} - self.fields.keys()
        unknown |= {*self.headline, *(line.field for line in self.summary)} - self.fields.keys() | set(
            self.parents
        ) - self.roles.keys()
        if self.statement is not None:
            unknown |= {self.statement.amount, self.statement.on} - self.fields.keys()
        if unknown:
            raise ValueError(f"{self.code} declares no {', '.join(sorted(unknown))}")

    def owner(self, name: str, stage: str = "*") -> Owner:
        """The first line that decides about a field: top down, the field's own lines before `*` when declared so."""
        return next(line for line in self.owners if line.field in (name, "*") and line.stage in (stage, "*"))

    def field_label(self, name: str) -> str:
        """`amount_remaining` as `Amount remaining`; `_on` and `_at` fall away where the word says it already."""
        declared = self.fields.get(name)
        if declared is not None and declared.label:
            return declared.label
        return name.removesuffix("_on").removesuffix("_at").replace("_", " ").capitalize()

    def role_label(self, role: str) -> str:
        """`billing_account` as `Billing account`, or the label that the role declares."""
        declared = self.roles.get(role)
        return declared.label if declared is not None and declared.label else role.replace("_", " ").capitalize()
