"""What an answer to an attempt writes, column by column: the posting, its plan, the case, and the action log."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

import pytest
from django.db import transaction

from revops import wiring
from revops.approvals.actions import approve, submit_plan
from revops.audit.models import ActionRecord
from revops.cases.lifecycle import await_evidence
from revops.cases.models import CaseStatus, ExceptionCase
from revops.people.actors import System
from revops.people.models import User
from revops.postings import port, transitions
from revops.postings.changes import HoldRenewal
from revops.postings.draft import compose_plan
from revops.postings.kinds import register, unregister
from revops.postings.locks import locked_plan, locked_postings
from revops.postings.models import ChangePlan, Posting
from revops.postings.queue import PostingClaim, database_now
from revops.reference import Ref
from revops.sentences import Named, Sentence, Word, template
from tests.revops import world
from tests.revops.postings.attempts import again, in_seconds, line, moved_back, plan_line, sent, taken, told, values
from tests.revops.postings.test_build import Asked, composed
from tests.revops.world import fresh, usd

pytestmark = pytest.mark.django_db

ERP = "Oracle NetSuite"
"""The label of the connection that `world.systems` makes."""
LONG = "".join(f"{number:04d}," for number in range(240))
"""1200 characters, each part of them different."""
WAITED_FOR = template("test.transitions.waited_for", "waited for")
OUTSIDE = System("tests")


@pytest.fixture
def analyst() -> User:
    return world.person("ana", "finance_analyst")


@pytest.fixture
def case() -> ExceptionCase:
    world.systems()
    return world.mismatch(usd("1120.00"), usd("1000.00"))[1]


@pytest.fixture
def posting(analyst: User, case: ExceptionCase) -> Posting:
    """A credit memo, approved and released."""
    plan = submit_plan(world.credit_plan(analyst, case), acting_user=analyst)
    pat = world.person("pat", "approver")
    plan = approve(plan, digest=plan.digest, meaning="Checked", step_up=world.proof(pat), acting_user=pat)
    assert plan.state == "released"
    return plan.postings.get()


Steps = Callable[..., ChangePlan]


@pytest.fixture
def steps(analyst: User, case: ExceptionCase) -> Iterator[Steps]:
    """Releases plans that hold one renewal a step, through a vendor's side that writes their stored form."""
    port.bind(compose=composed)

    def released(*renewals: str, of_case: bool = True) -> ChangePlan:
        register(Asked(tuple(HoldRenewal(Ref("gainsight", "renewal", key), "x", "in_progress") for key in renewals)))
        plan = compose_plan(
            kind="asked", case=case if of_case else None, account=world.account_on(case), inputs={}, reason="x",
            acting_user=analyst,
        )  # fmt: skip
        plan = submit_plan(plan, acting_user=analyst)
        assert plan.state == "released"
        return plan

    yield released
    unregister("asked")
    wiring.bind_ports()


def case_waits(case: ExceptionCase) -> None:
    with transaction.atomic():
        await_evidence(case.pk, acting_user=OUTSIDE, summary=WAITED_FOR())


def status(case: ExceptionCase) -> str:
    return ExceptionCase.objects.get(pk=case.pk).status


# --- before the first byte --------------------------------------------------------------------------------------------


def test_the_first_byte_is_noted_once(posting: Posting) -> None:
    claimed = taken()
    assert (again(posting).state, again(posting).first_sent_at) == ("sending", None)
    before = database_now()
    assert transitions.begin_send(claimed)
    first = again(posting).first_sent_at
    assert first is not None
    assert before <= first <= database_now()
    assert transitions.note_unknown(claimed, "reset")
    claimed = taken()
    Posting.objects.update(absent_seen_at=before)
    assert transitions.begin_send(claimed)
    row = again(posting)
    assert (row.state, row.first_sent_at, row.absent_seen_at) == ("sending", first, None)
    assert row.lease_until is not None


def test_i42_facts_that_stand_let_it_go(posting: Posting) -> None:
    claimed = taken()
    before = values(posting)
    assert transitions.facts_stand(claimed, ())
    assert values(posting) == before
    assert not ActionRecord.objects.filter(verb__in=("plan.void", "posting.needs_person", "posting.observation")).exists()


