"""Bearer tokens. A token in the address or in a body is never read."""

from __future__ import annotations

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from revops.identity.tokens import live_token
from revops.people.models import ApiToken, User


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer rvo_...`; unknown, revoked and expired tokens are refused alike (401)."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        header = get_authorization_header(request).split()
        if not header:
            return None
        if len(header) != 2 or header[0].lower() != b"bearer":
            raise AuthenticationFailed("Send the token as `Authorization: Bearer <token>`.")
        try:
            token = header[1].decode("ascii")
        except UnicodeDecodeError:
            raise AuthenticationFailed("The token is not valid.") from None
        row = live_token(token, now=timezone.now())
        if row is None:
            raise AuthenticationFailed("The token is not valid.")
        return row.user, row

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="revops"'
