"""Real servers for every test: PostgreSQL and Redis from wheels, in a temporary folder, started once a session.

They start while this file is read, before Django's settings; pytest-xdist's workers inherit the environment and start
nothing. They listen on a socket and a free port of their own, so a running `make up` is not disturbed.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import hypothesis
import pytest
import pytest_django

from launch.embedded import start_throwaway
from tests import kinds

if "REVOPS_TEST_SERVERS" not in os.environ:
    _servers = start_throwaway()
    atexit.register(_servers.stop)
    os.environ.update(_servers.environment)
    os.environ["REVOPS_TEST_SERVERS"] = str(_servers.folder)
if worker := os.environ.get("PYTEST_XDIST_WORKER"):  # one Redis database each
    os.environ["REDIS_URL"] = re.sub(r"/0$", f"/{int(worker[2:]) % 15 + 1}", os.environ["REDIS_URL"])
os.environ["DJANGO_SETTINGS_MODULE"] = "revops.settings"

# For `make mutants`: the same examples each time, and a slow machine is no reason to call a mutant killed.
hypothesis.settings.register_profile(
    "mutants", max_examples=25, derandomize=True, database=None, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)


def pytest_configure(config: pytest.Config) -> None:
    """Load Django with the servers' addresses in place."""
    import django

    django.setup()
    _let_the_test_runner_empty_tables()
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
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, django_db_blocker: pytest_django.DjangoDbBlocker
) -> None:
    """Each process gets a copy of one database in which the migrations have run once."""
    from django.core.management import call_command
    from django.db import connections

    folder, connection = Path(os.environ["REVOPS_TEST_SERVERS"]), connections["default"]
    template = f"migrated_{crc32(str(folder).encode()):08x}"  # others may use the same servers, from a folder of their own
    with (folder / "template.lock").open("w") as lock, django_db_blocker.unblock():
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "template.made").exists():
            own = connection.settings_dict["NAME"]
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {template}")
            connection.close()
            connection.settings_dict["NAME"] = template
            call_command("migrate", verbosity=0)
            connection.close()  # a database is copied only while nobody is in it
            connection.settings_dict["NAME"] = own
            (folder / "template.made").touch()
    connection.settings_dict["TEST"]["TEMPLATE"] = template


PAGES_MAX = 64
"""Up to this size (8 kB pages) a table is emptied faster row by row than by giving it a new file."""


def _let_the_test_runner_empty_tables() -> None:
    """Between tests the database is emptied. The runner's own way gives every table and index a new file, a fifth of a second for
    each test; most tables were not written at all. Append-only tables refuse to be emptied: for these statements alone, as
    superuser, triggers are off."""
    from django.db import connections
    from django.db.backends.postgresql.operations import DatabaseOperations

    def sql_flush(self: DatabaseOperations, _style: object, tables: list[str], **_: object) -> list[str]:
        if not tables:
            return []
        with connections["default"].cursor() as cursor:
            cursor.execute(
                "SELECT t.name, pg_relation_size(t.name::regclass) / 8192 + coalesce(("
                "  SELECT sum(pg_relation_size(p.relid)) / 8192 FROM pg_partition_tree(t.name::regclass) p), 0) "
                "FROM unnest(%s::text[]) AS t(name)",
                [list(tables)],
            )
            sizes = {name: int(pages or 0) for name, pages in cursor.fetchall()}
        large = [f'"{name}"' for name, pages in sizes.items() if pages > PAGES_MAX]
        emptied = [f'DELETE FROM "{name}"' for name, pages in sizes.items() if 0 < pages <= PAGES_MAX]
        if large:
            emptied.append(f"TRUNCATE {', '.join(large)} CASCADE")
        # Twice: a process of the test that ends at this moment may commit between two of the statements.
        return ["SET session_replication_role = replica", *emptied, *emptied, "RESET session_replication_role"]

    DatabaseOperations.sql_flush = sql_flush  # type: ignore[method-assign, assignment]


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
def _fresh_redis(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test sees another one's doorbell or cache. A fast test asks no server."""
    if request.node.get_closest_marker("fast"):
        yield
        return
    import redis

    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.flushdb()
        yield
