"""Which people have signed in with a browser before: a signed cookie. It opens nothing; failed sign-ins of others do not count
against these people here (`revops.identity.failures`)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from revops.identity.failures import person_key

COOKIE = "__Host-browser" if settings.SECURE else "revops-browser"
SALT = "revops.web.known_browser"
KEPT_SECONDS = 365 * 86_400
PEOPLE_MAX = 8


@dataclass(frozen=True, slots=True)
class Browser:
    """Its id, and the keys of the people that it knows, the newest last."""

    id: str
    people: tuple[str, ...] = ()


def known_browser(request: HttpRequest, typed: str) -> str:
    """The browser's id when the person of this name has signed in with it before; else empty."""
    browser = _read(request)
    return browser.id if person_key(typed) in browser.people else ""


def remember(request: HttpRequest, response: HttpResponse, username: str) -> None:
    """This person has signed in with this browser."""
    browser, key = _read(request), person_key(username)
    people = [*(each for each in browser.people if each != key), key][-PEOPLE_MAX:]
    response.set_cookie(
        COOKIE,
        signing.dumps([browser.id, *people], salt=SALT),
        max_age=KEPT_SECONDS,
        samesite="Lax",
        secure=settings.SECURE,
        httponly=True,
    )


def _read(request: HttpRequest) -> Browser:
    """What the cookie says; a new one when there is none that we have signed."""
    try:
        key, *people = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=KEPT_SECONDS)
    except signing.BadSignature:
        return Browser(secrets.token_hex(16))
    return Browser(str(key), tuple(people))
