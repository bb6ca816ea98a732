"""The object types: one file each, named after the type, with one `TYPE`. Adding a file adds a type, and nothing else changes.

Names are the field's: what an ERP calls a sales order is a `sales_order`, whatever a billing system calls a subscription is a
`subscription`. Pure: the declarations know no framework and no vendor.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping

from revops.ledger.object_type import ObjectType


class Registry(Mapping[str, ObjectType]):
    """The types by code, in the order in which lists show them. `register` and `withdraw` are for extensions."""

    def __init__(self) -> None:
        self._known: dict[str, ObjectType] = {}

    def __getitem__(self, code: str) -> ObjectType:
        return self._known[code]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def register(self, object_type: ObjectType) -> None:
        """Add a type. Raises `ValueError` when its code is taken or too long for the ledger's columns."""
        if object_type.code in self._known or not 0 < len(object_type.code) <= 30:
            raise ValueError(f"the object type {object_type.code!r} is taken, or its code is not 1 to 30 characters long")
        listed = [*self._known.values(), object_type]
        self._known = {each.code: each for each in sorted(listed, key=lambda each: (each.position, each.code))}

    def withdraw(self, code: str) -> None:
        """Take a type away again. Raises `KeyError` when there is none of this code."""
        del self._known[code]

    def discover(self, package: str) -> None:
        """Register the `TYPE` of every module in the package that is not registered yet."""
        importlib.invalidate_caches()
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            declared = importlib.import_module(f"{package}.{module.name}").TYPE
            if not isinstance(declared, ObjectType) or declared.code != module.name:
                raise ValueError(f"{package}.{module.name} must define TYPE, an ObjectType with the code {module.name}")
            if self._known.get(declared.code) is not declared:
                self.register(declared)

    # What the declarations say together -------------------------------------------------------------------------

    def in_every_ledger(self) -> list[str]:
        """Codes of the types that are part of every account's ledger."""
        return [code for code, declared in self._known.items() if declared.in_every_ledger]

    def of_accounts(self) -> list[str]:
        """Codes of the types whose records belong to accounts."""
        return [code for code, declared in self._known.items() if declared.of_account]

    def documents(self) -> list[str]:
        """Codes of the types that stand on an account's statement."""
        return [code for code, declared in self._known.items() if declared.statement is not None]

    def numbered(self) -> list[str]:
        """Codes of the types whose records bear a number that people use."""
        return [code for code, declared in self._known.items() if "number" in declared.fields]

    def copied(self) -> list[str]:
        """Codes of the types whose records are carried from one system into another."""
        return [code for code, declared in self._known.items() if "copy_of" in declared.roles]

    def parent_types(self) -> frozenset[str]:
        """Codes of the types from which records of other types inherit a customer."""
        return frozenset(
            target for declared in self._known.values() for role in declared.parents for target in declared.roles[role].targets
        )

    def label(self, code: str) -> str:
        """What people call the type; a code that nobody declared in plain words."""
        declared = self._known.get(code)
        return declared.label if declared is not None else code.replace("_", " ").capitalize()

    def is_coded(self, code: str, field_name: str) -> bool:
        """Whether the values of the field are codes of ours. What a type does not declare was made by a rule, as a code."""
        declared = self._known.get(code)
        field = declared.fields.get(field_name) if declared is not None else None
        return field.coded if field is not None else True

    def pointed_by(self, field_name: str) -> str:
        """The type whose ids a field of that name holds, or the empty string."""
        lines = (declared.fields.get(field_name) for declared in self._known.values())
        return next((line.points_to for line in lines if line is not None and line.points_to), "")


TYPES = Registry()
TYPES.discover(__name__)
