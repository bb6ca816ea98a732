"""What to do next on a case, in one sentence with one button. Pure apart from what it is handed."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.html import format_html
from django.utils.safestring import SafeString

from revops.cases.models import CaseStatus, ExceptionCase
from revops.postings.models import ChangePlan, PlanState
from revops.sentences import Sentence
from revops.web.addresses import href
from revops.web.formatting import instant_text
from revops.web.naming import in_words_html

CLOSES = "The case closes by itself as soon as the record shows it."


@dataclass(frozen=True, slots=True)
class NextStep:
    """`button` is the words of a link to `href`; `take` asks for the "take it" form instead."""

    title: str
    text: str | SafeString
    href: str = ""
    button: str = ""
    take: bool = False


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: what they may do here, and in words who works this case (`finance analysts: Farid Nasser`)."""

    id: int
    may_work: bool
    may_decide: bool
    workers: str = ""


@dataclass(frozen=True, slots=True)
class Fix:
    """The first proposed fix that the reader may compose. `why_not` is set when it does not fit what the systems say."""

    href: str = ""
    label: str = ""
    why_not: Sentence | None = None


def next_step(case: ExceptionCase, plan: ChangePlan | None, reader: Reader, fix: Fix) -> NextStep:
    """`plan` is the one that counts (see `web.story`)."""
    if case.status == CaseStatus.CLOSED:
        why = in_words_html(case.close_reason) if case.close_reason is not None else ""
        again = "It comes back by itself if they contradict each other again."
        if plan is not None and plan.state == PlanState.CONFIRMED:
            told = format_html("The system’s own record shows the change. {} {}", why, again)
            return NextStep("Done and proven", told, href("plan", plan.code), "See the proof")
        return NextStep("Nothing to do", format_html("{} {}", why, again))
    if plan is not None and (step := _by_plan(plan, me=reader.id, may_decide=reader.may_decide)) is not None:
        return step
    if not reader.may_work:
        text = f"Working on it is for {reader.workers}." if reader.workers else "Working on it is for the analysts of its team."
        return NextStep("You can read this case", text)
    if case.status == CaseStatus.SNOOZED and case.snoozed_until is not None:
        until = instant_text(case.snoozed_until)
        return NextStep("Put aside", f"It comes back on {until}, or at once when what the systems say changes.")
    if case.owner is None:
        return NextStep("Take it", "Nobody looks after this case yet. Take it, so that others see that you do.", take=True)
    if case.owner_id != reader.id:
        name = case.owner.shown_name
        return NextStep(f"{name} works on it", "Help with a note, or take it over when you have agreed on that.")
    if fix.why_not is not None:
        told = format_html("{} does not fit here. {} {}", fix.label, in_words_html(fix.why_not), CLOSES)
        return NextStep("Put it right where it is wrong", told)
    if fix.href:
        text = "Check the list in the playbook. If the proposed fix is right, compose it: you will see the exact calls first."
        return NextStep("Check, then propose the fix", text, fix.href, f"Compose: {fix.label}")
    return NextStep("Put it right where it is wrong", f"The people who own the record correct it in its system. {CLOSES}")


def _by_plan(plan: ChangePlan, *, me: int, may_decide: bool) -> NextStep | None:
    page, mine = href("plan", plan.code), plan.maker_id == me
    if plan.state == PlanState.DRAFT:
        text = "The draft shows the exact calls. Nothing is sent before you submit it."
        return NextStep(f"Submit your draft {plan.code}", text, page, "Open the draft") if mine else None
    if plan.state == PlanState.SUBMITTED:
        if may_decide and not mine:
            text = "Somebody else composed it. Look at what will happen, then approve or reject."
            return NextStep(f"{plan.code} waits for a decision", text, href("approval", plan.code), "Review and decide")
        return NextStep(
            f"{plan.code} waits for approval", "Other people decide about it. You can do something else.", page, "See the plan"
        )
    if plan.state == PlanState.RELEASED:
        return NextStep(
            f"{plan.code} is being sent", "Approved and on its way, exactly once. No need to wait here.", page, "See the plan"
        )
    if plan.state == PlanState.POSTED:
        text = "The change was accepted there. This case closes by itself when the system’s own record shows it."
        return NextStep("Waiting for the evidence", text, page, "See the plan")
    if plan.state == PlanState.PARTLY_POSTED:
        text = "Some steps were made and a later one was refused. See what is missing, then finish it or undo what is done."
        return NextStep(f"{plan.code} is partly posted", text, page, "See what is missing")
    if plan.state in (PlanState.REJECTED, PlanState.EXPIRED, PlanState.FAILED, PlanState.VOID) and mine:
        text = in_words_html(plan.outcome) if plan.outcome is not None else "Read why, then propose again."
        return NextStep(f"{plan.code} did not go through", text, page, "Read why")
    return None