def test_i42_facts_that_moved_before_the_first_byte_make_the_plan_void(posting: Posting) -> None:
    world.say("netsuite", world.entered(usd("1110.00")))
    assert not transitions.facts_stand(taken(), ())
    row, plan = again(posting), fresh(posting.plan)
    assert (row.state, row.lease_until, row.needs_person, row.last_error) == ("void", None, False, "")
    assert plan.state == "void"
    assert plan.outcome is not None
    moved = plan.outcome.params["moved"]
    assert isinstance(moved, Sentence)
    assert moved.code == "plan.facts_changed"
    (said,) = told("plan.void")
    assert (said["actor_label"], said["after"]["found_by"]) == ("system:posting", "system:posting")
    assert said["summary"] == Sentence("plan.void", {"plan": plan.ref, "maker": "ana@example.com", "moved": moved})
    assert said["after"]["differences"]


@pytest.mark.parametrize("also_moved", [False, True])
def test_i42_what_the_vendor_does_not_show_any_more_is_told(posting: Posting, also_moved: bool) -> None:
    if also_moved:
        world.say("netsuite", world.entered(usd("1110.00")))
    gone = Named(Ref("netsuite", "invoice", "700"), "INV-700")
    assert not transitions.facts_stand(taken(), [gone])
    outcome = fresh(posting.plan).outcome
    sentence = Sentence("plan.gone", {"system": ERP, "records": (gone,)})
    assert outcome == Sentence("plan.compose_again", {"moved": sentence})
    (said,) = told("plan.void")
    assert bool(said["after"]["differences"]) is also_moved


def test_i42_what_was_sent_before_is_not_void_when_facts_moved(posting: Posting) -> None:
    assert transitions.note_unknown(sent(), "reset")
    gone = (Ref("netsuite", "invoice", "700"),)
    assert not transitions.facts_stand(taken(), gone)
    sentence = Sentence("plan.gone", {"system": ERP, "records": gone})
    row = again(posting)
    assert (row.state, row.needs_person, row.lease_until) == ("unknown", True, None)
    assert row.last_error == f"Not found, and not sent again. {sentence}"
    assert fresh(posting.plan).state == "released"
    assert told("posting.needs_person") == [line(posting, "posting.needs_person", {}, moved=sentence.as_json())]


def test_what_a_person_is_told_is_cut_to_a_length(posting: Posting) -> None:
    assert transitions.note_unknown(sent(), "reset")
    assert not transitions.facts_stand(taken(), (LONG,))
    whole = f"Not found, and not sent again. {ERP} does not show {LONG} any more."
    assert again(posting).last_error == whole[:1000]


def test_facts_are_not_compared_once_a_step_is_posted(steps: Steps) -> None:
    plan = steps("1", "2")
    assert transitions.note_posted(sent(), "g-1")
    assert transitions.facts_stand(taken(), (Ref("gainsight", "renewal", "2"),))
    assert fresh(plan).state == "released"
    assert not told("plan.void")


# --- answers ------------------------------------------------------------------------------------------------------------


LATE: dict[str, tuple[Callable[[PostingClaim], object], object]] = {
    "read again before sending": (lambda claim: transitions.facts_stand(claim, ()), False),
    "the vendor answered with 9001": (lambda claim: transitions.note_posted(claim, "9001"), False),
    LONG[:300]: (lambda claim: transitions.note_unknown(claim, LONG), False),
    "busy": (lambda claim: transitions.note_not_sent(claim, "busy", 5, was_sent_before=False), False),
    "no": (lambda claim: transitions.note_refused(claim, "no", alarm=True), False),
    "looked up: not there": (lambda claim: transitions.note_absent(claim, read_lag_seconds=30, resend_seconds_max=600), "lost"),
}


