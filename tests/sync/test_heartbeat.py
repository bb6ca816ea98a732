"""A worker shows that it lives at every step, and only when it is one."""

from __future__ import annotations

import pytest
from django.db import transaction

from sync.ground import heartbeat
from sync.models import Connection, Heartbeat
from sync.pull import poll
from sync.workers import tasks


@pytest.fixture(autouse=True)
def _no_worker_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "_now_at", [])
    monkeypatch.setattr(heartbeat, "_last", {})
    monkeypatch.setattr(heartbeat, "EVERY_SECONDS", 0.0)


@pytest.mark.django_db
def test_who_is_no_worker_shows_nothing() -> None:
    heartbeat.alive()
    assert not Heartbeat.objects.exists()


def test_inside_a_transaction_nothing_is_shown(transactional_db: None) -> None:
    heartbeat.beat("apply", "apply_deliveries")
    Heartbeat.objects.all().delete()
    with transaction.atomic():
        heartbeat.alive()
        assert not Heartbeat.objects.exists()
    heartbeat.alive()
    assert Heartbeat.objects.get().detail == "apply_deliveries"


def test_every_task_shows_itself_before_it_begins(stripe: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def pull(_seconds: float, **_: object) -> list[object]:
        seen.append(list(Heartbeat.objects.values_list("name", flat=True)))
        return []

    monkeypatch.setattr(poll, "pull_due", pull)
    tasks.pull_streams()
    assert seen == [["intake"]]


def test_every_request_to_a_vendor_shows_the_worker(stripe: Connection) -> None:
    """Its address answers nothing; the three attempts are three signs of life all the same."""
    from sync import connections
    from sync.vendor.contract import RetryLater

    heartbeat.beat("intake", "pull_streams")
    Heartbeat.objects.all().delete()
    with connections.client_for(stripe) as client, pytest.raises(RetryLater):
        client.request("GET", "/v1/events")
    assert Heartbeat.objects.get().name == "intake"
