"""Cases."""

from __future__ import annotations

from scripts.guards.guard import Guard, drop_constraint

GUARDS: tuple[Guard, ...] = (
    Guard(
        "cases: about an account or a system, never both or neither",
        "tests/sync/test_connection_cases.py -k about_one_thing",
        sql=drop_constraint("cases_exceptioncase", "account_or_system"),
    ),
)