@pytest.mark.parametrize("observed", LATE)
def test_i40_an_answer_that_comes_too_late_is_kept_and_changes_nothing(posting: Posting, observed: str) -> None:
    late = sent()
    moved_back(posting, 60, "lease_until")
    assert taken().fence == late.fence + 1
    before = values(posting)
    note, answer = LATE[observed]
    assert note(late) == answer
    assert (values(posting), fresh(posting.plan).state) == (before, "released")
    assert told("posting.observation") == [line(posting, "posting.late_answer", {}, observed=observed, fence=late.fence)]
    assert not transitions.begin_send(late)
    assert values(posting) == before


def test_posted(posting: Posting, case: ExceptionCase) -> None:
    claimed = sent()
    Posting.objects.update(last_error="x", absent_seen_at=database_now())
    before = database_now()
    version = fresh(posting.plan).row_version
    assert transitions.note_posted(claimed, "9001")
    row, plan = again(posting), fresh(posting.plan)
    assert (row.state, row.vendor_id, row.last_error, row.absent_seen_at) == ("posted", "9001", "", None)
    assert (row.lease_until, row.attempts) == (None, 1)
    assert row.posted_at is not None
    assert before <= row.posted_at <= database_now()
    assert told("posting.post") == [line(posting, "posting.posted", {"id": "9001"}, vendor_id="9001")]
    assert (plan.state, plan.outcome, plan.ended_at) == ("posted", Sentence("plan.waits_for_record"), None)
    assert plan.row_version == version + 1
    summary = Sentence("plan.is", {"plan": plan.ref, "state": Word("posted")})
    assert told("plan.posted") == [plan_line(plan, summary, "released", state="posted")]
    assert status(case) == CaseStatus.AWAITING_EVIDENCE
    (waits,) = told("case.await_evidence")
    assert (waits["summary"], waits["actor_label"]) == (Sentence("plan.case_waits", {"plan": plan.ref}), "system:posting")
    assert waits["trace_id"] == (case.trace_id or posting.trace_id)


def test_an_unknown_outcome_is_looked_up_after_a_second_then_ever_later(posting: Posting) -> None:
    claimed = sent()
    Posting.objects.update(absent_seen_at=database_now())
    before = database_now()
    assert transitions.note_unknown(claimed, LONG)
    row = again(posting)
    assert (row.state, row.last_error, row.absent_seen_at, row.lease_until) == ("unknown", LONG[:1000], None, None)
    assert in_seconds(row, before, 1)
    assert told("posting.unknown") == [line(posting, "posting.unknown", {}, reason=LONG[:300])]
    claimed = taken()
    assert (claimed.task, claimed.attempts) == ("look_up", 2)
    seen = database_now()
    Posting.objects.update(absent_seen_at=seen)
    assert transitions.note_unknown(claimed, "still out")
    row = again(posting)
    assert (row.state, row.last_error, row.absent_seen_at) == ("unknown", "still out", seen)
    assert in_seconds(row, seen, 10)
    assert len(told("posting.unknown")) == 1, "told once"


@pytest.mark.parametrize(("asked", "waits"), [(0.2, 1), (60, 60), (3600, 3600), (99999, 3600)])
@pytest.mark.parametrize("sent_before", [False, True])
def test_what_was_surely_not_sent_waits_between_a_second_and_an_hour(
    posting: Posting, asked: float, waits: float, sent_before: bool
) -> None:
    claimed = sent()
    first = again(posting).first_sent_at
    before = database_now()
    assert transitions.note_not_sent(claimed, LONG, asked, was_sent_before=sent_before)
    row = again(posting)
    assert (row.state, row.first_sent_at) == (("unknown", first) if sent_before else ("released", None))
    assert (row.last_error, row.lease_until) == (LONG[:1000], None)
    assert in_seconds(row, before, waits)


