"""Approvals: the inbox, and one decision on a page made for a phone. Looking changes nothing; signing needs a fresh proof."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from revops.access.rules import may, require, visible_to
from revops.approvals import actions
from revops.approvals.checkpoints import Open, may_sign, signable
from revops.approvals.models import Checkpoint, Decision
from revops.approvals.requirements import unsigned
from revops.errors import Conflict, NotAllowed, Rejected, RevOpsError, http_status
from revops.people.models import User
from revops.postings.kinds import KINDS
from revops.postings.models import ChangePlan, PlanState
from revops.web.addresses import href
from revops.web.formatting import due_text, minor_html
from revops.web.forms import ApproveForm, PageForm, RejectForm
from revops.web.plan_context import ROLE_LABELS, frame_of, plan_context, plan_of
from revops.web.requests import back, signed_in
from revops.web.step_up import add_proof, asked_of, proved

MEANINGS = (
    "I reviewed the facts and the exact calls, and I approve this change.",
    "I approve this change within my authority; the evidence is sufficient.",
)


def waiting_for_me(user: User) -> list[ChangePlan]:
    """Submitted plans whose next signature this person may give, the most urgent first. Two queries."""
    if not may(user, "decide_plan"):
        return []
    roles = user.role_codes()
    plans = list(
        ChangePlan.objects.filter(state=PlanState.SUBMITTED)
        .exclude(maker=user)
        .exclude(decisions__decided_by=user)
        .select_related("case", "account", "maker")
        .order_by("submitted_at", "id")[:500]
    )
    open_by_plan: dict[int, list[Open]] = {}
    rows = Checkpoint.objects.filter(plan__in=plans, decision__isnull=True).order_by("sequence", "id")
    for row in rows:
        open_by_plan.setdefault(row.plan_id, []).append(Open(row.pk, row.role, row.sequence))
    return [plan for plan in plans if signable(open_by_plan.get(plan.pk, []), roles) is not None]


def count_waiting(user: User) -> int:
    """The number on the tab."""
    return len(waiting_for_me(user))


@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """Waiting for me, or every plan that waits for somebody."""
    user, now = signed_in(request), timezone.now()
    require(user, "see_approvals")
    scope = request.GET.get("show", "mine" if may(user, "decide_plan") else "all")
    mine = waiting_for_me(user)
    waiting = visible_to(user, ChangePlan).filter(state=PlanState.SUBMITTED).select_related("case", "account", "maker")
    everything = list(waiting.order_by("submitted_at", "id")[:200])
    decided = list(
        Decision.objects.filter(decided_by=user).select_related("plan", "plan__account", "plan__maker").order_by("-id")[:50]
    )
    plans = {"mine": mine, "all": everything, "decided": [d.plan for d in decided]}.get(scope, mine)
    context = {
        "page": "approvals",
        "section": "approvals",
        "scope": scope if scope in ("mine", "all", "decided") else "mine",
        "tabs": [
            *([("mine", "For me", len(mine))] if may(user, "decide_plan") else []),
            ("all", "All that wait", len(everything)),
            *([("decided", "Decided by me", len(decided))] if may(user, "decide_plan") or decided else []),
        ],
        "rows": [_row(plan, now) for plan in plans],
        "may_decide": may(user, "decide_plan"),
    }
    return render(request, "approvals/inbox.html", context)


def _row(plan: ChangePlan, now: Any) -> dict[str, Any]:
    kind = KINDS.get(plan.kind)
    return {
        "plan": plan,
        "href": href("approval", plan.code),
        "label": kind.label if kind else plan.kind,
        "amount": minor_html(plan.amount_minor, plan.currency),
        "due": due_text(plan.case.due_at, now) if plan.case and plan.state == PlanState.SUBMITTED else "",
        "late": bool(plan.case and plan.case.due_at < now),
    }


def decision_context(user: User, plan: ChangePlan) -> dict[str, Any]:
    """Whether this person may decide now, and if not, why: said before they try."""
    waiting = unsigned(plan)
    checkpoint = signable(waiting, user.role_codes())
    mine = Decision.objects.filter(plan=plan, decided_by=user).first()
    why_not = ""
    if plan.state != PlanState.SUBMITTED:
        why_not = f"{plan.code} is {plan.get_state_display().lower()}: there is nothing to decide any more."
        if plan.state == PlanState.DRAFT:
            why_not = f"{plan.code} is still a draft. Its maker has not handed it in."
    elif plan.maker_id == user.pk:
        why_not = "You composed this plan, so somebody else decides about it."
    elif mine is not None:
        why_not = "You have signed this plan already. The next signature is somebody else’s."
    elif checkpoint is None and any(may_sign(item.role, user.role_codes()) for item in waiting):
        why_not = "Another signature comes first. You can sign once it is given."
    elif checkpoint is None:
        why_not = "Your roles do not decide about this plan."
    row = Checkpoint.objects.filter(pk=checkpoint.id).first() if checkpoint and not why_not else None
    total = Checkpoint.objects.filter(plan=plan).count()
    return {
        "mood": _mood(plan, mine),
        "why_not": why_not,
        "checkpoint": row,
        "as_role": ROLE_LABELS.get(row.role, row.role) if row else "",
        "position": f"{total - len(waiting) + 1} of {total}" if row else "",
        "my_decision": mine,
    }


def _mood(plan: ChangePlan, mine: Decision | None) -> str:
    """The colour class of the note that says why there is nothing to decide."""
    if plan.state == PlanState.CONFIRMED or (mine is not None and mine.verdict == "approved"):
        return "good"
    return "bad" if plan.state in (PlanState.REJECTED, PlanState.EXPIRED, PlanState.VOID, PlanState.FAILED) else "warn"


@require_safe
def approval_page(request: HttpRequest, code: str) -> HttpResponse:
    """What will happen, why me, and the two buttons. GET changes nothing."""
    user = signed_in(request)
    require(user, "see_approvals")
    plan = plan_of(user, code)
    return render(request, "approvals/approval.html", _context(request, user, plan))


def _context(request: HttpRequest, user: User, plan: ChangePlan) -> dict[str, Any]:
    where = decision_context(user, plan)
    others = [other for other in waiting_for_me(user) if other.pk != plan.pk] if where["why_not"] else []
    context = plan_context(user, plan)
    asked = asked_of(request, user)
    approve_form, reject_form = ApproveForm(MEANINGS, initial={"meaning": MEANINGS[0]}), RejectForm(plan.maker.shown_name)
    add_proof(approve_form, asked)
    add_proof(reject_form, asked)
    frame = {
        "page": "approval",
        "section": "approvals",
        "approve_form": approve_form,
        "reject_form": reject_form,
        "asked": asked,
        "others": len(others),
    }
    return context | frame_of(user, plan, context) | where | frame | {"following": others[0] if others else None}


@sensitive_post_parameters("proof", "answer")
@require_POST
def approve(request: HttpRequest, code: str) -> HttpResponse:
    """Sign: a fresh proof of who is there, what the signature means, and the digest of what was shown."""
    user = signed_in(request)
    require(user, "decide_plan")
    plan = plan_of(user, code)
    form = ApproveForm(MEANINGS, request.POST)
    add_proof(form, asked_of(request, user))
    try:
        given = form.must()
        step_up = proved(request, user, given)
        row = actions.approve(plan, digest=given["digest"], meaning=given["meaning"], step_up=step_up, acting_user=user)
    except (Rejected, Conflict, NotAllowed) as error:
        return _refused(request, user, plan, error, {"approve_form": form})
    words = {
        PlanState.VOID: f"{row.code} is void: the facts had changed. Nothing was sent; its maker composes it again.",
        PlanState.SUBMITTED: f"You approved {row.code}. It needs one more signature.",
    }.get(PlanState(row.state), f"You approved {row.code}. It is on its way.")
    return back(request, href("approval", row.code), words)


@sensitive_post_parameters("proof", "answer")
@require_POST
def reject(request: HttpRequest, code: str) -> HttpResponse:
    """Refuse, with the reason that the maker reads."""
    user = signed_in(request)
    require(user, "decide_plan")
    plan = plan_of(user, code)
    form = RejectForm(plan.maker.shown_name, request.POST)
    add_proof(form, asked_of(request, user))
    try:
        given = form.must()
        actions.reject(plan, reason=given["reason"], step_up=proved(request, user, given), acting_user=user)
    except (Rejected, Conflict, NotAllowed) as error:
        return _refused(request, user, plan, error, {"reject_form": form})
    return back(request, href("approval", plan.code), f"You rejected {plan.code}. {plan.maker.shown_name} reads your reason.")


def _refused(
    request: HttpRequest, user: User, plan: ChangePlan, error: RevOpsError, forms: Mapping[str, PageForm]
) -> HttpResponse:
    """The page again with the refusal above it and at its field; the sheet whose form was sent stands open."""
    for form in forms.values():
        form.keep_problem(error)
    context = _context(request, user, plan_of(user, plan.code)) | {"problem": error.message, **forms}
    return render(request, "approvals/approval.html", context, status=http_status(error))
