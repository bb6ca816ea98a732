"""Proving once more who is there, right before something weighty: by a second factor, or the password where that is enough.

A step-up is good for five minutes, for the person, and for the session or token in which it was made. Actions ask for it
themselves (`require_step_up`), so no path to them is without it; the database asks again where a plan is decided.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from typing import NoReturn

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from revops.audit.log import record as audit
from revops.audit.models import ActionRecord
from revops.errors import NotAllowed, Rejected
from revops.identity import passkeys, recovery_codes, totp
from revops.identity.factors import has_second_factor, is_required
from revops.identity.models import Method, StepUp
from revops.people.models import ApiToken, User
from revops.sentences import Word, template

PROVEN = template("step_up", "{person} proved once more who they are, with {method}")
REFUSED = template("step_up.refused", "a proof of {person} was wrong")

FRESH = dt.timedelta(minutes=5)
WINDOW = dt.timedelta(minutes=15)
FAILURES_MAX = 8
STRONG = frozenset({Method.TOTP, Method.PASSKEY, Method.RECOVERY_CODE})
_log = logging.getLogger("revops.identity")


def method_of(user: User, proof: str, *, now: dt.datetime) -> Method | None:
    """With what this text proves that it is the person: a code of their app, a recovery code, or their password; None if with
    nothing. Codes are used up. A password proves nothing once the person has a second factor."""
    if has_second_factor(user):
        if totp.take_code(user, proof, now=now):
            return Method.TOTP
        return Method.RECOVERY_CODE if recovery_codes.take_recovery_code(user, proof, now=now) else None
    return Method.PASSWORD if user.check_password(proof) else None


def check_proof(user: User, proof: str, *, now: dt.datetime) -> Method:
    """With what this text proves that it is the person. Raises `Rejected` (`proof_wrong`, `too_many`)."""
    return _checked(user, lambda: method_of(user, proof, now=now), now=now) or _refuse(user)


def check_passkey(user: User, *, answer: str, state: passkeys.State, host: str, now: dt.datetime) -> Method:
    """The same by a passkey."""

    def taken() -> Method | None:
        return Method.PASSKEY if passkeys.take_proof(user, answer=answer, state=state, host=host, now=now) else None

    return _checked(user, taken, now=now) or _refuse(user)


def check_password(user: User, password: str, *, now: dt.datetime) -> None:
    """Whether it is the person's password, who is about to replace it. Raises `Rejected` (`password_wrong`, `too_many`)."""
    if not _checked(user, lambda: Method.PASSWORD if user.check_password(password) else None, now=now, field="old"):
        raise Rejected("password_wrong", "This is not your password. Nothing was changed; enter it again.", field="old")


def _checked(user: User, method: Callable[[], Method | None], *, now: dt.datetime, field: str = "proof") -> Method | None:
    """The method, or None for a wrong proof. These are counted by their lines in the action log, at most eight within a quarter
    of an hour; then even a right one waits. The person's row is locked, so that many at once are counted one after the other."""
    found: Method | None = None
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        failures = ActionRecord.objects.filter(verb="step_up.refuse", subject=f"user:{user.pk}", at__gt=now - WINDOW).count()
        if failures < FAILURES_MAX and (found := method()) is None:
            audit("step_up.refuse", user, acting_user=user, summary=REFUSED(person=user.get_username()))
    if found is not None:
        return found
    _log.warning("a proof was refused", extra={"person": user.get_username()})
    if failures >= FAILURES_MAX:
        raise Rejected("too_many", "There were too many attempts. Wait a quarter of an hour, then try again.", field=field)
    return None


def _refuse(user: User) -> NoReturn:
    what = "code" if has_second_factor(user) else "password"
    raise Rejected("proof_wrong", f"This is not your {what}. Nothing was done; enter it again.", field="proof")


@transaction.atomic
def record_step_up(user: User, method: Method, *, token: ApiToken | None = None, session: str = "") -> StepUp:
    """Write what `check_proof` or `check_passkey` found, for the token or the session (its digest) in which it was asked."""
    row = StepUp.objects.create(user=user, method=method, token=token, session=session)
    row.refresh_from_db(fields=["at"])
    said = PROVEN(person=user.get_username(), method=Word(str(method)))
    audit("step_up", user, acting_user=user, summary=said, after={"method": str(method), "by": "token" if token else "session"})
    _log.info("a step-up", extra={"person": user.get_username(), "method": str(method)})
    return row


def step_up_of_token(token: ApiToken, *, now: dt.datetime) -> StepUp | None:
    """The fresh step-up that was made with this token, if there is one."""
    return _fresh(token.user, StepUp.objects.filter(token=token), now)


def step_up_of_session(user: User, session: str, *, now: dt.datetime) -> StepUp | None:
    """The fresh step-up that was made in this session (its digest), if there is one."""
    return _fresh(user, StepUp.objects.filter(session=session), now) if session else None


def _fresh(user: User, rows: QuerySet[StepUp], now: dt.datetime) -> StepUp | None:
    """The newest that still counts: a password given before the second factor was set up counts no more."""
    rows = rows.filter(user=user, at__gt=now - FRESH)
    if has_second_factor(user):
        rows = rows.filter(method__in=sorted(STRONG))
    return rows.order_by("-at").first()


def require_step_up(user: User, step_up: StepUp | None) -> StepUp:
    """The step-up, when it is this person's, not older than five minutes, and strong enough for somebody who decides.

    Raises `NotAllowed` (`step_up_missing`, `second_factor_missing`).
    """
    step_up = require_fresh(user, step_up)
    if is_required() and step_up.method not in STRONG:
        raise NotAllowed(
            "second_factor_missing",
            "This needs a second factor. Set one up under your account: an authenticator app or a passkey.",
        )
    return step_up


def require_fresh(user: User, step_up: StepUp | None) -> StepUp:
    """The step-up, when it is this person's and not older than five minutes. Raises `NotAllowed("step_up_missing")`."""
    if step_up is None or step_up.user_id != user.pk or step_up.at <= timezone.now() - FRESH:
        raise NotAllowed(
            "step_up_missing", "Prove once more that it is you, with your second factor or password; it holds for five minutes."
        )
    return step_up
