"""Stopping a replay: what is not yet replayed is what it was before, what was replayed stays so."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from revops.audit.models import ActionRecord
from revops.errors import Conflict, Rejected
from revops.people.actors import System
from sync import connections
from sync.applying import claims, replay
from sync.applying.drain import process_all
from sync.connections import ConnectionHandle
from sync.intake import inbox
from sync.models import Connection, Delivery, Replay
from tests.sync.stripe_sender import event, rendered

OTHER_ACCOUNT = "acct_before"
TESTS = System("tests")


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@pytest.fixture
def handle(stripe: Connection) -> ConnectionHandle:
    return connections.handle_of(stripe)


@pytest.fixture
def dead(handle: ConnectionHandle) -> list[int]:
    """Five dead letters of an account that nobody had entered."""
    ids = [
        inbox.accept(
            handle, kind="event", dedup_key=f"evt_{n:08d}", body=rendered(event(n, account=OTHER_ACCOUNT))
        ).id
        for n in range(1, 6)
    ]  # fmt: skip
    assert process_all(now()) == {"quarantined": 5}
    return ids


def columns(ids: list[int]) -> list[tuple[Any, ...]]:
    names = ("pk", "state", "reason", "reason_code", "attempts", "replays", "done_at", "lease_until")
    return list(Delivery.objects.filter(pk__in=ids).order_by("pk").values_list(*names))


def begun(ids: list[int]) -> Replay:
    run = replay.begin_replay(reason="mended", acting_user=TESTS)
    assert replay.replay_many(Delivery.objects.filter(pk__in=ids), reason="mended", acting_user=TESTS, run=run) == len(ids)
    return Replay.objects.get(pk=run.pk)


def test_what_waits_is_again_exactly_what_it_was(dead: list[int]) -> None:
    before = columns(dead)
    run = begun(dead)
    assert set(Delivery.objects.filter(pk__in=dead).values_list("state", flat=True)) == {"pending"}
    assert replay.cancel_replay(run, acting_user=TESTS) == 5
    assert columns(dead) == before
    assert process_all(now()) == {}
    line = ActionRecord.objects.get(verb="delivery.replay_cancel")
    assert (line.subject, line.after) == (f"replay:{run.pk}", {"taken_back": 5, "of": 5})


def test_what_was_replayed_stays_replayed(dead: list[int]) -> None:
    connections.change_connection("stripe", values={"account": OTHER_ACCOUNT}, acting_user=TESTS)
    before = columns(dead)
    run = begun(dead)
    Delivery.objects.filter(pk__in=dead[2:]).update(next_attempt_at=now() + dt.timedelta(hours=1))
    assert process_all(now()) == {"applied": 2}
    assert replay.cancel_replay(run, acting_user=TESTS) == 3
    assert columns(dead)[2:] == before[2:]
    assert [row[1] for row in columns(dead)] == ["applied", "applied", "quarantined", "quarantined", "quarantined"]
    run.refresh_from_db()
    assert (run.taken_back, run.total) == (3, 5)


def test_one_in_a_workers_hands_is_left_to_it(dead: list[int]) -> None:
    run = begun(dead)
    held = claims.DELIVERIES.claim(limit=2)
    assert len(held) == 2
    assert replay.cancel_replay(run, acting_user=TESTS) == 3
    assert set(Delivery.objects.filter(pk__in=[row.key for row in held]).values_list("state", flat=True)) == {"pending"}
    assert claims.finish([claims.ignored(row, "x", "y") for row in held]) == 2


def test_no_further_batch_is_put_back_after_the_stop(dead: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "BATCH", 2)
    run = replay.begin_replay(reason="mended", acting_user=TESTS)

    def stop_after_the_first(_count: int) -> None:
        if Replay.objects.get(pk=run.pk).stopped_at is None:
            replay.cancel_replay(run, acting_user=TESTS)

    moved = replay.replay_many(
        Delivery.objects.filter(pk__in=dead), reason="mended", acting_user=TESTS, run=run, progress=stop_after_the_first
    )
    assert moved == 2
    assert not Delivery.objects.filter(state="pending").exists()


def test_there_is_nothing_to_stop_twice_or_when_done(dead: list[int]) -> None:
    run = begun(dead)
    replay.cancel_replay(run, acting_user=TESTS)
    with pytest.raises(Conflict, match="stopped before"):
        replay.cancel_replay(run, acting_user=TESTS)
    done = begun(dead[:1])
    assert process_all(now()) == {"quarantined": 1}
    with pytest.raises(Rejected, match="waits any more"):
        replay.cancel_replay(done, acting_user=TESTS)


def test_the_command_stops_the_newest_or_a_named_one(dead: list[int]) -> None:
    out = io.StringIO()
    call_command("replay", *map(str, dead), "--why", "mended", stdout=out)
    run = Replay.objects.get()
    assert f"replay --cancel {run.pk}" in out.getvalue()
    out = io.StringIO()
    call_command("replay", "--cancel", stdout=out)
    assert f"Replay {run.pk} is stopped: 5 of 5 deliveries are what they were." in out.getvalue()
    with pytest.raises(CommandError, match="No replay is under way"):
        call_command("replay", "--cancel")
    with pytest.raises(CommandError, match="stopped before"):
        call_command("replay", "--cancel", str(run.pk))
    with pytest.raises(CommandError, match="There is no replay 999"):
        call_command("replay", "--cancel", "999")
