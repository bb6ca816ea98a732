"""Somebody who decides about changes names a stand-in for the days of an absence."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from revops.access.grants import PRIVILEGED
from revops.approvals.checkpoints import may_sign
from revops.approvals.requirements import roles_now
from revops.audit.log import record as audit
from revops.errors import Missing, NotAllowed, Rejected
from revops.people.models import Delegation, Role, User
from revops.sentences import template

DELEGATED = template("delegation.made", "{stand_in} stands in for {person} from {first} to {last}")
ENDED = template("delegation.ended", "{stand_in} does not stand in for {person} any more")

DAYS_MAX = 90


@transaction.atomic
def delegate(
    stand_in: User, *, first_day: dt.date, last_day: dt.date, reason: str, now: dt.datetime, acting_user: User
) -> Delegation:
    """Name who decides in one's place. The stand-in must be entitled to all that is delegated, by roles of their own.

    Raises `NotAllowed("decides_nothing")`, `Rejected` (`stand_in_not_entitled`, `days_invalid`).
    """
    mine = roles_now(acting_user.pk) & (PRIVILEGED - {str(Role.ADMIN)})
    if not mine:
        raise NotAllowed("decides_nothing", "You decide about no changes, so there is nothing to hand over.")
    theirs = roles_now(stand_in.pk)
    if stand_in == acting_user or not all(may_sign(role, theirs) for role in mine):
        raise Rejected(
            "stand_in_not_entitled", "Choose somebody who may sign what you sign: roles are not lent.", field="stand_in"
        )
    today = now.astimezone(dt.UTC).date()
    if not today <= first_day <= last_day or (last_day - today).days > DAYS_MAX:
        raise Rejected("days_invalid", f"Give days in order, from today on and within {DAYS_MAX} days.", field="last_day")
    row = Delegation.objects.create(
        approver=acting_user, stand_in=stand_in, first_day=first_day, last_day=last_day, reason=reason.strip()[:200]
    )
    said = DELEGATED(stand_in=str(stand_in), person=str(acting_user), first=first_day, last=last_day)
    after = {"stand_in": str(stand_in), "first_day": first_day.isoformat(), "last_day": last_day.isoformat()}
    audit("delegation.make", acting_user, acting_user=acting_user, summary=said, reason=row.reason, after=after)
    return row


@transaction.atomic
def end_delegation(key: int, *, now: dt.datetime, acting_user: User) -> None:
    """End one's own delegation before its last day. Raises `Missing`."""
    rows = Delegation.objects.select_for_update(of=("self",)).select_related("stand_in")
    row = rows.filter(pk=key, approver=acting_user, ended_at__isnull=True).first()
    if row is None:
        raise Missing("delegation")
    row.ended_at = now
    row.save()
    said = ENDED(stand_in=str(row.stand_in), person=str(acting_user))
    audit("delegation.end", acting_user, acting_user=acting_user, summary=said)
