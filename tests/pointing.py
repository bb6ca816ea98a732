"""References in a short form for tests: `{"customer": "stripe:cus_1", "contract": "salesforce#C-7"}`."""

from __future__ import annotations

from collections.abc import Mapping

from revops.ledger.types import TYPES
from revops.reference import Ref, Refs, refs


def pointing(object_type: str, short: Mapping[str, str] | None) -> Refs:
    """`system:id` for an id, `system#number` for a number; several in one role with blanks between. The target's type is the
    first that the role may point to."""
    found: dict[str, list[Ref]] = {}
    for role, targets in (short or {}).items():
        for target in targets.split():
            kind = TYPES[object_type].roles[role].targets[0]
            system, number, name = target.partition("#")
            if number:
                found.setdefault(role, []).append(Ref.numbered(system, kind, name))
            else:
                system, _, key = target.partition(":")
                found.setdefault(role, []).append(Ref(system, kind, key))
    return refs(**found)
