"""Replay: after the cause was mended, a dead letter takes the ordinary way; the preview says what will happen."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from revops.audit.models import ActionRecord
from revops.errors import Missing, Rejected
from revops.ledger.models import LedgerEntry, SourceRecord
from revops.people.actors import System
from sync import connections
from sync.applying.drain import process_all
from sync.applying.replay import replay
from sync.connections import ConnectionHandle
from sync.intake import inbox
from sync.models import Connection, Delivery
from tests.sync.stripe_sender import event, rendered

OTHER_ACCOUNT = "acct_before"


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@pytest.fixture
def handle(stripe: Connection) -> ConnectionHandle:
    return connections.handle_of(stripe)


def store(handle: ConnectionHandle, number: int, **over: Any) -> int:
    return inbox.accept(handle, kind="event", dedup_key=f"evt_{number:08d}", body=rendered(event(number, **over))).id


@pytest.fixture
def dead(handle: ConnectionHandle) -> list[int]:
    """Three dead letters of an account that nobody had entered, one that is broken for good, and one applied."""
    ids = [store(handle, number, account=OTHER_ACCOUNT) for number in (1, 2, 3)]
    ids.append(inbox.accept(handle, kind="event", dedup_key="evt_broken", body=b'{"id":"evt_broken","id":"x"}').id)
    store(handle, 5)
    assert process_all(now()) == {"quarantined": 4, "applied": 1}
    return ids


def mend() -> None:
    connections.change_connection("stripe", values={"account": OTHER_ACCOUNT}, acting_user=System("tests"))


def snapshot() -> list[object]:
    tables = (Delivery.objects, LedgerEntry.objects, SourceRecord.objects, ActionRecord.objects)
    return [list(table.order_by("pk").values()) for table in tables]


def test_one_is_replayed_and_audited(dead: list[int]) -> None:
    mend()
    found = replay(dead[0], reason="The account is known now", acting_user=System("tests"))
    assert (found.state, found.attempts, found.replays, found.reason) == ("pending", 0, 1, "")
    assert process_all(now()) == {"applied": 1}
    action = ActionRecord.objects.get(verb="delivery.replay")
    assert action.subject == f"delivery:{dead[0]}"
    assert action.reason == "The account is known now"
    assert action.before["state"] == "quarantined"


def test_what_cannot_be_replayed(dead: list[int], handle: ConnectionHandle) -> None:
    with pytest.raises(Missing):
        replay(999_999, reason="", acting_user=System("tests"))
    with pytest.raises(Rejected, match="still waiting"):
        replay(store(handle, 6), reason="", acting_user=System("tests"))


def test_the_preview_says_what_will_happen_and_changes_nothing(dead: list[int]) -> None:
    mend()
    before = snapshot()
    out = io.StringIO()
    call_command("replay", "--all-dead-letters", "--dry-run", stdout=out)
    assert snapshot() == before
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert lines[0].startswith("4 deliveries, nothing changed.")
    assert "3 customer: first" in lines
    assert any(line.startswith("1 dead letters again:") for line in lines)
    call_command("replay", "--all-dead-letters", stdout=io.StringIO())
    assert process_all(now()) == {"applied": 3, "quarantined": 1}


def test_all_of_one_reason(dead: list[int]) -> None:
    mend()
    out = io.StringIO()
    call_command("replay", "--reason-code", "account_wrong", "--why", "mended", stdout=out)
    assert "3 deliveries are waiting again" in out.getvalue()
    assert set(Delivery.objects.filter(state="pending").values_list("pk", flat=True)) == set(dead[:3])
    assert ActionRecord.objects.get(verb="delivery.replay").after == {"deliveries": dead[:3]}


def test_by_id_and_nothing_chosen(dead: list[int]) -> None:
    call_command("replay", str(dead[1]), stdout=io.StringIO())
    assert Delivery.objects.get(state="pending").pk == dead[1]
    with pytest.raises(CommandError, match="Say which"):
        call_command("replay")
    with pytest.raises(CommandError, match="No delivery matches"):
        call_command("replay", "--reason-code", "no_such_code")


def test_i10_replaying_everything_ends_in_the_same_ledger(dead: list[int]) -> None:
    before = ledger()
    call_command("replay", "--everything", "--connection", "stripe", stdout=io.StringIO())
    assert process_all(now()) == {"applied": 1, "quarantined": 4}
    assert ledger() == before


def ledger() -> list[object]:
    """All that the ledger holds, but for when a record was last confirmed."""
    columns = [field.attname for field in SourceRecord._meta.concrete_fields if field.name != "seen_at"]
    return [*LedgerEntry.objects.order_by("pk").values(), *SourceRecord.objects.order_by("pk").values(*columns)]
