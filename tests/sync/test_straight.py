"""A page of a read goes straight into the ledger; what cannot be recorded with its page takes the queue's way."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from revops.ledger.models import LedgerEntry, SourceRecord
from revops.people.actors import System
from sync import connections
from sync.applying.drain import process_all
from sync.applying.straight import straight_into_the_ledger
from sync.models import Connection, Delivery, Watermark
from sync.pull import poll
from tests.accounts import as_owner
from tests.demo.simulators.control import Control, simulator
from tests.sync.connectors.talking import SETTINGS
from tests.sync.test_poll import customer

COUNT = 120


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[Control]:
    with simulator("stripe", tmp_path) as control:
        control.load("customers", *[customer(number) for number in range(COUNT)])
        yield control


def connected(vendor: Control, slug: str = "stripe") -> Connection:
    return connections.connect(
        slug=slug, vendor="stripe", base_url=vendor.url, values=SETTINGS["stripe"], started=True,
        acting_user=System("tests"),
    )  # fmt: skip


def pull(slug: str = "stripe") -> poll.Pulled:
    return poll.pull_now(slug, "events", judge_of=straight_into_the_ledger)


def states() -> Counter[str]:
    return Counter(Delivery.objects.values_list("state", flat=True))


def contents(slug: str) -> list[tuple[object, ...]]:
    """What the ledger says, without versions: those of a read hold its time."""
    rows = SourceRecord.objects.filter(system=slug).order_by("object_type", "external_id")
    return list(rows.values_list("object_type", "external_id", "digest", "fields", "customer_ref", "account_id"))


def test_it_ends_in_the_same_ledger_as_through_the_queue(vendor: Control, transactional_db: None) -> None:
    connected(vendor)
    pulled = pull()
    assert (pulled.stored, pulled.problem) == (COUNT, "")
    assert states() == {"applied": COUNT}
    connected(vendor, "stripe-queue")
    poll.pull_now("stripe-queue", "events")
    assert states() == {"applied": COUNT, "pending": COUNT}
    process_all(dt.datetime.now(dt.UTC))
    assert contents("stripe") == contents("stripe-queue")
    assert len(contents("stripe")) == COUNT


def test_every_entry_names_the_delivery_that_brought_it(vendor: Control, transactional_db: None) -> None:
    connected(vendor)
    pull()
    entries = LedgerEntry.objects.select_related("record")
    assert {entry.delivery_id for entry in entries} == set(Delivery.objects.values_list("id", flat=True))
    for delivery in Delivery.objects.all():
        entry = entries.get(delivery_id=delivery.pk)
        assert entry.record.external_id.encode() in bytes(delivery.body)
        assert entry.trace_id == delivery.trace_id
        assert delivery.done_at is not None
    assert {row.current_id for row in SourceRecord.objects.all()} == {entry.pk for entry in entries}


def test_what_is_not_understood_is_a_dead_letter_and_costs_its_neighbours_nothing(
    vendor: Control, transactional_db: None
) -> None:
    vendor.load("customers", {**customer(900), "id": "cus_00900" + "x" * 300})
    connected(vendor)
    assert pull().stored == COUNT + 1
    assert states() == {"applied": COUNT, "quarantined": 1}
    bad = Delivery.objects.get(state="quarantined")
    assert b"cus_00900" in bytes(bad.body)
    assert bad.reason


def test_pages_that_the_ledger_refuses_together_wait_for_the_workers(vendor: Control, transactional_db: None) -> None:
    connected(vendor)
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE ledger_sourcerecord ADD CONSTRAINT planted CHECK (external_id <> 'cus_00003') NOT VALID")
    try:
        assert pull().problem == ""
        assert states() == {"applied": 100, "pending": COUNT - 100}  # the first hundred went by themselves
        process_all(dt.datetime.now(dt.UTC))
        assert [bytes(row.body).count(b"cus_00003") > 0 for row in Delivery.objects.exclude(state="applied")] == [True]
    finally:
        with as_owner(), connection.cursor() as cursor:
            cursor.execute("ALTER TABLE ledger_sourcerecord DROP CONSTRAINT planted")


def test_a_read_whose_worker_died_goes_to_the_queue(vendor: Control, transactional_db: None) -> None:
    connected(vendor)
    Watermark.objects.filter(stream="events").update(attempts=1)  # as the claim of a worker that died has left it
    assert pull().stored == COUNT
    assert states() == {"pending": COUNT}


def test_a_second_read_brings_nothing_new(vendor: Control, transactional_db: None) -> None:
    connected(vendor)
    pull()
    before = (list(Delivery.objects.order_by("id").values()), contents("stripe"))
    assert pull().stored == 0
    assert (list(Delivery.objects.order_by("id").values()), contents("stripe")) == before
