"""How Django finds out who signs in and who a session belongs to."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from revops.installation.kind import contradicted
from revops.people.models import User, address_of_person


class PeopleBackend(ModelBackend):
    """The e-mail address in any case of letters, and the password. Nobody is let in who is not active, and nobody at all where a
    rehearsal's database is run without the rehearsal, or the other way round: sessions of before end there as well."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_: Any
    ) -> User | None:
        """The person, or None after the time that a wrong password takes."""
        found = super().authenticate(request, username=address_of_person(username or ""), password=password)
        return found if isinstance(found, User) else None

    def user_can_authenticate(self, user: Any) -> bool:
        return isinstance(user, User) and self.get_user(user.pk) is not None

    def get_user(self, user_id: int) -> User | None:
        """The person of a session, in one query; None for one who may not be here."""
        return User.objects.filter(~contradicted(), pk=user_id, is_active=True).first()
