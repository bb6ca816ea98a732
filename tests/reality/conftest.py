"""The migrated database of this test run, to be copied for each situation."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_django

from tests import accounts

if TYPE_CHECKING:  # this file is read before Django is set up
    from demo.playback.database import Playground


@pytest.fixture(scope="session")
def copies(django_db_setup: None) -> Iterator[Playground]:
    """What copies the migrated database, one copy ahead."""
    from demo.playback.database import playground

    with playground(template=accounts.template_of(Path(os.environ["REVOPS_TEST_SERVERS"]))) as made:
        yield made


@pytest.fixture
def ground(copies: Playground, django_db_blocker: pytest_django.DjangoDbBlocker) -> Iterator[Playground]:
    """Where situations are played. The test run's own database is not touched."""
    with django_db_blocker.unblock():
        yield copies
