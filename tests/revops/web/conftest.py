"""Signed-in clients, one a role."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def _cheap_passwords(settings: object) -> None:
    """Hashing is not what these tests are about."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]


@pytest.fixture
def sign_in() -> Callable[..., Client]:
    """A client of somebody with these roles; the user is `client.user`."""
    from tests.factories import person

    def make(name: str, *roles: str) -> Client:
        client = Client()
        client.user = person(name, *roles)  # type: ignore[attr-defined]
        client.force_login(client.user)  # type: ignore[attr-defined]
        return client

    return make
