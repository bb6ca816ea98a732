"""The simulator on a port of its own, with the company in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.simulators import netsuite
from demo.simulators.server import Simulator
from tests.demo.simulators.netsuite.account import Account, company


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    with Simulator(netsuite.Vendor, 0, tmp_path) as running:
        yield running


@pytest.fixture
def account(simulator: Simulator) -> Account:
    account = Account(simulator)
    answer = account.load(*company())
    assert answer.status_code == 200, answer.text
    return account
