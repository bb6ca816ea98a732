"""What each role may do. One table, read by pages, API and navigation alike.

A row outside a person's view is `Missing`: not allowed and not there look the same. Deny by default: a verb that no line
grants is granted to nobody, and an unknown verb is an error of ours.
"""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, QuerySet

from revops.errors import Missing
from revops.people.models import Role, User
from revops.postings.kinds import KINDS

_ANALYSTS = frozenset({Role.CS_ANALYST, Role.FINANCE_ANALYST})
_SIGNERS = frozenset({Role.APPROVER, Role.CONTROLLER})
_READERS = frozenset({Role.AUDITOR})

GRANTS: dict[str, frozenset[Role]] = {
    "see_queue": _ANALYSTS | _SIGNERS | _READERS,
    "see_case": _ANALYSTS | _SIGNERS | _READERS,
    "watch_case": _ANALYSTS | _SIGNERS,
    "save_view": _ANALYSTS | _SIGNERS,
    "work_case": _ANALYSTS | {Role.CONTROLLER},
    "see_account": _ANALYSTS | _SIGNERS | _READERS,
    "see_ledger": _ANALYSTS | _SIGNERS | _READERS,
    "link_account": _ANALYSTS | {Role.CONTROLLER},
    "see_plan": _ANALYSTS | _SIGNERS | _READERS,
    "compose_plan": _ANALYSTS,
    "decide_plan": _SIGNERS,
    "see_approvals": _SIGNERS | _READERS,
    "see_deliveries": frozenset({Role.FINANCE_ANALYST, Role.CONTROLLER, Role.ADMIN, Role.AUDITOR}),
    "see_dead_letters": frozenset({Role.FINANCE_ANALYST, Role.CONTROLLER, Role.ADMIN, Role.AUDITOR}),
    "replay_delivery": frozenset({Role.FINANCE_ANALYST, Role.ADMIN}),
    "see_audit": frozenset({Role.CONTROLLER, Role.AUDITOR}),
    "see_connections": frozenset({Role.CONTROLLER, Role.ADMIN, Role.AUDITOR}),
    "manage_connections": frozenset({Role.ADMIN}),
    "confirm_posting": frozenset({Role.CONTROLLER, Role.ADMIN}),
    "see_rules": _ANALYSTS | _SIGNERS | _READERS | {Role.ADMIN},
    "switch_rules": frozenset({Role.CONTROLLER, Role.ADMIN}),
    "see_people": frozenset({Role.ADMIN, Role.AUDITOR}),
    "manage_people": frozenset({Role.ADMIN}),
}

VISIBLE: dict[str, str] = {
    "exceptioncase": "see_case",
    "casenote": "see_case",
    "expectation": "see_queue",
    "account": "see_account",
    "accountlink": "see_account",
    "sourcerecord": "see_ledger",
    "ledgerentry": "see_ledger",
    "changeplan": "see_plan",
    "posting": "see_plan",
    "decision": "see_plan",
    "delivery": "see_deliveries",
    "actionrecord": "see_audit",
    "connection": "see_connections",
    "postingproposal": "see_connections",
    "user": "see_people",
    "accessproposal": "see_people",
}
"""Model name -> the verb that lets a person see its rows."""

M = TypeVar("M", bound=Model)


def may(user: User, verb: str, row: Model | None = None) -> bool:
    """May this person do this (to this row)? Raises `LookupError` for a verb that does not exist."""
    if verb not in GRANTS:
        raise LookupError(f"no such verb: {verb}")
    if not user.is_active or not (user.role_codes() & GRANTS[verb]):
        return False
    if verb == "work_case" and row is not None:
        return _works_team(user, str(getattr(row, "team", "")))
    return True


def _works_team(user: User, team: str) -> bool:
    """Customer-success analysts work customer-success cases; finance analysts and controllers work all."""
    roles = user.role_codes()
    return bool(roles & {Role.FINANCE_ANALYST, Role.CONTROLLER}) or team in ("", "customer_success")


def roles_that(verb: str, row: Model | None = None) -> frozenset[str]:
    """The roles to which this (on this row) is granted: for telling somebody who may do what they may not."""
    roles = frozenset(str(role) for role in GRANTS[verb])
    if verb == "work_case" and row is not None and str(getattr(row, "team", "")) not in ("", "customer_success"):
        roles -= {str(Role.CS_ANALYST)}
    return roles


def workable_by(user: User, cases: QuerySet[M]) -> QuerySet[M]:
    """The cases of a queryset that this person may work: the rows on which `may(user, "work_case", row)` holds."""
    if not may(user, "work_case"):
        return cases.none()
    return cases if _works_team(user, "finance") else cases.filter(team__in=("", "customer_success"))


def may_compose(user: User, kind: str) -> bool:
    """May this person compose this kind of change? The kind itself says which roles make it: money is finance's."""
    return may(user, "compose_plan") and kind in KINDS and bool(user.role_codes() & KINDS[kind].maker_roles)


def require(user: User, verb: str, row: Model | None = None) -> None:
    """Raises `Missing` when the person may not: what is forbidden looks like what is not there."""
    if not may(user, verb, row):
        raise Missing()


def sees(user: User, model: type[Model]) -> bool:
    """May this person see rows of that model at all? Raises `LookupError` for a model that no line names."""
    return may(user, VISIBLE[str(model._meta.model_name)])


def visible_to(user: User, rows: QuerySet[M] | type[M]) -> QuerySet[M]:
    """The rows of a queryset or model that this person may see; none when the role sees none of them."""
    queryset: QuerySet[M] = rows if isinstance(rows, QuerySet) else rows._default_manager.all()
    return queryset if sees(user, queryset.model) else queryset.none()
