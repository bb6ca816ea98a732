"""Pulling from a vendor's simulator: pages and watermarks move together, repeating is free, failures wait and are shown."""

from __future__ import annotations

import datetime as dt
import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from revops.ledger.models import Freshness, SourceRecord
from revops.people.actors import System
from sync import connections
from sync.applying.drain import process_all
from sync.intake import inbox
from sync.intake.announce import announce_reads
from sync.models import Connection, Delivery, Watermark
from sync.pull import poll
from tests.demo.simulators.control import Control, simulator
from tests.sync.connectors.talking import SETTINGS
from tests.sync.processes import until

SECOND = dt.timedelta(seconds=1)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def customer(number: int) -> dict[str, object]:
    return {
        "id": f"cus_{number:05d}", "object": "customer", "balance": 0, "created": 1_780_000_000 + number, "currency": "usd",
        "delinquent": False, "livemode": False, "metadata": {}, "name": f"Customer {number}",
    }  # fmt: skip


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[Control]:
    with simulator("stripe", tmp_path) as control:
        control.load("customers", *[customer(number) for number in range(250)])
        yield control


@pytest.fixture
def source(vendor: Control, transactional_db: None) -> Connection:
    return connections.connect(
        slug="stripe", vendor="stripe", base_url=vendor.url, values=SETTINGS["stripe"], started=True,
        acting_user=System("tests"),
    )  # fmt: skip


def watermark() -> Watermark:
    return Watermark.objects.get(stream="events")


def test_everything_is_stored_once_and_pulling_again_grows_nothing(source: Connection) -> None:
    seen: list[int] = []
    first = poll.pull_now("stripe", "events", lambda so_far: seen.append(so_far.seen))
    assert (first.stored, first.done, first.problem) == (250, True, "")
    assert seen == sorted(seen)
    assert seen[-1] == 250
    assert watermark().value.startswith("events ")
    process_all(now())
    assert SourceRecord.objects.filter(object_type="customer").count() == 250
    before = list(Delivery.objects.order_by("id").values())
    again = poll.pull_now("stripe", "events")
    assert (again.stored, again.problem) == (0, "")
    assert list(Delivery.objects.order_by("id").values()) == before
    assert watermark().next_attempt_at > now()


def test_the_ledger_hears_of_a_read_only_when_what_it_brought_is_in_the_ledger(source: Connection) -> None:
    started = now()
    poll.pull_now("stripe", "events")
    assert Freshness.objects.exclude(read_through_at=None).count() == 0
    announce_reads()
    assert Freshness.objects.exclude(read_through_at=None).count() == 0
    process_all(now())
    read = Freshness.objects.get(object_type="customer").read_through_at
    assert read is not None
    assert started - SECOND <= read <= now()
    # An empty read means that we have asked: it counts at once.
    poll.pull_now("stripe", "events")
    later = Freshness.objects.get(object_type="customer").read_through_at
    assert later is not None
    assert later > read


def test_a_pull_that_breaks_goes_on_where_it_was(vendor: Control, source: Connection) -> None:
    vendor.fault("GET", "/v1/customers", skip=1, times=20, status=500, body="{}")
    broken = poll.pull_now("stripe", "events")
    assert (broken.stored, broken.done) == (100, False)
    assert "500" in broken.problem
    mark = watermark()
    assert mark.value.startswith("list ")
    assert (mark.failures, mark.last_error) == (1, broken.problem)
    assert mark.next_attempt_at > now()
    assert mark.lease_until is None
    source.refresh_from_db()
    assert "500" in source.last_problem
    process_all(now())
    assert Freshness.objects.exclude(read_through_at=None).count() == 0
    import requests

    requests.delete(f"{vendor.url}/_sim/faults", timeout=5).raise_for_status()
    went_on = poll.pull_now("stripe", "events")
    assert (went_on.stored, went_on.problem) == (150, "")
    assert watermark().failures == 0
    source.refresh_from_db()
    assert source.last_problem == ""


