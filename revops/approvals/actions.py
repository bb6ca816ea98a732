"""Submitting, approving, rejecting and withdrawing change plans. The one write path of checkpoints and decisions.

Every action locks the account and the plan, looks at everything again under that lock, and writes the action log in the same
transaction: of people who act at the same moment, each acts on what the one before has left. What the code refuses here, the
database refuses as well.
"""

from __future__ import annotations

import datetime as dt

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from revops.approvals.checkpoints import Open, may_sign, signable
from revops.approvals.models import Checkpoint, Decision, Verdict
from revops.approvals.requirements import absent_whose, needs_of, roles_now, unsigned, who_may_not
from revops.audit.log import record as audit
from revops.audit.trace import request_id
from revops.errors import Conflict, NotAllowed, Rejected, violated_constraint
from revops.identity.models import StepUp
from revops.identity.step_up import require_step_up
from revops.ledger.reading import account_ledger
from revops.people.actors import System, actor_user
from revops.people.models import User
from revops.policies.in_force import policies_in_force
from revops.postings.draft import end_plan, holds_role, withdraw_plan
from revops.postings.kinds import kind_of
from revops.postings.locks import locked_plan
from revops.postings.models import ChangePlan, PlanState, PlanTouch
from revops.postings.release import Moved, release_plan, reopen_case, void_plan, what_moved
from revops.sentences import template

COMPOSE_ON_NEW_FACTS = template(
    "plan.compose_on_new_facts", "{moved} Open the draft and save it again to compose it on the new facts."
)
SUBMITTED = template("plan.submitted", "submitted {plan}; approvals needed: {count}")
NEEDS_NO_APPROVAL = template("plan.needs_no_approval", "submitted {plan}; it needs no approval")
RELEASED_UNSIGNED = template(
    "plan.released_unsigned", "released {plan} for posting: it moves no money and can be undone, so no checkpoint applies"
)
RELEASED_SIGNED = template(
    "plan.released_signed", "released {plan} for posting: every checkpoint is signed; facts, roles, tier and period hold"
)
APPROVED = template("plan.approved", "approved {plan}")
TIER_ROSE = template("plan.tier_rose", "{plan} needs more approvals now ({count}): {why}")
REJECTED = template("plan.rejected", "rejected {plan}")
REJECTED_BY = template("plan.rejected_by", "Rejected by {person}: {reason}")
WAS_REJECTED = template("plan.was_rejected", "{plan} was rejected")
NOT_DECIDED = template("plan.not_decided", "Not decided in time: it waited since {since}. Compose it again if it is still right.")
EXPIRED = template("plan.expired", "{plan} expired: it waited for its signatures since {since}")
WAS_WITHDRAWN = template("plan.was_withdrawn", "{plan} was withdrawn")

ACTOR = System("approvals")

MEANING_LENGTH_MAX = 200
REASON_LENGTH_MAX = 2000


def submit_plan(plan: ChangePlan, *, acting_user: User | System) -> ChangePlan:
    """Hand a draft in. Lists its checkpoints; a plan that needs none is released at once, and the audit says so.

    Only the maker. Raises `NotAllowed`, `Conflict("not_a_draft")`, `Conflict("facts_moved")` (edit it, so that it is composed on
    what the systems say now), `Conflict("already_under_way")` (another plan on the same thing has not ended).
    """
    try:
        return _submit(plan, acting_user)
    except IntegrityError as refused:
        if violated_constraint(refused) != "one_plan_under_way":
            raise
        raise _under_way(_other_under_way(plan)) from None


@transaction.atomic
def _submit(plan: ChangePlan, acting_user: User | System) -> ChangePlan:
    row = locked_plan(plan.pk)
    maker = actor_user(acting_user)
    if maker is None or maker.pk != row.maker_id or not holds_role(maker.pk, kind_of(row.kind).maker_roles):
        raise NotAllowed("not_the_maker", "Only the person who composed a plan submits it.")
    if row.state != PlanState.DRAFT:
        raise Conflict("not_a_draft", f"{row.code} is {row.get_state_display().lower()}. Reload to see it as it is now.")
    moved = what_moved(row, account_ledger(row.account))
    if moved is not None:
        raise Conflict("facts_moved", str(COMPOSE_ON_NEW_FACTS(moved=moved.sentence)))
    other = _other_under_way(row)
    if other is not None:
        raise _under_way(other)
    policies = policies_in_force()
    needs = needs_of(row, policies)
    Checkpoint.objects.bulk_create([
        Checkpoint(plan=row, code=n.code, label=n.label, role=n.role, sequence=n.sequence, why=n.why) for n in needs
    ])  # fmt: skip
    row.state, row.submitted_at, row.policy_version = PlanState.SUBMITTED, timezone.now(), policies.version
    row.row_version += 1
    row.save()
    listed = [{"role": n.role, "why": n.why.as_json()} for n in needs]
    audit(
        "plan.submit", row, acting_user=acting_user, account_id=row.account_id, case_id=row.case_id, reason=row.reason,
        summary=SUBMITTED(plan=row.ref, count=len(needs)) if needs else NEEDS_NO_APPROVAL(plan=row.ref),
        after={"state": row.state, "digest": row.digest, "checkpoints": listed},
    )  # fmt: skip
    if not needs:
        release_plan(row, acting_user=acting_user, released=RELEASED_UNSIGNED(plan=row.ref))
    return row


