"""Which rules are blind where: a system of the role that a rule needs states nothing of what the rule is computed from.

Without orders in the ERP, or without contract numbers on its invoices, a rule that compares them finds nothing: that says nothing
about the company. One query for all needs of all rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection

from revops.detection.registry import RULES
from revops.ledger.models import SourceSystem
from revops.ledger.types import TYPES


@dataclass(frozen=True, slots=True)
class Need:
    """Something that a system of `role` must state: records of `object_type`, that name `part` (a field, or the role of a
    reference; empty: nothing in particular)."""

    role: str
    object_type: str
    part: str

    @classmethod
    def of(cls, text: str) -> Need:
        """A need as rules write it: `erp invoice.copy_of`. Raises `ValueError` for what no type declares."""
        role, _, rest = text.partition(" ")
        object_type, _, part = rest.partition(".")
        declared = TYPES.get(object_type)
        if declared is None or (part and part not in declared.fields and part not in declared.roles):
            raise ValueError(f"{text!r} names nothing that an object type declares")
        return cls(role, object_type, part)

    @property
    def words(self) -> str:
        """What is missing, for people: `invoices with a contract`."""
        declared = TYPES[self.object_type]
        named = f"{declared.label.lower()}s"
        if not self.part:
            return named
        label = declared.role_label(self.part) if self.part in declared.roles else declared.field_label(self.part)
        return f"{named} that state: {label.lower()}"


_ANY = "EXISTS (SELECT FROM ledger_sourcerecord r WHERE r.system_id = %s AND r.object_type = %s AND NOT r.deleted{more})"
_STATES = " AND r.fields ? %s"
_POINTS = " AND EXISTS (SELECT FROM ledger_link l WHERE l.record_id = r.id AND l.role = %s)"


def blind_spots() -> Mapping[str, Mapping[str, tuple[Need, ...]]]:
    """Rule -> system -> the needs that the system does not meet; a role that no system plays is the system "". Rules that see
    everywhere are absent."""
    systems: dict[str, list[str]] = {}
    for slug, role in SourceSystem.objects.values_list("slug", "role"):
        systems.setdefault(role, []).append(slug)
    wanted = {code: tuple(Need.of(text) for text in rule.needs) for code, rule in RULES.items()}
    asked = sorted(
        {(slug, need) for needs in wanted.values() for need in needs for slug in systems.get(need.role, ())},
        key=lambda pair: (pair[0], pair[1].object_type, pair[1].part),
    )
    met = _met(asked)
    found: dict[str, dict[str, tuple[Need, ...]]] = {}
    for code, needs in wanted.items():
        for need in needs:
            for slug in systems.get(need.role, [""]):
                if (slug, need) not in met:
                    mine = found.setdefault(code, {})
                    mine[slug] = (*mine.get(slug, ()), need)
    return found


def _met(asked: list[tuple[str, Need]]) -> set[tuple[str, Need]]:
    if not asked:
        return set()
    parts, values = [], list[str]()
    for slug, need in asked:
        more = "" if not need.part else _POINTS if need.part in TYPES[need.object_type].roles else _STATES
        parts.append(_ANY.format(more=more))
        values += [slug, need.object_type, *([need.part] if need.part else [])]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}", values)
        answers = cursor.fetchone()
    return {pair for pair, yes in zip(asked, answers, strict=True) if yes}
