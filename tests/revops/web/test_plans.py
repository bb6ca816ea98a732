"""From the proposal to the signature, through the pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from revops.approvals import actions
from revops.cases.models import ExceptionCase
from revops.postings.models import ChangePlan, PlanState
from tests import guards
from tests.factories import PASSWORD
from tests.revops import world
from tests.revops.web.conftest import Seat

pytestmark = pytest.mark.django_db(transaction=False)
SignIn = Callable[..., Seat]


@pytest.fixture
def case() -> ExceptionCase:
    world.systems()
    return world.mismatch(world.usd("1120.00"), world.usd("1000.00"))[1]


def form(**over: str) -> dict[str, str]:
    return {
        "invoice_id": world.INVOICE, "amount": "120.00", "on": world.today().isoformat(), "memo": "Discount missed",
        "reason": "Line entered twice", "once": "abc", **over,
    }  # fmt: skip


def address(case: ExceptionCase) -> str:
    return f"/plans/new/?case={case.code}&kind=credit_memo"


def submitted(maker: Seat, case: ExceptionCase) -> ChangePlan:
    plan = world.credit_plan(maker.user, case)
    return actions.submit_plan(plan, acting_user=maker.user)


def test_the_form_starts_with_what_the_ledger_suggests(case: ExceptionCase, sign_in: SignIn) -> None:
    page = sign_in("farid", "finance_analyst").get(address(case)).content.decode()
    assert 'value="120.00"' in page
    assert "How the suggestion was computed" in page
    assert "To undo it later" in page


def test_composing_shows_the_exact_calls_and_sends_nothing(case: ExceptionCase, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    answer = client.post(address(case), form())
    plan = ChangePlan.objects.get()
    assert answer["Location"] == f"/plans/{plan.code}/"
    page = client.get(answer["Location"]).content.decode()
    assert plan.digest in page
    assert "/creditMemo" in page
    assert "Submit for approval" in page
    assert "somebody other than its maker" in page
    assert plan.state == PlanState.DRAFT


def test_a_double_click_composes_one_draft(case: ExceptionCase, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    first, second = client.post(address(case), form()), client.post(address(case), form())
    assert ChangePlan.objects.count() == 1
    assert first["Location"] == second["Location"]


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"amount": "120.001"}, "decimals"),
        ({"amount": "900.00"}, "at most"),
        ({"on": "tomorrow"}, "YYYY-MM-DD"),
        ({"reason": " "}, "Say why"),
    ],
)
def test_an_invalid_proposal_answers_422_with_the_text_kept(
    case: ExceptionCase, sign_in: SignIn, over: dict[str, str], words: str
) -> None:
    answer = sign_in("farid", "finance_analyst").post(address(case), form(**{"memo": "kept text", **over}))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert "kept text" in answer.content.decode()
    assert not ChangePlan.objects.exists()


def test_only_those_who_may_compose_a_kind_find_its_form(case: ExceptionCase, sign_in: SignIn) -> None:
    assert sign_in("carla", "cs_analyst").get(address(case)).status_code == 404
    assert sign_in("anneke", "approver").get(address(case)).status_code == 404
    assert sign_in("farid", "finance_analyst").get(f"/plans/new/?case={case.code}&kind=nonsense").status_code == 404


def test_submit_withdraw_and_edit_are_the_makers(case: ExceptionCase, sign_in: SignIn) -> None:
    maker, other = sign_in("farid", "finance_analyst"), sign_in("fiona", "finance_analyst")
    plan = world.credit_plan(maker.user, case)
    assert other.post(f"/plans/{plan.code}/submit/").status_code == 403
    assert other.get(f"/plans/{plan.code}/edit/").status_code == 404
    assert maker.post(f"/plans/{plan.code}/edit/", form(amount="100.00")).status_code == 302
    plan.refresh_from_db()
    assert plan.amount_minor == 10000
    maker.post(f"/plans/{plan.code}/submit/")
    assert maker.post(f"/plans/{plan.code}/submit/").status_code == 409
    assert maker.post(f"/plans/{plan.code}/withdraw/", {"reason": ""}).status_code == 422
    maker.post(f"/plans/{plan.code}/withdraw/", {"reason": "wrong month"})
    assert world.fresh(plan).state == PlanState.WITHDRAWN


def test_the_approver_signs_with_the_password_and_a_meaning(case: ExceptionCase, sign_in: SignIn) -> None:
    plan = submitted(sign_in("farid", "finance_analyst"), case)
    client = sign_in("anneke", "approver")
    page = client.get(f"/approvals/{plan.code}/").content.decode()
    assert "Why you" in page
    assert "Approve and sign" in page
    assert world.fresh(plan).state == PlanState.SUBMITTED
    sign = {"digest": plan.digest, "meaning": "I reviewed it.", "proof": "wrong"}
    refused = client.post(f"/approvals/{plan.code}/approve/", sign)
    assert refused.status_code == 422
    assert "not your password" in refused.content.decode()
    assert client.post(f"/approvals/{plan.code}/approve/", {**sign, "proof": PASSWORD, "digest": "0" * 64}).status_code == 409
    assert client.post(f"/approvals/{plan.code}/approve/", {**sign, "proof": PASSWORD, "meaning": ""}).status_code == 422
    assert world.fresh(plan).state == PlanState.SUBMITTED
    client.post(f"/approvals/{plan.code}/approve/", {**sign, "proof": PASSWORD})
    assert world.fresh(plan).state == PlanState.RELEASED
    after = client.get(f"/approvals/{plan.code}/").content.decode()
    assert "there is nothing to decide any more" in after
    assert "I reviewed it." in after
    assert "a-proof" not in after


def test_guessing_the_password_in_an_open_session_is_bounded(case: ExceptionCase, sign_in: SignIn) -> None:
    plan = submitted(sign_in("farid", "finance_analyst"), case)
    client = sign_in("anneke", "approver")
    sign = {"digest": plan.digest, "meaning": "yes", "proof": "wrong"}
    for _ in range(8):
        client.post(f"/approvals/{plan.code}/approve/", sign)
    answer = client.post(f"/approvals/{plan.code}/approve/", {**sign, "proof": PASSWORD})
    assert answer.status_code == 422
    assert "too many attempts" in answer.content.decode()
    assert world.fresh(plan).state == PlanState.SUBMITTED


def test_the_maker_reads_why_somebody_else_decides(case: ExceptionCase, sign_in: SignIn) -> None:
    from revops.people.models import RoleGrant

    maker = sign_in("farid", "finance_analyst")
    with guards.down():
        RoleGrant.objects.create(user=maker.user, role="approver")
    plan = submitted(maker, case)
    page = maker.get(f"/approvals/{plan.code}/").content.decode()
    assert "You composed this plan" in page
    assert "Approve and sign" not in page
    sign = {"digest": plan.digest, "meaning": "yes", "proof": PASSWORD}
    assert maker.post(f"/approvals/{plan.code}/approve/", sign).status_code == 403
    assert b"Nothing waits for you" in maker.get("/approvals/").content


def test_rejecting_needs_a_reason_that_the_maker_reads(case: ExceptionCase, sign_in: SignIn) -> None:
    maker = sign_in("farid", "finance_analyst")
    plan = submitted(maker, case)
    client = sign_in("anneke", "approver")
    assert client.post(f"/approvals/{plan.code}/reject/", {"reason": " ", "proof": PASSWORD}).status_code == 422
    client.post(f"/approvals/{plan.code}/reject/", {"reason": "The discount was real.", "proof": PASSWORD})
    assert world.fresh(plan).state == PlanState.REJECTED
    assert "The discount was real." in maker.get(f"/plans/{plan.code}/").content.decode()
    assert "did not go through" in maker.get(f"/cases/{case.code}/").content.decode()


def test_facts_that_moved_are_said_before_and_void_the_plan(case: ExceptionCase, sign_in: SignIn) -> None:
    plan = submitted(sign_in("farid", "finance_analyst"), case)
    world.say("netsuite", world.entered(world.usd("1130.00")))
    client = sign_in("anneke", "approver")
    assert "Approving now voids the plan" in client.get(f"/approvals/{plan.code}/").content.decode()
    answer = client.post(
        f"/approvals/{plan.code}/approve/", {"digest": plan.digest, "meaning": "yes", "proof": PASSWORD}, follow=True
    )
    assert world.fresh(plan).state == PlanState.VOID
    assert "is void" in answer.content.decode()


def test_the_inbox_shows_mine_all_and_what_i_decided(case: ExceptionCase, sign_in: SignIn) -> None:
    plan = submitted(sign_in("farid", "finance_analyst"), case)
    approver, auditor = sign_in("anneke", "approver"), sign_in("aurelio", "auditor")
    assert plan.code in approver.get("/approvals/").content.decode()
    assert 'id="count-approvals">1<' in approver.get("/approvals/").content.decode()
    assert plan.code in auditor.get("/approvals/").content.decode()
    assert plan.code in auditor.get("/approvals/?show=all").content.decode()
    approver.post(f"/approvals/{plan.code}/reject/", {"reason": "no", "proof": PASSWORD})
    assert plan.code in approver.get("/approvals/?show=decided").content.decode()
    assert "Nothing waits for you" in approver.get("/approvals/").content.decode()


def test_a_controller_settles_a_call_whose_outcome_nobody_knows(case: ExceptionCase, sign_in: SignIn) -> None:
    plan = submitted(sign_in("farid", "finance_analyst"), case)
    signer = sign_in("anneke", "approver").user
    actions.approve(plan, digest=plan.digest, meaning="yes", step_up=world.proof(signer), acting_user=signer)
    posting = plan.postings.get()
    for state in ("sending", "unknown"):
        type(posting).objects.filter(pk=posting.pk).update(
            state=state, needs_person=state == "unknown", first_sent_at=world.now()
        )
    address_of_call = f"/plans/{plan.code}/calls/{posting.pk}/"
    controller, auditor = sign_in("kenji", "controller"), sign_in("aurelio", "auditor")
    assert "set aside" in controller.get(f"/plans/{plan.code}/").content.decode()
    assert "set aside" not in auditor.get(f"/plans/{plan.code}/").content.decode()
    assert auditor.post(address_of_call, {"verdict": "absent", "reason": "x"}).status_code == 404
    assert controller.post(address_of_call, {"verdict": "absent", "reason": " "}).status_code == 422
    controller.post(address_of_call, {"verdict": "look_up"})
    posting.refresh_from_db()
    assert not posting.needs_person
    type(posting).objects.filter(pk=posting.pk).update(needs_person=True)
    controller.post(address_of_call, {"verdict": "absent", "reason": "Looked in NetSuite: no memo."})
    posting.refresh_from_db()
    assert posting.state == "refused"
    assert world.fresh(plan).state == PlanState.FAILED


def test_only_a_posted_plan_with_a_way_back_is_undone(case: ExceptionCase, sign_in: SignIn) -> None:
    maker = sign_in("farid", "finance_analyst")
    plan = submitted(maker, case)
    assert "Undo with a new plan" not in maker.get(f"/plans/{plan.code}/").content.decode()
    answer = maker.post(f"/plans/{plan.code}/undo/", {"reason": "wrong customer"})
    assert answer.status_code == 422
    assert "nothing to undo" in answer.content.decode()
