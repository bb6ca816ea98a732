"""Several people at the same moment, in real threads on the real database: exactly one serial outcome (I28)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection

from revops.approvals.actions import approve, reject, submit_plan, withdraw
from revops.approvals.models import Decision
from revops.audit.models import ActionRecord
from revops.cases.models import ExceptionCase
from revops.errors import RevOpsError
from revops.people.models import RoleGrant, User
from revops.postings.draft import edit_plan
from revops.postings.models import ChangePlan, PlanState, PostingState
from revops.postings.triggers import UNDER_WAY
from tests.revops import world
from tests.revops.world import credit_inputs, credit_plan, fresh, usd

pytestmark = pytest.mark.django_db(transaction=True)

Act = Callable[[], object]


def together(*acts: Act) -> list[str]:
    """Start all at once; returns `ok` or the code of the refusal for each, in their order."""
    start = threading.Barrier(len(acts))
    outcomes = [""] * len(acts)

    def run(number: int, act: Act) -> None:
        start.wait()
        try:
            act()
            outcomes[number] = "ok"
        except RevOpsError as refused:
            outcomes[number] = refused.code
        except Exception as error:  # anything else fails the assertions below, with its name
            outcomes[number] = f"{type(error).__name__}: {error}"
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number, act)) for number, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@pytest.fixture
def ana(transactional_db: None) -> User:
    return world.person("ana", "finance_analyst")


@pytest.fixture
def case(transactional_db: None) -> ExceptionCase:
    world.systems()
    return world.mismatch(usd("41120.00"), usd("1000.00"))[1]


def submitted(ana: User, case: ExceptionCase, amount: str = "120.00") -> ChangePlan:
    return submit_plan(credit_plan(ana, case, amount), acting_user=ana)


def signing(plan: ChangePlan, user: User) -> Act:
    return partial(approve, plan, digest=plan.digest, meaning="Checked", step_up=world.proof(user), acting_user=user)


def rejecting(plan: ChangePlan, user: User) -> Act:
    return partial(reject, plan, reason="No", step_up=world.proof(user), acting_user=user)


def test_i28_eight_people_at_once_one_outcome(ana: User, case: ExceptionCase) -> None:
    """Fault 41: approvals, rejections, withdrawals and a release of one plan in the same moment."""
    people = [world.person(f"p{number}", "approver") for number in range(6)]
    for _ in range(4):
        plan = submitted(ana, case)
        outcomes = together(
            *(signing(plan, person) for person in people[:4]),
            *(rejecting(plan, person) for person in people[4:]),
            partial(withdraw, plan, reason="Not now", acting_user=ana),
            partial(edit_plan, plan, inputs=credit_inputs("60.00"), reason="Other", acting_user=ana),
        )
        assert outcomes.count("ok") == 1, outcomes
        assert set(outcomes) <= {"ok", "not_submitted", "too_late", "not_a_draft"}, outcomes
        after = fresh(plan)
        winner = outcomes.index("ok")
        assert after.state == ("released" if winner < 4 else "rejected" if winner < 6 else "withdrawn")
        assert Decision.objects.filter(plan=plan).count() == (1 if winner < 6 else 0)
        assert after.postings.get().state == (PostingState.RELEASED if winner < 4 else PostingState.VOID)
        ends = ("plan.release", "plan.reject", "plan.withdraw")
        assert ActionRecord.objects.filter(subject=f"changeplan:{plan.pk}", verb__in=ends).count() == 1
        if after.state == PlanState.RELEASED:
            break  # the invoice is taken from here on


def test_i28_one_person_clicking_eight_times_signs_once(case: ExceptionCase, ana: User) -> None:
    plan = submitted(ana, case, "10000.00")
    both = world.person("both", "approver", "controller")
    outcomes = together(*[signing(plan, both)] * 8)
    assert sorted(set(outcomes)) == ["already_decided", "ok"]
    assert outcomes.count("ok") == 1
    assert (Decision.objects.count(), fresh(plan).state) == (1, PlanState.SUBMITTED)


def test_i28_two_controllers_fill_one_checkpoint_once(case: ExceptionCase, ana: User) -> None:
    plan = submitted(ana, case, "10000.00")
    signing(plan, world.person("pat", "approver"))()
    outcomes = together(*(signing(plan, world.person(f"c{n}", "controller")) for n in range(4)))
    assert outcomes.count("ok") == 1
    assert Decision.objects.count() == 2
    assert ActionRecord.objects.filter(verb="plan.release").count() == 1


def test_i28_a_plan_is_submitted_once(case: ExceptionCase, ana: User) -> None:
    plan = credit_plan(ana, case)
    outcomes = together(*[lambda: submit_plan(plan, acting_user=ana)] * 6)
    assert outcomes.count("ok") == 1, outcomes
    assert set(outcomes) == {"ok", "not_a_draft"}
    assert fresh(plan).checkpoints.count() == 1


def test_i28_two_plans_on_one_invoice_never_get_under_way_together(case: ExceptionCase, ana: User) -> None:
    plans = [credit_plan(ana, case) for _ in range(6)]
    outcomes = together(*(partial(submit_plan, plan, acting_user=ana) for plan in plans))
    assert outcomes.count("ok") == 1, outcomes
    assert set(outcomes) == {"ok", "already_under_way"}
    assert ChangePlan.objects.filter(state__in=UNDER_WAY).count() == 1


def test_i27_a_role_taken_in_the_same_moment_leaves_no_release_without_it(case: ExceptionCase, ana: User) -> None:
    """Fault 42: whoever comes first. A release must show a grant at its own moment: the database's trigger sees to it."""
    pat = world.person("pat", "approver")
    plan = submitted(ana, case)
    outcomes = together(signing(plan, pat), lambda: RoleGrant.objects.filter(user=pat).delete())
    assert outcomes[1] == "ok"
    assert outcomes[0] in ("ok", "not_a_checker"), outcomes
    assert fresh(plan).state == (PlanState.RELEASED if outcomes[0] == "ok" else PlanState.SUBMITTED)


def test_i24_i25_facts_that_move_in_the_same_moment_either_void_the_plan_or_come_after(case: ExceptionCase, ana: User) -> None:
    plan = submitted(ana, case)
    pat = world.person("pat", "approver")
    moved = world.entered(usd("41120.00"), amount_remaining=usd("500.00"))
    outcomes = together(signing(plan, pat), lambda: world.say("netsuite", moved))
    assert outcomes == ["ok", "ok"]
    assert fresh(plan).state in (PlanState.RELEASED, PlanState.VOID)
    decisions = Decision.objects.filter(plan=plan).count()
    assert decisions == (1 if fresh(plan).state == PlanState.RELEASED else 0)


def test_approvals_and_detection_of_one_account_never_lock_each_other_out(case: ExceptionCase, ana: User) -> None:
    pat = world.person("pat", "approver")
    plan = submitted(ana, case)
    world.say("netsuite", world.entered(usd("41120.00")))
    pit = world.person("pit", "approver")
    outcomes = together(signing(plan, pat), world.detect, rejecting(plan, pit), world.detect)
    assert not [outcome for outcome in outcomes if ":" in outcome], outcomes
    assert fresh(plan).state in (PlanState.RELEASED, PlanState.REJECTED)
