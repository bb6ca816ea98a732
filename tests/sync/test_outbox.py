"""The outbox against vendors that are processes of their own and keep their own books: exactly one effect, whatever goes wrong.

A test named after an invariant proves it; faults are programmed in the simulator and are real on the wire.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from launch.embedded import free_port
from revops.approvals.actions import submit_plan
from revops.audit.models import ActionRecord
from revops.cases.models import CaseStatus, ExceptionCase
from revops.errors import Conflict, NotAllowed
from revops.ledger.models import SourceSystem
from revops.people.actors import System
from revops.people.models import RoleGrant, User
from revops.postings import transitions
from revops.postings.draft import compose_reversal
from revops.postings.models import PlanState, Posting, PostingState
from revops.postings.queue import POSTINGS, take_due
from revops.postings.recover import look_up_again, set_aside
from sync import connections
from sync.posting.outbox import attempt, send_due
from tests.demo.simulators.control import Control, simulator
from tests.revops import world
from tests.sync.postable import (
    CREDIT_PATH,
    HOLD_PATH,
    RENEWAL,
    Book,
    again,
    book,
    evidence_arrives,
    read_all,
    renewal_plan,
    send_and_look_up,
    time_passes,
)
from tests.sync.processes import until

pytestmark = pytest.mark.django_db(transaction=True)


def verbs(posting: Posting) -> list[str]:
    found = ActionRecord.objects.filter(subject=f"posting:{posting.pk}").order_by("id")
    return list(found.values_list("verb", flat=True))


def test_the_whole_way_from_release_to_the_closed_case(erp: Book) -> None:
    posting = erp.released()
    assert send_due() == 1
    done = again(posting)
    assert (done.state, done.plan.state) == (PostingState.POSTED, PlanState.POSTED)
    erp.case.refresh_from_db()
    assert erp.case.status == CaseStatus.AWAITING_EVIDENCE
    (effect,) = erp.effects()
    assert (str(effect["id"]), effect["object"]["externalid"]) == (done.vendor_id, posting.key)
    evidence_arrives()
    done = again(posting)
    assert (done.state, done.plan.state) == (PostingState.CONFIRMED, PlanState.CONFIRMED)
    assert done.confirming_entry_id is not None
    assert verbs(posting) == ["posting.post", "posting.confirm"]
    erp.case.refresh_from_db()
    assert (erp.case.status, erp.case.amount_minor) == (CaseStatus.OPEN, 4000000), "what is still wrong stays said"
    told = ActionRecord.objects.filter(case_id=erp.case.pk, verb="case.back_to_open").get()
    assert str(told.summary) == f"{done.plan.code} is confirmed, and what the systems say still differs"
    assert world.credit_plan(erp.maker, erp.case, "40000.00").state == PlanState.DRAFT, "the rest can be put right"


def _loses_the_role(user: User) -> None:
    with transaction.atomic():
        for grant in RoleGrant.objects.filter(user=user):
            grant.delete()


def _leaves(user: User) -> None:
    with transaction.atomic():
        user.is_active = False
        user.save()


@pytest.mark.parametrize("who", ["maker", "checker"])
@pytest.mark.parametrize("goes", [_loses_the_role, _leaves])
def test_i27_nothing_is_sent_once_its_maker_or_signer_may_not_any_more(erp: Book, who: str, goes: Callable[[User], None]) -> None:
    connections.stop_posting("netsuite", reason="tests", acting_user=System("tests"))
    posting = erp.released()
    send_due()
    goes(getattr(erp, who))
    world.allow_posting()
    time_passes(10, posting)
    send_due()
    given_back = again(posting)
    assert (given_back.state, given_back.plan.state, erp.sent()) == (PostingState.VOID, PlanState.VOID, 0)
    name = getattr(erp, who).get_username()
    assert f"{name}, who {'composed' if who == 'maker' else 'approved'} it, may not" in str(given_back.plan.outcome)
    erp.case.refresh_from_db()
    assert erp.case.status == CaseStatus.OPEN


def test_i27_what_may_have_left_waits_for_a_person_when_a_right_is_gone(erp: Book) -> None:
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, status=500)
    send_due(limit=1)
    _loses_the_role(erp.checker)
    for _ in range(2):
        time_passes(40, posting)
        send_due()
    waits = again(posting)
    assert (waits.needs_person, waits.plan.state, erp.sent()) == (True, PlanState.RELEASED, 1)
    assert "may not approve any more" in waits.last_error


def test_the_case_closes_when_the_erp_is_what_billing_issued(netsuite: Control, transactional_db: None) -> None:
    small = book(netsuite, "1120.00")
    small.released("120.00")
    send_due()
    evidence_arrives()
    small.case.refresh_from_db()
    assert small.case.status == CaseStatus.CLOSED
    assert small.case.close_evidence["records"]


def test_i36_effect_then_reset_is_looked_up_and_never_sent_again(erp: Book) -> None:
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, reset="after")
    send_due(limit=1)
    assert again(posting).state == PostingState.UNKNOWN
    time_passes(5, posting)
    send_due()
    assert again(posting).state == PostingState.POSTED
    assert (len(erp.effects()), erp.sent()) == (1, 1)
    assert verbs(posting) == ["posting.unknown", "posting.post"]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
@pytest.mark.parametrize("body", [None, "<html>Bad gateway</html>"])
def test_i36_effect_then_an_error_is_unknown_and_found(erp: Book, status: int, body: str | None) -> None:
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, status=status, body=body, after_effect=True)
    send_due(limit=1)
    assert again(posting).state == PostingState.UNKNOWN
    time_passes(5, posting)
    send_due()
    assert again(posting).state == PostingState.POSTED
    assert len(erp.effects()) == 1


def test_i36_an_error_without_effect_is_looked_up_twice_then_the_same_bytes_go_again(erp: Book) -> None:
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, status=500)
    send_due(limit=1)
    assert again(posting).state == PostingState.UNKNOWN
    time_passes(5, posting)
    send_due()
    first_look = again(posting)
    assert first_look.absent_seen_at is not None
    assert erp.sent() == 1
    assert send_due() == 0, "the second look waits for the vendor's read lag"
    time_passes(32, posting)
    send_due()
    done = again(posting)
    assert done.state == PostingState.POSTED
    assert (len(erp.effects()), erp.sent()) == (1, 2)
    assert (done.key, bytes(done.body)) == (posting.key, bytes(posting.body)), "I35: one intent, one key, the same bytes"
    assert erp.effects()[0]["object"]["externalid"] == posting.key


def test_i36_no_resend_while_the_vendors_reads_may_lag(erp: Book) -> None:
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, reset="after", read_lag_seconds=2)
    visible_at = time.monotonic() + 2.5
    send_due(limit=1)
    time_passes(5, posting)
    send_due()
    assert again(posting).absent_seen_at is not None, "the look-up does not see it yet"
    for _ in range(5):
        time_passes(5, posting)
        send_due()
    assert (erp.sent(), again(posting).state) == (1, PostingState.UNKNOWN), "25 seconds later: inside the declared read lag"
    until(lambda: time.monotonic() > visible_at)
    time_passes(10, posting)
    send_due()
    assert again(posting).state == PostingState.POSTED
    assert (len(erp.effects()), erp.sent()) == (1, 1)


@pytest.mark.parametrize(("stated", "sent"), [("2", 2), ("90", 1), ("0", 1), ("soon", 1)])
def test_i36_a_connection_says_how_much_its_reads_lag_and_nonsense_says_nothing(erp: Book, stated: str, sent: int) -> None:
    connections.change_connection("netsuite", values={"read_lag_seconds": stated}, acting_user=System("test"))
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, status=500)
    send_due(limit=1)
    time_passes(5, posting)
    send_due()
    time_passes(4, posting)
    send_due()
    assert (erp.sent(), again(posting).state == PostingState.POSTED) == (sent, sent == 2)


def test_i37_resends_stop_at_the_window_and_a_person_decides(erp: Book) -> None:
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, status=500, times=0)
    send_due(limit=1)
    time_passes(21 * 3600, posting)
    send_due()
    time_passes(40, posting)
    send_due()
    stuck = again(posting)
    assert (stuck.state, stuck.needs_person) == (PostingState.UNKNOWN, True)
    assert erp.sent() == 1
    time_passes(24 * 3600, posting)
    assert send_due() == 0
    world.detect()
    waits = ExceptionCase.objects.get(rule="posting_waits_for_person")
    assert (waits.status, waits.amount_minor, waits.systems) == (CaseStatus.OPEN, 12000, ["netsuite"])
    assert stuck.plan.code in str(waits.sentence)
    assert "An approved change waits for a person" in str(Client().get("/readyz").json()["warnings"])
    _a_person_decides(stuck, erp)
    world.detect()
    waits.refresh_from_db()
    assert waits.status == CaseStatus.CLOSED
    assert "for a person" not in str(Client().get("/readyz").json()["warnings"])


def _a_person_decides(stuck: Posting, erp: Book) -> None:
    controller = world.person("cora", "controller")
    for nobody in (erp.maker, erp.checker, System("demo")):
        with pytest.raises(NotAllowed):
            look_up_again(stuck, acting_user=nobody)
    look_up_again(stuck, acting_user=controller)
    with pytest.raises(Conflict):
        set_aside(stuck, reason="Looked", acting_user=controller)
    send_due()
    assert again(stuck).needs_person, "still not there, and still too old"
    set_aside(stuck, reason="Nothing in the ERP's own list", acting_user=controller)
    ended = again(stuck)
    assert (ended.state, ended.plan.state) == (PostingState.REFUSED, PlanState.FAILED)
    assert (len(erp.effects()), erp.sent()) == (0, 1)


def test_a_refusal_fails_the_plan_and_the_case_needs_somebody_again(erp: Book) -> None:
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, status=403, body='{"o:errorDetails": [{"detail": "The role may not do this."}]}')
    send_and_look_up(posting.plan)
    refused = again(posting)
    assert (refused.state, refused.plan.state) == (PostingState.REFUSED, PlanState.FAILED)
    assert "The role may not do this" in str(refused.plan.outcome)
    erp.case.refresh_from_db()
    assert erp.case.status == CaseStatus.OPEN
    assert erp.effects() == []
    assert world.credit_plan(erp.maker, erp.case).state == PlanState.DRAFT, "another plan may be composed"


def test_a_record_that_turns_up_after_a_refusal_is_an_alarm(erp: Book) -> None:
    """The vendor says no, shows nothing under our key for longer than its reads may lag, and then shows a record."""
    posting = erp.released()
    own = '{"o:errorDetails": [{"detail": "The role may not do this."}]}'
    erp.netsuite.fault("POST", CREDIT_PATH, status=403, after_effect=True, body=own)
    erp.netsuite.fault("GET", "creditMemo/", status=404, times=4)
    send_and_look_up(posting.plan)
    assert (again(posting).state, again(posting).needs_person) == (PostingState.REFUSED, False)
    read_all("netsuite")
    assert again(posting).needs_person
    assert "taken for refused" in again(posting).last_error
    assert verbs(posting).count("posting.alarm") == 1
    evidence_arrives()
    assert verbs(posting).count("posting.alarm") == 1


def test_i39_something_else_under_our_key_is_an_alarm_and_never_a_success(erp: Book) -> None:
    """The vendor has our key with another amount: effect, then silence, then somebody changes the amount there."""
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, reset="after")
    send_due(limit=1)
    made = erp.effects()[0]["id"]
    erp.netsuite.change(collection="transaction", id=str(made), set={"foreigntotal": "-999.00"}, event=None)
    time_passes(5, posting)
    send_due()
    wrong = again(posting)
    assert (wrong.state, wrong.needs_person, wrong.plan.state) == (PostingState.REFUSED, True, PlanState.FAILED)
    assert "has the amount 999.00 and not 120.00" in wrong.last_error
    assert "posting.alarm" in verbs(posting)
    assert erp.sent() == 1


def test_a_vendor_that_asks_to_wait_is_asked_again_later(erp: Book) -> None:
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, status=429, headers={"Retry-After": "7"})
    send_due()
    waiting = again(posting)
    assert waiting.state == PostingState.UNKNOWN
    assert waiting.first_sent_at is not None
    assert 5 < (waiting.next_attempt_at - waiting.first_sent_at).total_seconds() < 9
    assert send_due() == 0
    for _ in range(2):
        time_passes(60, posting)
        send_due()
    assert again(posting).state == PostingState.POSTED
    assert (len(erp.effects()), erp.sent()) == (1, 2)


def test_a_vendor_that_cannot_be_reached_gets_it_later(erp: Book) -> None:
    posting = erp.released()
    url = world.erp().base_url
    connections.change_connection("netsuite", base_url=f"http://127.0.0.1:{free_port()}", acting_user=System("tests"))
    send_due()
    assert again(posting).state == PostingState.RELEASED
    connections.change_connection("netsuite", base_url=url, acting_user=System("tests"))
    time_passes(3600, posting)
    send_due()
    assert again(posting).state == PostingState.POSTED


def test_i41_the_stop_switch_holds_and_lets_go(erp: Book) -> None:
    posting = erp.released()
    connections.stop_posting("netsuite", reason="tests", acting_user=System("tests"))
    assert send_due() == 0
    assert erp.sent() == 0
    world.allow_posting()
    assert send_due() == 1
    assert again(posting).state == PostingState.POSTED


def test_i41_the_switch_is_looked_at_again_right_before_the_first_byte(erp: Book) -> None:
    posting = erp.released()
    with take_due(may_send=["netsuite"], may_look=["netsuite"]) as held:
        connections.stop_posting("netsuite", reason="tests", acting_user=System("tests"))
        attempt(held)
    waiting = again(posting)
    assert (waiting.state, erp.sent()) == (PostingState.RELEASED, 0)
    assert "switched off" in waiting.last_error


def test_i41_what_is_under_way_is_looked_up_though_posting_is_stopped(erp: Book) -> None:
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, reset="after")
    send_due(limit=1)
    connections.stop_posting("netsuite", reason="tests", acting_user=System("tests"))
    time_passes(5, posting)
    send_due()
    assert again(posting).state == PostingState.POSTED


@pytest.mark.parametrize(
    ("cap", "value"), [("REVOPS_POSTINGS_PER_HOUR_MAX", 0), ("REVOPS_POSTING_AMOUNT_PER_HOUR_MAX", "119.99")]
)
def test_i42_caps_hold_and_never_drop(erp: Book, settings: Any, cap: str, value: object) -> None:
    posting = erp.released()
    usual = getattr(settings, cap)
    setattr(settings, cap, value)
    send_due()
    held = again(posting)
    assert (held.state, held.plan.state, erp.sent()) == (PostingState.RELEASED, PlanState.RELEASED, 0)
    assert held.last_error.startswith("Held:")
    setattr(settings, cap, usual)
    time_passes(120, posting)
    send_due()
    assert again(posting).state == PostingState.POSTED


def test_i42_the_cap_counts_a_foreign_currency_by_the_rate_of_the_books_that_change(
    netsuite: Control, transactional_db: None, settings: Any
) -> None:
    """100.00 EUR are 150.00 USD by the ERP's own rate, and 200.00 USD by that of another company's ERP."""
    euros = book(netsuite, currency="EUR")
    SourceSystem.objects.create(slug="erp-de", label="ERP of Germany", role="erp", vendor="test")
    world.say("erp-de", world.entity("DE", "EUR"), world.rate("EUR", "2.0"))
    world.say("netsuite", world.rate("EUR", "1.5"))
    posting = euros.released("100.00")
    settings.REVOPS_POSTING_AMOUNT_PER_HOUR_MAX = "149.99"
    send_due()
    held = again(posting)
    assert (held.state, euros.sent()) == (PostingState.RELEASED, 0)
    assert held.last_error == "Held: 0.00 USD was sent to netsuite within the hour; the cap is 149.99 USD."
    settings.REVOPS_POSTING_AMOUNT_PER_HOUR_MAX = "150.00"
    time_passes(120, posting)
    send_due()
    assert (again(posting).state, euros.sent()) == (PostingState.POSTED, 1), again(posting).last_error


def test_i42_without_a_rate_an_amount_counts_as_the_whole_cap(netsuite: Control, transactional_db: None) -> None:
    euros = book(netsuite, currency="EUR")
    world.say("netsuite", world.rate("EUR", "1.5"))
    first = euros.released("100.00")
    send_due()
    evidence_arrives()
    second = euros.released("1.00")
    world.say("netsuite", world.fact("exchange_rate", "EUR-USD", deleted=True))
    send_due()
    assert (again(first).state, again(second).state, euros.sent()) == (PostingState.CONFIRMED, PostingState.RELEASED, 1)
    assert again(second).last_error.startswith("Held: 250000.00 USD was sent")
    world.say("netsuite", world.rate("EUR", "1.5"))
    time_passes(120, second)
    send_due()
    assert (again(second).state, euros.sent()) == (PostingState.POSTED, 2)


def test_i33_the_intent_is_durable_before_the_first_byte(erp: Book) -> None:
    """Whatever the vendor saw, another connection to the database saw committed before."""
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, delay_seconds=1.5)
    seen: list[tuple[Any, ...]] = []

    def look_from_outside() -> None:
        threading.Event().wait(0.9)
        with connection.cursor() as cursor:
            cursor.execute("SELECT state, first_sent_at IS NOT NULL, attempts, key FROM postings_posting")
            seen.extend(cursor.fetchall())
        connection.close()

    watcher = threading.Thread(target=look_from_outside)
    watcher.start()
    send_due()
    watcher.join()
    assert seen == [("sending", True, 1, posting.key)]
    assert not connection.in_atomic_block


def test_i40_two_workers_at_once_make_one_attempt(erp: Book) -> None:
    erp.released()
    start = threading.Barrier(4)
    done: list[int] = []

    def worker() -> None:
        start.wait()
        done.append(send_due())
        connection.close()

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done) == 1
    assert (len(erp.effects()), erp.sent()) == (1, 1)


def test_i40_a_worker_back_from_the_dead_adds_an_observation_and_no_state(erp: Book) -> None:
    posting = erp.released()
    (first,) = POSTINGS.claim(limit=1)
    time_passes(POSTINGS.lease_seconds + 1, posting)
    send_due()
    assert again(posting).state == PostingState.POSTED
    before = again(posting).fence
    assert transitions.note_refused(first, "from the dead", alarm=False) is False
    assert transitions.note_unknown(first, "from the dead") is False
    assert transitions.note_posted(first, "999") is False
    assert transitions.note_not_sent(first, "from the dead", 5, was_sent_before=False) is False
    after = again(posting)
    assert (after.state, after.fence, after.plan.state) == (PostingState.POSTED, before, PlanState.POSTED)
    assert verbs(posting).count("posting.observation") == 4


def test_evidence_may_come_before_the_answer(erp: Book) -> None:
    """Fault 33: the vendor's record is read while our own answer is still on its way."""
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, reset="after")
    send_due(limit=1)
    world.say("netsuite", world.fact(
        "credit_memo", "90", {"customer": f"netsuite:{world.CUSTOMER}", "invoice": f"netsuite:{world.INVOICE}", "change":
        f"revops:{posting.key}"}, status="applied", total=world.usd("120.00"), applied=world.usd("120.00"),
    ))  # fmt: skip
    world.detect()
    done = again(posting)
    assert (done.state, done.plan.state, done.vendor_id) == (PostingState.CONFIRMED, PlanState.CONFIRMED, "90")
    time_passes(3600, posting)
    assert send_due() == 0


