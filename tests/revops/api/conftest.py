"""The company that the API is asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # this file is read before Django is set up
    from tests.revops.api.caller import Company


@pytest.fixture
def company(db: None) -> Company:
    from tests.revops.api import caller

    return caller.company()
