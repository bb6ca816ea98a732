"""What to do next on a case, in one sentence with one button. Pure apart from what it is handed."""

from __future__ import annotations

from dataclasses import dataclass

from revops.cases.models import CaseStatus, ExceptionCase
from revops.postings.models import ChangePlan, PlanState
from revops.web.formatting import instant_text


@dataclass(frozen=True, slots=True)
class NextStep:
    """`button` is the words of a link to `href`; `take` asks for the "take it" form instead."""

    title: str
    text: str
    href: str = ""
    button: str = ""
    take: bool = False


def next_step(
    case: ExceptionCase, plan: ChangePlan | None, *, me: int, may_work: bool, may_decide: bool, fix_href: str, fix_label: str
) -> NextStep:
    """`plan` is the newest plan of the case; `fix_href` leads to the first proposed fix that this person may compose."""
    if case.status == CaseStatus.CLOSED:
        return NextStep("Nothing to do", f"{case.close_reason} It comes back by itself if they contradict each other again.")
    if plan is not None and (step := _by_plan(plan, me=me, may_decide=may_decide)) is not None:
        return step
    if not may_work:
        return NextStep("You can read this case", "Working on it is for the analysts of its team.")
    if case.status == CaseStatus.SNOOZED and case.snoozed_until is not None:
        until = instant_text(case.snoozed_until)
        return NextStep("Put aside", f"It comes back on {until}, or at once when what the systems say changes.")
    if case.owner_id is None:
        return NextStep("Take it", "Nobody looks after this case yet. Take it, so that others see that you do.", take=True)
    if fix_href:
        text = "Check the list in the playbook. If the proposed fix is right, compose it: you will see the exact calls first."
        return NextStep("Check, then propose the fix", text, fix_href, fix_label)
    return NextStep(
        "Put it right where it is wrong",
        "The people who own the record correct it in its system. The case closes by itself as soon as the record shows it.",
    )


def _by_plan(plan: ChangePlan, *, me: int, may_decide: bool) -> NextStep | None:
    href, mine = f"/plans/{plan.code}/", plan.maker_id == me
    if plan.state == PlanState.DRAFT:
        text = "The draft shows the exact calls. Nothing is sent before you submit it."
        return NextStep(f"Submit your draft {plan.code}", text, href, "Open the draft") if mine else None
    if plan.state == PlanState.SUBMITTED:
        if may_decide and not mine:
            text = "Somebody else composed it. Look at what will happen, then approve or reject."
            return NextStep(f"{plan.code} waits for a decision", text, f"/approvals/{plan.code}/", "Review and decide")
        return NextStep(
            f"{plan.code} waits for approval", "Other people decide about it. You can do something else.", href, "See the plan"
        )
    if plan.state == PlanState.RELEASED:
        return NextStep(
            f"{plan.code} is being sent", "Approved and on its way, exactly once. No need to wait here.", href, "See the plan"
        )
    if plan.state == PlanState.POSTED:
        text = "The change was accepted there. This case closes by itself when the system’s own record shows it."
        return NextStep("Waiting for the evidence", text, href, "See the plan")
    if plan.state in (PlanState.REJECTED, PlanState.FAILED, PlanState.VOID) and mine:
        return NextStep(f"{plan.code} did not go through", plan.outcome or "Read why, then propose again.", href, "Read why")
    return None
