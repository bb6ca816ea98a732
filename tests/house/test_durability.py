"""A database that may forget a confirmed commit is refused."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from launch.embedded import addresses, ensure_database, start_postgres

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def forgetful() -> Iterator[dict[str, str]]:
    """The addresses of a PostgreSQL server with fsync off."""
    with tempfile.TemporaryDirectory(prefix="revops-") as name:
        folder = Path(name)
        server = start_postgres(folder, folder / "log", {"fsync": "off"})
        try:
            ensure_database(server.url, "forgetful")
            application, owner = addresses(server.url, "forgetful")
            yield application | owner
        finally:
            server.stop()


def migrate(database: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **database}
    command = [sys.executable, "manage.py", "migrate", "--noinput", "-v", "0"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.outside
def test_fsync_off_is_refused_before_the_first_table(forgetful: dict[str, str]) -> None:
    refused = migrate(forgetful)
    assert refused.returncode != 0
    assert "revops.E001" in refused.stderr
    assert "fsync=off" in refused.stderr


@pytest.mark.django_db
def test_the_servers_that_we_start_ourselves_are_durable() -> None:
    from django.core.checks import Tags, run_checks
    from django.db import connection

    assert run_checks(tags=[Tags.database], databases=["default"]) == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(EXPECTED)])
        assert dict(cursor.fetchall()) == EXPECTED


EXPECTED = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "data_checksums": "on",
    "lock_timeout": "3000",
    "statement_timeout": "15000",
    "idle_in_transaction_session_timeout": "30000",
    "TimeZone": "UTC",
}
