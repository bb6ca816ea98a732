"""Releasing a plan: the last look under the lock, and the end of plans whose facts moved.

`what_moved` and `release_plan` are asked by `approvals.actions`, which has seen to the signatures. A released posting row is
the outbox: from here on only its sender, the ledger's evidence, or a named person's decision moves it.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from revops.audit.log import record as audit
from revops.cases.lifecycle import back_to_open
from revops.ledger.view import AccountLedger
from revops.people.actors import System, actor_label
from revops.people.models import User
from revops.postings import port
from revops.postings.build import FactMove, fact_rows, facts_digest, moves
from revops.postings.draft import end_plan, stored_digest
from revops.postings.kinds import kind_of
from revops.postings.locks import locked_postings
from revops.postings.models import ChangePlan, PlanState, PostingState
from revops.sentences import Sentence, template

ACTOR = System("posting")
TOLD_MAX = 3
"""So many differences are told in the sentence; all of them are kept."""

DIGEST_DIFFERS = template("plan.digest_differs", "What is stored is not what was shown: the digest does not fit.")
FACTS_CHANGED = template("plan.facts_changed", "The facts changed since this was composed: {moves}.")
FACTS_CHANGED_MORE = template(
    "plan.facts_changed_more", "The facts changed since this was composed: {moves}, and more of them ({more})."
)
COMPOSE_AGAIN = template("plan.compose_again", "{moved} Compose it again from what the systems say now.")
VOID = template("plan.void", "{plan} is void; {maker} must compose it again. {moved}")
IS_VOID = template("plan.is_void", "{plan} is void: {moved}")


@dataclass(frozen=True, slots=True)
class Moved:
    """Why a plan cannot stand any more: one sentence, and the differences behind it."""

    sentence: Sentence
    differences: tuple[FactMove, ...] = ()


def what_moved(plan: ChangePlan, ledger: AccountLedger) -> Moved | None:
    """Compare a locked plan with what the systems say now and with its own stored bytes. None: all as it was shown."""
    if stored_digest(plan, locked_postings(plan)) != plan.digest:
        return Moved(DIGEST_DIFFERS())
    now = fact_rows(kind_of(plan.kind).facts(plan.inputs, ledger))
    if facts_digest(now) == plan.facts_digest:
        return None
    found = tuple(moves(plan.facts, now))
    told = tuple(move.sentence() for move in found[:TOLD_MAX])
    more = len(found) - len(told)
    return Moved(FACTS_CHANGED_MORE(moves=told, more=more) if more else FACTS_CHANGED(moves=told), found)


def void_plan(plan: ChangePlan, moved: Moved, *, acting_user: User | System) -> None:
    """End a locked, submitted plan that no longer fits. The differences are kept in the audit, where its maker finds them."""
    end_plan(plan, PlanState.VOID, outcome=COMPOSE_AGAIN(moved=moved.sentence))
    audit(
        "plan.void", plan, acting_user=ACTOR, account_id=plan.account_id, case_id=plan.case_id,
        summary=VOID(plan=plan.ref, maker=plan.maker.get_username(), moved=moved.sentence),
        before={"facts_digest": plan.facts_digest},
        after={
            "state": plan.state,
            "found_by": actor_label(acting_user),
            "maker": plan.maker.get_username(),
            "differences": [move.as_json() for move in moved.differences],
        },
    )  # fmt: skip
    reopen_case(plan, IS_VOID(plan=plan.ref, moved=moved.sentence))


def release_plan(plan: ChangePlan, *, acting_user: User | System, released: Sentence) -> None:
    """Let a locked, submitted plan go. The database refuses it when a checkpoint is not signed.

    The caller has asked `what_moved` in the same transaction; `released` says why it may go.
    """
    plan.state, plan.released_at = PlanState.RELEASED, timezone.now()
    plan.row_version += 1
    plan.save()
    for posting in locked_postings(plan):
        posting.state, posting.next_attempt_at = PostingState.RELEASED, plan.released_at
        posting.save(update_fields=["state", "next_attempt_at"])
    audit(
        "plan.release", plan, acting_user=acting_user, account_id=plan.account_id, case_id=plan.case_id,
        summary=released, after={"state": plan.state, "digest": plan.digest},
    )  # fmt: skip
    transaction.on_commit(port.ring, robust=True)


def reopen_case(plan: ChangePlan, summary: Sentence) -> None:
    """The case needs somebody again, unless another plan of it is posted and still waits for its evidence."""
    if plan.case_id is None:
        return
    others = ChangePlan.objects.filter(case=plan.case_id, state=PlanState.POSTED).exclude(pk=plan.pk)
    if not others.exists():
        back_to_open(plan.case_id, acting_user=ACTOR, summary=summary)