@pytest.mark.parametrize("alarm", [False, True])
def test_refused(posting: Posting, case: ExceptionCase, alarm: bool) -> None:
    case_waits(case)
    version = fresh(posting.plan).row_version
    claimed, before = sent(), database_now()
    assert transitions.note_refused(claimed, LONG, alarm=alarm)
    row, plan = again(posting), fresh(posting.plan)
    assert (row.state, row.last_error, row.needs_person, row.lease_until) == ("refused", LONG[:1000], alarm, None)
    verb = "posting.alarm" if alarm else "posting.refuse"
    assert told(verb) == [line(posting, "posting.refused", {"reason": LONG}, reason=LONG[:1000])]
    assert (plan.state, plan.outcome) == ("failed", Sentence("plan.outcome_refused", {"reason": LONG}))
    assert plan.row_version == version + 1
    assert plan.ended_at is not None
    assert before <= plan.ended_at <= database_now()
    failed = Sentence("plan.failed", {"plan": plan.ref, "reason": LONG})
    assert told("plan.fail") == [plan_line(plan, failed, "released", reason=LONG, state="failed")]
    assert status(case) == CaseStatus.OPEN
    assert [said["summary"] for said in told("case.back_to_open")] == [failed]


def test_i36_what_is_absent_is_looked_for_twice_then_sent_again(posting: Posting) -> None:
    assert transitions.note_unknown(sent(), "reset")

    def absent(lag: int = 30, resend: int = 600) -> str:
        return transitions.note_absent(taken(), read_lag_seconds=lag, resend_seconds_max=resend)

    before = database_now()
    assert absent() == "wait"
    row = again(posting)
    assert row.absent_seen_at is not None
    assert before <= row.absent_seen_at <= database_now()
    assert in_seconds(row, before, 31)
    assert (row.state, row.lease_until) == ("unknown", None)
    assert row.last_error == "Looked up: not there yet. Looked up again after the vendor's read lag."
    moved_back(posting, 20, "absent_seen_at")
    seen, before = again(posting).absent_seen_at, database_now()
    assert seen is not None
    assert absent() == "wait"
    row = again(posting)
    assert row.absent_seen_at == seen
    late = database_now() - before
    assert dt.timedelta(seconds=31) <= row.next_attempt_at - seen <= dt.timedelta(seconds=31) + late
    assert not told("posting.resend")
    moved_back(posting, 11, "absent_seen_at")
    moved_back(posting, 500, "first_sent_at")
    claimed = taken()
    assert transitions.note_absent(claimed, read_lag_seconds=30, resend_seconds_max=600) == "resend"
    row = again(posting)
    assert row.last_error == "Looked up twice: not there. Sent again with the same key and bytes."
    assert (row.state, row.lease_until is None, row.needs_person) == ("unknown", False, False)
    assert told("posting.resend") == [line(posting, "posting.sent_again", {}, attempts=4)]


def test_i36_what_the_vendor_may_have_forgotten_is_not_sent_again(posting: Posting) -> None:
    assert transitions.note_unknown(sent(), "reset")
    assert transitions.note_absent(taken(), read_lag_seconds=30, resend_seconds_max=600) == "wait"
    moved_back(posting, 700, "absent_seen_at", "first_sent_at")
    assert transitions.note_absent(taken(), read_lag_seconds=30, resend_seconds_max=600) == "person"
    row = again(posting)
    assert (row.state, row.needs_person, row.lease_until) == ("unknown", True, None)
    words = "Not found, and too old to be sent again safely. Look in the vendor's own screens, then decide here."
    assert row.last_error == words
    assert row.first_sent_at is not None
    stamp = row.first_sent_at.isoformat()
    assert told("posting.needs_person") == [line(posting, "posting.needs_person", {}, first_sent_at=stamp)]


# --- the plan follows its postings ------------------------------------------------------------------------------------


def become(plan: ChangePlan, *states: str) -> ChangePlan:
    """Its steps came to these states in the way that they do: by an answer, or by evidence that overtook it."""
    for posting, state in zip(plan.postings.all(), states, strict=True):
        posting.state, posting.vendor_id = state, f"g-{posting.sequence}"
        posting.confirming_entry_id = 1 if state == "confirmed" else None
        posting.save(update_fields=["state", "vendor_id", "confirming_entry_id"])
    return locked_plan(plan.pk)


def advance(plan: ChangePlan, *states: str, now: dt.datetime | None = None) -> ChangePlan:
    with transaction.atomic():
        transitions.advance_plan(become(plan, *states), acting_user=System("evidence"), now=now or database_now())
    return fresh(plan)


