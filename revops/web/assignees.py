"""Whom a case may be given to."""

from __future__ import annotations

from revops.access.rules import roles_that
from revops.cases.models import ExceptionCase
from revops.people.models import User


def assignable(user: User, case: ExceptionCase | None = None) -> list[tuple[str, str]]:
    """(user id, name) of those who may work this case (or any), the reader first. One query."""
    workers = User.objects.filter(is_active=True, role_grants__role__in=roles_that("work_case", case))
    workers = workers.only("display_name", "username").distinct()
    people = sorted((u.shown_name.casefold(), str(u.pk), u.shown_name) for u in workers if u.pk != user.pk)
    return [(str(user.pk), "Me"), *((key, name) for _, key, name in people)]
