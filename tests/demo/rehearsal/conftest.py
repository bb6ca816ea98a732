"""Four simulators in this process, on free ports of this machine, with an empty data folder."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from demo.rehearsal import wire
from demo.simulators.server import Simulator

StartSimulators = Callable[[Path], dict[str, wire.Wire]]


@pytest.fixture
def start_simulators() -> Iterator[StartSimulators]:
    """Start the four on a data folder; all are stopped at the end of the test."""
    with ExitStack() as stack:

        def start(folder: Path) -> dict[str, wire.Wire]:
            urls = {}
            for vendor in wire.VENDORS:
                kind = importlib.import_module(f"demo.simulators.{vendor}").Vendor
                urls[vendor] = stack.enter_context(Simulator(kind, 0, folder, "", "")).url
            return stack.enter_context(wire.connect(urls))

        yield start


@pytest.fixture
def wires(start_simulators: StartSimulators, tmp_path: Path) -> dict[str, wire.Wire]:
    return start_simulators(tmp_path)
