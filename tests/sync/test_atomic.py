"""What one delivery does, it does whole or not at all; and nothing on the way is ever lost from sight."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from django.db import connection

from revops.accounts.models import AccountLink
from revops.cases.models import ExceptionCase, Expectation
from revops.ledger.models import DueAccount, LedgerEntry, SourceRecord, SourceSystem
from sync import connections
from sync.applying import claims
from sync.applying.drain import process_all
from sync.intake import inbox
from sync.models import Connection, Delivery
from tests import guards
from tests.revops import world
from tests.sync.processes import until
from tests.sync.stripe_sender import event, headers, rendered

CRM = "001000000000001AAA"


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def store(number: int, **over: object) -> Delivery:
    handle = connections.handle("stripe")
    assert handle is not None
    body = rendered(event(number, **over))  # type: ignore[arg-type]
    return Delivery.objects.get(pk=inbox.accept(handle, kind="event", dedup_key=f"evt_{number:08d}", body=body).id)


def make_due() -> None:
    Delivery.objects.filter(state="pending").update(next_attempt_at=now() - dt.timedelta(seconds=1), lease_until=None)
    DueAccount.objects.update(next_attempt_at=now() - dt.timedelta(seconds=1), lease_until=None)


@pytest.fixture
def crm(stripe: Connection) -> None:
    """The account that Stripe's customers refer to."""
    SourceSystem.objects.create(slug="salesforce", label="Salesforce", role="crm", vendor="salesforce")
    world.say("salesforce", world.fact("customer", CRM, name="Aurora", currency="USD"))
    world.detect()


SEEN_OUTSIDE = ("sync_delivery", "sync_heartbeat")
"""What is written around the transaction: the delivery's attempt, and that somebody works on it."""

STEPS = {
    "the record is made": ("ledger_sourcerecord", "INSERT", "true", False),
    "the record is changed": ("ledger_sourcerecord", "UPDATE", "true", False),
    "the entry is written": ("ledger_ledgerentry", "INSERT", "true", False),
    "the customer is linked": ("accounts_accountlink", "INSERT", "true", False),
    "the link leaves its history": ("accounts_historicalaccountlink", "INSERT", "true", False),
    "the account is marked due": ("ledger_dueaccount", "INSERT", "true", False),
    "the ledger is fresh": ("ledger_freshness", "INSERT", "true", False),
    "the delivery is done": ("sync_delivery", "UPDATE", "NEW.state = 'applied'", False),
    "the commit": ("ledger_ledgerentry", "INSERT", "true", True),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.usefixtures("crm")
def test_i13_a_failure_at_any_step_of_applying_leaves_nothing(step: str) -> None:
    delivery = store(1)
    before = guards.everything(*SEEN_OUTSIDE)
    table, when, condition, at_commit = STEPS[step]
    with guards.failing(table, when, condition, at_commit):
        assert process_all(now()) == {"pending": 1}
    assert guards.everything(*SEEN_OUTSIDE) == before
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.reason_code) == ("pending", 1, "not_recorded")
    make_due()
    assert process_all(now()) == {"applied": 1}
    record = SourceRecord.objects.get(system="stripe")
    assert (record.entries.count(), AccountLink.objects.filter(system="stripe").count()) == (1, 1)
    assert DueAccount.objects.get().account_id == record.account_id


LOOKING = {
    "the case is opened": ("cases_exceptioncase", "INSERT", "true", False),
    "the case leaves its history": ("cases_historicalexceptioncase", "INSERT", "true", False),
    "the log is written": ("audit_actionrecord", "INSERT", "NEW.verb = 'case.open'", False),
    "what is not yet due is noted": ("cases_expectation", "INSERT", "true", False),
    "the mark is taken away": ("ledger_dueaccount", "DELETE", "true", False),
    "the commit": ("cases_exceptioncase", "INSERT", "true", True),
}


