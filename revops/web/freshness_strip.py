"""How fresh the data is, one entry a system: every figure on a page is only as new as the last complete read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from revops.ledger.freshness import FreshnessLine
from revops.web.formatting import ago_text


@dataclass(frozen=True, slots=True)
class FreshSystem:
    """One system in the freshness strip: the object type that is latest for its own rhythm decides."""

    label: str
    ago: str
    stale: bool
    worst: str


def fresh_strip(lines: Sequence[FreshnessLine], now: dt.datetime) -> list[FreshSystem]:
    """One entry a system. What is read every few hours on purpose does not make a system look old."""
    systems: dict[str, list[FreshnessLine]] = {}
    for line in lines:
        systems.setdefault(line.label, []).append(line)
    strip = []
    for label, types in systems.items():
        worst = max(types, key=lambda t: float("inf") if t.lag_seconds is None else t.lag_seconds / t.stale_after_seconds)
        ago, stale = ago_text(worst.read_through_at, now), any(t.stale for t in types)
        strip.append(FreshSystem(label, ago, stale, f"Furthest behind its rhythm: {worst.object_label.lower()}"))
    return strip
