"""What a vendor dates later than it came is kept, marked, and never stands above what is said after it."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.test import Client

from revops.ledger.models import LedgerEntry, SourceRecord
from revops.people.actors import System
from sync import connections
from sync.applying.drain import process_all
from sync.applying.straight import straight_into_the_ledger
from sync.models import Connection, Delivery
from sync.pull import poll
from sync.vendor.contract import Reread
from tests.demo.simulators.control import Control, simulator
from tests.revops import world
from tests.sync import stripe_sender
from tests.sync.connectors.talking import SETTINGS
from tests.sync.connectors.test_recordings import RECORDINGS, load, name_of
from tests.sync.test_poll import customer

CUSTOMER = "cus_00000001"
YEAR_2100 = 4_102_444_800


def send(url: str, number: int, name: str, *, created: float) -> int:
    """A signed event about the customer; returns its delivery."""
    body = stripe_sender.rendered(stripe_sender.event(number, name, created=int(created), customer=CUSTOMER))
    answer = requests.post(f"{url}/intake/stripe/", data=body, headers=stripe_sender.headers(body), timeout=10)
    assert answer.status_code == 202, answer.text
    return int(answer.json()["delivery"])


def apply() -> None:
    process_all(dt.datetime.now(dt.UTC))


def name_now() -> object:
    return SourceRecord.objects.get(object_type="customer").fields["name"]


def ended(delivery: int) -> tuple[str, str]:
    found = Delivery.objects.get(pk=delivery)
    return str(found.state), found.reason_code


@pytest.mark.parametrize("order", ["ahead first", "ahead last"])
def test_i12_an_event_from_the_future_does_not_block_the_next_real_one(web: str, stripe: Connection, order: str) -> None:
    # GIVEN a signed event of the year 2100 about a customer, WHEN a real one comes after it
    if order == "ahead last":
        send(web, 1, "Before", created=time.time() - 60)
        apply()
    ahead = send(web, 2, "From the future", created=YEAR_2100)
    apply()
    assert name_now() == "From the future", "it is believed until something is said after it"
    real = send(web, 3, "Real", created=time.time())
    apply()
    # THEN the real one counts, and the other one is kept, marked, and its object asked for
    assert name_now() == "Real"
    assert ended(real) == ("applied", "")
    assert ended(ahead) == ("pending", "reread")
    marked = [entry for entry in LedgerEntry.objects.all() if entry.dated_ahead]
    assert [(entry.fields["name"], entry.delivery_id) for entry in marked] == [("From the future", ahead)]
    assert marked[0].effective_at < dt.datetime.now(dt.UTC)


def test_its_own_date_is_told_on_the_record_s_page(web: str, stripe: Connection, client: Client) -> None:
    send(web, 1, "From the future", created=YEAR_2100)
    apply()
    client.force_login(world.person("frida", "finance_analyst"))
    page = client.get(f"/records/{SourceRecord.objects.get().pk}/").content.decode()
    assert "dated later than it came" in page
    assert str(YEAR_2100) in page


def test_a_clock_that_is_a_little_ahead_is_believed(web: str, stripe: Connection) -> None:
    send(web, 1, "A little ahead", created=time.time() + 200)
    apply()
    assert not LedgerEntry.objects.get().dated_ahead


@pytest.fixture
def biller(tmp_path: Path) -> Iterator[Control]:
    with simulator("stripe", tmp_path) as control:
        yield control


def test_what_the_vendor_says_when_asked_again_is_its_last_word(biller: Control, transactional_db: None, web: str) -> None:
    connections.connect(
        slug="stripe", vendor="stripe", base_url=biller.url, started=True, acting_user=System("tests"),
        values={**SETTINGS["stripe"], "webhook_secret": stripe_sender.SECRET},
    )  # fmt: skip
    biller.load("customers", {**customer(1), "id": CUSTOMER, "name": "As the vendor has it"})
    ahead = send(web, 1, "From the future", created=YEAR_2100)
    apply()
    Delivery.objects.filter(state="pending").update(next_attempt_at=dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1))
    apply()
    assert not list(Delivery.objects.filter(state="pending").values_list("kind", "reason_code", "reason"))
    assert ended(ahead) == ("applied", "dated_ahead")
    assert "dated later than it came" in Delivery.objects.get(pk=ahead).reason
    versions = list(LedgerEntry.objects.values_list("version", "fields__name", "arrival"))
    assert name_now() == "As the vendor has it", versions


def test_a_system_whose_time_zone_is_set_wrongly_can_still_be_read(tmp_path: Path, transactional_db: None) -> None:
    # GIVEN a customer-success system that stamps nine hours ahead
    def company(name: str) -> dict[str, Any]:
        at = dt.datetime.now(dt.UTC) + dt.timedelta(hours=9)
        return {
            "Gsid": "1P02COMPANY00000000000000000000001", "Name": name, "SfdcAccountId": "001000000000001AAA", "Arr": "1.00",
            "CurrencyIsoCode": "USD", "Stage": "Launched", "ModifiedDate": at.isoformat(timespec="milliseconds"),
        }  # fmt: skip

    with simulator("gainsight", tmp_path) as vendor:
        connections.connect(
            slug="gainsight", vendor="gainsight", base_url=vendor.url, values=SETTINGS["gainsight"], started=True,
            acting_user=System("tests"),
        )  # fmt: skip
        for name in ("First", "Second"):
            vendor.load("company", company(name))
            pulled = poll.pull_now("gainsight", "companies", judge_of=straight_into_the_ledger)
            assert pulled.problem == ""
            assert name_now() == name
    # THEN every read is applied at once and says that it is dated ahead: nothing of it needs to be asked for again
    assert set(Delivery.objects.values_list("state", "reason_code")) == {("applied", "dated_ahead")}


def shape(text: str) -> str:
    return re.sub(r"\d", "9", text)


@pytest.mark.parametrize("path", RECORDINGS, ids=map(name_of, RECORDINGS))
def test_versions_begin_with_the_stamp_that_their_connector_declares(path: Path) -> None:
    connector, config, incoming, _ = load(path)
    if connector.stamp is None:
        assert connector.slug == "tallybook", "only a vendor whose versions are no times has none"
        return
    earlier, later = (connector.stamp(dt.datetime(year, 1, 1, tzinfo=dt.UTC)) for year in (1990, 2200))
    assert shape(earlier) == shape(later)
    for fact in connector.translate(incoming, config):
        if not isinstance(fact, Reread):
            assert shape(fact.version[: len(later)]) == shape(later)
            assert earlier < fact.version < later
