"""Any sequence of what people, the systems and the vendor may do: I23 to I29 hold after every step.

Hypothesis drives the real actions on the real database. Roles come and go, facts move, people try what they may not.
"""

from __future__ import annotations

import os

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test

from revops.approvals.actions import approve, reject, submit_plan, withdraw
from revops.approvals.checkpoints import may_sign
from revops.approvals.models import Checkpoint, Decision, Verdict
from revops.audit.models import ActionRecord
from revops.errors import RevOpsError
from revops.people.models import RoleGrant, User
from revops.postings.draft import edit_plan, stored_digest
from revops.postings.models import PLAN_MOVES, ChangePlan, PlanState, PostingState
from revops.postings.triggers import UNDER_WAY
from tests import guards
from tests.revops import world
from tests.revops.world import credit_inputs, credit_plan, usd

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

RELEASED = (PlanState.RELEASED, PlanState.POSTED, PlanState.CONFIRMED, PlanState.FAILED)
people = st.sampled_from(["ana", "bob", "pat", "pit", "cora", "all"])
amounts = st.sampled_from(["0.01", "120.00", "6000.00", "9999.99", "10000.00", "25000.00"])


class ProposalAndApproval(RuleBasedStateMachine):
    plans = Bundle("plans")

    def __init__(self) -> None:
        super().__init__()
        self.undo = transaction.atomic()
        self.undo.__enter__()
        world.systems()
        _, self.case = world.mismatch(usd("90000.00"), usd("1000.00"))
        roles = {
            "ana": ("finance_analyst",), "bob": ("finance_analyst", "approver"), "pat": ("approver",), "pit": ("approver",),
            "cora": ("controller",), "all": ("finance_analyst", "approver", "controller"),
        }  # fmt: skip
        with guards.down():  # also those who hold what nobody may hold together
            self.people = {name: world.person(name, *held) for name, held in roles.items()}
        self.remaining = 90000
        self.states: dict[int, list[str]] = {}
        self.roles_at_release: dict[int, bool] = {}

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.undo.__exit__(None, None, None)

    def attempt(self, plan_id: int, act: str, who: str, **values: object) -> None:
        """Try it; a refusal must change nothing."""
        plan = ChangePlan.objects.get(pk=plan_id)
        before = (plan.state, plan.row_version, plan.digest)
        actions = {"submit": submit_plan, "approve": approve, "reject": reject, "withdraw": withdraw, "edit": edit_plan}
        try:
            actions[act](plan, acting_user=self.people[who], **values)  # type: ignore[operator]
        except RevOpsError:
            after = ChangePlan.objects.get(pk=plan_id)
            assert (after.state, after.row_version, after.digest) == before
            return
        after = ChangePlan.objects.get(pk=plan_id)
        if after.state == PlanState.RELEASED and before[0] != PlanState.RELEASED:
            self.check_release(after)
        if act == "edit":
            assert not Decision.objects.filter(plan=after).exists(), "an edit leaves no approval standing"

    def check_release(self, plan: ChangePlan) -> None:
        """I26, I27: the tier of the sum, by people who hold their roles at this moment."""
        others = ChangePlan.objects.filter(account=plan.account_id, state__in=[*UNDER_WAY, "confirmed"])
        together = sum(other.amount_minor for other in others)
        signed = list(Decision.objects.filter(plan=plan, verdict=Verdict.APPROVED).select_related("checkpoint"))
        tiers = {decision.checkpoint.role for decision in signed}
        assert tiers == ({"approver", "controller"} if together >= 1_000_000 else {"approver"})
        for decision in signed:
            roles = frozenset(RoleGrant.objects.filter(user=decision.decided_by_id).values_list("role", flat=True))
            assert may_sign(decision.checkpoint.role, roles)

    @rule(target=plans, who=people, amount=amounts)
    def compose(self, who: str, amount: str) -> object:
        try:
            return credit_plan(self.people[who], self.case, amount).pk
        except RevOpsError:
            return multiple()

    @rule(plan=plans, who=people, amount=amounts)
    def edit(self, plan: int, who: str, amount: str) -> None:
        self.attempt(plan, "edit", who, inputs=credit_inputs(amount), reason="Edited")

    @rule(plan=plans)
    def submit_own(self, plan: int) -> None:
        maker = ChangePlan.objects.get(pk=plan).maker.username.partition("@")[0]
        self.attempt(plan, "submit", maker)

    @rule(plan=plans, who=people)
    def submit(self, plan: int, who: str) -> None:
        self.attempt(plan, "submit", who)

    @rule(plan=plans, who=people, stale=st.booleans())
    def approve(self, plan: int, who: str, stale: bool) -> None:
        shown = "0" * 64 if stale else ChangePlan.objects.get(pk=plan).digest
        self.attempt(plan, "approve", who, digest=shown, meaning="Checked", step_up=world.proof(self.people[who]))

    @rule(plan=plans, who=people)
    def reject(self, plan: int, who: str) -> None:
        self.attempt(plan, "reject", who, reason="No", step_up=world.proof(self.people[who]))

    @rule(plan=plans, who=people)
    def withdraw(self, plan: int, who: str) -> None:
        self.attempt(plan, "withdraw", who, reason="Not now")

    @rule(by=st.integers(min_value=1, max_value=3))
    def facts_move(self, by: int) -> None:
        self.remaining -= by
        world.say("netsuite", world.entered(usd("90000.00"), amount_remaining=usd(f"{self.remaining}.00")))

    @rule()
    def the_same_is_said_again(self) -> None:
        world.say("netsuite", world.entered(usd("90000.00"), amount_remaining=usd(f"{self.remaining}.00")))

    @rule(who=people, role=st.sampled_from(["approver", "controller", "finance_analyst"]), held=st.booleans())
    def role_changes(self, who: str, role: str, held: bool) -> None:
        user = self.people[who]
        with guards.down():
            if held:
                RoleGrant.objects.get_or_create(user=user, role=role)
            else:
                RoleGrant.objects.filter(user=user, role=role).delete()

    @rule(who=people, active=st.booleans())
    def person_changes(self, who: str, active: bool) -> None:
        user = User.objects.get(pk=self.people[who].pk)
        user.is_active = active
        user.save()

    # --- after every step --------------------------------------------------------------------------------------------

    @invariant()
    def i23_no_maker_or_editor_signs_and_signers_differ(self) -> None:
        for plan in ChangePlan.objects.all():
            signers = list(Decision.objects.filter(plan=plan).values_list("decided_by", flat=True))
            writers = ActionRecord.objects.filter(subject=f"changeplan:{plan.pk}", verb__in=["plan.compose", "plan.edit"])
            assert not set(signers) & {plan.maker_id, *writers.values_list("actor", flat=True)}
            assert len(signers) == len(set(signers))

    @invariant()
    def i24_what_is_released_is_what_was_signed(self) -> None:
        for plan in ChangePlan.objects.exclude(state="draft"):
            assert stored_digest(plan, list(plan.postings.order_by("sequence"))) == plan.digest
            assert set(Decision.objects.filter(plan=plan).values_list("digest", flat=True)) <= {plan.digest}

    @invariant()
    def i26_released_means_every_checkpoint_is_signed(self) -> None:
        for plan in ChangePlan.objects.filter(state__in=RELEASED):
            open_ones = Checkpoint.objects.filter(plan=plan).exclude(decision__verdict=Verdict.APPROVED)
            assert not open_ones.exists()
            assert Checkpoint.objects.filter(plan=plan).exists()

    @invariant()
    def i28_one_decision_per_person_and_a_rejection_ends_it(self) -> None:
        for plan in ChangePlan.objects.all():
            rejected = Decision.objects.filter(plan=plan, verdict=Verdict.REJECTED).count()
            assert rejected == (1 if plan.state == PlanState.REJECTED else 0)

    @invariant()
    def i29_only_listed_moves(self) -> None:
        for plan in ChangePlan.objects.all():
            seen = self.states.setdefault(plan.pk, ["draft"])
            if seen[-1] != plan.state:
                assert (seen[-1], plan.state) in PLAN_MOVES or (seen[-1], plan.state) == ("draft", "released")
                seen.append(plan.state)

    @invariant()
    def postings_follow_their_plan(self) -> None:
        expected = {
            PlanState.DRAFT: PostingState.PLANNED, PlanState.SUBMITTED: PostingState.PLANNED,
            PlanState.RELEASED: PostingState.RELEASED,
        }  # fmt: skip
        for plan in ChangePlan.objects.all():
            states = {posting.state for posting in plan.postings.all()}
            assert states == {expected.get(PlanState(plan.state), PostingState.VOID)}
        assert ChangePlan.objects.filter(state__in=UNDER_WAY).count() <= 1, "all of these are on one invoice"


def test_i23_i24_i26_i27_i28_i29_hold_after_whatever_people_do() -> None:
    thorough = int(os.environ.get("REVOPS_STATEFUL_EXAMPLES", "25"))
    run_state_machine_as_test(
        ProposalAndApproval,
        settings=settings(
            max_examples=thorough, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
