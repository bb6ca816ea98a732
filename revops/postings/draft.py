"""Composing, editing and withdrawing plans: the one write path of a plan's content.

A plan is written while it is a draft, by its maker alone, who is therefore its only editor. Composing stores the exact bytes
under keys that never change; an edit makes new calls under new keys, because a new body is a new intent.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from revops.accounts.models import Account
from revops.audit.log import record as audit
from revops.audit.trace import trace_id
from revops.cases.models import CaseStatus, ExceptionCase
from revops.errors import Conflict, NotAllowed, Rejected
from revops.ledger.reading import account_ledger
from revops.money import Money
from revops.people.actors import System, actor_user
from revops.people.models import RoleGrant, User
from revops.postings import port
from revops.postings.build import Built, bound_posting, build, facts_digest, plan_digest
from revops.postings.changes import debits
from revops.postings.kind import ChangeKind, FollowUp, Situation, Suggestion
from revops.postings.kinds import kind_of
from revops.postings.locks import locked_plan, locked_postings
from revops.postings.models import ChangePlan, PlanLine, PlanState, PlanTouch, Posting
from revops.postings.partly import steps_of
from revops.postings.port import ComposedCall
from revops.sentences import Sentence, Word, params_as_json, params_from_json, template

COMPOSED = template("plan.composed", "composed {plan}: {kind}")
EDITED = template("plan.edited", "edited {plan}")
WITHDREW = template("plan.withdrew", "withdrew {plan}")
WITHDRAWN = template("plan.withdrawn", "Withdrawn: {reason}")

KEY_PREFIX = "rvo-"
"""Every key of ours begins so, at every vendor: what bears it was posted by us."""
REASON_LENGTH_MAX = 2000


def new_key() -> str:
    """A key that no other posting has: `rvo-` and 32 hex digits."""
    return f"{KEY_PREFIX}{uuid.uuid4().hex}"


def situation_of(account: Account, case: ExceptionCase | None) -> Situation:
    """What a kind looks at now. Days are UTC days."""
    evidence = case.evidence.get("records", []) if case is not None else []
    concerns = frozenset(
        (str(entry.get("system")), str(entry.get("object_type")), str(entry.get("external_id"))) for entry in evidence
    )
    return Situation(ledger=account_ledger(account), concerns=concerns, today=timezone.now().date())


def suggest(kind: str, *, account: Account, case: ExceptionCase | None) -> Suggestion:
    """What the form of that kind starts with."""
    return kind_of(kind).suggest(situation_of(account, case))


@transaction.atomic
def compose_plan(
    *,
    kind: str,
    case: ExceptionCase | None,
    account: Account,
    inputs: Mapping[str, object],
    reason: str,
    acting_user: User | System,
    reverses: ChangePlan | None = None,
    completes: ChangePlan | None = None,
) -> ChangePlan:
    """Make a draft with its exact calls. Raises `Rejected` (with the field), `NotAllowed`, `Conflict("case_closed")`."""
    what = kind_of(kind)
    maker = _maker(what, acting_user)
    if case is not None and case.account_id != account.pk:
        raise Rejected("case_of_other_account", "This exception belongs to another account. Open its own page.", field="case")
    if case is not None and case.status == CaseStatus.CLOSED:
        raise Conflict("case_closed", f"{case.code} closed in the meantime: the systems agree. There is nothing to correct.")
    words = _reason(reason)
    built = _build(what, inputs, situation_of(account, case), words)
    plan = ChangePlan(
        kind=kind, case=case, account=account, maker=maker, trace_id=_trace(case), reverses=reverses, completes=completes
    )
    _write(plan, built, words)
    audit(
        "plan.compose", plan, acting_user=acting_user, account_id=account.pk, case_id=plan.case_id, reason=words,
        summary=COMPOSED(plan=plan.ref, kind=Word(kind)), after={"kind": kind, "digest": plan.digest, "inputs": plan.inputs},
    )  # fmt: skip
    return plan


def compose_reversal(plan: ChangePlan, *, inputs: Mapping[str, object], reason: str, acting_user: User | System) -> ChangePlan:
    """A new plan that undoes what a posted one has done, linked to it, through the same checkpoints. Of a plan that is partly
    posted only the posted steps are undone. `inputs` are added to what the kind's reversal begins with.

    Raises `Rejected` when nothing was posted or this version has no way back, and as `compose_plan` does.
    """
    if plan.state not in (PlanState.POSTED, PlanState.CONFIRMED, PlanState.PARTLY_POSTED):
        raise Rejected("nothing_to_reverse", f"{plan.code} has not been posted: there is nothing to undo.")
    what = kind_of(plan.kind)
    reversal = what.reversal(plan.inputs, steps_of(plan.postings.all()).done)
    if reversal is None:
        raise Rejected("no_reversal", what.undone_by)
    return _follow_up(plan, reversal, inputs, reason=reason, acting_user=acting_user, reverses=plan)


def compose_remainder(plan: ChangePlan, *, inputs: Mapping[str, object], reason: str, acting_user: User | System) -> ChangePlan:
    """A new plan that makes the missing steps of one that is partly posted, linked to it, through the same checkpoints. `inputs`
    are added to what the kind's remainder begins with.

    Raises `Rejected` when nothing is missing or this version cannot finish it, and as `compose_plan` does.
    """
    if plan.state != PlanState.PARTLY_POSTED:
        raise Rejected("nothing_missing", f"{plan.code} is not partly posted: there is no rest to finish.")
    rest = kind_of(plan.kind).remainder(plan.inputs, steps_of(plan.postings.all()).missing)
    if rest is None:
        raise Rejected("no_remainder", "The rest of this change cannot be composed here. Finish it in the system itself.")
    return _follow_up(plan, rest, inputs, reason=reason, acting_user=acting_user, completes=plan)


def _follow_up(
    plan: ChangePlan,
    follow_up: FollowUp,
    inputs: Mapping[str, object],
    *,
    reason: str,
    acting_user: User | System,
    reverses: ChangePlan | None = None,
    completes: ChangePlan | None = None,
) -> ChangePlan:
    case = plan.case if plan.case is not None and plan.case.status != CaseStatus.CLOSED else None
    return compose_plan(
        kind=follow_up.kind, case=case, account=plan.account, inputs={**follow_up.inputs, **inputs}, reason=reason,
        acting_user=acting_user, reverses=reverses, completes=completes,
    )  # fmt: skip


@transaction.atomic
def edit_plan(plan: ChangePlan, *, inputs: Mapping[str, object], reason: str, acting_user: User | System) -> ChangePlan:
    """Compose a draft anew from what the systems say now: other inputs, or the same ones on fresh facts.

    Only the maker, only a draft. Raises `Rejected`, `NotAllowed`, `Conflict("not_a_draft")`.
    """
    row = locked_plan(plan.pk)
    what = kind_of(row.kind)
    maker = _maker(what, acting_user)
    if maker.pk != row.maker_id:
        raise NotAllowed("not_the_maker", "Only the person who composed a draft changes it. Compose your own.")
    if row.state != PlanState.DRAFT:
        raise Conflict("not_a_draft", f"{row.code} is {row.get_state_display().lower()}: it cannot be changed any more.")
    words = _reason(reason)
    before = {"digest": row.digest, "inputs": row.inputs, "reason": row.reason}
    built = _build(what, inputs, situation_of(row.account, row.case), words)
    Posting.objects.filter(plan=row).delete()
    PlanTouch.objects.filter(plan=row).delete()
    PlanLine.objects.filter(plan=row).delete()
    row.row_version += 1
    _write(row, built, words)
    audit(
        "plan.edit", row, acting_user=acting_user, account_id=row.account_id, case_id=row.case_id, reason=words,
        summary=EDITED(plan=row.ref), before=before, after={"digest": row.digest, "inputs": row.inputs, "reason": row.reason},
    )  # fmt: skip
    return row


@transaction.atomic
def withdraw_plan(plan: ChangePlan, *, reason: str, acting_user: User | System) -> ChangePlan:
    """Take a draft or submitted plan back. Only its maker. Raises `Rejected("reason_missing")`, `NotAllowed`, `Conflict`."""
    words = _reason(reason)
    row = locked_plan(plan.pk)
    user = actor_user(acting_user)
    if user is None or user.pk != row.maker_id or not user.is_active:
        raise NotAllowed("not_the_maker", "Only the person who composed a plan withdraws it; an approver rejects it.")
    if row.state not in (PlanState.DRAFT, PlanState.SUBMITTED):
        raise Conflict("too_late", f"{row.code} is {row.get_state_display().lower()}: it cannot be withdrawn any more.")
    end_plan(row, PlanState.WITHDRAWN, outcome=WITHDRAWN(reason=words))
    audit(
        "plan.withdraw", row, acting_user=acting_user, account_id=row.account_id, case_id=row.case_id, reason=words,
        summary=WITHDREW(plan=row.ref), after={"state": row.state},
    )  # fmt: skip
    return row


def end_plan(row: ChangePlan, state: PlanState, *, outcome: Sentence) -> None:
    """Close a locked plan that never left: its postings are not to be sent. The caller writes the audit.

    The database refuses it once a first byte of any of its postings may have left.
    """
    for posting in locked_postings(row):
        posting.state = "void"
        posting.save(update_fields=["state"])
    row.state, row.outcome, row.ended_at = state, outcome, timezone.now()
    row.row_version += 1
    row.save()


def stored_digest(row: ChangePlan, postings: list[Posting]) -> str:
    """The plan's digest computed again from what is stored now, bytes included."""
    return plan_digest(
        kind=row.kind,
        account_id=row.account_id,
        inputs=row.inputs,
        amount=amount_of(row),
        reason=row.reason,
        lines=[line.line for line in row.lines.order_by("sequence")],
        touches={touch.ref: touch.steps for touch in row.touches.all()},
        postings=[
            bound_posting(sequence=p.sequence, system=str(p.system_id), change=p.change, call=stored_call(p)) for p in postings
        ],
        facts=row.facts,
    )


