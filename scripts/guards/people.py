"""People and their roles."""

from __future__ import annotations

from scripts.guards.guard import Guard, drop_trigger

GUARDS: tuple[Guard, ...] = (
    Guard(
        "people: roles that conflict (database)",
        "tests/revops/people -k i30",
        sql=drop_trigger("people_rolegrant", "no_conflicting_roles"),
    ),
)
