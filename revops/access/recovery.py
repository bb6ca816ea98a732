"""The way back for an administrator who is alone and cannot prove who they are any more. It begins on the server, where whoever
runs it could read the database anyway; with two administrators it does not exist: the other one helps."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from revops.access.grants import administrators, lock_administrators
from revops.audit.log import record as audit
from revops.errors import NotAllowed
from revops.identity.factors import forget_factors, has_second_factor
from revops.identity.links import make_link
from revops.identity.models import Purpose
from revops.identity.passwords import end_sessions
from revops.identity.tokens import end_tokens
from revops.people.actors import System
from revops.people.models import User
from revops.sentences import template

RECOVERED = template("person.recovered", "{person}, the only administrator, was let back in on the server")


@transaction.atomic
def recover_administrator(user: User, *, now: dt.datetime, acting_user: System) -> tuple[Purpose, str]:
    """Forget the second factors of the only administrator, end sessions and tokens, and make a link with which they choose a
    password. Returns what the link is for, and its secret. Raises `NotAllowed("another_administrator")`."""
    lock_administrators()
    if set(administrators().values_list("user_id", flat=True)) != {user.pk}:
        raise NotAllowed(
            "another_administrator",
            "Only an administrator who is alone is let back in here. Another administrator makes a new link in the browser, "
            "and two of them forget a second factor.",
        )
    if has_second_factor(user):
        forget_factors(user, acting_user=acting_user)
    end_sessions(user)
    end_tokens(user, now=now)
    audit("person.recover", user, acting_user=acting_user, summary=RECOVERED(person=user.get_username()))
    purpose = Purpose.RESET if user.has_usable_password() else Purpose.INVITE
    return purpose, make_link(user, purpose, now=now, acting_user=acting_user)
