"""How much of a system's records is tied to those of other systems, as it was measured last, and where that is too little. Pure.

A rule that follows a tie which seldom holds would call most of a company contradictory: it is on trial there until the mapping is
mended or a person says otherwise. Where nothing is tied at all the rule is blind, which is said elsewhere (`detection.blind`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from revops.policies.policies import Connections


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of `total` records `tied` hold the tie `part`, written as rules write what they need (`invoice.copy_of`). `best`: the
    largest share that was ever measured, in tenths of a percent. `label`: such as `invoices tied to billing`."""

    part: str
    label: str
    total: int
    tied: int
    best: int = 0

    @property
    def tenths(self) -> int:
        """The share now, in tenths of a percent, rounded down."""
        return self.tied * 1000 // self.total if self.total else 0

    @property
    def share(self) -> str:
        return _percent(self.tenths)

    @property
    def best_share(self) -> str:
        return _percent(max(self.best, self.tenths))

    def has_fallen(self, policy: Connections) -> bool:
        return self.best - self.tenths >= policy.coverage_fall_percent * 10

    def is_weak(self, policy: Connections) -> bool:
        """Whether too few are tied, or far fewer than before. A handful of records says nothing."""
        if self.total < policy.coverage_records_min or not self.tied:
            return False
        return self.tenths < policy.coverage_percent * 10 or self.has_fallen(policy)

    def as_json(self) -> dict[str, Any]:
        """The form in which it is stored."""
        return {"part": self.part, "label": self.label, "total": self.total, "tied": self.tied, "best": self.best}


def _percent(tenths: int) -> str:
    return f"{tenths // 10}.{tenths % 10} %"


def coverages_of(stored: Iterable[Mapping[str, Any]]) -> list[Coverage]:
    """What `as_json` wrote."""
    return [Coverage(**each) for each in stored]


def remembered(before: Iterable[Coverage], now: Iterable[Coverage]) -> list[Coverage]:
    """What was measured now, with the best of before."""
    best = {each.part: max(each.best, each.tenths) for each in before}
    return [Coverage(each.part, each.label, each.total, each.tied, max(best.get(each.part, 0), each.tenths)) for each in now]
