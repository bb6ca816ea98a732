"""Plans of two steps in two systems, of which the second is refused: what is done, what is missing, and the ways on.

The kinds are declared here and registered as any kind is; the vendors are simulators with a planned refusal.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from revops.approvals.actions import approve, submit_plan
from revops.audit.models import ActionRecord
from revops.cases.models import CaseStatus
from revops.errors import Conflict, Rejected
from revops.money import Money
from revops.people.models import User
from revops.postings.draft import compose_plan, compose_remainder
from revops.postings.kind import ChangeKind
from revops.postings.kinds import register, unregister
from revops.postings.models import ChangePlan, PlanState, PostingState
from revops.postings.partly import PartlyPosted, partly_posted
from revops.postings.recover import set_aside
from sync.posting.outbox import send_due
from tests.demo.simulators.control import Control, simulator
from tests.revops import world
from tests.revops.api.caller import Caller, body
from tests.sync.postable import (
    CREDIT_PATH,
    HOLD_PATH,
    RENEWAL,
    Book,
    again,
    book,
    evidence_arrives,
    read_all,
    send_and_look_up,
    tenant,
    time_passes,
)
from tests.sync.two_steps import CREDIT_THEN_HOLD, HOLD_THEN_CREDIT

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def kinds() -> Iterator[None]:
    for kind in (CREDIT_THEN_HOLD, HOLD_THEN_CREDIT):
        register(kind)
    yield
    for kind in (CREDIT_THEN_HOLD, HOLD_THEN_CREDIT):
        unregister(kind.code)


@pytest.fixture
def gainsight(tmp_path: Path) -> Iterator[Control]:
    with simulator("gainsight", tmp_path / "gainsight") as control:
        yield control


@pytest.fixture
def erp(tmp_path: Path, gainsight: Control, transactional_db: None) -> Iterator[Book]:
    """The ERP's book, in a company whose customer success has a renewal."""
    with simulator("netsuite", tmp_path / "netsuite") as control:
        tenant(gainsight)
        company = book(control)
        read_all("gainsight")
        yield company


def released(erp: Book, kind: ChangeKind = CREDIT_THEN_HOLD) -> ChangePlan:
    inputs = world.credit_inputs() | {"renewal_id": RENEWAL, "hold_reason": "Wait for the credit"}
    plan = compose_plan(
        kind=kind.code, case=erp.case, account=erp.account, inputs=inputs, reason="A discount was missed", acting_user=erp.maker
    )
    return signed(submit_plan(plan, acting_user=erp.maker), erp.checker)


def signed(plan: ChangePlan, checker: User) -> ChangePlan:
    plan = approve(plan, digest=plan.digest, meaning="Checked", step_up=world.proof(checker), acting_user=checker)
    assert plan.state == PlanState.RELEASED, plan.outcome
    return plan


def hold_refused(gainsight: Control) -> None:
    answer = '{"result": false, "errorCode": "GSOBJ_1009", "errorDesc": "Not allowed"}'
    gainsight.fault("PUT", HOLD_PATH, status=400, body=answer)


def told(plan: ChangePlan) -> PartlyPosted:
    found = partly_posted(world.fresh(plan))
    assert found is not None
    return found


def under_way(plan: ChangePlan) -> dict[str, bool]:
    return dict(plan.touches.values_list("object_type", "under_way"))


def sent(gainsight: Control) -> int:
    return len([e for e in gainsight.get("effects") if e["collection"] == "gs_opportunity"])


def test_both_steps_happen_in_their_order_and_are_proven(erp: Book, gainsight: Control) -> None:
    plan = released(erp)
    assert under_way(plan) == {"invoice": True, "renewal": True}
    assert send_due() == 2
    assert world.fresh(plan).state == PlanState.POSTED
    evidence_arrives()
    assert world.fresh(plan).state == PlanState.CONFIRMED
    assert (len(erp.effects()), sent(gainsight)) == (1, 1)
    assert under_way(plan) == {"invoice": False, "renewal": False}