def test_a_vendor_that_asks_us_to_wait_is_not_asked_before(vendor: Control, source: Connection) -> None:
    vendor.fault("GET", "/v1/customers", times=20, status=429, headers={"Retry-After": "600"}, body="{}")
    assert poll.pull_due(5)[0].problem
    assert 500 < (watermark().next_attempt_at - now()).total_seconds() <= 601
    assert poll.pull_due(5) == []


def test_refused_credentials_are_shown_on_the_connection(source: Connection) -> None:
    connections.change_connection("stripe", values={"api_key": "sk_test_wrong"}, acting_user=System("tests"))
    assert poll.pull_now("stripe", "events").problem
    source.refresh_from_db()
    assert "events" in source.last_problem
    assert "sk_test_wrong" not in source.last_problem


def test_a_stream_in_other_hands_is_left_alone(source: Connection) -> None:
    Watermark.objects.update(lease_until=now() + 60 * SECOND)
    assert "Another worker" in poll.pull_now("stripe", "events").problem
    assert poll.pull_due(5) == []
    Watermark.objects.update(lease_until=now() - SECOND)
    assert poll.pull_now("stripe", "events").stored == 250


def test_a_reader_that_was_overtaken_stores_nothing_more(source: Connection) -> None:
    def overtake(so_far: poll.Pulled) -> None:
        if so_far.pages == 1:
            Watermark.objects.update(fence=999)

    overtaken = poll.pull_now("stripe", "events", overtake)
    assert "took the stream over" in overtaken.problem
    assert Delivery.objects.count() == overtaken.stored == 100


def test_webhooks_that_were_lost_come_with_the_event_log(vendor: Control, source: Connection) -> None:
    poll.pull_now("stripe", "events")
    second = int(time.time())
    until(lambda: int(time.time()) > second)  # a change after what we have read, also by the vendor's clock of whole seconds
    vendor.change(collection="customers", id="cus_00007", set={"name": "Renamed"}, event="customer.updated")
    pulled = poll.pull_now("stripe", "events")
    assert pulled.stored == 1
    process_all(now())
    assert SourceRecord.objects.get(external_id="cus_00007").fields["name"] == "Renamed"


def test_the_command_pulls_and_applies(source: Connection) -> None:
    out = io.StringIO()
    call_command("sync", "stripe", stdout=out)
    assert "250 objects seen, 250 new" in out.getvalue()
    assert inbox.conservation().applied == 250
    with pytest.raises(CommandError, match="No active connection named nobody"):
        call_command("sync", "nobody")


def test_the_command_fails_when_a_stream_does(vendor: Control, source: Connection) -> None:
    vendor.fault("GET", "/v1/customers", times=20, status=403, body='{"error": {"code": "forbidden"}}')
    with pytest.raises(CommandError, match="stripe events"):
        call_command("sync", stdout=io.StringIO())


def test_a_long_read_takes_turns_with_the_others(vendor: Control, source: Connection) -> None:
    """Its turn is over after one page: the stream is free again and due at once, and goes on where it was."""
    vendor.fault("GET", "/v1/customers", times=3, delay_seconds=0.3)
    for pages in (1, 1):
        (pulled,) = poll.pull_due(0.2)
        assert (pulled.pages, pulled.done, pulled.problem) == (pages, False, "")
        assert watermark().lease_until is None
        assert watermark().next_attempt_at <= now()
    assert Delivery.objects.count() == 200
    (pulled,) = poll.pull_due(20)
    assert (pulled.done, pulled.problem) == (True, "")
    assert Delivery.objects.count() == 250


def test_a_read_that_gets_nowhere_ends(vendor: Control, source: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also inside a connector's own loop: the client is made for a time."""
    monkeypatch.setattr(poll, "STUCK_SECONDS", 0.2)
    vendor.fault("GET", "/v1/customers", times=20, delay_seconds=0.3)
    (pulled,) = poll.pull_due(20)
    assert pulled.problem
    assert watermark().failures == 1
