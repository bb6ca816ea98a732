"""Whose word counts, as each object type declares it: its lines are read top-down, the first one that fits wins.

Terms belong to the CRM until they are booked, billing owns what was invoiced, the ERP owns what was posted and applied, and
customer success owns the renewal conversation. Source: the ownership model of the product's mission, quote-to-cash order.
"""

from __future__ import annotations

from dataclasses import dataclass

from revops.ledger.types import TYPES


@dataclass(frozen=True, slots=True)
class Ownership:
    """`role` owns `field` of `object_type` (`*` = every field) while the process is at `stage` (`*` = any)."""

    object_type: str
    field: str
    stage: str
    role: str
    why: str


def ownership_of(object_type: str, field: str, stage: str = "*") -> Ownership:
    """The line that decides. Raises `LookupError` for an object type that nobody declared."""
    declared = TYPES.get(object_type)
    if declared is None:
        raise LookupError(f"nobody declared who owns {object_type}.{field}")
    line = declared.owner(field, stage)
    return Ownership(object_type, line.field, line.stage, line.role, line.why)


def owner_of(object_type: str, field: str, stage: str = "*") -> str:
    """The role of the system of record: `crm`, `customer_success`, `billing` or `erp`."""
    return ownership_of(object_type, field, stage).role
