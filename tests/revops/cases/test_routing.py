"""Who looks after a case, and by when: by the policies alone."""

from __future__ import annotations

import datetime as dt

import pytest

from revops.cases.routing import route
from tests.revops.policies.documents import policies

SINCE = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("rule", "team", "severity", "hours", "reason"),
    [
        ("invoice_not_posted", "finance", "high", 24, "belongs to finance; its severity allows 24 hours."),
        (
            "renewal_before_amendment",
            "customer_success",
            "critical",
            4,
            "belongs to customer success; its severity allows 4 hours.",
        ),
        ("the_twenty_eighth_rule", "finance", "medium", 72, "belongs to finance; its severity allows 3 days."),
    ],
)
def test_the_team_and_the_time_are_those_of_the_rule(rule: str, team: str, severity: str, hours: int, reason: str) -> None:
    found = route(rule, policies(), since=SINCE)
    assert (found.team, found.severity, found.due_at) == (team, severity, SINCE + dt.timedelta(hours=hours))
    assert str(found.reason) == f"This kind of exception {reason}"


def test_other_policies_route_otherwise() -> None:
    section = '[rules.invoice_not_posted]\nseverity = "{}"\nteam = "{}"'
    other = policies((section.format("high", "finance"), section.format("low", "customer_success")))
    found = route("invoice_not_posted", other, since=SINCE)
    assert (found.team, found.severity, found.due_at) == ("customer_success", "low", SINCE + dt.timedelta(days=7))
    assert str(found.reason) == "This kind of exception belongs to customer success; its severity allows 7 days."
