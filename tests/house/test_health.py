"""The three addresses that operators and orchestrators ask."""

from __future__ import annotations

import pytest
from django.test import Client, override_settings


def test_healthz_needs_nobody_and_no_database(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_readyz_names_every_part(client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "database": "ok", "redis": "ok", "migrations": "ok"}


@pytest.mark.django_db
def test_readyz_says_what_does_not_answer(client: Client) -> None:
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["redis"] == "Redis does not answer"


def test_metrics_are_for_this_machine_or_the_token(client: Client) -> None:
    assert b"python_info" in client.get("/metrics").content
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.9").status_code == 404
    assert client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 404
    with override_settings(REVOPS_METRICS_TOKEN="a-long-token"):
        for token, status in (("a-long-token", 200), ("another", 404)):
            headers = {"Authorization": f"Bearer {token}"}
            assert client.get("/metrics", headers=headers, REMOTE_ADDR="203.0.113.9").status_code == status
