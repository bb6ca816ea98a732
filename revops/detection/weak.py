"""Which rules follow a tie that seldom holds: they are on trial in that system until a person says otherwise."""

from __future__ import annotations

from revops.detection.registry import RULES
from revops.ledger.coverage import coverages_of
from revops.ledger.models import SourceSystem
from revops.policies.policies import Policies


def weak_rules(policies: Policies) -> frozenset[tuple[str, str]]:
    """(rule, system) of each. One small query."""
    found = set()
    for slug, role, stored in SourceSystem.objects.exclude(coverage=[]).values_list("slug", "role", "coverage"):
        parts = {f"{role} {each.part}" for each in coverages_of(stored) if each.is_weak(policies.connections)}
        found |= {(code, slug) for code, rule in RULES.items() if parts & set(rule.needs)}
    return frozenset(found)