def stored_call(posting: Posting) -> ComposedCall:
    """The posting's call, byte for byte as it was composed."""
    return ComposedCall(
        method=posting.method, path=posting.path, headers=posting.headers, body=bytes(posting.body), key=posting.key,
        summary=posting.summary, before=params_from_json(posting.before), after=params_from_json(posting.after),
        reverse=posting.reverse,
    )  # fmt: skip


def amount_of(plan: ChangePlan) -> Money:
    """What the plan moves in its own currency; zero when it moves no money."""
    return Money.from_minor(plan.amount_minor, plan.currency)


def amounts_of(plan: ChangePlan) -> list[Money]:
    """What the plan moves in each currency: the sums of its debits; a single zero when it moves no money."""
    moved = debits(line.line for line in plan.lines.order_by("sequence"))
    return list(moved.values()) or [amount_of(plan)]


def holds_role(user_id: int, roles: frozenset[str]) -> bool:
    """Does this person hold one of the roles at this moment? Asked of the database, never of a cached user."""
    return RoleGrant.objects.filter(user_id=user_id, user__is_active=True, role__in=sorted(roles)).exists()


def _maker(kind: ChangeKind, acting_user: User | System) -> User:
    user = actor_user(acting_user)
    if user is None or not holds_role(user.pk, kind.maker_roles):
        raise NotAllowed("not_a_maker", f"Your roles do not let you compose this ({kind.label.lower()}). Ask an analyst.")
    return user