def test_a_refused_second_step_leaves_the_plan_partly_posted(erp: Book, gainsight: Control) -> None:
    plan = released(erp)
    hold_refused(gainsight)
    send_and_look_up(plan)
    row = world.fresh(plan)
    assert (row.state, row.ended_at is not None) == (PlanState.PARTLY_POSTED, True)
    assert [p.state for p in row.postings.order_by("sequence")] == [PostingState.POSTED, PostingState.REFUSED]
    assert (len(erp.effects()), sent(gainsight)) == (1, 0)
    how = told(plan)
    assert [(p.sequence, p.operation) for p in how.done] == [(1, "create_credit_memo")]
    assert [(p.sequence, p.operation) for p in how.missing] == [(2, "hold_renewal")]
    assert [offer.code for offer in how.offers] == ["finish"], "a credit memo has no way back in this version"
    assert how.next_move.code == "plan.not_proven_yet"
    assert str(how.next_move).startswith("Finish the rest with a new plan.")


def test_the_case_is_told_and_open(erp: Book, gainsight: Control) -> None:
    plan = released(erp)
    hold_refused(gainsight)
    send_and_look_up(plan)
    erp.case.refresh_from_db()
    assert erp.case.status == CaseStatus.OPEN
    line = ActionRecord.objects.get(verb="plan.partly_posted", case_id=erp.case.pk)
    assert (line.after["done"], line.after["missing"]) == ([1], [2])
    assert "Step 1 is done" in str(line.summary)
    assert "Step 2 was refused" in str(line.summary)
    assert not ActionRecord.objects.filter(verb="plan.fail", subject=f"changeplan:{plan.pk}").exists()


def test_proof_of_the_posted_part_keeps_saying_what_is_missing(erp: Book, gainsight: Control) -> None:
    plan = released(erp)
    hold_refused(gainsight)
    send_and_look_up(plan)
    assert under_way(plan) == {"invoice": True, "renewal": False}, "the credit memo is not in the ledger yet"
    evidence_arrives()
    row = world.fresh(plan)
    assert row.state == PlanState.PARTLY_POSTED
    assert [p.state for p in row.postings.order_by("sequence")] == [PostingState.CONFIRMED, PostingState.REFUSED]
    how = told(plan)
    assert "Step 1 is done and proven" in str(how.sentence)
    assert "Step 2 was refused" in str(how.sentence)
    assert under_way(plan) == {"invoice": False, "renewal": False}


def test_what_is_done_and_not_proven_blocks_its_own_records_alone(erp: Book, gainsight: Control) -> None:
    plan = released(erp)
    hold_refused(gainsight)
    send_and_look_up(plan)
    with pytest.raises(Conflict) as refused:
        submit_plan(world.credit_plan(erp.maker, erp.case, "10.00"), acting_user=erp.maker)
    assert (refused.value.code, plan.code in refused.value.message) == ("already_under_way", True)
    rest = compose_remainder(world.fresh(plan), inputs={}, reason="Finish it", acting_user=erp.maker)
    assert (rest.kind, rest.completes) == ("hold_renewal", plan)
    assert submit_plan(rest, acting_user=erp.maker).state == PlanState.RELEASED


def test_the_rest_is_finished_by_a_new_plan(erp: Book, gainsight: Control) -> None:
    plan = released(erp)
    hold_refused(gainsight)
    send_and_look_up(plan)
    rest = submit_plan(
        compose_remainder(world.fresh(plan), inputs={}, reason="Finish it", acting_user=erp.maker), acting_user=erp.maker
    )
    how = told(plan)
    assert (how.offers, [p.code for p in how.followed_by]) == ((), [rest.code])
    assert send_due() == 1
    evidence_arrives()
    assert world.fresh(rest).state == PlanState.CONFIRMED
    assert world.fresh(plan).state == PlanState.PARTLY_POSTED, "what happened stays what happened"
    assert (len(erp.effects()), sent(gainsight)) == (1, 1)


