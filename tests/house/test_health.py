"""The three addresses that operators and orchestrators ask."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx2
import pytest
from django.db import connection
from django.test import Client, override_settings
from prometheus_client.parser import text_string_to_metric_families
from psycopg import sql

from revops import health
from tests.accounts import SUPERUSER, as_owner, signed_in
from tests.sync.processes import web_server


@pytest.mark.django_db
def test_readyz_names_every_part(client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    parts = {"database": "ok", "migrations": "ok", "account": "ok", "redis": "ok"}
    assert answer.json() == {"ready": True, **parts, "silent": [], "warnings": []}


@pytest.mark.django_db
def test_without_redis_the_web_stays_in_service_and_says_so(client: Client) -> None:
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["redis"] == "Redis does not answer"
    assert "Redis does not answer" in answer.json()["warnings"][0]


@pytest.mark.django_db
def test_a_missing_migration_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_migrated", False)
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sync'")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "migrations are missing" in answer.json()["migrations"]


def test_a_database_that_takes_no_writes_is_not_ready(client: Client, transactional_db: None) -> None:
    name = sql.Identifier(str(connection.settings_dict["NAME"]))
    with signed_in(SUPERUSER) as administrator:
        administrator.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
        try:
            answer = client.get("/readyz")
        finally:
            administrator.execute("SET default_transaction_read_only = off")
            administrator.execute(sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name))
    assert answer.status_code == 503
    assert answer.json()["database"] == "the database takes no writes"
    assert client.get("/readyz").status_code == 200


@contextmanager
def accepts_and_says_nothing() -> Iterator[int]:
    """A port where connections are accepted and never answered, like a server that is frozen."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:

        def accept() -> None:
            while True:
                try:
                    held.append(listener.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for one in held:
        one.close()


@pytest.mark.outside
def test_a_frozen_database_freezes_no_probe() -> None:
    with (
        accepts_and_says_nothing() as port,
        web_server(DATABASE_URL=f"postgresql://nobody@127.0.0.1:{port}/x") as url,
        httpx2.Client(base_url=url, timeout=30, trust_env=False) as http,
    ):
        started = time.monotonic()
        with ThreadPoolExecutor(12) as callers:  # one after the other would take 24 seconds
            answers = list(callers.map(lambda _: http.get("/readyz"), range(12)))
        answer = answers[0]
        assert {each.status_code for each in answers} == {503}
        assert time.monotonic() - started < 15
        assert answer.json()["database"] == "the database does not answer"
        figures = http.get("/metrics")
        assert figures.status_code == 200
        assert 'revops_figures_read{part="inflow"} 0.0' in figures.text
        assert "process_cpu_seconds_total" in figures.text
        assert http.get("/healthz").status_code == 200
        assert time.monotonic() - started < 22


@pytest.mark.django_db
def test_metrics_are_for_this_machine_or_the_token(client: Client) -> None:
    assert b"python_info" in client.get("/metrics").content
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.9").status_code == 404
    assert client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 404
    elsewhere = client.get("/metrics", headers={"Host": "evil.example"})
    assert elsewhere.status_code == 404, "a name that leads here is somebody else's"
    with override_settings(REVOPS_METRICS_TOKEN="a-long-token"):
        for token, status in (("a-long-token", 200), ("another", 404)):
            headers = {"Authorization": f"Bearer {token}"}
            assert client.get("/metrics", headers=headers, REMOTE_ADDR="203.0.113.9").status_code == status


@pytest.mark.django_db
def test_metrics_are_readable_and_whole(client: Client) -> None:
    text = client.get("/metrics").content.decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    read = {sample.labels["part"]: sample.value for sample in families["revops_figures_read"].samples}
    assert read == {"work": 1, "inflow": 1, "business": 1}
    assert all(family.documentation for name, family in families.items() if name.startswith("revops_"))
