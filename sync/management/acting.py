"""Who a command acts as: the person that `--as` names, with what proves that it is they."""

from __future__ import annotations

from django.core.management.base import CommandError
from django.utils import timezone

from revops.access.rules import require
from revops.identity.models import StepUp
from revops.identity.step_up import check_proof, record_step_up
from revops.management.prompt import typed
from revops.people.models import User, address_of_person


def acting(email: str, verb: str, *, command: str) -> tuple[User, StepUp]:
    """Who acts, and the proof that it is they, which is read from standard input (the password, or a code where they have a
    second factor). Raises `CommandError` without a known person, and `RevOpsError` for one who may not or proves nothing."""
    if not email:
        raise CommandError(f"Say as whom: manage.py {command} --as EMAIL ...")
    user = User.objects.filter(username=address_of_person(email)).first()
    if user is None:
        raise CommandError(f"There is no user {email}. The user name is the e-mail address.")
    require(user, verb)
    return user, record_step_up(user, check_proof(user, typed("Password or code"), now=timezone.now()))