def test_a_plan_is_posted_when_each_step_is(steps: Steps, case: ExceptionCase) -> None:
    plan = steps("1", "2")
    before = plan.row_version
    assert transitions.note_posted(sent(), "g-1")
    assert (fresh(plan).state, fresh(plan).row_version, status(case)) == ("released", before, CaseStatus.OPEN)
    assert transitions.note_posted(sent(), "g-2")
    assert (fresh(plan).state, status(case)) == ("posted", CaseStatus.AWAITING_EVIDENCE)
    partly_proven = advance(plan, "confirmed", "posted")
    assert (partly_proven.state, partly_proven.row_version) == ("posted", before + 1)
    ended = database_now()
    proven = advance(plan, "confirmed", "confirmed", now=ended)
    assert (proven.state, proven.ended_at, proven.row_version) == ("confirmed", ended, before + 2)
    assert proven.outcome == Sentence("plan.by_its_record")
    summary = Sentence("plan.is", {"plan": plan.ref, "state": Word("confirmed")})
    assert told("plan.confirmed") == [plan_line(plan, summary, "posted", by="evidence", state="confirmed")]
    assert len(told("case.await_evidence")) == 1


def test_evidence_that_overtakes_the_answer_counts_as_posted(steps: Steps, case: ExceptionCase) -> None:
    plan = steps("1", "2")
    become(plan, "confirmed", "sending")
    assert advance(plan, "confirmed", "posted").state == "posted"
    (waits,) = told("case.await_evidence")
    assert waits["actor_label"] == "system:posting"


def test_a_plan_that_is_proven_at_once_keeps_no_case_waiting(steps: Steps, case: ExceptionCase) -> None:
    assert advance(steps("1"), "confirmed").state == "confirmed"
    assert status(case) == CaseStatus.OPEN


def test_a_plan_without_a_case_moves_as_well(steps: Steps, case: ExceptionCase) -> None:
    plan = steps("1", of_case=False)
    assert transitions.note_posted(sent(), "g-1")
    assert (fresh(plan).state, status(case)) == ("posted", CaseStatus.OPEN)


def test_a_refusal_after_a_step_was_made_leaves_the_plan_partly_posted(steps: Steps, case: ExceptionCase) -> None:
    plan = steps("1", "2", "3")
    case_waits(case)
    assert transitions.note_posted(sent(), "g-1")
    assert transitions.note_refused(sent(), "no such stage", alarm=False)
    partly = fresh(plan)
    assert [posting.state for posting in plan.postings.all()] == ["posted", "refused", "void"]
    assert (partly.state, partly.outcome) == ("partly_posted", Sentence("plan.outcome_refused", {"reason": "no such stage"}))
    codes = ("plan.step_waits", "plan.step_refused", "plan.step_not_sent")
    each = tuple(
        Sentence(code, {"number": number, "what": Sentence("test.do")}) for number, code in enumerate(codes, 1)
    )  # fmt: skip
    said = Sentence("plan.partly", {"plan": plan.ref, "steps": Sentence("plan.steps", {"steps": each})})
    wanted = plan_line(partly, said, "released", reason="no such stage", state="partly_posted", done=[1], missing=[2, 3])
    assert told("plan.partly_posted") == [wanted]
    assert [back["summary"] for back in told("case.back_to_open")] == [said]


def test_a_plan_that_has_ended_is_not_ended_again(steps: Steps, case: ExceptionCase) -> None:
    plan = steps("1", "2")
    assert transitions.note_refused(sent(), "no", alarm=False)
    ended = fresh(plan)
    case_waits(case)
    with transaction.atomic():
        transitions.end_refused(locked_plan(plan.pk), "never", acting_user=OUTSIDE, now=database_now())
        assert [posting.state for posting in locked_postings(plan)] == ["refused", "void"]
    assert (fresh(plan).outcome, fresh(plan).ended_at, fresh(plan).row_version) == (
        ended.outcome, ended.ended_at, ended.row_version,
    )  # fmt: skip
    assert len(told("plan.fail")) == 1
    assert status(case) == CaseStatus.OPEN
