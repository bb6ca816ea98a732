"""What a named person may do about a posting whose outcome cannot be found out by itself."""

from __future__ import annotations

from django.db import transaction

from revops.audit.log import record as audit
from revops.errors import Conflict, NotAllowed, Rejected
from revops.ledger.due import mark_due
from revops.people.actors import System, actor_user
from revops.people.models import User
from revops.postings import port
from revops.postings.draft import holds_role
from revops.postings.locks import locked_plan
from revops.postings.models import ChangePlan, Posting, PostingState
from revops.postings.queue import database_now
from revops.postings.transitions import ACTOR, end_refused
from revops.sentences import template

LOOK_UP_AGAIN = template("posting.look_up_again", "asked to look {plan} up again")
SET_ASIDE = template("posting.set_aside", "{plan}: nothing happened at the vendor, as a person found")

DECIDERS = frozenset({"controller"})


@transaction.atomic
def look_up_again(posting: Posting, *, acting_user: User | System) -> Posting:
    """Look a stuck posting up once more, now. It is not sent again by this. Raises `NotAllowed`, `Conflict`."""
    plan, row = _stuck(posting, acting_user)
    row.needs_person, row.next_attempt_at, row.lease_until = False, database_now(), None
    row.save(update_fields=["needs_person", "next_attempt_at", "lease_until"])
    mark_due([plan.account_id], now=row.next_attempt_at)
    audit(
        "posting.look_up_again", row, acting_user=acting_user, account_id=plan.account_id, case_id=plan.case_id,
        summary=LOOK_UP_AGAIN(plan=plan.ref), after={"state": row.state},
    )  # fmt: skip
    transaction.on_commit(port.ring, robust=True)
    return row


@transaction.atomic
def set_aside(posting: Posting, *, reason: str, acting_user: User | System) -> Posting:
    """A controller looked in the vendor's own screens: nothing happened there. The posting ends as refused, the plan as failed,
    or as partly posted when an earlier step of it was made.

    Neither the plan's maker nor anybody who approved it may say so. Raises `Rejected`, `NotAllowed`, `Conflict`.
    """
    words = reason.strip()
    if not words:
        raise Rejected("reason_missing", "Say where you looked and what you found.", field="reason")
    plan, row = _stuck(posting, acting_user)
    user = actor_user(acting_user)
    if user is not None and (user.pk == plan.maker_id or plan.decisions.filter(decided_by=user).exists()):
        raise NotAllowed("took_part", "Somebody who neither composed nor approved this plan must confirm it.")
    row.state, row.needs_person, row.fence = PostingState.REFUSED, False, row.fence + 1
    row.lease_until, row.last_error = None, f"Set aside: {words}"
    row.save(update_fields=Posting.MOVING)
    mark_due([plan.account_id], now=database_now())
    audit(
        "posting.set_aside", row, acting_user=acting_user, account_id=plan.account_id, case_id=plan.case_id, reason=words,
        summary=SET_ASIDE(plan=plan.ref), after={"state": row.state},
    )  # fmt: skip
    end_refused(plan, words, acting_user=ACTOR, now=database_now())
    return row


def _stuck(posting: Posting, acting_user: User | System) -> tuple[ChangePlan, Posting]:
    user = actor_user(acting_user)
    if user is None or not holds_role(user.pk, DECIDERS):
        raise NotAllowed("not_a_controller", "A controller decides about postings whose outcome is unknown.")
    plan = locked_plan(posting.plan_id)
    row = Posting.objects.select_for_update().get(pk=posting.pk)
    if row.state != PostingState.UNKNOWN or not row.needs_person:
        raise Conflict("not_stuck", "This posting does not wait for a person any more. Reload and look at it as it is now.")
    return plan, row
