"""A reference to one object of one system. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from revops.errors import Rejected


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """`system` is the slug of a connection, `object_type` a canonical type, `id` the id under which that system knows the object.

    The object need not be known to us yet. Raises `Rejected("reference_invalid")` when a part is empty, too long or unprintable.
    """

    system: str
    object_type: str
    id: str

    def __post_init__(self) -> None:
        for name, value, length_max in (("system", self.system, 60), ("object type", self.object_type, 30), ("id", self.id, 200)):
            if not value or len(value) > length_max or "\x00" in value:
                raise Rejected("reference_invalid", f"A reference needs a {name} of 1 to {length_max} characters.")

    def __str__(self) -> str:
        return f"{self.system} {self.object_type} {self.id}"

    def as_json(self) -> dict[str, str]:
        """The form in which references are stored and shown to programs."""
        return {"system": self.system, "object_type": self.object_type, "id": self.id}

    @classmethod
    def from_json(cls, stored: object) -> Ref:
        """Back from `as_json`. Raises `Rejected("reference_invalid")` on any other shape."""
        if not isinstance(stored, Mapping) or set(stored) != {"system", "object_type", "id"}:
            raise Rejected("reference_invalid", "A reference is an object with system, object_type and id.")
        return cls(str(stored["system"]), str(stored["object_type"]), str(stored["id"]))
