"""Plans of which some steps were made and a later one was not: what is done, what is missing, and the next move. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from revops.postings.changes import Change, read_change
from revops.postings.kind import FollowUp
from revops.postings.kinds import KINDS
from revops.postings.models import ChangePlan, PlanState, Posting, PostingState

DONE = (PostingState.POSTED, PostingState.CONFIRMED)
_DEAD = (PlanState.REJECTED, PlanState.WITHDRAWN, PlanState.VOID, PlanState.FAILED)


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
    sentence: str
    next_move: str
    offers: tuple[Offer, ...]
    followed_by: tuple[ChangePlan, ...]


def partly_posted(plan: ChangePlan) -> PartlyPosted | None:
    """How the plan stands when it is partly posted, else None."""
    if plan.state != PlanState.PARTLY_POSTED:
        return None
    rows = sorted(plan.postings.all(), key=lambda posting: posting.sequence)
    done = tuple(row for row in rows if row.state in DONE)
    missing = tuple(row for row in rows if row.state not in DONE)
    followed_by = tuple(p for p in (*plan.completions.all(), *plan.reversals.all()) if p.state not in _DEAD)
    offers = () if followed_by else _offers(plan)
    return PartlyPosted(done, missing, told(rows), _next_move(done, offers, followed_by), offers, followed_by)


def told(rows: Iterable[Posting]) -> str:
    """What is done and what is not, in one sentence for each step."""
    return " ".join(f"Step {row.sequence} {_became(row)}: {row.summary.rstrip('.')}." for row in rows)


def _became(row: Posting) -> str:
    if row.state == PostingState.CONFIRMED:
        return "is done and proven"
    if row.state == PostingState.POSTED:
        return "is done and waits for the system's own record"
    return "was refused" if row.state == PostingState.REFUSED else "was not sent"


def _offers(plan: ChangePlan) -> tuple[Offer, ...]:
    kind = KINDS.get(plan.kind)
    if kind is None:
        return ()
    steps = steps_of(plan.postings.all())
    rest, back = kind.remainder(plan.inputs, steps.missing), kind.reversal(plan.inputs, steps.done)
    finish = [Offer("finish", KINDS[rest.kind].label, rest)] if rest is not None and rest.kind in KINDS else []
    reverse = [Offer("reverse", KINDS[back.kind].label, back)] if back is not None and back.kind in KINDS else []
    return (*finish, *reverse)


def _next_move(done: Iterable[Posting], offers: Iterable[Offer], followed_by: Iterable[ChangePlan]) -> str:
    codes = ", ".join(plan.code for plan in followed_by)
    if codes:
        return f"{codes} follows it up."
    ways = {"finish": "finish the rest with a new plan", "reverse": "undo what is done with a new plan"}
    said = " or ".join(ways[offer.code] for offer in offers)
    if not said:
        return "Finish or undo it in the systems themselves; the ledger will show it."
    unproven = any(row.state == PostingState.POSTED for row in done)
    wait = " What is done is not proven yet: nothing else can be changed on the same records until it is." if unproven else ""
    return f"{said[0].upper()}{said[1:]}.{wait}"
