"""Nothing depends on what the broker keeps: emptied, full or away, the sweeper finds what is due. Real processes."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import signal
from contextlib import ExitStack
from functools import partial
from typing import Any

import httpx2
import pytest
import redis
from django.core.management import call_command

from revops.approvals.actions import submit_plan
from revops.ledger.models import SourceRecord
from sync.applying.drain import process_all
from sync.ground import heartbeat
from sync.intake import inbox
from sync.models import Connection, Delivery, Heartbeat, Watermark
from sync.workers.sweep import due_tasks, sweep_once
from tests import guards
from tests.revops import world
from tests.sync.processes import end, running, until, worker
from tests.sync.stripe_sender import event, headers, rendered


def deliver(web: str, numbers: range) -> None:
    with httpx2.Client(base_url=web, timeout=20, trust_env=False) as client:
        for number in numbers:
            body = rendered(event(number))
            assert client.post("/intake/stripe/", content=body, headers=headers(body)).status_code == 202


def test_what_nobody_decides_is_ended_by_the_sweeper(stripe: Connection) -> None:
    world.systems()
    case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))[1]
    maker = world.person("maker", "finance_analyst")
    plan = submit_plan(world.credit_plan(maker, case), acting_user=maker)
    sweep_once(world.now() + dt.timedelta(days=13))
    assert world.fresh(plan).state == "submitted"
    sweep_once(world.now() + dt.timedelta(days=15))
    assert world.fresh(plan).state == "expired"


@pytest.mark.slow
def test_i45_redis_emptied_loses_nothing(web: str, stripe: Connection) -> None:
    Watermark.objects.update(next_attempt_at=dt.datetime.now(dt.UTC) + dt.timedelta(days=1))
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as broker:
        deliver(web, range(40))
        until(lambda: broker.llen("apply") > 0)
        broker.flushdb()
        assert inbox.conservation().pending == 40
        with running(worker("apply")):
            call_command("sweep", "--once")
            until(lambda: inbox.conservation().pending == 0, 80)
    assert SourceRecord.objects.count() == 40
    assert inbox.conservation().applied == 40


@pytest.mark.slow
def test_i47_two_sweepers_and_a_worker_killed_in_between(web: str, stripe: Connection) -> None:
    """The web server rings into an empty house; a worker dies by kill -9; what is left is taken over."""
    Watermark.objects.update(next_attempt_at=dt.datetime.now(dt.UTC) + dt.timedelta(days=1))
    with ExitStack() as stack:
        sweepers = [stack.enter_context(running(["manage.py", "sweep", "--every", "0.3"])) for _ in range(2)]
        with running(worker("apply"), CRASH_AT="delivery_recorded") as doomed:
            deliver(web, range(30))
            until(lambda: doomed.poll() is not None, 80)
        assert inbox.conservation().applied < 30
        stack.enter_context(running(worker("apply")))
        until(lambda: inbox.conservation().pending == 0, 80)
        assert inbox.conservation().applied == 30
        assert all(sweeper.poll() is None for sweeper in sweepers)
        for sweeper in sweepers:
            end(sweeper, signal.SIGTERM)
            assert sweeper.returncode == 0
    assert {"sweep", "apply"} <= set(Heartbeat.objects.values_list("name", flat=True))
    assert heartbeat.silent_seconds(dt.datetime.now(dt.UTC))["sweep"] < 30


def test_the_sweeper_knows_what_is_due(stripe: Connection) -> None:
    assert due_tasks() == ["pull_streams"]
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    Watermark.objects.update(next_attempt_at=later)
    assert due_tasks() == []
    row = Delivery.objects.create(connection=stripe, kind="event", dedup_key="k", body=b"{}", digest="d")
    assert due_tasks() == ["apply_deliveries"]
    Delivery.objects.filter(pk=row.pk).update(reason_code="reread")
    assert due_tasks() == ["reread"]
    Delivery.objects.filter(pk=row.pk).update(next_attempt_at=later)
    assert due_tasks() == []


def rung(broker: redis.Redis, task: str) -> dict[str, list[dict[str, Any]]]:
    """Queue -> the messages for that task that wait in it. The web server of this run may ring for others meanwhile."""
    found = {queue: [json.loads(raw) for raw in broker.lrange(queue, 0, -1)] for queue in ("intake", "apply", "posting")}
    ours = {
        queue: [each for each in waiting if each["headers"]["task"] == f"sync.workers.tasks.{task}"]
        for queue, waiting in found.items()
    }
    return {queue: waiting for queue, waiting in ours.items() if waiting}


def test_each_ring_waits_in_its_own_queue(transactional_db: None) -> None:
    from sync.ground import doorbell

    queues = {"pull_streams": "intake", "reread": "intake", "apply_deliveries": "apply", "detect_accounts": "apply"}
    queues["send_postings"] = "posting"
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as broker:
        for task, queue in queues.items():
            broker.flushdb()
            doorbell.ring(task)
            until(partial(rung, broker, task))
            assert list(rung(broker, task)) == [queue]


TASKS = ("pull_streams", "reread", "apply_deliveries", "detect_accounts", "send_postings")


@pytest.mark.parametrize("task", TASKS)
def test_i46_a_ring_carries_nothing(transactional_db: None, task: str) -> None:
    """What lies in Redis after a ring: a name, no argument, no data."""
    from sync.ground import doorbell

    doorbell.wait_until_rung()
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as broker:
        broker.flushdb()
        doorbell.ring(task)
        until(partial(rung, broker, task))
        ((message, *_),) = rung(broker, task).values()
    assert (message["headers"]["eta"], message["headers"]["expires"]) == (None, None)
    args, kwargs, embedded = json.loads(base64.b64decode(message["body"]))
    assert (args, kwargs) == ([], {})
    assert not any(embedded.values())


@pytest.mark.parametrize("task", TASKS)
def test_i46_a_ring_when_there_is_nothing_to_do_changes_nothing(web: str, stripe: Connection, task: str) -> None:
    from sync.workers import tasks

    Watermark.objects.update(next_attempt_at=dt.datetime.now(dt.UTC) + dt.timedelta(days=1))
    deliver(web, range(3))
    process_all(dt.datetime.now(dt.UTC))
    before = guards.everything("sync_heartbeat")
    for _ in range(2):
        getattr(tasks, task)()
    assert guards.everything("sync_heartbeat") == before
