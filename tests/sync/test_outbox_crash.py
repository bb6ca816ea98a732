"""kill -9 at every named point of the outbox, in a process of its own: afterwards exactly one effect at the vendor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.db import connection, transaction

from revops.audit.models import ActionRecord
from revops.postings.models import PlanState, Posting, PostingState
from revops.postings.queue import take_due
from revops.work_queues.queue import LEASE_SECONDS
from sync.models import Connection
from sync.posting.outbox import send_due
from tests.revops import world
from tests.sync.postable import CREDIT_PATH, Book, again, evidence_arrives, time_passes
from tests.sync.processes import ROOT, environment, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

WORKER = "import django; django.setup(); from sync.posting.outbox import send_due; send_due()"
POINTS = ("after_claim", "before_send", "after_send", "before_record", "after_record")


def worker(crash_at: str = "") -> int:
    """A real worker process works the outbox once; returns its exit code."""
    over = {"CRASH_AT": crash_at, "DJANGO_SETTINGS_MODULE": "revops.settings"}
    done = subprocess.run([sys.executable, "-c", WORKER], cwd=ROOT, env=environment(**over), timeout=60, check=False)
    return done.returncode


def recover(posting: Posting) -> Posting:
    """Leases run out, back-offs pass, workers look again: until the posting is at rest."""
    for _ in range(6):
        time_passes(LEASE_SECONDS + 1, posting)
        send_due()
        if again(posting).state not in (PostingState.RELEASED, PostingState.SENDING, PostingState.UNKNOWN):
            break
    return again(posting)


@pytest.mark.parametrize("point", POINTS)
def test_i34_a_worker_killed_at_any_point_leaves_exactly_one_effect(erp: Book, point: str) -> None:
    posting = erp.released()
    assert worker(f"{point}:1") == -signal.SIGKILL, "the fault must really have fired"
    killed = again(posting)
    assert (killed.first_sent_at is not None) is (point != "after_claim"), "I33: committed before the first byte leaves"
    assert erp.sent() == (0 if point in ("after_claim", "before_send") else 1)
    if killed.state == PostingState.SENDING:
        assert send_due() == 0, "nobody touches it while the lease lasts"
    done = recover(posting)
    assert (done.state, done.plan.state) == (PostingState.POSTED, PlanState.POSTED)
    assert len(erp.effects()) == 1
    assert erp.sent() == 1, "what had left was found, what had not left was sent once"
    evidence_arrives()
    if again(posting).state != PostingState.CONFIRMED:  # killed before it could read back: the next pull brings it
        world.say("netsuite", world.fact(
            "credit_memo", done.vendor_id, {"customer": f"netsuite:{world.CUSTOMER}", "change": f"revops:{posting.key}"},
            status="applied",
            total=world.usd("120.00"),
        ))  # fmt: skip
        world.detect()
    assert again(posting).state == PostingState.CONFIRMED


@pytest.mark.parametrize("point", POINTS)
def test_i34_killed_while_sending_again_after_an_error_without_effect(erp: Book, point: str) -> None:
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, status=500)
    send_due(limit=1)
    time_passes(5, posting)
    send_due()
    time_passes(40, posting)
    assert worker(f"{point}:1") == -signal.SIGKILL
    done = recover(posting)
    assert done.state == PostingState.POSTED
    assert len(erp.effects()) == 1
    assert {effect["object"]["externalid"] for effect in erp.effects()} == {posting.key}


@pytest.mark.parametrize("point", ["after_claim", "before_send"])
def test_i34_killed_again_and_again(erp: Book, point: str) -> None:
    posting = erp.released()
    for _ in range(3):
        assert worker(f"{point}:1") == -signal.SIGKILL
        time_passes(LEASE_SECONDS + 1, posting)
        if again(posting).first_sent_at is not None:
            break
    done = recover(posting)
    assert (done.state, len(erp.effects())) == (PostingState.POSTED, 1)
    assert done.attempts >= 2, "I14: attempts are counted before the work"


def test_i40_a_worker_frozen_past_its_lease_changes_nothing_when_it_thaws(erp: Book) -> None:
    """Fault 6: SIGSTOP in the middle of the call, another worker finishes, SIGCONT."""
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, delay_seconds=3, after_effect=True)
    env = environment(DJANGO_SETTINGS_MODULE="revops.settings")
    frozen = subprocess.Popen([sys.executable, "-c", WORKER], cwd=ROOT, env=env)
    try:
        until(lambda: len(erp.effects()) == 1)
        os.kill(frozen.pid, signal.SIGSTOP)
        assert recover(posting).state == PostingState.POSTED
        fence = again(posting).fence
        os.kill(frozen.pid, signal.SIGCONT)
        assert frozen.wait(30) == 0
    finally:
        if frozen.poll() is None:
            frozen.kill()
            frozen.wait()
    after = again(posting)
    assert (after.state, after.fence) == (PostingState.POSTED, fence)
    assert ActionRecord.objects.filter(verb="posting.observation").count() == 1
    assert ActionRecord.objects.filter(verb="posting.post").count() == 1
    assert (len(erp.effects()), erp.sent()) == (1, 1)


def test_i40_a_worker_that_is_not_sure_of_its_lease_sends_no_byte(erp: Book) -> None:
    """Frozen after it was admitted and before the first byte; when it thaws, the posting is in somebody else's hands."""
    posting = erp.released()
    env = environment(DJANGO_SETTINGS_MODULE="revops.settings", FREEZE_AT="before_send:1")
    frozen = subprocess.Popen([sys.executable, "-c", WORKER], cwd=ROOT, env=env)
    try:
        until(lambda: again(posting).first_sent_at is not None)
        until(lambda: "T" in Path(f"/proc/{frozen.pid}/stat").read_text().rpartition(")")[2].split()[:1])
        its_lease_ends = time.monotonic() + LEASE_SECONDS
        time_passes(LEASE_SECONDS + 1, posting)
        with take_due(may_send=["netsuite"], may_look=["netsuite"]) as held:
            assert len(held.rows) == 1
            until(lambda: time.monotonic() > its_lease_ends)
            os.kill(frozen.pid, signal.SIGCONT)
            assert frozen.wait(30) == 0
            assert erp.sent() == 0
    finally:
        if frozen.poll() is None:
            frozen.kill()
            frozen.wait()
    assert ActionRecord.objects.filter(verb="posting.observation").count() == 1
    assert recover(posting).state == PostingState.POSTED
    assert (len(erp.effects()), erp.sent()) == (1, 1)


def test_i40_a_claim_that_was_lost_while_it_waited_to_be_admitted_sends_no_byte(erp: Book) -> None:
    """Its facts were read and stand, and its lease is sure; right before the first byte the effect comes to be known."""
    posting = erp.released()

    def work() -> None:
        send_due(limit=1)
        connection.close()

    sender = threading.Thread(target=work)
    with transaction.atomic():
        Connection.objects.select_for_update(of=("self",)).get(pk="netsuite")
        sender.start()
        until(_somebody_waits_for_a_lock)
        world.say("netsuite", world.fact(
            "credit_memo", "90", {"customer": f"netsuite:{world.CUSTOMER}", "change": f"revops:{posting.key}"},
            status="applied", total=world.usd("120.00"),
        ))  # fmt: skip
        world.detect()
        assert again(posting).state == PostingState.CONFIRMED
    sender.join(30)
    assert (again(posting).state, erp.sent()) == (PostingState.CONFIRMED, 0)


def _somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])
