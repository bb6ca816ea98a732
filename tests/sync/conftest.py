"""A Stripe connection, and the web server that takes its deliveries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.sync import stripe_sender
from tests.sync.processes import web_server

if TYPE_CHECKING:  # this file is read before Django is set up
    from sync.models import Connection
    from tests.demo.simulators.control import Control
    from tests.sync.postable import Book


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    """No test inherits a connection list or an open database connection from another."""
    from sync import connections
    from sync.ground import intake_db as kept
    from sync.intake import refusals

    connections.forget_handles()
    yield
    kept.close_all()
    refusals.write()


@pytest.fixture
def stripe(transactional_db: None) -> Connection:
    """A Stripe connection named `stripe`. Its address answers nothing."""
    from revops.people.actors import System
    from sync import connections

    return connections.connect(
        slug="stripe",
        vendor="stripe",
        base_url="http://127.0.0.1:1099",
        values={"api_key": stripe_sender.API_KEY, "webhook_secret": stripe_sender.SECRET, "crm_connection": "salesforce"},
        started=True,
        acting_user=System("tests"),
    )


@pytest.fixture
def netsuite(tmp_path: Path) -> Iterator[Control]:
    """An ERP that keeps its own books."""
    from tests.demo.simulators.control import simulator

    with simulator("netsuite", tmp_path / "netsuite") as control:
        yield control


@pytest.fixture
def erp(netsuite: Control, transactional_db: None) -> Book:
    """Its book of the company."""
    from tests.sync.postable import book

    return book(netsuite)


@pytest.fixture(scope="session")
def web(django_db_setup: None) -> Iterator[str]:
    """The address of the product's web server on this test run's database."""
    with web_server() as url:
        yield url
