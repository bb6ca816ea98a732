"""An event that is not the whole: in a version that we do not read, or naming what it does not say. The object is read again."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
from tests.sync.connectors.test_refusals import SUB, recording
from tests.sync.stripe_sender import event, rendered

BUYER = "cus_00000001"


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[Control]:
    with simulator("stripe", tmp_path) as control:
        yield control


@pytest.fixture
def handle(vendor: Control, transactional_db: None) -> ConnectionHandle:
    connection = connections.connect(
        slug="stripe", vendor="stripe", base_url=vendor.url, values=SETTINGS["stripe"], started=True,
        acting_user=System("tests"),
    )  # fmt: skip
    return connections.handle_of(connection)


def told(handle: ConnectionHandle, body: dict[str, Any]) -> Delivery:
    """The delivery after everything that it makes due was done."""
    stored = inbox.accept(handle, kind="event", dedup_key=str(body["id"]), body=rendered(body))
    process_all(now())
    Delivery.objects.filter(state="pending").update(next_attempt_at=now() - dt.timedelta(seconds=1))
    process_all(now())
    return Delivery.objects.get(pk=stored.id)


def an_old_event(kind: str = "customer.updated") -> dict[str, Any]:
    body = event(1, "As it was", type=kind, api_version="2024-06-20", created=int(time.time()) - 60)
    body["data"]["object"].pop("balance")  # another shape
    return body


def test_an_event_in_a_version_that_we_do_not_read_is_read_again(vendor: Control, handle: ConnectionHandle) -> None:
    vendor.load("customers", event(1, "As it is")["data"]["object"])
    delivery = told(handle, an_old_event())
    assert (delivery.state, delivery.reason_code) == ("ignored", "reread")
    assert SourceRecord.objects.get(external_id=BUYER).fields["name"] == "As it is"
    assert not Delivery.objects.filter(state="quarantined").exists()


def test_where_it_cannot_be_read_again_a_person_is_told_why(vendor: Control, handle: ConnectionHandle) -> None:
    vendor.fault("GET", ".*customers.*", times=9, status=403, body='{"error": {"type": "invalid_request_error"}}')
    delivery = told(handle, an_old_event())
    assert (delivery.state, delivery.reason_code) == ("quarantined", "permission_missing")
    assert "a version of the API from before 2025-03-31" in delivery.reason
    assert "does not let this key read /v1/customers/" in delivery.reason


def test_what_was_erased_is_gone_whatever_the_version(handle: ConnectionHandle) -> None:
    assert told(handle, an_old_event("customer.deleted")).state == "applied"
    assert SourceRecord.objects.get(external_id=BUYER).deleted


def test_a_discount_that_an_event_only_names_is_read_with_the_object(vendor: Control, handle: ConnectionHandle) -> None:
    _, _, _, body = recording("stripe", SUB)
    found = body["data"]["object"] | {"discounts": ["di_1"]}
    vendor.load("subscriptions", found)
    delivery = told(handle, body | {"created": int(time.time()) - 60, "data": {"object": found}})
    assert (delivery.state, delivery.reason_code) == ("applied", "told_in_part")
    record = SourceRecord.objects.get(object_type="subscription")
    assert record.current is not None
    assert record.current.delivery_id != delivery.pk, "what was read stands above what was told"
    first = record.entries.get(delivery_id=delivery.pk)
    assert first.unread == {"annual_amount": {"code": "not_in_event", "raw": "di_1"}}
    assert record.unread is None
    assert "/v1/subscriptions/" in " ".join(call["path"] for call in vendor.get("requests"))
