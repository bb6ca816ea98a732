"""The story of a case in steps: found, taken, put right, decided, sent, proven. Where it stands, and what came of each step.

Pure apart from what it is handed. The same steps stand on the case, on the plan and (as words) on the form, so that somebody who
has never seen this can follow one exception from the queue to its closed case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from revops.cases.models import CaseStatus, ExceptionCase
from revops.postings.models import NOT_DONE, ChangePlan, PlanState, Posting, PostingState
from revops.postings.partly import DONE
from revops.web.addresses import href
from revops.web.formatting import instant_text

State = Literal["done", "now", "todo", "stopped"]
_AFTER_APPROVAL = (PlanState.RELEASED, PlanState.POSTED, PlanState.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `detail` says what came of it or what it waits for; `href` leads to it."""

    label: str
    detail: str
    state: State
    href: str = ""

    @property
    def spoken(self) -> str:
        """The state in words, for those who do not see the mark."""
        return {"done": "done", "stopped": "stopped", "now": "now"}.get(self.state, "still to come")


@dataclass(frozen=True, slots=True)
class PlanProgress:
    """What is known of a plan: `waiting_for` names the roles that still sign, `signed_by` the people who did; `needs_nobody` says
    that no signature is asked for."""

    plan: ChangePlan
    postings: Sequence[Posting]
    waiting_for: Sequence[str] = ()
    signed_by: Sequence[str] = ()
    needs_nobody: bool = False


def story_of(case: ExceptionCase, progress: PlanProgress | None, *, fixable: bool) -> list[Step]:
    """The steps of a case. `progress` is that of its newest plan; `fixable` whether a change of ours can put it right."""
    steps = [Step("Found", instant_text(case.opened_at), "done"), _taken(case, under_way=progress is not None)]
    if progress is not None and not (case.status == CaseStatus.CLOSED and progress.plan.state in (*NOT_DONE, PlanState.DRAFT)):
        steps += plan_story(progress)
    elif case.status == CaseStatus.CLOSED:
        steps.append(Step("Put right", "in the system itself", "done"))
    elif fixable:
        steps += [
            Step("Compose the fix", "composing sends nothing", "now" if case.owner_id else "todo"),
            Step("Approval", "by somebody else, if money moves", "todo"),
            Step("Sending", "exactly once", "todo"),
        ]
    else:
        steps.append(Step("Put it right", "in the system that is wrong", "now" if case.owner_id else "todo"))
    return [*steps, _closed(case)]


def _taken(case: ExceptionCase, *, under_way: bool) -> Step:
    if case.owner is not None:
        return Step("Taken", f"by {case.owner.shown_name}", "done")
    if case.status == CaseStatus.CLOSED:
        return Step("Taken", "by nobody; it was not needed", "done")
    if under_way:
        return Step("Taken", "nobody took it", "done")
    return Step("Take it", "nobody has yet", "now" if case.status == CaseStatus.OPEN else "todo")


def _closed(case: ExceptionCase) -> Step:
    if case.closed_at is not None:
        return Step("Closed by evidence", instant_text(case.closed_at), "done")
    if case.status == CaseStatus.AWAITING_EVIDENCE:
        return Step("Evidence", "waits for the system’s own record", "now")
    return Step("Evidence", "closes it when the systems agree", "todo")


def plan_story(progress: PlanProgress) -> list[Step]:
    """The steps of a plan: composed, approved, sent."""
    plan = progress.plan
    page = href("plan", plan.code)
    if plan.state == PlanState.DRAFT:
        return [
            Step("Submit the fix", f"{plan.code} is a draft", "now", page),
            Step("Approval", "nobody has to" if progress.needs_nobody else "after it is submitted", "todo"),
            Step("Sending", "exactly once", "todo"),
        ]
    composed = Step("Fix composed", f"{plan.code} by {plan.maker.shown_name}", "done", page)
    return [composed, _approved(progress), _sent(progress)]


def _approved(progress: PlanProgress) -> Step:
    plan = progress.plan
    if plan.state == PlanState.SUBMITTED:
        return Step("Approval", f"waits for {', then '.join(progress.waiting_for)}", "now", href("plan", plan.code))
    if plan.state == PlanState.REJECTED:
        return Step("Rejected", "compose another one", "stopped", href("plan", plan.code))
    if plan.state == PlanState.WITHDRAWN:
        return Step("Withdrawn", "nothing was sent", "stopped", href("plan", plan.code))
    if plan.state == PlanState.EXPIRED:
        return Step("Expired", "not decided in time; compose it again", "stopped", href("plan", plan.code))
    if plan.state == PlanState.VOID:
        return Step("Void", "the facts changed; compose it again", "stopped", href("plan", plan.code))
    if progress.needs_nobody:
        return Step("Approved", "not needed: moves no money", "done")
    return Step("Approved", f"by {', '.join(progress.signed_by)}", "done")


def _sent(progress: PlanProgress) -> Step:
    plan, page = progress.plan, href("plan", progress.plan.code)
    if plan.state == PlanState.PARTLY_POSTED:
        sent = sum(posting.state in DONE for posting in progress.postings)
        return Step("Partly sent", f"{sent} of {len(progress.postings)} done, the rest was refused", "stopped", page)
    if plan.state == PlanState.FAILED:
        return Step("Not sent", "the system refused it", "stopped", page)
    if plan.state not in _AFTER_APPROVAL:
        return Step("Sending", "exactly once" if plan.state == PlanState.SUBMITTED else "nothing was sent", "todo")
    if any(posting.needs_person for posting in progress.postings):
        return Step("Sending", "outcome unknown: a controller checks", "stopped", page)
    if any(posting.state == PostingState.UNKNOWN for posting in progress.postings):
        return Step("Sending", "outcome unknown: being looked up", "now", page)
    if plan.state == PlanState.RELEASED:
        sent = sum(posting.state in DONE for posting in progress.postings)
        return Step("Sending", f"{sent} of {len(progress.postings)} calls answered", "now", page)
    at = [posting.posted_at or posting.confirmed_at for posting in progress.postings]
    last = max((moment for moment in at if moment is not None), default=None)
    return Step("Sent", instant_text(last) if last else "once", "done", page)
