"""Codes on paper that stand in for a lost second factor, each once."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from django.db import transaction

from revops.audit.log import record as audit
from revops.identity.models import RecoveryCode
from revops.people.models import User
from revops.sentences import template

MADE = template("factor.recovery_codes", "{person} made {count} recovery codes; older ones ended")

COUNT = 10
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another
LENGTH = 12


@transaction.atomic
def make_recovery_codes(user: User, *, acting_user: User) -> list[str]:
    """New codes, shown this once; older ones end. Each has 59 bits."""
    User.objects.select_for_update().get(pk=user.pk)
    RecoveryCode.objects.filter(user=user).delete()
    codes = ["".join(secrets.choice(LETTERS) for _ in range(LENGTH)) for _ in range(COUNT)]
    RecoveryCode.objects.bulk_create([RecoveryCode(user=user, digest=_digest(user, code)) for code in codes])
    audit("factor.recovery_codes", user, acting_user=acting_user, summary=MADE(person=user.get_username(), count=COUNT))
    return [f"{code[:4]}-{code[4:8]}-{code[8:]}" for code in codes]


def take_recovery_code(user: User, code: str, *, now: dt.datetime) -> bool:
    """Whether this is an unused code of the person; it is used up."""
    digest = _digest(user, "".join(letter for letter in code.lower() if letter.isalnum()))
    return bool(RecoveryCode.objects.filter(user=user, digest=digest, used_at__isnull=True).update(used_at=now))


def unused_codes(user: User) -> int:
    """How many are left."""
    return RecoveryCode.objects.filter(user=user, used_at__isnull=True).count()


def _digest(user: User, code: str) -> str:
    return hashlib.sha256(f"recovery code {user.pk} {code}".encode()).hexdigest()
