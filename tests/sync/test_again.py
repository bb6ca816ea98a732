"""The inbox is the memory: whatever order, however often, from scratch or after a mended fault, it gives the same ledger.

The deliveries are every recording that the connectors' contract suite has, of all four systems.
"""

from __future__ import annotations

import datetime as dt
import io
import random

import pytest
from django.core.management import call_command
from django.db import connection

from revops.accounts.models import Account, AccountLink
from revops.cases.models import ExceptionCase, Expectation
from revops.ledger.models import LedgerEntry, SourceRecord
from revops.ledger.reading import state_digest
from revops.people.actors import System
from sync import connections
from sync.applying.claims import REREAD, VERSION_CONFLICT
from sync.applying.drain import process_all
from sync.connectors import CONNECTORS
from sync.intake import inbox
from sync.models import Connection, Delivery, DeliveryState
from sync.vendor.contract import Incoming, Reread
from tests import guards
from tests.revops import world
from tests.sync.connectors.talking import SETTINGS
from tests.sync.connectors.tallybook import TALLYBOOK
from tests.sync.connectors.test_recordings import RECORDINGS, load, name_of
from tests.sync.stripe_sender import event, rendered

ACCOUNT = "acct_before"


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@pytest.fixture
def systems(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONNECTORS, TALLYBOOK.slug, TALLYBOOK)
    for vendor in CONNECTORS:
        connections.connect(
            slug=vendor, vendor=vendor, base_url="https://vendor.example", values=SETTINGS[vendor], acting_user=System("tests")
        )
        connections.resume(vendor, acting_user=System("tests"))


def recorded() -> list[tuple[str, str, Incoming]]:
    """Vendor, name and payload of every recording that says facts, none that asks to read again."""
    found = []
    for path in RECORDINGS:
        connector, config, incoming, _ = load(path)
        if not any(isinstance(answer, Reread) for answer in connector.translate(incoming, config)):
            found.append((path.parent.name, name_of(path), incoming))
    assert len(found) > 40
    return found


def deliver(order: list[tuple[str, str, Incoming]]) -> None:
    """Each comes at the time that its recording says: what carries no stamp of its own has its time of arrival as its version."""
    for vendor, name, incoming in order:
        handle = connections.handle_of(Connection.objects.get(pk=vendor))
        inbox.accept(handle, kind=incoming.kind, dedup_key=name, body=incoming.body, object_type=incoming.object_type)
        with guards.down():
            Delivery.objects.filter(dedup_key=name).update(received_at=incoming.received_at)


def work_off() -> tuple[str, frozenset[tuple[str, str]]]:
    """Apply and look until all is at rest: the digest of the ledger, and the open cases."""
    process_all(now())
    world.detect()
    disputed = Delivery.objects.filter(state=DeliveryState.PENDING, reason_code=REREAD)
    with guards.down():
        disputed.update(state=DeliveryState.APPLIED, reason_code=VERSION_CONFLICT)  # no vendor is here to be asked who is right
    rest = inbox.conservation()
    assert (rest.pending, rest.holds) == (0, True)
    live = ExceptionCase.objects.exclude(status="closed").values_list("fingerprint", "facts_digest")
    return state_digest(), frozenset(live)


def forget() -> None:
    """Everything that came of the deliveries is gone; the deliveries themselves stay."""
    tables = ", ".join(model._meta.db_table for model in (
        SourceRecord, LedgerEntry, Account, AccountLink, ExceptionCase, Expectation,
    ))  # fmt: skip
    with guards.down(), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables} CASCADE")


@pytest.mark.usefixtures("systems")
def test_i16_forgetting_the_ledger_and_replaying_the_inbox_gives_the_same_digest() -> None:
    order = recorded()
    random.Random(16).shuffle(order)
    deliver(order)
    first = work_off()
    assert SourceRecord.objects.count() > 20
    forget()
    assert (SourceRecord.objects.count(), LedgerEntry.objects.count()) == (0, 0)
    for vendor in CONNECTORS:
        call_command("replay", "--everything", "--connection", vendor, "--why", "from scratch", stdout=io.StringIO())
    assert work_off() == first
    assert LedgerEntry.objects.count() > 25


@pytest.mark.usefixtures("systems")
def test_i11_any_order_with_any_repetition_gives_the_same_digest() -> None:
    everything = recorded()
    deliver(everything)
    first = work_off()
    for seed in range(3):
        chance = random.Random(seed)
        with guards.down(), connection.cursor() as cursor:
            cursor.execute("TRUNCATE sync_delivery, sync_deliverykey CASCADE")
        forget()
        order = everything + chance.sample(everything, 15)
        chance.shuffle(order)
        for start in range(0, len(order), 9):
            deliver(order[start : start + 9])
            work_off()
        assert work_off() == first, f"seed {seed}"


@pytest.mark.usefixtures("systems")
def test_i15_a_replay_after_a_fix_equals_the_first_time() -> None:
    """The same deliveries to a connection that was right from the start, and to one that was mended afterwards."""

    def come() -> None:
        handle = connections.handle_of(Connection.objects.get(pk="stripe"))
        for number in range(12):
            body = rendered(event(number, f"name {number}", customer=f"cus_{number % 5}", account=ACCOUNT))
            inbox.accept(handle, kind="event", dedup_key=f"evt_{number:08d}", body=body)

    def mend() -> None:
        connections.change_connection("stripe", values={"account": ACCOUNT}, acting_user=System("tests"))

    come()
    process_all(now())
    assert set(Delivery.objects.values_list("state", flat=True)) == {DeliveryState.QUARANTINED}
    assert not SourceRecord.objects.exists()
    mend()
    call_command("replay", "--all-dead-letters", "--why", "mended", stdout=io.StringIO())
    mended = work_off(), sorted(LedgerEntry.objects.values_list("record__external_id", "version", "digest", "arrival"))
    with guards.down(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE sync_delivery, sync_deliverykey CASCADE")
    forget()
    come()
    assert (work_off(), sorted(LedgerEntry.objects.values_list("record__external_id", "version", "digest", "arrival"))) == mended
    assert len(mended[1]) == 12
