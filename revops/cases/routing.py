"""Who looks after a case and by when, with the reason. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from revops.policies.policies import Policies
from revops.policies.values import SeverityCode
from revops.sentences import Sentence, Word, template

_BY_TEAM = template("routing.by_team", "This kind of exception belongs to {team}; its severity allows {limit}.")


@dataclass(frozen=True, slots=True)
class Routing:
    team: str
    severity: SeverityCode
    due_at: dt.datetime
    reason: Sentence


def route(rule: str, policies: Policies, *, since: dt.datetime) -> Routing:
    """The team and the severity that the policies name for the rule, due by that severity from `since` (aware UTC)."""
    judged = policies.rule(rule)
    limit = policies.resolution_time(judged.severity)
    reason = _BY_TEAM(team=Word(judged.team), limit=limit)
    return Routing(judged.team, judged.severity, since + limit, reason)
