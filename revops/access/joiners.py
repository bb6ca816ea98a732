"""Letting a person in: the one write path of new users. What they may do is given by others (`grants`, `proposals`)."""

from __future__ import annotations

import datetime as dt

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from revops.access.grants import administrators, put_grant, require_administrator
from revops.audit.log import record as audit
from revops.errors import Conflict, Rejected
from revops.identity.links import make_link
from revops.identity.models import Purpose
from revops.identity.passwords import put_password
from revops.installation.kind import mark_database
from revops.people.actors import System, actor_user
from revops.people.models import Role, User, address_of_person
from revops.sentences import template

JOINED = template("person.joined", "{person} joined")
INVITED = template("person.invited", "{person} was invited")

NAME_LENGTH_MAX = 120


@transaction.atomic
def add_person(email: str, *, name: str, password: str, acting_user: User | System) -> User:
    """A new person with a password, known by the e-mail address that they sign in with, holding no role yet.

    The first one decides what the database is (`installation.kind`). Raises `Rejected` for what is no address (`email_invalid`),
    one that is taken in any case of letters (`email_taken`), a name that is too long (`name_too_long`) and a password that the
    policy refuses (`password_weak`). The password is kept as Django hashes it and stands in no log.
    """
    user = _new_person(email, name, acting_user)
    put_password(user, password, now=timezone.now())
    user.save()
    _told("person.add", user, acting_user)
    return user


@transaction.atomic
def invite(email: str, *, name: str, now: dt.datetime, acting_user: User | System) -> tuple[User, str]:
    """A new person without a password, and the secret of the link with which they choose one.

    Raises `NotAllowed` from anybody but administrators, and `Rejected` as `add_person` does.
    """
    actor = actor_user(acting_user)
    if actor is not None:
        require_administrator(actor)
    user = _new_person(email, name, acting_user)
    user.set_unusable_password()
    user.save()
    _told("person.invite", user, acting_user)
    return user, make_link(user, Purpose.INVITE, now=now, acting_user=acting_user)


@transaction.atomic
def first_administrator(email: str, *, name: str, now: dt.datetime, acting_user: System) -> tuple[User, str]:
    """Invite the first administrator of an installation. Raises `Conflict("administrator_exists")`, `Rejected` as `invite`."""
    if administrators().exists():
        raise Conflict("administrator_exists", "There is an administrator: ask them for an invitation.")
    user, secret = invite(email, name=name, now=now, acting_user=acting_user)
    put_grant(user, Role.ADMIN, acting_user=acting_user)
    return user, secret


def _new_person(email: str, name: str, acting_user: User | System) -> User:
    mark_database(acting_user=acting_user)
    address = address_of_person(email)
    try:
        validate_email(address)
    except ValidationError:
        raise Rejected("email_invalid", "Give the e-mail address that this person signs in with.", field="email") from None
    if len(name) > NAME_LENGTH_MAX:
        raise Rejected("name_too_long", f"A name has at most {NAME_LENGTH_MAX} characters.", field="name")
    if User.objects.filter(username=address).exists():
        raise Rejected("email_taken", f"{address} is somebody already.", field="email")
    return User(username=address, email=address, display_name=name.strip())


def _told(verb: str, user: User, acting_user: User | System) -> None:
    said = (INVITED if verb == "person.invite" else JOINED)(person=user.username)
    audit(verb, user, acting_user=acting_user, summary=said, after={"email": user.username, "name": user.display_name})
