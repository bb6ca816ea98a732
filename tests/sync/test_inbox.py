"""What came in becomes the ledger: every delivery ends in one state, bad ones hurt nobody, dead workers lose nothing."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import httpx2
import pytest
from django.db import connection

from revops.ledger.models import LedgerEntry, SourceRecord
from sync.applying.apply import process
from sync.applying.claims import DELIVERIES
from sync.applying.drain import process_all
from sync.intake import inbox
from sync.models import Connection, Delivery
from tests.accounts import as_owner
from tests.sync.processes import ROOT, environment, until
from tests.sync.stripe_sender import event, headers, rendered

ATTEMPTS_MAX = 8
CUSTOMER = '"object": "customer"'


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@pytest.fixture
def send(web: str, stripe: Connection) -> Iterator[Callable[[bytes], int]]:
    """Deliver a body as Stripe would; gives the delivery's id."""
    with httpx2.Client(base_url=web, timeout=20, trust_env=False) as client:

        def post(body: bytes) -> int:
            answer = client.post("/intake/stripe/", content=body, headers=headers(body))
            assert answer.status_code == 202, answer.text
            return int(answer.json()["delivery"])

        yield post


def make_due() -> None:
    """Time passes for everything that waits."""
    Delivery.objects.filter(state="pending").update(next_attempt_at=now() - dt.timedelta(seconds=1), lease_until=None)


def test_deliveries_become_records_with_their_evidence(send: Callable[[bytes], int]) -> None:
    ids = [send(rendered(event(number, f"Customer {number}"))) for number in range(1, 6)]
    assert inbox.conservation().pending == 5
    assert process_all(now()) == {"applied": 5}
    assert set(SourceRecord.objects.values_list("external_id", flat=True)) == {f"cus_{n:08d}" for n in range(1, 6)}
    entries = LedgerEntry.objects.order_by("delivery_id")
    assert [entry.delivery_id for entry in entries] == ids
    assert [entry.trace_id for entry in entries] == list(Delivery.objects.order_by("id").values_list("trace_id", flat=True))
    assert process_all(now()) == {}
    found = inbox.conservation()
    assert (found.received, found.applied, found.pending, found.holds) == (5, 5, 0, True)


def bad_bodies() -> dict[str, tuple[bytes, str, str]]:
    """Case -> body, the state it must end in, a word of its reason."""
    text = rendered(event(900)).decode()
    deep = json.loads(text)
    return {
        "W20 one key twice": (text.replace('"balance": 0', '"balance": 0, "balance": 7').encode(), "quarantined", "twice"),
        "W21 NUL in an id": (text.replace('"cus_', '"cus\\u0000').encode(), "quarantined", "id"),
        "W25 an event type of the future": (text.replace("customer.updated", "customer.teleported").encode(), "ignored", ""),
        "W26 a field is missing": (text.replace('"id": "cus_00000900",', "").encode(), "quarantined", "id"),
        "W26 a field of another kind": (text.replace('"cus_00000900"', "7").encode(), "quarantined", "id"),
        "W26 another object": (text.replace(CUSTOMER, '"object": "invoice"').encode(), "quarantined", ""),
        "W27 of another account": (rendered(deep | {"account": "acct_somebody"}), "quarantined", "account"),
        "W29 created in a year beyond belief": (rendered(deep | {"created": 99_999_999_999_999}), "quarantined", ""),
        "W29 created before there was Stripe": (rendered(deep | {"created": -5}), "quarantined", ""),
    }


def spoilt_bodies() -> dict[str, tuple[bytes, str]]:
    """Body, and the field that cannot be taken as it is written."""
    text = rendered(event(3)).decode()
    return {
        "W21 NUL in a text": (text.replace("Aurora", "Aur\\u0000ora").encode(), "name"),
        "W21 half a surrogate pair": (text.replace("Aurora", "Aur\\ud800ora").encode(), "name"),
        "W26 a field is missing": (text.replace('"balance": 0,', "").encode(), "balance"),
        "W26 a field of another kind": (text.replace('"balance": 0', '"balance": "0"').encode(), "balance"),
        "an unknown currency": (text.replace('"usd"', '"zzz"').encode(), "balance"),
    }


@pytest.mark.parametrize("case", list(spoilt_bodies()))
def test_one_value_that_cannot_be_read_costs_the_record_nothing(send: Callable[[bytes], int], case: str) -> None:
    body, field = spoilt_bodies()[case]
    kept = Delivery.objects.get(pk=send(body))
    process_all(now())
    kept.refresh_from_db()
    assert kept.state == "applied"
    record = SourceRecord.objects.get(external_id="cus_00000003")
    assert set(record.unread or {}) == {field}
    assert record.fields["status"] == "active"
    assert LedgerEntry.objects.get(record=record).unread == record.unread
    assert (field in record.fields) == (field == "name")


def test_a_value_that_is_written_right_at_last_is_a_change(send: Callable[[bytes], int]) -> None:
    send(rendered(event(3)).replace(b'"usd"', b'"zzz"'))
    process_all(now())
    send(rendered(event(4, customer="cus_00000003")))
    process_all(now())
    record = SourceRecord.objects.get(external_id="cus_00000003")
    assert record.unread is None
    assert record.fields["balance"] == {"amount": "0.00", "currency": "USD"}
    assert [entry.arrival for entry in LedgerEntry.objects.filter(record=record).order_by("version")] == ["first", "newer"]


