"""Giving and taking roles, with the conflicts that segregation of duties forbids.

A role that decides about changes or administers people and connections is not given by one person: it is proposed, and another
administrator confirms it (`proposals`).
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from revops.access.rules import GRANTS
from revops.audit.log import record as audit
from revops.errors import NotAllowed, Rejected
from revops.people.actors import System, actor_user
from revops.people.models import CONFLICTS, Role, RoleGrant, User
from revops.sentences import Word, template

ROLE_GRANTED = template("role.granted", "{person} is now {role}")
ROLE_REVOKED = template("role.revoked", "{person} is no longer {role}")

PRIVILEGED: frozenset[str] = frozenset({str(Role.ADMIN), *(str(role) for role in GRANTS["decide_plan"])})
"""Roles that take two administrators, and a second factor of their holder where the installation requires one."""


@transaction.atomic
def grant_role(user: User, role: str, *, acting_user: User | System) -> RoleGrant:
    """Give a role. Raises `NotAllowed` for a grant to oneself, by somebody who is no administrator, and of a role that another
    administrator confirms (`proposal_needed`); `Rejected` as `refuse_grant` does."""
    actor = actor_user(acting_user)
    if actor is not None:
        require_administrator(actor)
    refuse_grant(user, role, acting_user=acting_user)
    if actor is not None and role in PRIVILEGED:
        raise NotAllowed("proposal_needed", "This role takes two administrators: propose it, and another one confirms it.")
    return put_grant(user, role, acting_user=acting_user)


def refuse_grant(user: User, role: str, *, acting_user: User | System) -> None:
    """Raises `NotAllowed("self_grant")`, `Rejected` for a role that does not exist (`role_unknown`), for somebody who left
    (`user_inactive`) and for a forbidden pair (`roles_conflict`)."""
    if actor_user(acting_user) == user:
        raise NotAllowed("self_grant", "Nobody grants a role to themselves; ask another administrator.")
    if role not in Role.values:
        raise Rejected("role_unknown", f"Unknown role. Choose one of {', '.join(Role.values)}.", field="role")
    if not User.objects.select_for_update().get(pk=user.pk).is_active:
        raise Rejected("user_inactive", "This person is not active.", field="user")
    held = set(RoleGrant.objects.filter(user=user).values_list("role", flat=True))
    conflict = conflict_with(held, role)
    if conflict:
        raise Rejected("roles_conflict", f"{user} already holds {conflict[0]}. {conflict[1]}", field="role")


def conflict_with(held: set[str], role: str) -> tuple[str, str] | None:
    """The held role (its name) that forbids this one, and why; None when nothing does."""
    for pair, why in CONFLICTS:
        if role in pair and pair - {role} <= held:
            return str(Role(next(iter(pair - {role}))).label), why
    return None


def put_grant(user: User, role: str, *, acting_user: User | System) -> RoleGrant:
    """Write the grant, inside an action that has judged it."""
    grant, created = RoleGrant.objects.get_or_create(user=user, role=Role(role), defaults={"granted_by": actor_user(acting_user)})
    if created:
        said = ROLE_GRANTED(person=str(user), role=Word(role))
        audit("role.grant", user, acting_user=acting_user, summary=said, after={"role": role})
    return grant


@transaction.atomic
def revoke_role(user: User, role: str, *, acting_user: User | System) -> None:
    """Take a role. Raises `NotAllowed` from anybody but administrators, `Rejected` when it is not held, or the last one's of
    them."""
    lock_administrators()
    if (actor := actor_user(acting_user)) is not None:
        require_administrator(actor)
    grant = RoleGrant.objects.select_for_update().filter(user=user, role=role).first()
    if grant is None:
        raise Rejected("role_not_held", f"{user} does not hold that role.", field="role")
    if role == Role.ADMIN:
        keep_an_administrator(user)
    put_revocation(grant, acting_user=acting_user)


def put_revocation(grant: RoleGrant, *, acting_user: User | System) -> None:
    """Take the grant away, inside an action that has judged it."""
    user, role = grant.user, grant.role
    grant.delete()
    said = ROLE_REVOKED(person=str(user), role=Word(role))
    audit("role.revoke", user, acting_user=acting_user, summary=said, before={"role": role})


def keep_an_administrator(user: User) -> None:
    """Raises `Rejected("last_admin")` when nobody but this person administers. Called after `lock_administrators`."""
    if not administrators().exclude(user=user).exists():
        raise Rejected("last_admin", "This is the last administrator; make another one first.", field="role")


def lock_administrators() -> None:
    """Lock every administrator's grant, before anything else of an action that may take one: of two administrators who take each
    other's role at once, the second sees what the first did."""
    list(RoleGrant.objects.select_for_update().filter(role=Role.ADMIN).order_by("pk"))


def administrators() -> QuerySet[RoleGrant]:
    """The grants of active administrators."""
    return RoleGrant.objects.filter(role=Role.ADMIN, user__is_active=True)


def require_administrator(user: User) -> None:
    """Raises `NotAllowed("not_an_administrator")`, asked of the database at this moment."""
    if not administrators().filter(user=user).exists():
        raise NotAllowed("not_an_administrator", "Only administrators look after people.")
