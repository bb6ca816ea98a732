"""The company that the API is asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # this file is read before Django is set up
    from tests.revops.api.caller import Company


@pytest.fixture
def company(db: None) -> Company:
    from tests.revops.api import caller

    return caller.company()


@pytest.fixture(autouse=True)
def _cheap_passwords(settings: Any) -> None:
    """Hashing is not what these tests are about."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
