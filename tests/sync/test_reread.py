"""A push that only says "look" is answered by a read of our own, once for many hints."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from revops.ledger.models import SourceRecord
from revops.people.actors import System
from sync import connections
from sync.applying.drain import process_all
from sync.connections import ConnectionHandle
from sync.intake import inbox
from sync.models import Delivery
from tests.demo.simulators.control import Control, simulator
from tests.sync.connectors.talking import SETTINGS

COMPANY = "1P02COMPANY00000000000000000000001"


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[Control]:
    with simulator("gainsight", tmp_path) as control:
        control.load("company", {
            "Gsid": COMPANY, "Name": "Aurora", "SfdcAccountId": "001000000000001AAA", "Arr": "1000.50",
            "CurrencyIsoCode": "USD", "Stage": "Launched", "ModifiedDate": "2026-11-01T00:00:00Z",
        })  # fmt: skip
        yield control


@pytest.fixture
def handle(vendor: Control, transactional_db: None) -> ConnectionHandle:
    connection = connections.connect(
        slug="gainsight", vendor="gainsight", base_url=vendor.url, values=SETTINGS["gainsight"], started=True,
        acting_user=System("tests"),
    )  # fmt: skip
    return connections.handle_of(connection)


def hint(handle: ConnectionHandle, gsid: str, number: int) -> int:
    body = json.dumps({"object": "company", "gsid": gsid, "modifiedDate": f"2026-11-0{number}T00:00:00Z"}).encode()
    return inbox.accept(handle, kind="event", dedup_key=f"hint-{gsid}-{number}", body=body).id


def reads(vendor: Control) -> int:
    return len([call for call in vendor.get("requests") if "company" in call["path"].lower() and "query" in call["path"]])


def test_many_hints_about_one_object_cost_one_read(vendor: Control, handle: ConnectionHandle) -> None:
    ids = [hint(handle, COMPANY, number) for number in range(1, 6)]
    process_all(now())
    assert SourceRecord.objects.get(object_type="customer").fields["name"] == "Aurora"
    read = Delivery.objects.get(kind="read")
    assert read.state == "applied"
    hints = Delivery.objects.filter(pk__in=ids)
    assert set(hints.values_list("state", "reason")) == {("ignored", f"Read again as delivery {read.pk}.")}
    assert reads(vendor) == 1
    assert inbox.conservation().holds


def test_a_vendor_that_is_busy_costs_no_attempt(vendor: Control, handle: ConnectionHandle) -> None:
    vendor.fault("POST", ".*query.*", times=50, status=429, headers={"Retry-After": "120"}, body="{}")
    found = Delivery.objects.get(pk=hint(handle, COMPANY, 1))
    process_all(now())
    found.refresh_from_db()
    assert (found.state, found.attempts) == ("pending", 0)
    assert 60 < (found.next_attempt_at - now()).total_seconds() <= 121


def test_an_object_that_is_not_there_is_asked_for_three_times(handle: ConnectionHandle) -> None:
    found = Delivery.objects.get(pk=hint(handle, COMPANY.replace("1", "2"), 1))
    for _ in range(3):
        Delivery.objects.filter(state="pending").update(next_attempt_at=now() - dt.timedelta(seconds=1))
        process_all(now())
    found.refresh_from_db()
    assert (found.state, found.reason_code) == ("ignored", "reread_absent")
    assert SourceRecord.objects.count() == 0


def renamed(vendor: Control, name: str) -> None:
    """The company under another name, in the same second as before."""
    vendor.load("company", {
        "Gsid": COMPANY, "Name": name, "SfdcAccountId": "001000000000001AAA", "Arr": "1000.50",
        "CurrencyIsoCode": "USD", "Stage": "Launched", "ModifiedDate": "2026-11-01T00:00:00Z",
    })  # fmt: skip


def everything_due() -> None:
    Delivery.objects.filter(state="pending").update(next_attempt_at=now() - dt.timedelta(seconds=1))
    process_all(now())


@pytest.mark.parametrize("names", [("Aurora", "Borealis"), ("Borealis", "Aurora")])
def test_i12_two_versions_under_one_stamp_are_resolved_by_a_read(
    vendor: Control, handle: ConnectionHandle, names: tuple[str, str]
) -> None:
    for number, name in enumerate(names, 1):
        renamed(vendor, name)
        hint(handle, COMPANY, number)
        process_all(now())
    disputed = Delivery.objects.get(state="pending")
    assert disputed.reason_code == "reread", "until the stamp's second is over, nobody can tell"
    everything_due()
    assert SourceRecord.objects.get(object_type="customer").fields["name"] == names[1]
    disputed.refresh_from_db()
    resolution = Delivery.objects.get(kind="resolution")
    assert (disputed.state, disputed.reason_code) == ("applied", "version_conflict")
    assert disputed.reason == f"Read again as delivery {resolution.pk}."

    renamed(vendor, "Cirrus")  # a third change of that second, which was told after the read
    hint(handle, COMPANY, 3)
    process_all(now())
    everything_due()
    assert SourceRecord.objects.get(object_type="customer").fields["name"] == "Cirrus"
    process_all(now())
    assert not Delivery.objects.filter(state="pending").exists()
    assert inbox.conservation().holds


def test_i12_what_cannot_be_read_again_stays_as_both_said_it(vendor: Control, handle: ConnectionHandle) -> None:
    for number, name in enumerate(("Aurora", "Borealis"), 1):
        renamed(vendor, name)
        hint(handle, COMPANY, number)
        process_all(now())
    vendor.fault("POST", ".*query.*", times=50, status=403, body='{"result": false, "errorCode": "GSOBJ_1001"}')
    for _ in range(9):
        everything_due()
    assert set(Delivery.objects.filter(kind="read").values_list("state", "reason_code")) == {
        ("applied", ""),
        ("applied", "version_conflict"),
    }
    assert SourceRecord.objects.get(object_type="customer").entries.count() == 2
