"""What a controller may do about a posting that waits for a person, and about a record that no posting explains."""

from __future__ import annotations

import pytest
from django.db import transaction

from revops.approvals.actions import approve, submit_plan
from revops.audit.models import ActionRecord
from revops.cases.models import CaseStatus, ExceptionCase
from revops.errors import Conflict, NotAllowed, Rejected
from revops.ledger.models import SourceRecord
from revops.people.models import RoleGrant, User
from revops.postings import transitions
from revops.postings.models import PlanState, Posting, PostingState, RecordVerdict
from revops.postings.recover import adopt, declare_stray, judge_unexplained, look_up_again, set_aside
from revops.postings.unexplained import unexplained_key
from tests.accounts import as_owner
from tests.revops import world
from tests.revops.attacker import refusal_of
from tests.revops.postings.attempts import again, sent

pytestmark = pytest.mark.django_db

WAITS, UNEXPLAINED = "posting_waits_for_person", "unexplained_posting"


@pytest.fixture
def cora() -> User:
    return world.person("cora", "controller")


@pytest.fixture
def released() -> Posting:
    """A credit memo of 120.00, approved and waiting to be sent."""
    world.systems()
    case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))[1]
    ana = world.person("ana", "finance_analyst")
    plan = submit_plan(world.credit_plan(ana, case), acting_user=ana)
    pat = world.person("pat", "approver")
    approve(plan, digest=plan.digest, meaning="Checked", step_up=world.proof(pat), acting_user=pat)
    return plan.postings.get()


@pytest.fixture
def refused(released: Posting) -> Posting:
    transitions.note_refused(sent(), "The role may not do this.", alarm=False)
    return released


def memo(key: str, total: str = "120.00", *, deleted: bool = False, status: str = "applied") -> None:
    """The ERP has a credit memo under that reference."""
    to = {"customer": f"netsuite:{world.CUSTOMER}", "change": f"revops:{key}"}
    world.say(
        "netsuite", world.fact("credit_memo", "90", to, number="CM-90", status=status, total=world.usd(total), deleted=deleted)
    )
    world.detect()


def case_of(rule: str) -> ExceptionCase:
    return ExceptionCase.objects.get(rule=rule)


def test_the_record_of_a_refused_posting_is_adopted_and_proves_the_plan(refused: Posting, cora: User) -> None:
    assert again(refused).plan.state == PlanState.FAILED
    memo(refused.key)
    assert (again(refused).needs_person, case_of(WAITS).status) == (True, CaseStatus.OPEN)
    adopt(refused, reason="CM-90 is what was approved", acting_user=cora)
    done = again(refused)
    assert (done.state, done.vendor_id, done.needs_person) == (PostingState.CONFIRMED, "90", False)
    assert done.plan.state == PlanState.CONFIRMED
    assert str(done.plan.outcome) == "cora@example.com took CM-90 in Oracle NetSuite for its effect; it says what was approved."
    world.detect()
    assert case_of(WAITS).status == CaseStatus.CLOSED
    assert RecordVerdict.objects.values_list("key", "verdict", "reason", "decided_by").get() == (
        refused.key, "ours", "CM-90 is what was approved", cora.pk,
    )  # fmt: skip
    told = ActionRecord.objects.filter(subject=f"posting:{refused.pk}").order_by("-id").values_list("verb", "reason")[:2]
    assert list(told) == [("posting.adopt", "CM-90 is what was approved"), ("posting.confirm", "CM-90 is what was approved")]


def test_what_is_not_what_was_approved_is_no_effect_of_it(refused: Posting, cora: User) -> None:
    memo(refused.key, total="12.00")
    with pytest.raises(Conflict, match=r"12\.00") as differs:
        adopt(refused, reason="It is there", acting_user=cora)
    assert differs.value.code == "record_differs"
    assert again(refused).state == PostingState.REFUSED


def test_a_stray_waits_until_it_is_gone_from_its_own_system(refused: Posting, cora: User) -> None:
    memo(refused.key, total="12.00")
    declare_stray(refused, reason="Somebody made it by hand", acting_user=cora)
    world.detect()
    waits = case_of(WAITS)
    assert waits.status == CaseStatus.OPEN
    assert "CM-90 under our reference" in str(waits.sentence)
    assert "declared it a stray" in str(waits.sentence)
    memo(refused.key, total="12.00", status="void")
    assert (again(refused).needs_person, case_of(WAITS).status) == (False, CaseStatus.CLOSED)
    memo(refused.key, total="12.00")
    assert (again(refused).needs_person, case_of(WAITS).status) == (True, CaseStatus.OPEN), "it is back"


@pytest.mark.parametrize(("deleted", "status"), [(True, "applied"), (False, "void")])
def test_an_alarm_ends_when_the_record_is_gone(refused: Posting, deleted: bool, status: str) -> None:
    memo(refused.key)
    memo(refused.key, deleted=deleted, status=status)
    assert (again(refused).needs_person, case_of(WAITS).status) == (False, CaseStatus.CLOSED)
    assert ActionRecord.objects.filter(verb="posting.alarm_over").count() == 1


def test_evidence_that_does_not_fit_is_declared_a_stray_and_the_plan_ends(released: Posting, cora: User) -> None:
    assert transitions.note_posted(sent(), "90")
    memo(released.key, total="12.00")
    assert (again(released).state, again(released).needs_person) == (PostingState.POSTED, True)
    declare_stray(released, reason="Another amount", acting_user=cora)
    ended = again(released)
    assert (ended.state, ended.needs_person, ended.plan.state) == (PostingState.REFUSED, True, PlanState.FAILED)


