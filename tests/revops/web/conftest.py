"""Signed-in clients, one a role."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.test import Client

if TYPE_CHECKING:  # this file is read before Django is set up
    from revops.people.models import User

HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def _cheap_passwords(settings: object) -> None:
    """Hashing is not what these tests are about."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]


class Seat(Client):
    """A client with the person who is signed in at it."""

    user: User


@pytest.fixture
def sign_in() -> Callable[..., Seat]:
    """A client of somebody with these roles; the user is `client.user`."""
    from tests.factories import person

    def make(name: str, *roles: str) -> Seat:
        client = Seat()
        client.user = person(name, *roles)
        client.force_login(client.user)
        return client

    return make
