"""Which second factors a person has, who needs one, and taking one away."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from revops.audit.log import record as audit
from revops.errors import Missing, Rejected
from revops.identity.models import Passkey, RecoveryCode, TotpSecret
from revops.identity.recovery_codes import unused_codes
from revops.people.actors import System
from revops.people.models import User
from revops.sentences import template

REMOVED = template("factor.removed", "{person} removed {factor}")
FORGOTTEN = template("factor.forgotten", "the second factors of {person} were forgotten")

TOTP = "totp"


@dataclass(frozen=True, slots=True)
class Factors:
    """What a person can prove with beside the password."""

    totp: bool
    passkeys: tuple[Passkey, ...]
    recovery_codes: int

    @property
    def any(self) -> bool:
        """Whether there is a second factor; recovery codes alone are none."""
        return self.totp or bool(self.passkeys)


def factors_of(user: User) -> Factors:
    """The person's factors as they are now."""
    totp = TotpSecret.objects.filter(user=user, confirmed_at__isnull=False).exists()
    return Factors(totp, tuple(Passkey.objects.filter(user=user).order_by("added_at")), unused_codes(user))


def has_second_factor(user: User) -> bool:
    """Whether the person has one."""
    return TotpSecret.objects.filter(user=user, confirmed_at__isnull=False).exists() or Passkey.objects.filter(user=user).exists()


def is_required() -> bool:
    """Whether whoever decides or administers needs one in this installation (REVOPS_SECOND_FACTOR)."""
    return bool(settings.REVOPS_SECOND_FACTOR == "required")


@transaction.atomic
def remove_factor(user: User, which: str, *, needed: bool, acting_user: User) -> None:
    """Take away one's own authenticator app (`totp`) or a passkey (its id). `needed`: the last one stays, as the person holds a
    role that needs it. Raises `Missing`, `Rejected("factor_needed")`."""
    User.objects.select_for_update().get(pk=user.pk)
    before = factors_of(user)
    passkey = next((row for row in before.passkeys if str(row.pk) == which), None)
    if passkey is None and not (which == TOTP and before.totp):
        raise Missing("second factor")
    if needed and is_required() and before.totp + len(before.passkeys) == 1:
        raise Rejected("factor_needed", "Your role needs a second factor. Add another one first, then remove this one.")
    if passkey is None:
        TotpSecret.objects.filter(user=user).delete()
    else:
        Passkey.objects.filter(pk=passkey.pk).delete()
    if before.totp + len(before.passkeys) == 1:
        RecoveryCode.objects.filter(user=user).delete()
    name = passkey.name if passkey else "the authenticator app"
    said = REMOVED(person=user.get_username(), factor=name)
    audit("factor.remove", user, acting_user=acting_user, summary=said, before={"factor": "passkey" if passkey else TOTP})


def forget_factors(user: User, *, acting_user: User | System) -> None:
    """Take all of somebody's second factors away, inside an action that two administrators decided."""
    TotpSecret.objects.filter(user=user).delete()
    Passkey.objects.filter(user=user).delete()
    RecoveryCode.objects.filter(user=user).delete()
    audit("factor.forget", user, acting_user=acting_user, summary=FORGOTTEN(person=user.get_username()))