def test_what_is_done_is_undone_by_a_new_plan(erp: Book, gainsight: Control) -> None:
    plan = released(erp, HOLD_THEN_CREDIT)
    erp.netsuite.fault("POST", CREDIT_PATH, status=403, body='{"o:errorDetails": [{"detail": "The role may not do this."}]}')
    send_and_look_up(plan)
    assert world.fresh(plan).state == PlanState.PARTLY_POSTED
    assert [offer.code for offer in told(plan).offers] == ["finish", "reverse"]
    evidence_arrives()
    made = Caller(erp.maker).post(f"change-plans/{plan.pk}/reverse/", {"reason": "Take it back"})
    assert (made.status_code, body(made)["reverses"]) == (201, plan.pk)
    back = ChangePlan.objects.get(pk=body(made)["id"])
    assert (back.kind, back.reverses) == ("release_renewal", plan)
    assert submit_plan(back, acting_user=erp.maker).state == PlanState.RELEASED
    assert send_due() == 1
    evidence_arrives()
    assert world.fresh(back).state == PlanState.CONFIRMED
    assert (len(erp.effects()), sent(gainsight)) == (0, 2)


def test_a_refused_first_step_fails_the_plan_and_the_second_never_leaves(erp: Book, gainsight: Control) -> None:
    plan = released(erp)
    erp.netsuite.fault("POST", CREDIT_PATH, status=403, body='{"o:errorDetails": [{"detail": "The role may not do this."}]}')
    send_and_look_up(plan)
    row = world.fresh(plan)
    assert row.state == PlanState.FAILED
    assert [p.state for p in row.postings.order_by("sequence")] == [PostingState.REFUSED, PostingState.VOID]
    assert sent(gainsight) == 0
    assert partly_posted(row) is None
    with pytest.raises(Rejected, match="not partly posted"):
        compose_remainder(row, inputs={}, reason="Finish it", acting_user=erp.maker)


def test_a_second_step_set_aside_by_a_controller_is_missing_too(erp: Book, gainsight: Control) -> None:
    plan = released(erp)
    gainsight.fault("PUT", HOLD_PATH, status=500, times=0)
    send_due()
    second = plan.postings.get(sequence=2)
    time_passes(21 * 3600, second)
    send_due()
    time_passes(70, second)
    send_due()
    assert again(second).needs_person
    assert world.fresh(plan).state == PlanState.RELEASED
    set_aside(again(second), reason="Nothing there", acting_user=world.person("cora", "controller"))
    assert world.fresh(plan).state == PlanState.PARTLY_POSTED
    assert [p.sequence for p in told(plan).missing] == [2]


def test_the_page_and_the_api_say_what_is_done_and_missing(erp: Book, gainsight: Control, client: Client) -> None:
    plan = released(erp)
    hold_refused(gainsight)
    send_and_look_up(plan)
    client.force_login(erp.maker)
    page = client.get(f"/plans/{plan.code}/").content.decode()
    for words in ("Partly posted", "Missing:", "What is done is not proven yet", "Finish the rest"):
        assert words in page
    assert f"/plans/{plan.code}/finish/" in page
    assert "What it books" in page
    assert "Accounts receivable" in page
    caller = Caller(erp.maker)
    said = body(caller.get(f"change-plans/{plan.pk}/"))
    assert said["state"] == "partly_posted"
    partly = said["partly_posted"]
    assert [step["sequence"] for step in partly["done"]] == [1]
    assert [(step["sequence"], step["state"]) for step in partly["missing"]] == [(2, "refused")]
    assert [(offer["code"], offer["kind"]) for offer in partly["offers"]] == [("finish", "hold_renewal")]
    money = Money.parse("120.00", "USD").as_json()
    assert [(line["account"], line["side"], line["amount"]) for line in said["lines"]] == [
        ("contra_revenue", "debit", money), ("receivable", "credit", money),
    ]  # fmt: skip
    answer = client.post(f"/plans/{plan.code}/finish/", {"reason": "Finish it"})
    rest = ChangePlan.objects.get(completes=plan)
    assert answer["Location"] == f"/plans/{rest.code}/"
    assert rest.code in client.get(f"/plans/{plan.code}/").content.decode()
    followed = body(caller.get(f"change-plans/{plan.pk}/"))["partly_posted"]
    assert (followed["offers"], followed["followed_by"]) == ([], [rest.code])
    made = caller.post(f"change-plans/{plan.pk}/finish/", {"reason": "Once more"})
    assert (made.status_code, body(made)["kind"], body(made)["completes"]) == (201, "hold_renewal", plan.pk)
    refused = caller.post(f"change-plans/{plan.pk}/reverse/", {"reason": "Take it back"})
    assert (refused.status_code, body(refused)["code"]) == (422, "no_reversal")