def _other_under_way(plan: ChangePlan) -> ChangePlan | None:
    """A plan under way that touches an object which this one touches as well."""
    shared = Q()
    for touch in plan.touches.all():
        shared |= Q(system=touch.system_id, object_type=touch.object_type, object_id=touch.object_id)
    found = PlanTouch.objects.filter(shared, under_way=True).exclude(plan=plan).select_related("plan").first()
    return found.plan if found is not None else None


def _under_way(other: ChangePlan | None) -> Conflict:
    name = other.code if other is not None else "Another plan"
    return Conflict("already_under_way", f"{name} already changes the same thing and has not ended. Wait for it, or withdraw it.")


@transaction.atomic
def approve(plan: ChangePlan, *, digest: str, meaning: str, step_up: StepUp | None, acting_user: User | System) -> ChangePlan:
    """Sign the next checkpoint of a submitted plan; the last signature releases it.

    `digest` is what the person was shown, `meaning` what the signature says, `step_up` the fresh proof of who is there
    (`identity.step_up`), asked for once all else stands. Returns the plan as it is then: submitted (more
    signatures to come, also when the tier has risen since), released, or void because the facts or a signer's role moved.
    Raises `Conflict` (`not_submitted`, `digest_stale`, `already_decided`, `not_your_turn`), `NotAllowed`, `Rejected`.
    """
    words = meaning.strip()
    if not words or len(words) > MEANING_LENGTH_MAX:
        raise Rejected("meaning_missing", "Say what your signature means, in at most 200 characters.", field="meaning")
    row, user, checkpoint = _deciding(plan, acting_user)
    if digest != row.digest:
        raise Conflict("digest_stale", f"{row.code} is not what you were shown. Reload it, look again, and decide then.")
    moved = what_moved(row, account_ledger(row.account))
    if moved is not None:
        void_plan(row, moved, acting_user=acting_user)
        return row
    _decide(row, checkpoint, user, Verdict.APPROVED, require_step_up(user, step_up), meaning=words)
    audit(
        "plan.approve", row, acting_user=acting_user, account_id=row.account_id, case_id=row.case_id, reason=words,
        summary=APPROVED(plan=row.ref), after={"checkpoint": checkpoint.id, "role": checkpoint.role, "digest": row.digest},
    )  # fmt: skip
    _release_if_complete(row, acting_user=acting_user)
    return row


def _release_if_complete(row: ChangePlan, *, acting_user: User | System) -> None:
    """Nothing is left to sign: judge the tier again, see that every signer may still sign, and let it go."""
    if unsigned(row):
        return
    if _tier_rose(row, acting_user=acting_user):
        return
    gone = who_may_not(row)
    if gone is not None:
        void_plan(row, Moved(gone), acting_user=acting_user)
        return
    release_plan(row, acting_user=acting_user, released=RELEASED_SIGNED(plan=row.ref))


def _tier_rose(row: ChangePlan, *, acting_user: User | System) -> bool:
    """Add the checkpoints that the plan needs by now and did not at submission. Returns whether there were any."""
    policies = policies_in_force()
    known = set(Checkpoint.objects.filter(plan=row).values_list("code", flat=True))
    added = [need for need in needs_of(row, policies) if need.code not in known]
    Checkpoint.objects.bulk_create([
        Checkpoint(plan=row, code=n.code, label=n.label, role=n.role, sequence=n.sequence, why=n.why) for n in added
    ])  # fmt: skip
    if row.policy_version != policies.version:
        row.policy_version = policies.version
        row.save()
    if added:
        audit(
            "plan.tier_rose", row, acting_user=acting_user, account_id=row.account_id, case_id=row.case_id,
            summary=TIER_ROSE(plan=row.ref, count=len(added), why=added[0].why),
            after={"checkpoints": [{"role": n.role, "why": n.why.as_json()} for n in added]},
        )  # fmt: skip
    return bool(added)