@pytest.mark.parametrize("case", list(bad_bodies()))
def test_i14_a_bad_delivery_is_set_aside_and_its_neighbours_are_applied(send: Callable[[bytes], int], case: str) -> None:
    body, state, word = bad_bodies()[case]
    send(rendered(event(1)))
    bad = Delivery.objects.get(pk=send(body))
    send(rendered(event(2)))
    process_all(now())
    bad.refresh_from_db()
    assert bad.state == state
    assert bad.reason
    assert word.lower() in bad.reason.lower()
    assert bytes(bad.body) == body
    assert Delivery.objects.filter(state="applied").count() == 2
    assert inbox.conservation().holds


def test_i11_i12_older_versions_are_kept_as_evidence_in_any_order(send: Callable[[bytes], int]) -> None:
    outcomes = set()
    for number, order in enumerate(itertools.permutations(range(3))):
        customer = f"cus_order{number}"
        for step in order:
            send(rendered(event(100 * number + step, f"name {step}", customer=customer, created=1_790_000_000 + step)))
            process_all(now())
        record = SourceRecord.objects.get(external_id=customer)
        outcomes.add((record.fields["name"], record.digest, record.entries.count()))
    assert len(outcomes) == 1
    assert next(iter(outcomes))[0] == "name 2"
    assert Delivery.objects.filter(state="superseded").count() > 0


@pytest.fixture
def poison(stripe: Connection) -> Iterator[str]:
    """The ledger refuses the customer named by this id, as a broken constraint would."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(
            """
            CREATE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS
              $$ BEGIN IF NEW.external_id = 'cus_poison' THEN RAISE EXCEPTION 'poison' USING ERRCODE = '23514'; END IF;
                 RETURN NEW; END $$;
            CREATE TRIGGER refuse_poison BEFORE INSERT OR UPDATE ON ledger_sourcerecord
               FOR EACH ROW EXECUTE FUNCTION refuse_poison();
            """
        )
    yield "cus_poison"
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION refuse_poison() CASCADE")


def test_i14_one_that_cannot_be_recorded_is_found_in_its_batch_and_ends_as_a_dead_letter(
    send: Callable[[bytes], int], poison: str
) -> None:
    for number in range(1, 21):
        send(rendered(event(number, customer=poison if number == 7 else "")))
    assert process_all(now())["applied"] == 19
    waiting = Delivery.objects.get(state="pending")
    assert waiting.reason_code == "not_recorded"
    assert waiting.next_attempt_at > waiting.received_at
    for _ in range(ATTEMPTS_MAX - waiting.attempts):
        make_due()
        process_all(now())
    waiting.refresh_from_db()
    assert (waiting.state, waiting.attempts) == ("quarantined", ATTEMPTS_MAX)
    assert "Gave up after 8 attempts" in waiting.reason
    assert inbox.conservation().holds


def test_i14_a_row_that_was_tried_before_is_claimed_alone(send: Callable[[bytes], int]) -> None:
    for number in range(1, 4):
        send(rendered(event(number)))
    assert len(DELIVERIES.claim(limit=10, tried=False)) == 3  # and its worker dies
    make_due()
    assert DELIVERIES.claim(limit=10, tried=False) == []
    assert [row.attempts for row in DELIVERIES.claim(limit=1, tried=True)] == [2]


def test_i14_a_row_whose_worker_always_dies_ends_as_a_dead_letter(send: Callable[[bytes], int]) -> None:
    send(rendered(event(1)))
    for attempt in range(ATTEMPTS_MAX):
        assert DELIVERIES.claim(limit=1, tried=attempt > 0)  # and its worker dies
        make_due()
    assert process_all(now()) == {"quarantined": 1}
    assert "worker ended 8 times" in Delivery.objects.get().reason


def test_i40_a_worker_that_comes_back_from_the_dead_changes_nothing(send: Callable[[bytes], int]) -> None:
    send(rendered(event(1)))
    zombie = DELIVERIES.claim(limit=1)
    make_due()  # its lease is over
    assert process_all(now()) == {"applied": 1}
    before = Delivery.objects.values().get()
    entries = LedgerEntry.objects.count()
    assert process(zombie, now()) == {"lost": 1}
    assert Delivery.objects.values().get() == before
    assert LedgerEntry.objects.count() == entries


APPLY = """
import datetime as dt, django
django.setup()
from sync.applying.drain import process_all
process_all(dt.datetime.now(dt.UTC))
"""


@pytest.mark.parametrize("point", ["delivery_claimed", "delivery_recorded"])
def test_i13_i14_kill_9_in_the_middle_of_a_batch_loses_nothing(send: Callable[[bytes], int], point: str) -> None:
    for number in range(1, 11):
        send(rendered(event(number)))
    given = environment(CRASH_AT=point, DJANGO_SETTINGS_MODULE="revops.settings")
    died = subprocess.run([sys.executable, "-c", APPLY], cwd=ROOT, env=given, capture_output=True, timeout=60, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()[-2000:]
    assert LedgerEntry.objects.count() == 0
    assert set(Delivery.objects.values_list("state", "attempts")) == {("pending", 1)}

    def taken_over() -> bool:
        process_all(now())
        return inbox.conservation().pending == 0

    until(taken_over)
    assert inbox.conservation().applied == 10
    assert LedgerEntry.objects.count() == 10
