"""The trace of signing in and out: a line of the action log and a log event each, with the address and never with what was typed
as a secret.

Failures are bounded, so that nobody fills the log from outside: one line for each person (or name) and address within a quarter
of an hour, one more for an address whose attempts are stopped, and no more than a thousand altogether.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from revops.audit.log import record as audit
from revops.audit.models import ActionRecord
from revops.people.actors import System
from revops.people.models import User, address_of_person
from revops.sentences import Template, Word, template

SIGNED_IN = template("sign_in", "{person} signed in from {address}, with {methods}")
SIGNED_OUT = template("sign_out", "{person} signed out")
REFUSED = template("sign_in.refused", "a sign-in as {person} from {address} was refused")
STOPPED = template("sign_in.stopped", "sign-ins as {person} from {address} are refused for a while: there were too many attempts")

WINDOW = dt.timedelta(minutes=15)
FAILURES_MAX = 1000
ACTOR = System("sign-in")
_log = logging.getLogger("revops.identity")


@transaction.atomic
def signed_in(user: User, *, methods: tuple[str, ...], address: str) -> None:
    """Somebody is in. `methods` as in `Method`."""
    said = SIGNED_IN(person=user.get_username(), address=address, methods=tuple(Word(method) for method in methods))
    audit("sign_in", user, acting_user=user, summary=said, after={"address": address, "methods": list(methods)})
    _log.info("signed in", extra={"person": user.get_username(), "address": address, "methods": list(methods)})


@transaction.atomic
def signed_out(user: User, *, address: str) -> None:
    """Somebody ended their own session."""
    audit("sign_out", user, acting_user=user, summary=SIGNED_OUT(person=user.get_username()), after={"address": address})
    _log.info("signed out", extra={"person": user.get_username(), "address": address})


def refused(typed: str, *, address: str, now: dt.datetime) -> None:
    """Name and password, or the second factor, did not fit."""
    _failed("sign_in.refuse", REFUSED, typed, address, now)


def stopped(typed: str, *, address: str, now: dt.datetime) -> None:
    """A limit of attempts was passed."""
    _failed("sign_in.stop", STOPPED, typed, address, now)


def _failed(verb: str, said: Template, typed: str, address: str, now: dt.datetime) -> None:
    name = shown(typed)
    _log.warning("a sign-in was refused", extra={"person": name, "address": address, "verb": verb})
    user = User.objects.filter(username=address_of_person(typed)).first()
    subject = f"user:{user.pk}" if user else f"name:{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    recent = ActionRecord.objects.filter(at__gt=now - WINDOW, verb__in=("sign_in.refuse", "sign_in.stop"))
    told = recent.filter(verb=verb, after__address=address)
    if verb == "sign_in.refuse":
        told = told.filter(subject=subject)
    if told.exists() or recent.count() >= FAILURES_MAX:
        return
    with transaction.atomic():
        audit(
            verb,
            subject,
            acting_user=ACTOR,
            summary=said(person=name, address=address),
            after={"person": name, "address": address},
        )


def shown(typed: str) -> str:
    """The name that was tried, when it has the form of an address; else it may be a password in the wrong field."""
    try:
        validate_email(address_of_person(typed))
    except ValidationError:
        return "(no address)"
    return address_of_person(typed)[:150]
