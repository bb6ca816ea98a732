"""Somebody leaves: sessions, tokens and links end at once; and is let in again."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from revops.access.grants import PRIVILEGED, keep_an_administrator, lock_administrators, put_revocation, require_administrator
from revops.audit.log import record as audit
from revops.errors import Conflict, NotAllowed, Rejected
from revops.identity.models import OneTimeLink
from revops.identity.passwords import end_sessions
from revops.identity.tokens import end_tokens
from revops.people.models import AccessProposal, Delegation, ProposalState, Role, RoleGrant, User
from revops.sentences import template

LEFT = template("person.left", "{person} was deactivated; sessions, tokens and links ended")
BACK = template("person.back", "{person} was let in again")

REASON_LENGTH_MAX = 500


@transaction.atomic
def deactivate(user: User, *, reason: str, now: dt.datetime, acting_user: User) -> User:
    """Let somebody in no more. Roles that decide or administer are taken, so that two administrators give them anew.

    Raises `NotAllowed` (`not_an_administrator`, `self_deactivation`), `Rejected` (`reason_missing`, `last_admin`),
    `Conflict("not_active")`.
    """
    lock_administrators()
    require_administrator(acting_user)
    words = reason.strip()
    if not words or len(words) > REASON_LENGTH_MAX:
        raise Rejected("reason_missing", "Say why, in at most 500 characters: it stays in the log.", field="reason")
    if acting_user == user:
        raise NotAllowed("self_deactivation", "Nobody deactivates themselves; ask another administrator.")
    row = User.objects.select_for_update().get(pk=user.pk)
    if not row.is_active:
        raise Conflict("not_active", f"{row} is not active any more.")
    grants = list(RoleGrant.objects.filter(user=row, role__in=sorted(PRIVILEGED)))
    if any(grant.role == Role.ADMIN for grant in grants):
        keep_an_administrator(row)
    row.is_active = False
    row.save()
    ended = {"sessions": end_sessions(row), "tokens": end_tokens(row, now=now)}
    OneTimeLink.objects.filter(user=row, used_at__isnull=True, ended_at__isnull=True).update(ended_at=now)
    _end_what_waits(row, now=now)
    said = LEFT(person=row.get_username())
    audit("person.deactivate", row, acting_user=acting_user, summary=said, reason=words, after={"active": False, **ended})
    for grant in grants:
        put_revocation(grant, acting_user=acting_user)
    return row


def _end_what_waits(user: User, *, now: dt.datetime) -> None:
    for proposal in AccessProposal.objects.filter(user=user, state=ProposalState.WAITING):
        proposal.state, proposal.decided_at = ProposalState.EXPIRED, now
        proposal.save()
    live = Delegation.objects.filter(ended_at__isnull=True)
    for delegation in live.filter(approver=user) | live.filter(stand_in=user):
        delegation.ended_at = now
        delegation.save()


@transaction.atomic
def reactivate(user: User, *, acting_user: User) -> User:
    """Let somebody in again, with the password and the roles that are left. Raises `NotAllowed`, `Conflict("is_active")`."""
    require_administrator(acting_user)
    row = User.objects.select_for_update().get(pk=user.pk)
    if row.is_active:
        raise Conflict("is_active", f"{row} is active already.")
    row.is_active = True
    row.save()
    audit("person.reactivate", row, acting_user=acting_user, summary=BACK(person=row.get_username()), after={"active": True})
    return row
