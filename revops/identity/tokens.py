"""Bearer tokens of the API: issuing, listing, ending, and whose a token is."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Sequence

from django.db import transaction
from django.db.models import QuerySet

from revops.audit.log import record as audit
from revops.errors import Missing, NotAllowed, Rejected
from revops.installation.kind import contradicted
from revops.people.actors import System, actor_user
from revops.people.models import ApiToken, User
from revops.sentences import template

TOKEN_ISSUED = template("token.issued", "API token {name} for {person}, {days} days, for {scopes}")
TOKENS_ENDED = template("token.ended", "{count} API tokens of {person} ended")
TOKEN_ENDED = template("token.ended_one", "API token {name} of {person} ended")

SCOPES: dict[str, str] = {
    "read": "Read what its owner may see",
    "propose": "Work cases; compose, submit and withdraw changes",
    "decide": "Approve and reject, each time after a fresh proof of who is there",
    "operate": "Replay deliveries and look after connections",
    "people": "Invite people, propose and confirm their roles",
    "account": "Change its owner's password; end sessions and tokens, make tokens; name who stands in",
}
"""What a token may be for. Reading is part of each. What its owner may not do, no scope adds."""


@transaction.atomic
def issue_token(user: User, *, name: str, days: int, scopes: Sequence[str], now: dt.datetime, acting_user: User | System) -> str:
    """A new bearer token for the user, shown this once. `days` is 1 to 365; `scopes` are of `SCOPES`.

    A token acts as its owner, so nobody makes one for somebody else: raises `NotAllowed("foreign_token")`; else `Rejected`.
    """
    if actor_user(acting_user) not in (None, user):
        raise NotAllowed("foreign_token", "A token acts as its owner: everybody issues their own.")
    if not 1 <= days <= 365:
        raise Rejected("days_invalid", "A token lives 1 to 365 days.", field="days")
    if unknown := [scope for scope in scopes if scope not in SCOPES]:
        raise Rejected("scope_unknown", f"{unknown[0][:20]} is no scope. Choose of {', '.join(SCOPES)}.", field="scopes")
    if not user.is_active:
        raise Rejected("user_inactive", "This person is not active.", field="user")
    kept = [scope for scope in SCOPES if scope == "read" or scope in scopes]
    token = "rvo_" + secrets.token_urlsafe(32)
    ends = now + dt.timedelta(days=days)
    ApiToken.objects.create(user=user, name=name[:80], scopes=kept, digest=token_digest(token), expires_at=ends)
    said = TOKEN_ISSUED(name=name[:80], person=str(user), days=days, scopes=tuple(kept))
    audit("token.issue", user, acting_user=acting_user, summary=said, after={"scopes": kept})
    return token


@transaction.atomic
def revoke_tokens(user: User, *, now: dt.datetime, acting_user: User | System) -> int:
    """End every live token of the user at once. Returns how many there were."""
    ended = end_tokens(user, now=now)
    if ended:
        said = TOKENS_ENDED(count=ended, person=str(user))
        audit("token.revoke", user, acting_user=acting_user, summary=said, after={"tokens": ended})
    return ended


@transaction.atomic
def revoke_token(user: User, key: int, *, now: dt.datetime, acting_user: User | System) -> None:
    """End one token of the user. Raises `Missing` for none that lives."""
    row = live_tokens(user, now=now).select_for_update(of=("self",)).filter(pk=key).first()
    if row is None:
        raise Missing("token")
    ApiToken.objects.filter(pk=row.pk).update(revoked_at=now)
    said = TOKEN_ENDED(name=row.name, person=str(user))
    audit("token.revoke", user, acting_user=acting_user, summary=said, after={"tokens": 1})


def end_tokens(user: User, *, now: dt.datetime) -> int:
    """End every live token, inside an action that says so. Returns how many there were."""
    return ApiToken.objects.filter(user=user, revoked_at__isnull=True).update(revoked_at=now)


def live_tokens(user: User, *, now: dt.datetime) -> QuerySet[ApiToken]:
    """The tokens of the user that open something, newest first."""
    return ApiToken.objects.filter(user=user, revoked_at__isnull=True, expires_at__gt=now).order_by("-pk")


def token_digest(token: str) -> str:
    """SHA-256 (hex) of a token: all that is kept of it."""
    return hashlib.sha256(token.encode()).hexdigest()


def live_token(token: str, *, now: dt.datetime) -> ApiToken | None:
    """The live token with its active owner; None for anything else, and for all where a rehearsal's database is run without the
    rehearsal or the other way round."""
    rows = ApiToken.objects.select_related("user").filter(~contradicted(), user__is_active=True, revoked_at__isnull=True)
    return rows.filter(digest=token_digest(token), expires_at__gt=now).first()