def test_who_took_part_or_is_no_controller_decides_nothing(refused: Posting) -> None:
    memo(refused.key)
    plan = again(refused).plan
    signer = plan.decisions.get().decided_by
    with transaction.atomic():
        RoleGrant.objects.create(user=signer, role="controller")
    codes = {plan.maker: "not_a_controller", signer: "took_part", world.person("eve", "finance_analyst"): "not_a_controller"}
    for person, code in codes.items():
        for decide in (adopt, declare_stray):
            with pytest.raises(NotAllowed) as refusal:
                decide(refused, reason="It is there", acting_user=person)
            assert refusal.value.code == code
    assert not RecordVerdict.objects.exists()


def test_what_was_never_approved_here_has_no_effect_to_adopt(cora: User) -> None:
    world.systems()
    case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))[1]
    posting = world.credit_plan(world.person("ana", "finance_analyst"), case).postings.get()
    memo(posting.key)
    with pytest.raises(Conflict) as refused:
        adopt(posting, reason="It is there", acting_user=cora)
    assert refused.value.code == "never_released"


def test_each_decision_fits_what_is_there(refused: Posting, cora: User) -> None:
    memo(refused.key)
    with pytest.raises(Conflict) as known:
        look_up_again(refused, acting_user=cora)
    with pytest.raises(Conflict) as there:
        set_aside(refused, reason="x", acting_user=cora)
    assert (known.value.code, there.value.code) == ("not_unknown", "not_unknown")
    for reason in ("", " ", "x" * 2001):
        with pytest.raises(Rejected):
            adopt(refused, reason=reason, acting_user=cora)
    adopt(refused, reason="It is there", acting_user=cora)
    with pytest.raises(Conflict) as late:
        declare_stray(refused, reason="No", acting_user=cora)
    assert late.value.code == "not_stuck"


def test_the_database_confirms_only_by_a_record_and_a_plan_when_all_of_it_is(refused: Posting) -> None:
    assert "Cannot update" in refusal_of("UPDATE postings_posting SET state = 'confirmed' WHERE id = %s", [refused.pk])
    said = refusal_of("UPDATE postings_changeplan SET state = 'confirmed' WHERE id = %s", [refused.plan_id])
    assert "a plan is confirmed when every step of it is" in said


# --- records that no posting explains ------------------------------------------------------------------------------------


@pytest.fixture
def forgotten() -> SourceRecord:
    """As a restored database finds it: a memo under a reference of ours that no posting has."""
    world.systems()
    world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    memo("rvo-forgotten")
    return SourceRecord.objects.get(external_id="90")


def test_a_forgotten_record_that_is_right_is_said_to_be(forgotten: SourceRecord, cora: User) -> None:
    assert unexplained_key(forgotten) == "rvo-forgotten"
    judge_unexplained(forgotten, key="rvo-forgotten", verdict="ours", reason="Approved on paper on Friday", acting_user=cora)
    world.detect()
    assert case_of(UNEXPLAINED).status == CaseStatus.CLOSED
    (told,) = ActionRecord.objects.filter(verb="record.judge")
    assert (told.reason, told.actor_id) == ("Approved on paper on Friday", cora.pk)
    assert "permission denied" in refusal_of("UPDATE postings_recordverdict SET verdict = 'stray'", [])
    assert "permission denied" in refusal_of("DELETE FROM postings_recordverdict", [])
    with as_owner():
        for rewriting in ("UPDATE postings_recordverdict SET verdict = 'stray'", "DELETE FROM postings_recordverdict"):
            assert "Cannot" in refusal_of(rewriting), "not even by the owner of the table"


def test_a_forgotten_record_that_is_a_stray_waits_until_it_is_void(forgotten: SourceRecord, cora: User) -> None:
    judge_unexplained(forgotten, key="rvo-forgotten", verdict="stray", reason="Made twice", acting_user=cora)
    world.detect()
    assert (case_of(UNEXPLAINED).status, "stray" in str(case_of(UNEXPLAINED).sentence)) == (CaseStatus.OPEN, True)
    memo("rvo-forgotten", status="void")
    assert case_of(UNEXPLAINED).status == CaseStatus.CLOSED


def test_only_a_controller_judges_and_only_what_nobody_explains(forgotten: SourceRecord, cora: User) -> None:
    with pytest.raises(NotAllowed):
        judge_unexplained(
            forgotten, key="rvo-forgotten", verdict="ours", reason="x", acting_user=world.person("eve", "finance_analyst")
        )
    for key, verdict, wrong in (("rvo-other", "ours", Conflict), ("rvo-forgotten", "fine", Rejected)):
        with pytest.raises(wrong):
            judge_unexplained(forgotten, key=key, verdict=verdict, reason="x", acting_user=cora)
    posting = world.credit_plan(
        world.person("ana", "finance_analyst"), ExceptionCase.objects.get(rule="invoice_amount_mismatch")
    ).postings.get()
    memo(posting.key)
    with pytest.raises(Conflict) as explained:
        judge_unexplained(forgotten, key=posting.key, verdict="ours", reason="x", acting_user=cora)
    assert explained.value.code == "explained"
