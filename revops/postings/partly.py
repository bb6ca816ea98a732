"""Plans of which some steps were made and a later one was not: what is done, what is missing, and the next move. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from revops.postings.changes import Change, read_change
from revops.postings.kind import FollowUp
from revops.postings.kinds import KINDS
from revops.postings.models import NOT_DONE, ChangePlan, PlanState, Posting, PostingState
from revops.sentences import Sentence, Template, template

STEPS = template("plan.steps", "{steps}.")
PROVEN = template("plan.step_proven", "Step {number} is done and proven: {what}")
WAITS = template("plan.step_waits", "Step {number} is done and waits for the system's own record: {what}")
REFUSED = template("plan.step_refused", "Step {number} was refused: {what}")
NOT_SENT = template("plan.step_not_sent", "Step {number} was not sent: {what}")
_BECAME: Mapping[str, Template] = {
    PostingState.CONFIRMED: PROVEN,
    PostingState.POSTED: WAITS,
    PostingState.REFUSED: REFUSED,
}

FOLLOWED_UP = template("plan.followed_up", "It is followed up by {plans}.")
IN_THE_SYSTEMS = template("plan.in_the_systems", "Finish or undo it in the systems themselves; the ledger will show it.")
EITHER = template("plan.either", "Finish the rest with a new plan or undo what is done with a new plan.")
FINISH = template("plan.finish", "Finish the rest with a new plan.")
UNDO = template("plan.undo", "Undo what is done with a new plan.")
NOT_PROVEN_YET = template(
    "plan.not_proven_yet",
    "{move} What is done is not proven yet: nothing else can be changed on the same records until it is.",
)

DONE = (PostingState.POSTED, PostingState.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Steps:
    """The changes of a plan by what became of them, each in the order of the steps."""

    done: tuple[Change, ...]
    missing: tuple[Change, ...]


def steps_of(postings: Iterable[Posting]) -> Steps:
    """The changes that were made and those that were not. Raises `Rejected` for a stored change that cannot be read."""
    rows = sorted(postings, key=lambda posting: posting.sequence)
    done = tuple(read_change(row.change) for row in rows if row.state in DONE)
    return Steps(done, tuple(read_change(row.change) for row in rows if row.state not in DONE))


@dataclass(frozen=True, slots=True)
class Offer:
    """What may be done next: `finish` composes the missing steps as a new plan, `reverse` undoes those that were made."""

    code: Literal["finish", "reverse"]
    label: str
    follow_up: FollowUp


@dataclass(frozen=True, slots=True)
class PartlyPosted:
    """How a partly posted plan stands. `followed_by` are the plans that finish or undo it and have not ended without effect;
    nothing more is offered while there is one."""

    done: tuple[Posting, ...]
    missing: tuple[Posting, ...]
    sentence: Sentence
    next_move: Sentence
    offers: tuple[Offer, ...]
    followed_by: tuple[ChangePlan, ...]


def partly_posted(plan: ChangePlan) -> PartlyPosted | None:
    """How the plan stands when it is partly posted, else None."""
    if plan.state != PlanState.PARTLY_POSTED:
        return None
    rows = sorted(plan.postings.all(), key=lambda posting: posting.sequence)
    done = tuple(row for row in rows if row.state in DONE)
    missing = tuple(row for row in rows if row.state not in DONE)
    followed_by = tuple(p for p in (*plan.completions.all(), *plan.reversals.all()) if p.state not in NOT_DONE)
    offers = () if followed_by else _offers(plan)
    return PartlyPosted(done, missing, told(rows), _next_move(done, offers, followed_by), offers, followed_by)


def told(rows: Iterable[Posting]) -> Sentence:
    """What is done and what is not, step by step."""
    return STEPS(steps=tuple(_BECAME.get(row.state, NOT_SENT)(number=row.sequence, what=row.summary) for row in rows))


def _offers(plan: ChangePlan) -> tuple[Offer, ...]:
    kind = KINDS.get(plan.kind)
    if kind is None:
        return ()
    steps = steps_of(plan.postings.all())
    rest, back = kind.remainder(plan.inputs, steps.missing), kind.reversal(plan.inputs, steps.done)
    finish = [Offer("finish", KINDS[rest.kind].label, rest)] if rest is not None and rest.kind in KINDS else []
    reverse = [Offer("reverse", KINDS[back.kind].label, back)] if back is not None and back.kind in KINDS else []
    return (*finish, *reverse)


def _next_move(done: Iterable[Posting], offers: Iterable[Offer], followed_by: Iterable[ChangePlan]) -> Sentence:
    plans = tuple(plan.ref for plan in followed_by)
    if plans:
        return FOLLOWED_UP(plans=plans)
    ways = {offer.code for offer in offers}
    if not ways:
        return IN_THE_SYSTEMS()
    move = EITHER() if len(ways) > 1 else FINISH() if "finish" in ways else UNDO()
    return NOT_PROVEN_YET(move=move) if any(row.state == PostingState.POSTED for row in done) else move
