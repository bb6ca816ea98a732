"""Real servers for every test: PostgreSQL and Redis from wheels, in a temporary folder, started once a session.

They start while this file is read, before Django's settings; pytest-xdist's workers inherit the environment and start
nothing. They listen on a socket and a free port of their own, so a running `make up` is not disturbed.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import pytest_django

from launch.embedded import start_throwaway
from tests import accounts, kinds

if "REVOPS_TEST_SERVERS" not in os.environ:
    _servers = start_throwaway()
    atexit.register(_servers.stop)
    os.environ.update(_servers.environment)
    os.environ["REVOPS_TEST_SERVERS"] = str(_servers.folder)
if worker := os.environ.get("PYTEST_XDIST_WORKER"):  # one Redis database each
    os.environ["REDIS_URL"] = re.sub(r"/0$", f"/{int(worker[2:]) % 15 + 1}", os.environ["REDIS_URL"])
os.environ["REVOPS_AUDIT_HEADS_DIR"] = f"{os.environ['REVOPS_TEST_SERVERS']}/heads-{worker or 'alone'}"
os.environ["DJANGO_SETTINGS_MODULE"] = "revops.settings"

# For `make mutants`: the same examples each time, and a slow machine is no reason to call a mutant killed.
hypothesis.settings.register_profile(
    "mutants", max_examples=25, derandomize=True, database=None, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)


def pytest_configure(config: pytest.Config) -> None:
    """Load Django with the servers' addresses in place."""
    import django

    django.setup()
    accounts.work_as_the_application()
    config.pluginmanager.register(kinds.Guard())
    if not worker and config.getoption("numprocesses", None):
        # The workers must read this file, and with it their own Redis database, before they load the settings.
        del os.environ["DJANGO_SETTINGS_MODULE"]


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Mark before `-m` reads the marks, and bring into order after pytest-django has."""
    kinds.mark(items)
    yield
    kinds.order(items)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> kinds.Schedule:
    """Who runs which test, and in which order."""
    return kinds.Schedule(config, log)


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_modify_db_settings_parallel_suffix: None, django_db_blocker: pytest_django.DjangoDbBlocker
) -> Iterator[None]:
    """Each process gets a copy of one database in which the migrations have run once, by the owner of the tables."""
    with django_db_blocker.unblock(), accounts.own_database(Path(os.environ["REVOPS_TEST_SERVERS"])):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that skips proves nothing and looks as if it did: it fails."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"Nothing skips here: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a file that skips itself."""
    report = yield
    if report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"Nothing skips here: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def _no_heads(request: pytest.FixtureRequest) -> None:
    """No test's log is compared with the signed heads of another one's."""
    if not request.node.get_closest_marker("fast"):
        shutil.rmtree(os.environ["REVOPS_AUDIT_HEADS_DIR"], ignore_errors=True)


@pytest.fixture(autouse=True)
def _fresh_redis(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test sees another one's doorbell or cache. A fast test asks no server."""
    if request.node.get_closest_marker("fast"):
        yield
        return
    import redis

    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.flushdb()
        yield
