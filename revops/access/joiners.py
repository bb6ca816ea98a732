"""Letting a person in: the one write path of new users. What they may do is given by `grants`, by somebody else."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from revops.audit.log import record as audit
from revops.errors import Rejected
from revops.people.actors import System
from revops.people.models import User
from revops.sentences import template

JOINED = template("person.joined", "{person} joined")

NAME_LENGTH_MAX = 120


@transaction.atomic
def add_person(email: str, *, name: str, password: str, acting_user: User | System) -> User:
    """A new person, known by the e-mail address that they sign in with, holding no role yet.

    Raises `Rejected` for what is no address (`email_invalid`), one that is taken in any case of letters (`email_taken`), and a
    name that is too long (`name_too_long`). The password is kept as Django hashes it and stands in no log.
    """
    address = email.strip()
    try:
        validate_email(address)
    except ValidationError:
        raise Rejected("email_invalid", "Give the e-mail address that this person signs in with.", field="email") from None
    if len(name) > NAME_LENGTH_MAX:
        raise Rejected("name_too_long", f"A name has at most {NAME_LENGTH_MAX} characters.", field="name")
    if User.objects.filter(username__iexact=address).exists():
        raise Rejected("email_taken", f"{address} is somebody already.", field="email")
    user = User(username=address, email=address, display_name=name)
    user.set_password(password)
    user.save()
    audit("person.add", user, acting_user=acting_user, summary=JOINED(person=address), after={"email": address, "name": name})
    return user