def _reason(reason: str) -> str:
    words = reason.strip().replace("\x00", "")
    if not words:
        raise Rejected("reason_missing", "Say why. Whoever decides reads this.", field="reason")
    if len(words) > REASON_LENGTH_MAX:
        raise Rejected("reason_too_long", f"A reason has at most {REASON_LENGTH_MAX:,} characters.", field="reason")
    return words


def _build(kind: ChangeKind, inputs: Mapping[str, object], situation: Situation, reason: str) -> Built:
    return build(kind, inputs, situation, reason=reason, compose=port.compose, new_key=new_key)


def _trace(case: ExceptionCase | None) -> str:
    return (case.trace_id if case is not None else "") or trace_id()


def _write(plan: ChangePlan, built: Built, reason: str) -> None:
    """Store a draft's content and its postings. The stored facts must give the stored digest again."""
    assert built.facts_digest == facts_digest(built.facts)
    plan.reason, plan.inputs = reason, built.inputs
    plan.amount_minor, plan.currency = built.amount.minor, built.amount.currency
    plan.facts, plan.facts_digest, plan.digest = built.facts, built.facts_digest, built.digest
    plan.save()
    Posting.objects.bulk_create([
        Posting(
            plan=plan, sequence=item.sequence, system_id=item.change.system, operation=item.change.code,
            method=item.call.method, path=item.call.path, headers=dict(item.call.headers), body=item.call.body,
            body_digest=item.body_digest, key=item.call.key, change=item.change.as_json(), summary=item.call.summary,
            before=params_as_json(item.call.before), after=params_as_json(item.call.after), reverse=item.call.reverse,
            trace_id=plan.trace_id,
        )
        for item in built.calls
    ])  # fmt: skip
    PlanTouch.objects.bulk_create([
        PlanTouch(plan=plan, steps=list(steps), system_id=ref.system, object_type=ref.object_type, object_id=ref.id)
        for ref, steps in built.touches.items()
    ])  # fmt: skip
    PlanLine.objects.bulk_create([
        PlanLine(
            plan=plan, sequence=number, account=line.account, side=line.side, amount_minor=line.amount.minor,
            currency=line.amount.currency,
        )
        for number, line in enumerate(built.lines, start=1)
    ])  # fmt: skip
