"""What a page does not offer to its reader, in words: why not, and who can. Silence about a missing button helps nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from revops.access.rules import GRANTS, may, may_compose, roles_that
from revops.cases.models import CaseStatus, ExceptionCase
from revops.people.models import Role, RoleGrant, User
from revops.postings.kinds import KINDS
from revops.postings.models import ChangePlan, PlanState

PLURALS = {
    "cs_analyst": "customer success analysts", "finance_analyst": "finance analysts", "approver": "approvers",
    "controller": "controllers", "admin": "administrators", "auditor": "auditors",
}  # fmt: skip
NAMED_MAX = 4


@dataclass(frozen=True, slots=True)
class Withheld:
    """One thing that is not offered: what it is, why not to this reader, and who can."""

    what: str
    why: str
    who: str


class Holders:
    """Who holds which role now; read once for a page, and only when somebody must be named."""

    def __init__(self) -> None:
        self._by_role: dict[str, list[tuple[int, str]]] | None = None

    def _read(self) -> dict[str, list[tuple[int, str]]]:
        if self._by_role is None:
            self._by_role = {}
            grants = RoleGrant.objects.filter(user__is_active=True).select_related("user").order_by("user__display_name", "pk")
            for grant in grants:
                self._by_role.setdefault(grant.role, []).append((grant.user_id, grant.user.shown_name))
        return self._by_role

    def sentence(self, roles: Iterable[str], *, without: int = 0) -> str:
        """`finance analysts and controllers: Farid Nasser, Kenji Otsuka`; says so when nobody holds any of the roles."""
        wanted = [str(role) for role in Role.values if role in set(roles)]
        people: dict[int, str] = {}
        for role in wanted:
            people |= {key: name for key, name in self._read().get(role, []) if key != without}
        names = list(people.values())
        more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
        group = _joined([PLURALS[role] for role in wanted])
        return f"{group}: {', '.join(names[:NAMED_MAX])}{more}" if names else f"{group}, and nobody holds that role now"


def _joined(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "nobody"


def roles_of(user: User) -> str:
    """`Approver`, `Controller and Administrator`."""
    return _joined([str(Role(code).label) for code in sorted(user.role_codes())])


def withheld_on(
    user: User, case: ExceptionCase, fixes: Iterable[str], plan: ChangePlan | None, holders: Holders
) -> list[Withheld]:
    """What the case page does not offer to this reader. `fixes` are the kinds of change that the playbook proposes."""
    if case.status == CaseStatus.CLOSED:
        return []
    found = []
    if not may(user, "work_case", case):
        team = str(case.get_team_display()).lower()
        why = f"this case is the {team} team’s" if may(user, "work_case") else f"as {roles_of(user).lower()} you read cases"
        who = holders.sentence(roles_that("work_case", case))
        found.append(Withheld("Take, assign, snooze, write notes", why, who))
    for code in fixes:
        if code in KINDS and not may_compose(user, code):
            roles = {str(role) for role in GRANTS["compose_plan"]} & KINDS[code].maker_roles
            found.append(
                Withheld(f"Compose: {KINDS[code].label}", "your role does not compose this change", holders.sentence(roles))
            )
    if plan is not None and plan.state == PlanState.SUBMITTED:
        if plan.maker_id == user.pk:
            who = holders.sentence(roles_that("decide_plan"), without=user.pk)
            found.append(Withheld(f"Approve {plan.code}", "you composed it", who))
        elif not may(user, "decide_plan"):
            who = holders.sentence(roles_that("decide_plan"), without=plan.maker_id)
            found.append(Withheld(f"Approve {plan.code}", "your role does not decide about plans", who))
    return found
