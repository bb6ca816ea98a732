"""Sessions in the database, each with the person, the address and the browser it was begun from.

The engine that the settings name: the key that the browser holds is never stored, only its digest.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from revops.audit.log import record as audit
from revops.errors import Missing
from revops.identity.models import UserSession
from revops.people.models import User
from revops.sentences import template

ENDED = template("session.ended", "a session of {person} was ended")
FORGOTTEN_AT_ONCE = 100


def digest_of(session_key: str | None) -> str:
    """What is stored of a key; empty for none."""
    return hashlib.sha256(f"session {session_key}".encode()).hexdigest()[:40] if session_key else ""


class SessionStore(DatabaseStore):
    """Django's sessions, under the digest of their keys."""

    @classmethod
    def get_model_class(cls) -> type[UserSession]:
        return UserSession

    def _get_session_from_db(self) -> UserSession | None:
        row = UserSession.objects.filter(session_key=digest_of(self.session_key), expire_date__gt=timezone.now()).first()
        if row is None:
            self._session_key = None
        return row

    def exists(self, session_key: str) -> bool:
        return UserSession.objects.filter(session_key=digest_of(session_key)).exists()

    def create_model_instance(self, data: dict[str, Any]) -> UserSession:
        begun = data.get("begun_at")
        return UserSession(
            session_key=digest_of(self._get_or_create_session_key()),  # type: ignore[attr-defined]  # of the library
            session_data=self.encode(data),
            expire_date=self.get_expiry_date(),
            user_id=int(data[SESSION_KEY]) if SESSION_KEY in data else None,
            address=str(data.get("address", ""))[:64],
            browser=str(data.get("browser", ""))[:200],
            started_at=dt.datetime.fromisoformat(begun) if begun else timezone.now(),
        )

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        UserSession.objects.filter(session_key=digest_of(key)).delete()


def sessions_of(user: User, *, now: dt.datetime) -> QuerySet[UserSession]:
    """The person's live sessions, newest first."""
    return UserSession.objects.filter(user=user, expire_date__gt=now).order_by("-started_at")


@transaction.atomic
def end_session(user: User, key: str, *, acting_user: User) -> None:
    """End one session of the person, by its digest. Raises `Missing`."""
    ended, _ = UserSession.objects.filter(user=user, session_key=key).delete()
    if not ended:
        raise Missing("session")
    audit("session.end", user, acting_user=acting_user, summary=ENDED(person=user.get_username()))


@transaction.atomic
def forget_expired(*, now: dt.datetime) -> None:
    """Remove some of the sessions that have expired."""
    old = UserSession.objects.select_for_update(skip_locked=True).filter(expire_date__lt=now)
    keys = list(old.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
    if keys:
        UserSession.objects.filter(pk__in=keys).delete()
