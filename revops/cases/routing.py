"""Who looks after a case and by when, with the reason. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

DUE_AFTER = {1: dt.timedelta(hours=4), 2: dt.timedelta(days=1), 3: dt.timedelta(days=3), 4: dt.timedelta(days=7)}
"""Resolution time by severity (1 critical .. 4 low), counted around the clock."""


@dataclass(frozen=True, slots=True)
class Routing:
    team: str
    due_at: dt.datetime
    reason: str


def route(*, rule_team: str, severity: int, since: dt.datetime) -> Routing:
    """The team that the rule names, due by severity from `since` (aware UTC)."""
    limit = DUE_AFTER[severity]
    hours = int(limit.total_seconds() // 3600)
    span = f"{hours} hours" if hours < 48 else f"{hours // 24} days"
    label = rule_team.replace("_", " ")
    return Routing(rule_team, since + limit, f"This kind of exception belongs to {label}; its severity allows {span}.")
