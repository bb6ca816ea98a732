"""Whose word counts on a field: by the policies, and by what the object type declares where they say nothing. Pure."""

from __future__ import annotations

from revops.ledger.types import TYPES
from revops.policies.policies import Ownership, Policies


def ownership_of(policies: Policies, object_type: str, field: str, stage: str) -> Ownership:
    """The line that decides at that stage (see `Policies.stage_of`). Raises `LookupError` for a type that nobody declared."""
    declared = TYPES.get(object_type)
    try:
        return policies.ownership_of(object_type, field, stage)
    except LookupError:
        if declared is None:
            raise
    line = declared.owner(field, stage)
    said = {"object": object_type, "field": line.field, "stage": line.stage, "owner": line.role, "why": line.why}
    return Ownership.model_validate(said)
