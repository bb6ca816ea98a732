"""`make check` stays fast: a test that is not marked may not leave its process, nor be busy for long. Asked of a small suite."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]
HOOKS = """
import pytest
from tests import kinds

def pytest_configure(config):
    for name in ("fast", "database", "outside", "slow"):
        config.addinivalue_line("markers", name)
    config.pluginmanager.register(kinds.Guard(busy_seconds_max=0.2))

def pytest_collection_modifyitems(items):
    for item in items:
        if not item.get_closest_marker("outside"):
            item.add_marker(pytest.mark.fast)
"""
LEAVING = {
    "a program": "import subprocess, sys\ndef test_it(): subprocess.run([sys.executable, '-c', ''], check=True)\n",
    "a server": "import socket\ndef test_it(): socket.create_server(('127.0.0.1', 0)).close()\n",
    "a connection": (
        "import socket, pytest\ndef test_it():\n with pytest.raises(OSError): socket.create_connection(('127.0.0.1', 1))\n"
    ),
    "a fixture's server": (
        "import pytest, socket\n@pytest.fixture\ndef made():\n with socket.create_server(('127.0.0.1', 0)): yield\n"
        "def test_it(made): pass\n"
    ),
}
BUSY = "import time\ndef test_it():\n ends = time.thread_time() + 0.3\n while time.thread_time() < ends: pass\n"


def outcome(pytester: pytest.Pytester, text: str) -> tuple[bool, str]:
    """Whether the test passes, and what is said."""
    pytester.makeconftest(HOOKS)
    pytester.makepyfile(test_planted=text)
    ran = pytester.runpytest_inprocess("-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:django", "-p", "no:xdist")
    return ran.ret == 0, ran.stdout.str()


@pytest.mark.outside
@pytest.mark.parametrize("way", LEAVING)
def test_a_fast_test_that_leaves_its_process_fails_unless_it_is_marked(pytester: pytest.Pytester, way: str) -> None:
    passed, said = outcome(pytester, LEAVING[way])
    assert not passed
    assert "A fast test stays in its process" in said
    assert outcome(pytester, f"import pytest\npytestmark = pytest.mark.outside\n{LEAVING[way]}")[0]


def test_a_fast_test_that_is_busy_for_long_fails(pytester: pytest.Pytester) -> None:
    passed, said = outcome(pytester, BUSY)
    assert not passed
    assert "a fast test may be" in said
    assert outcome(pytester, "def test_it(): pass\n")[0]


def test_most_tests_are_fast(request: pytest.FixtureRequest) -> None:
    """A mark that is set too widely would leave `make check` with little to say."""
    kinds = [item.get_closest_marker("fast") is not None for item in request.session.items]
    assert len(kinds) < 1000 or sum(kinds) > len(kinds) / 2
