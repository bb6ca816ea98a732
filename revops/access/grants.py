"""Giving and taking roles, with the conflicts that segregation of duties forbids, and API tokens."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from django.db import transaction

from revops.audit.log import record as audit
from revops.errors import NotAllowed, Rejected
from revops.people.actors import System, actor_user
from revops.people.models import CONFLICTS, ApiToken, Role, RoleGrant, User
from revops.sentences import Word, template

ROLE_GRANTED = template("role.granted", "{person} is now {role}")
ROLE_REVOKED = template("role.revoked", "{person} is no longer {role}")
TOKEN_ISSUED = template("token.issued", "API token {name} for {person}, {days} days")
TOKENS_ENDED = template("token.ended", "{count} API tokens of {person} ended")


@transaction.atomic
def grant_role(user: User, role: str, *, acting_user: User | System) -> RoleGrant:
    """Give a role. Raises `NotAllowed` for a grant to oneself, `Rejected` for a role that does not exist (`role_unknown`), for
    somebody who left (`user_inactive`) and for a forbidden pair (`roles_conflict`)."""
    if actor_user(acting_user) == user:
        raise NotAllowed("self_grant", "Nobody grants a role to themselves; ask another administrator.")
    if role not in Role.values:
        raise Rejected("role_unknown", f"Unknown role. Choose one of {', '.join(Role.values)}.", field="role")
    if not User.objects.select_for_update().get(pk=user.pk).is_active:
        raise Rejected("user_inactive", "This person is not active.", field="user")
    held = set(RoleGrant.objects.filter(user=user).values_list("role", flat=True))
    for pair, why in CONFLICTS:
        if role in pair and pair - {role} <= held:
            other = Role(next(iter(pair - {role}))).label
            raise Rejected("roles_conflict", f"{user} already holds {other}. {why}", field="role")
    grant, created = RoleGrant.objects.get_or_create(user=user, role=Role(role), defaults={"granted_by": actor_user(acting_user)})
    if created:
        audit(
            "role.grant",
            user,
            acting_user=acting_user,
            summary=ROLE_GRANTED(person=str(user), role=Word(role)),
            after={"role": role},
        )
    return grant


@transaction.atomic
def revoke_role(user: User, role: str, *, acting_user: User | System) -> None:
    """Take a role. Raises `Rejected` when it is not held, or when it is the last administrator's.

    Every administrator's grant is locked first: of two who take each other's role at once, the second sees what the first did.
    """
    if role == Role.ADMIN:
        list(RoleGrant.objects.select_for_update().filter(role=Role.ADMIN).order_by("pk"))
    grant = RoleGrant.objects.select_for_update().filter(user=user, role=role).first()
    if grant is None:
        raise Rejected("role_not_held", f"{user} does not hold that role.", field="role")
    others = RoleGrant.objects.filter(role=Role.ADMIN, user__is_active=True).exclude(user=user)
    if role == Role.ADMIN and not others.exists():
        raise Rejected("last_admin", "This is the last administrator; make another one first.", field="role")
    grant.delete()
    audit(
        "role.revoke",
        user,
        acting_user=acting_user,
        summary=ROLE_REVOKED(person=str(user), role=Word(role)),
        before={"role": role},
    )


@transaction.atomic
def issue_token(user: User, *, name: str, days: int, now: dt.datetime, acting_user: User | System) -> str:
    """A new bearer token for the user, shown this once. `days` is 1 to 365.

    A token acts as its owner, so nobody makes one for somebody else: raises `NotAllowed("foreign_token")`; else `Rejected`.
    """
    if actor_user(acting_user) not in (None, user):
        raise NotAllowed("foreign_token", "A token acts as its owner: everybody issues their own.")
    if not 1 <= days <= 365:
        raise Rejected("days_invalid", "A token lives 1 to 365 days.", field="days")
    if not user.is_active:
        raise Rejected("user_inactive", "This person is not active.", field="user")
    token = "rvo_" + secrets.token_urlsafe(32)
    ApiToken.objects.create(user=user, name=name[:80], digest=token_digest(token), expires_at=now + dt.timedelta(days=days))
    audit("token.issue", user, acting_user=acting_user, summary=TOKEN_ISSUED(name=name, person=str(user), days=days))
    return token


@transaction.atomic
def revoke_tokens(user: User, *, now: dt.datetime, acting_user: User | System) -> int:
    """End every live token of the user at once. Returns how many there were."""
    ended = ApiToken.objects.filter(user=user, revoked_at__isnull=True).update(revoked_at=now)
    if ended:
        audit(
            "token.revoke",
            user,
            acting_user=acting_user,
            summary=TOKENS_ENDED(count=ended, person=str(user)),
            after={"tokens": ended},
        )
    return ended


def token_digest(token: str) -> str:
    """SHA-256 (hex) of a token: all that is kept of it."""
    return hashlib.sha256(token.encode()).hexdigest()


def user_of_token(token: str, *, now: dt.datetime) -> User | None:
    """The active user whose live token this is; None for anything else."""
    row = ApiToken.objects.select_related("user").filter(digest=token_digest(token), revoked_at__isnull=True).first()
    if row is None or not row.user.is_active or row.expires_at is None or row.expires_at <= now:
        return None
    return row.user