@transaction.atomic
def reject(plan: ChangePlan, *, reason: str, step_up: StepUp | None, acting_user: User | System) -> ChangePlan:
    """Refuse a submitted plan, with the reason that its maker reads. Raises as `approve` does."""
    words = reason.strip()
    if not words or len(words) > REASON_LENGTH_MAX:
        raise Rejected(
            "reason_missing", "Say why you reject it, in at most 2,000 characters. Its maker reads this.", field="reason"
        )
    row, user, checkpoint = _deciding(plan, acting_user)
    _decide(row, checkpoint, user, Verdict.REJECTED, require_step_up(user, step_up), meaning="Rejected", reason=words)
    end_plan(row, PlanState.REJECTED, outcome=REJECTED_BY(person=user.get_username(), reason=words))
    audit(
        "plan.reject", row, acting_user=acting_user, account_id=row.account_id, case_id=row.case_id, reason=words,
        summary=REJECTED(plan=row.ref), after={"state": row.state, "role": checkpoint.role},
    )  # fmt: skip
    reopen_case(row, WAS_REJECTED(plan=row.ref))
    return row


@transaction.atomic
def withdraw(plan: ChangePlan, *, reason: str, acting_user: User | System) -> ChangePlan:
    """Take a draft or submitted plan back. Only its maker, before its release. Raises `Rejected`, `NotAllowed`, `Conflict`."""
    row = withdraw_plan(plan, reason=reason, acting_user=acting_user)
    reopen_case(row, WAS_WITHDRAWN(plan=row.ref))
    return row


def expire_undecided(*, now: dt.datetime, limit: int = 100) -> int:
    """End the plans that waited for their signatures longer than the policies allow: unsent, and their makers compose them again.
    Rung by the sweeper, safe with two of them. Returns how many. `now` is aware UTC."""
    waited = policies_in_force().checkpoints.expires_after
    late = ChangePlan.objects.filter(state=PlanState.SUBMITTED, submitted_at__lt=now - waited)
    return sum(_expire(pk, now - waited) for pk in late.order_by("pk").values_list("pk", flat=True)[:limit])


@transaction.atomic
def _expire(plan_id: int, before: dt.datetime) -> bool:
    row = locked_plan(plan_id)
    if row.state != PlanState.SUBMITTED or row.submitted_at is None or row.submitted_at >= before:
        return False  # decided in the meantime
    end_plan(row, PlanState.EXPIRED, outcome=NOT_DECIDED(since=row.submitted_at))
    audit(
        "plan.expire", row, acting_user=ACTOR, account_id=row.account_id, case_id=row.case_id,
        summary=EXPIRED(plan=row.ref, since=row.submitted_at), before={"state": PlanState.SUBMITTED}, after={"state": row.state},
    )  # fmt: skip
    reopen_case(row, EXPIRED(plan=row.ref, since=row.submitted_at))
    return True


def _deciding(plan: ChangePlan, acting_user: User | System) -> tuple[ChangePlan, User, Open]:
    """The locked plan, the person, and the checkpoint that this person signs next."""
    row = locked_plan(plan.pk)
    user = actor_user(acting_user)
    if user is None:
        raise NotAllowed("not_a_person", "Only people decide about change plans.")
    if user.pk == row.maker_id:
        raise NotAllowed("maker_is_checker", "You composed this plan: somebody else decides about it.")
    if row.state != PlanState.SUBMITTED:
        raise Conflict("not_submitted", f"{row.code} is {row.get_state_display().lower()}. Reload to see it as it is now.")
    if Decision.objects.filter(plan=row, decided_by=user).exists():
        raise Conflict("already_decided", "You have signed this plan already. The next signature is somebody else's.")
    roles, waiting = roles_now(user.pk), unsigned(row)
    checkpoint = signable(waiting, roles)
    if checkpoint is not None:
        return row, user, checkpoint
    if any(may_sign(item.role, roles) for item in waiting):
        raise Conflict("not_your_turn", "Another signature comes first. You can sign once it is given.")
    raise NotAllowed("not_a_checker", "Your roles do not let you decide about this plan.")


def _decide(
    row: ChangePlan, checkpoint: Open, user: User, verdict: Verdict, step_up: StepUp, *, meaning: str, reason: str = ""
) -> None:
    decision = Decision(
        plan=row, checkpoint_id=checkpoint.id, decided_by=user, maker_id=row.maker_id, verdict=verdict, meaning=meaning,
        reason=reason, digest=row.digest, policy_version=policies_in_force().version, request_id=request_id(),
        step_up=step_up, standing_in_for=absent_whose(user, row.maker_id, checkpoint.role),
    )  # fmt: skip
    try:
        with transaction.atomic():
            decision.save()
    except IntegrityError:  # the last guard, should the ones above ever be passed
        raise Conflict("decision_refused", "The database refused this decision. Reload the plan and look again.") from None