@pytest.mark.parametrize("step", LOOKING)
def test_i13_a_failure_at_any_step_of_looking_leaves_nothing_but_the_mark(transactional_db: None, step: str) -> None:
    world.systems()
    world.customers()
    world.say("stripe", world.billed(world.usd("1000.00")))
    world.say("stripe", world.fact(
        "invoice", "in_9", {"customer": "stripe:cus_1"}, number="A-9", status="open", total=world.usd("5.00"), finalized_at=now(),
    ))  # fmt: skip
    world.say("netsuite", world.period(), world.entered(world.usd("1120.00")))
    before = guards.everything("ledger_dueaccount", "ledger_freshness", "sync_heartbeat")
    table, when, condition, at_commit = LOOKING[step]
    with guards.failing(table, when, condition, at_commit):
        world.detect()
    assert guards.everything("ledger_dueaccount", "ledger_freshness", "sync_heartbeat") == before
    assert "this step fails" in DueAccount.objects.get().last_error
    make_due()
    world.detect()
    assert (ExceptionCase.objects.count(), Expectation.objects.count(), DueAccount.objects.count()) == (1, 1, 0)


# --- nothing is lost from sight ---------------------------------------------------------------------------------------------


def test_i7_every_delivery_is_in_exactly_one_state_at_every_instant(web: str, stripe: Connection) -> None:
    """Good, bad, older and repeated deliveries come in and are applied at once by two workers, while somebody counts."""
    done, seen, told = threading.Event(), [], [0]
    lock = threading.Lock()

    def send(number: int) -> None:
        over: dict[str, Any] = (
            {"type": "customer.teleported"} if number % 7 == 0 else {"account": "acct_other"} if number % 7 == 1 else {}
        )
        body = rendered(event(number % 60, f"name {number % 60}", customer=f"cus_{number % 6}", **over))
        answer = httpx2.post(f"{web}/intake/stripe/", content=body, headers=headers(body), timeout=20, trust_env=False)
        assert answer.status_code == 202
        with lock:
            told[0] += 1

    def work() -> None:
        while not done.is_set():
            process_all(now())
        connection.close()

    def count() -> None:
        while not done.is_set():
            with lock:
                sent_before = told[0]
            found = inbox.conservation()
            seen.append((found, sent_before))
        connection.close()

    others = [threading.Thread(target=target) for target in (work, work, count)]
    for thread in others:
        thread.start()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(send, range(240)))
    until(lambda: inbox.conservation().pending == 0)
    done.set()
    for thread in others:
        thread.join()
    received = 0
    for found, sent_before in seen:
        assert found.holds, found
        assert found.received >= received, "what was received stays received"
        assert found.received + found.copies >= sent_before, "what was promised is there"
        received = found.received
    rest = inbox.conservation()
    assert (rest.pending, rest.received + rest.copies, rest.holds) == (0, 240, True)
    assert min(rest.applied, rest.ignored, rest.quarantined, rest.copies) > 0
    assert {found.pending for found, _ in seen} != {0}, "somebody counted while there was work"
    assert Delivery.objects.count() == rest.received


def test_i7_a_state_that_nobody_knows_is_noticed(stripe: Connection) -> None:
    store(1)
    assert inbox.conservation().holds
    with guards.down():
        Delivery.objects.update(state="mislaid")
    assert not inbox.conservation().holds


# --- attempts count before the work -----------------------------------------------------------------------------------------


def test_i14_the_attempt_is_committed_before_the_work_starts(stripe: Connection) -> None:
    """Another connection to the database sees it while the worker has not done anything yet."""
    delivery = store(1)
    (claimed,) = claims.DELIVERIES.claim(limit=1)
    seen: list[tuple[object, ...]] = []

    def look_from_outside() -> None:
        seen.extend(Delivery.objects.values_list("attempts", "fence", "state"))
        connection.close()

    watcher = threading.Thread(target=look_from_outside)
    watcher.start()
    watcher.join()
    assert seen == [(1, claimed.fence, "pending")]
    assert not LedgerEntry.objects.filter(delivery_id=delivery.pk).exists()
