"""Codes of an authenticator app (RFC 6238: SHA-1, six digits, 30 seconds). A code is good once, on whichever path it comes."""

from __future__ import annotations

import datetime as dt
import hmac

import pyotp
from django.db import transaction

from revops import sealing
from revops.audit.log import record as audit
from revops.errors import Conflict, Rejected
from revops.identity.models import TotpSecret
from revops.people.actors import System
from revops.people.models import User
from revops.sentences import template

ADDED = template("factor.totp", "{person} set up an authenticator app")

RESEALED = template("factor.resealed", "The secret of {person}'s authenticator app was sealed with the newest key")

ISSUER = "RevOps"
STEP_SECONDS = 30
DRIFT_STEPS = 1
"""How many steps a phone's clock may be off, either way."""
WRONG = "This code is not right, or was used before. Wait for the next one and enter that."


@transaction.atomic
def begin_totp(user: User) -> str:
    """A new secret for the person's app, as the `otpauth` address that a QR code shows. It counts once a code of it was taken.

    Raises `Conflict("totp_exists")` while another one counts.
    """
    User.objects.select_for_update().get(pk=user.pk)
    if has_totp(user):
        raise Conflict("totp_exists", "An authenticator app is set up already. Remove it first.")
    secret = pyotp.random_base32()
    sealed = sealing.seal(secret.encode(), _row(user))
    TotpSecret.objects.update_or_create(user=user, defaults={"sealed": sealed, "confirmed_at": None, "last_step": 0})
    return address_of(user, secret)


@transaction.atomic
def confirm_totp(user: User, code: str, *, now: dt.datetime, acting_user: User) -> None:
    """Take the first code: from now on the app counts. Raises `Rejected("code_wrong")`."""
    row = TotpSecret.objects.select_for_update().filter(user=user, confirmed_at__isnull=True).first()
    if row is None or not _take(row, code, now=now):
        raise Rejected("code_wrong", WRONG, field="code")
    TotpSecret.objects.filter(pk=row.pk).update(confirmed_at=now)
    audit("factor.add", user, acting_user=acting_user, summary=ADDED(person=user.get_username()), after={"factor": "totp"})


def take_code(user: User, code: str, *, now: dt.datetime) -> bool:
    """Whether this is a code of the person's app that was not used before; it is used up."""
    row = TotpSecret.objects.filter(user=user, confirmed_at__isnull=False).first()
    return row is not None and _take(row, code, now=now)


def users_with_totp() -> list[int]:
    """The ids of everybody who has a secret, in order."""
    return list(TotpSecret.objects.order_by("user_id").values_list("user_id", flat=True))


@transaction.atomic
def reseal_totp(user_id: int, *, acting_user: User | System) -> bool:
    """Seal the person's secret with the newest key; False when it is. Raises `Conflict("secrets_unreadable")`."""
    row = TotpSecret.objects.select_for_update(of=("self",)).select_related("user").filter(user=user_id).first()
    if row is None or sealing.sealed_with_newest_key(bytes(row.sealed)):
        return False
    TotpSecret.objects.filter(pk=row.pk).update(sealed=sealing.seal(_secret(row).encode(), _row(row.user)))
    audit("factor.reseal", row.user, acting_user=acting_user, summary=RESEALED(person=row.user.get_username()))
    return True


def has_totp(user: User) -> bool:
    """Whether an authenticator app counts for this person."""
    return TotpSecret.objects.filter(user=user, confirmed_at__isnull=False).exists()


def secret_being_set_up(user: User) -> str:
    """The `otpauth` address of a secret that waits for its first code; empty for none."""
    row = TotpSecret.objects.filter(user=user, confirmed_at__isnull=True).first()
    return address_of(user, _secret(row)) if row is not None else ""


def address_of(user: User, secret: str) -> str:
    """What the QR code shows."""
    return pyotp.TOTP(secret, interval=STEP_SECONDS).provisioning_uri(name=user.get_username(), issuer_name=ISSUER)


def _take(row: TotpSecret, code: str, *, now: dt.datetime) -> bool:
    """Two who send one code at once: the update of the second finds its step taken already."""
    typed = "".join(code.split())
    totp, step = pyotp.TOTP(_secret(row), interval=STEP_SECONDS), int(now.timestamp()) // STEP_SECONDS
    for each in range(step - DRIFT_STEPS, step + DRIFT_STEPS + 1):
        if hmac.compare_digest(totp.generate_otp(each).encode(), typed.encode()):
            return bool(TotpSecret.objects.filter(pk=row.pk, last_step__lt=each).update(last_step=each))
    return False


def _secret(row: TotpSecret) -> str:
    try:
        return sealing.unseal(bytes(row.sealed), _row(row.user)).decode()
    except sealing.Unreadable:
        raise Conflict(
            "secrets_unreadable",
            "The secret of the authenticator app cannot be decrypted with the configured keys: restore the key.",
        ) from None


def _row(user: User) -> str:
    return f"identity.totp:{user.pk}"