def test_evidence_of_another_amount_confirms_nothing_and_alarms_once(erp: Book) -> None:
    posting = erp.released()
    send_due()
    refs = {"customer": f"netsuite:{world.CUSTOMER}", "invoice": f"netsuite:{world.INVOICE}", "change": f"revops:{posting.key}"}
    for _ in range(3):
        world.say("netsuite", world.fact("credit_memo", "90", refs, status="applied", total=world.usd("99.00")))
        world.detect()
    wrong = again(posting)
    assert (wrong.state, wrong.needs_person) == (PostingState.POSTED, True)
    assert verbs(posting).count("posting.alarm") == 1


# --- customer success -----------------------------------------------------------------------------------------------


@pytest.fixture
def gainsight(tmp_path: Path) -> Iterator[Control]:
    with simulator("gainsight", tmp_path) as control:
        yield control


def held_effects(gainsight: Control) -> list[Any]:
    return [e for e in gainsight.get("effects") if e["collection"] == "gs_opportunity"]


def test_a_hold_needs_no_checkpoint_and_can_be_undone(gainsight: Control, transactional_db: None) -> None:
    cleo = world.person("cleo", "cs_analyst")
    plan = submit_plan(renewal_plan(gainsight, cleo), acting_user=cleo)
    assert (plan.state, plan.checkpoints.count()) == (PlanState.RELEASED, 0)
    assert ActionRecord.objects.get(verb="plan.release").summary.code == "plan.released_unsigned"
    send_due()
    evidence_arrives()
    plan.refresh_from_db()
    assert plan.state == PlanState.CONFIRMED
    (effect,) = held_effects(gainsight)
    assert effect["object"]["HoldReference__gc"] == plan.postings.get().key
    back = compose_reversal(plan, inputs={"release_reason": "Amendment finished"}, reason="Done", acting_user=cleo)
    assert (back.kind, back.reverses) == ("release_renewal", plan)
    submit_plan(back, acting_user=cleo)
    send_due()
    evidence_arrives()
    back.refresh_from_db()
    assert back.state == PlanState.CONFIRMED
    assert len(held_effects(gainsight)) == 2
    from revops.ledger.models import SourceRecord

    record = SourceRecord.objects.get(object_type="renewal", external_id=RENEWAL)
    assert (record.fields["stage"], record.fields["held"]) == ("in_progress", False)


@pytest.mark.parametrize(
    "fault", [{"reset": "after"}, {"status": 500, "after_effect": True}, {"status": 500}, {"reset": "before"}]
)
def test_a_hold_happens_once_whatever_the_wire_does(gainsight: Control, transactional_db: None, fault: dict[str, Any]) -> None:
    cleo = world.person("cleo", "cs_analyst")
    posting = submit_plan(renewal_plan(gainsight, cleo), acting_user=cleo).postings.get()
    gainsight.fault("PUT", HOLD_PATH, **fault)
    send_due(limit=1)
    for _ in range(4):
        time_passes(70, posting)
        send_due()
    assert again(posting).state == PostingState.POSTED
    assert len(held_effects(gainsight)) == 1
