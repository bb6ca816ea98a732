"""Links with which somebody sets a password, once: for who is invited, and for who has forgotten it.

The secret stands behind the # of the address, which a browser sends to no server: it reaches no log and no other site.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.urls import reverse

from revops.audit.log import record as audit
from revops.errors import NotAllowed, Rejected
from revops.identity.models import OneTimeLink, Purpose
from revops.identity.passwords import end_sessions, put_password
from revops.identity.tokens import end_tokens
from revops.people.actors import System, actor_user
from revops.people.models import User
from revops.sentences import template

MADE = {
    Purpose.INVITE: template("link.invited", "a link with which {person} accepts the invitation was made"),
    Purpose.RESET: template("link.reset", "a link with which {person} sets a new password was made"),
}
ACCEPTED = template("person.accepted", "{person} accepted the invitation and set a password")
SET_ANEW = template("password.reset", "{person} set a new password by a link; sessions and tokens ended")

LIVES = {Purpose.INVITE: dt.timedelta(days=7), Purpose.RESET: dt.timedelta(hours=1)}
USELESS = "This link is not valid any more: it was used, replaced or is too old. Ask an administrator for a new one."


@transaction.atomic
def make_link(user: User, purpose: Purpose, *, now: dt.datetime, acting_user: User | System) -> str:
    """The secret of a new link; an older one of that person ends. Raises `Rejected("user_inactive")` and
    `NotAllowed("own_link")`: one's own password is changed with the old one."""
    row = User.objects.select_for_update().get(pk=user.pk)
    if not row.is_active:
        raise Rejected("user_inactive", "This person is not active; let them in again first.", field="user")
    if actor_user(acting_user) == row:
        raise NotAllowed("own_link", "Change your own password under your account, with the old one.")
    OneTimeLink.objects.filter(user=row, used_at__isnull=True, ended_at__isnull=True).update(ended_at=now)
    secret = secrets.token_urlsafe(32)
    OneTimeLink.objects.create(
        user=row, purpose=purpose, digest=_digest(secret), made_by=actor_user(acting_user), expires_at=now + LIVES[purpose]
    )
    audit(f"link.{purpose}", row, acting_user=acting_user, summary=MADE[purpose](person=row.get_username()))
    return secret


def open_link(secret: str, *, now: dt.datetime) -> OneTimeLink:
    """The live link of this secret. Raises `Rejected("link_useless")`."""
    rows = OneTimeLink.objects.select_related("user").filter(digest=_digest(secret.strip()))
    row = rows.filter(used_at__isnull=True, ended_at__isnull=True, expires_at__gt=now, user__is_active=True).first()
    if row is None:
        raise Rejected("link_useless", USELESS, field="secret")
    return row


@transaction.atomic
def set_password_by_link(secret: str, *, password: str, now: dt.datetime) -> User:
    """Use a link up and set the password. A second factor stays; sessions and tokens of before end.

    Raises `Rejected` (`link_useless`, `password_weak`); a refused password leaves the link as it was.
    """
    found = open_link(secret, now=now)
    user = User.objects.select_for_update().get(pk=found.user_id)
    put_password(user, password, now=now)
    if not OneTimeLink.objects.filter(pk=found.pk, used_at__isnull=True, ended_at__isnull=True).update(used_at=now):
        raise Rejected("link_useless", USELESS, field="secret")  # somebody else was faster
    user.save()
    end_sessions(user)
    end_tokens(user, now=now)
    invited = found.purpose == Purpose.INVITE
    said = (ACCEPTED if invited else SET_ANEW)(person=user.get_username())
    audit("person.accept" if invited else "password.reset", user, acting_user=user, summary=said)
    return user


def address_of_link(secret: str) -> str:
    """What the person opens."""
    return f"{settings.REVOPS_PUBLIC_URL.rstrip('/')}{reverse('web:link')}#{secret}"


def hand_over(user: User, purpose: Purpose, secret: str) -> str:
    """Send the link by e-mail where a mail server is set (`EMAIL_URL`) and return nothing; else return its address, for the
    administrator to hand over. Called after the action was committed."""
    address = address_of_link(secret)
    if not settings.REVOPS_SENDS_MAIL:
        return address
    hours = int(LIVES[purpose].total_seconds() // 3600)
    what = "You were invited to RevOps. Choose a password" if purpose == Purpose.INVITE else "Set a new password for RevOps"
    send_mail(f"RevOps: {purpose.label.lower()}", f"{what} within {hours} hours:\n\n{address}\n", None, [user.email])
    return ""


def _digest(secret: str) -> str:
    return hashlib.sha256(f"one-time link {secret}".encode()).hexdigest()
