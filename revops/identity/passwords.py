"""Setting a password, by the one policy (`AUTH_PASSWORD_VALIDATORS`), and what ends with the old one."""

from __future__ import annotations

import datetime as dt

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from revops.audit.log import record as audit
from revops.errors import NotAllowed, Rejected
from revops.identity.models import UserSession
from revops.identity.step_up import check_password
from revops.people.models import User
from revops.sentences import template

CHANGED = template("password.changed", "{person} changed their password")

PASSWORD_LENGTH_MAX = 300


def put_password(user: User, password: str, *, now: dt.datetime) -> None:
    """Give the user object a new password; the caller saves it. Raises `Rejected("password_weak")` with what to do."""
    if len(password) > PASSWORD_LENGTH_MAX:
        raise Rejected("password_weak", f"A password has at most {PASSWORD_LENGTH_MAX} characters.", field="password")
    try:
        validate_password(password, user)
    except ValidationError as weak:
        raise Rejected("password_weak", " ".join(weak.messages), field="password") from None
    user.set_password(password)
    user.password_set_at = now


def change_password(user: User, *, old: str, new: str, now: dt.datetime, acting_user: User) -> User:
    """Replace one's own password, knowing the old one. Every session ends; the caller keeps its own alive.

    Raises `NotAllowed("foreign_password")` and `Rejected` (`password_wrong`, `too_many`, `password_weak`). A wrong one is counted
    as a wrong proof, so it is not called inside a transaction that the refusal would undo.
    """
    if acting_user.pk != user.pk:
        raise NotAllowed("foreign_password", "Everybody changes their own password.")
    check_password(user, old, now=now)
    with transaction.atomic():
        row = User.objects.select_for_update().get(pk=user.pk)
        put_password(row, new, now=now)
        row.save()
        end_sessions(row)
        audit("password.change", row, acting_user=row, summary=CHANGED(person=row.get_username()))
    return row


def end_sessions(user: User, but: str = "") -> int:
    """End the person's sessions, except the one whose digest is `but`. Returns how many there were."""
    ended, _ = UserSession.objects.filter(user=user).exclude(session_key=but).delete()
    return ended
