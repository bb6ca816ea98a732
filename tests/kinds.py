"""What kind a test is: `make check` runs the fast ones, `make test` all, those that wait longest first.

A fast test is over in a moment because it stays in its process: it asks no database, starts no program and no server, and
connects to none. Marks are set here, by the fixtures that a test uses and by its folder; a test that leaves its process in
another way carries `@pytest.mark.outside` itself. One that forgot it, or that is busy for too long, fails.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parent
DATABASE = {"db", "transactional_db", "django_db_setup", "live_server"}
OUTSIDE = {"control", "simulator", "start_simulators", "talk", "web"}
"""Fixtures that start a server."""
SLOW = {"browser", "journeys", "launch"}
"""Folders whose tests drive a browser or whole installations."""
TOGETHER = {"browser", "faults", "journeys"}
"""Folders whose tests share one Chromium, or one installation with its company."""
LEAVES = {"os.fork", "os.posix_spawn", "socket.bind", "socket.connect", "subprocess.Popen"}
"""Python's audit events of leaving the process."""
BUSY_SECONDS_MAX = 5.0
"""What a fast test may cost, in seconds of CPU. All but a few take milliseconds."""


def mark(items: list[pytest.Item]) -> None:
    """Say of every test what kind it is."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if item.path.relative_to(ROOT).parts[0] in SLOW:
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("django_db") or DATABASE & fixtures:
            item.add_marker(pytest.mark.database)
        if OUTSIDE & fixtures:
            item.add_marker(pytest.mark.outside)
        if not any(item.get_closest_marker(kind) for kind in ("slow", "database", "outside")):
            item.add_marker(pytest.mark.fast)


def order(items: list[pytest.Item]) -> None:
    """Those that may take longer than others first: they wait, and others run beside them. The shortest last. Equals stay in the
    order into which pytest-randomly has shuffled them."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    kinds = ("timeout", "slow", "outside", "database", "fast")
    return next(turn for turn, name in enumerate(kinds) if item.get_closest_marker(name))


class Schedule(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each process of pytest-xdist the next test in order. The tests of some folders stay in one process, because they
    share what is dear to start. By hand because pytest-xdist's own groups do nothing under pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        folder = nodeid.split("/")[1]
        return folder if folder in TOGETHER else nodeid


class Guard:
    """Keeps the fast tests fast. One for each process that runs tests."""

    def __init__(self, busy_seconds_max: float = BUSY_SECONDS_MAX) -> None:
        self._busy_seconds_max = busy_seconds_max
        self._thread: int | None = None
        sys.addaudithook(self._audit)

    def _audit(self, event: str, _arguments: tuple[object, ...]) -> None:
        if event in LEAVES and self._thread == threading.get_ident():
            raise AssertionError(f"A fast test stays in its process, this one leaves it ({event}): @pytest.mark.outside")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Nothing leaves the process while a fast test is set up, run and torn down."""
        self._thread = threading.get_ident() if item.get_closest_marker("fast") else None
        try:
            return (yield)
        finally:
            self._thread = None

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """A fast test that is busy for too long fails."""
        began = time.thread_time()
        returned = yield
        busy = time.thread_time() - began
        if pyfuncitem.get_closest_marker("fast") and busy > self._busy_seconds_max:
            raise AssertionError(f"Busy for {busy:.1f} s; a fast test may be for {self._busy_seconds_max:g}: @pytest.mark.slow")
        return returned
