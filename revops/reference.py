"""References between objects. Pure.

A reference names its system: one id may stand for different objects in two systems. Most references carry the key under which
the target's system knows the object. Some documents carry a number that people use instead (the number of a contract on an
invoice): such a reference names the field of the target that holds the number in `by`. A number can be corrected or used
again, so it finds the live record that bears it now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NoReturn

from revops.errors import Rejected

OURSELVES = "revops"
"""The system of references to what this product made. No connection may have this slug."""
_NEEDED = frozenset({"system", "object_type", "id"})
_KNOWN = _NEEDED | {"by"}


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """`system` is the slug of a connection, `object_type` a canonical type, `id` the id under which that system knows the object.

    `by` is empty, or the text field of the target that holds `id` when `id` is a number that people use. The object need not be
    known to us yet. Raises `Rejected("reference_invalid")` when a part is empty, too long or unprintable.
    """

    system: str
    object_type: str
    id: str
    by: str = ""

    def __post_init__(self) -> None:
        if not (0 < len(self.system) <= 60 and 0 < len(self.object_type) <= 30 and 0 < len(self.id) <= 200):
            self._refuse()
        if "\x00" in self.id or "\x00" in self.system or "\x00" in self.object_type:
            self._refuse()
        if self.by and (len(self.by) > 30 or "\x00" in self.by):
            raise Rejected("reference_invalid", "The field that a reference goes by has at most 30 characters.")

    def _refuse(self) -> NoReturn:
        """Say which part is wrong. Apart from the check, because an account's ledger is thousands of references."""
        parts = (("system", self.system, 60), ("object type", self.object_type, 30), ("id", self.id, 200))
        name, length_max = next((n, most) for n, text, most in parts if not 0 < len(text) <= most or "\x00" in text)
        raise Rejected("reference_invalid", f"A reference needs a {name} of 1 to {length_max} characters.")

    def __str__(self) -> str:
        return f"{self.system} {self.object_type} {self.id}"

    @classmethod
    def numbered(cls, system: str, object_type: str, number: str) -> Ref:
        """The object that bears this number in `system`, when its key there is not known; see `plain_number`."""
        return cls(system, object_type, plain_number(number), by="number")

    @classmethod
    def ours(cls, what: str, code: str) -> Ref:
        """A thing of this product, such as `case` `EX-00042` or `plan` `CP-00007`."""
        return cls(OURSELVES, what, code)

    @classmethod
    def posting(cls, key: str) -> Ref:
        """A posting of ours, by the key that the vendor's record carries."""
        return cls(OURSELVES, "posting", key)

    def as_json(self) -> dict[str, str]:
        """The form in which references are stored and shown to programs."""
        stored = {"system": self.system, "object_type": self.object_type, "id": self.id}
        return stored | {"by": self.by} if self.by else stored

    @classmethod
    def from_json(cls, stored: object) -> Ref:
        """Back from `as_json`. Raises `Rejected("reference_invalid")` on any other shape."""
        if not isinstance(stored, Mapping) or not _NEEDED <= stored.keys() <= _KNOWN:
            raise Rejected("reference_invalid", "A reference is an object with system, object_type and id.")
        return cls(str(stored["system"]), str(stored["object_type"]), str(stored["id"]), str(stored.get("by", "")))


Refs = Mapping[str, tuple[Ref, ...]]
"""Role -> the objects that a record points to in that role, in one order, none twice."""
NO_REFS: Refs = MappingProxyType({})


def refs(**found: Ref | Iterable[Ref] | None) -> Refs:
    """References by role. Roles with nothing in them are left out."""
    result: dict[str, tuple[Ref, ...]] = {}
    for role, target in found.items():
        if isinstance(target, Ref):
            result[role] = (target,)
        elif target is not None and (targets := tuple(sorted(set(target)))):
            result[role] = targets
    return result


def refs_as_json(found: Refs) -> dict[str, list[dict[str, str]]]:
    """The form in which a record's references are stored and shown to programs."""
    return {
        role: [target.as_json() for target in (sorted(set(targets)) if len(targets) > 1 else targets)]
        for role, targets in sorted(found.items())
        if targets
    }


def refs_from_json(stored: object) -> Refs:
    """Back from `refs_as_json`. Raises `Rejected("reference_invalid")` on any other shape."""
    if not isinstance(stored, Mapping):
        raise Rejected("reference_invalid", "References are an object of lists by role.")
    return {str(role): tuple(Ref.from_json(target) for target in targets) for role, targets in stored.items()}


def plain_number(text: str) -> str:
    """A number as it is compared: zeros in front of digits alone do not count, because systems and people leave them out."""
    return text.lstrip("0") or text if text.isascii() and text.isdigit() else text
