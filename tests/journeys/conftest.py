"""One product for all journeys: started once, as a user would start it, with a company that no other test uses."""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from launch.embedded import free_port
from tests.journeys.product import Product
from tests.launch.test_up import START_SECONDS, until


@pytest.fixture(scope="session")
def product() -> Iterator[Product]:
    """The product with a company of 60 accounts, of a seed that nobody chose."""
    folder = Path(tempfile.mkdtemp(prefix="revops-story-", dir="/tmp"))
    made = Product(folder / "data", free_port(), seed=random.SystemRandom().randrange(10**6), accounts=60)
    try:
        until(made.ready, "the product is ready", START_SECONDS)
        until(lambda: "Ctrl-C" in made.said, "the product says that it is ready", START_SECONDS)
        yield made
    finally:
        with contextlib.suppress(Exception):
            made.end()
        shutil.rmtree(folder, ignore_errors=True)
