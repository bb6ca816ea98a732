"""Change plans: compose with a preview of the exact calls, submit, follow, withdraw."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import redis
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from revops.access.rules import may_compose, require, visible_to
from revops.accounts.models import Account
from revops.approvals import actions
from revops.approvals.models import Checkpoint
from revops.cases.models import ExceptionCase
from revops.errors import Conflict, Missing, NotAllowed, Rejected, RevOpsError, http_status
from revops.people.models import User
from revops.postings import recover
from revops.postings.draft import compose_plan, compose_remainder, compose_reversal, edit_plan, situation_of
from revops.postings.kind import ChangeKind, Situation
from revops.postings.kinds import kind_of
from revops.postings.models import ChangePlan, PlanState, Posting
from revops.web.addresses import href
from revops.web.case_context import case_of, progress_of
from revops.web.formatting import plural
from revops.web.forms import PageForm, PlanForm
from revops.web.plan_context import (
    follow_form,
    frame_of,
    outcome_form,
    plan_context,
    plan_of,
    stamp_of_plan,
    withdraw_form,
)
from revops.web.requests import back, id_of, is_fragment, one, signed_in

ONCE_SECONDS = 600


# --- composing ---------------------------------------------------------------------------------------------------------


def _asked_for(request: HttpRequest, user: User) -> tuple[ExceptionCase | None, Account, ChangeKind]:
    """The case (or account) and the kind that the address names. Raises `Missing` for a kind this person may not compose."""
    values = request.GET
    if not may_compose(user, values.get("kind", "")):
        raise Missing()
    kind = kind_of(values["kind"])
    if values.get("case"):
        case = case_of(user, values["case"])
        if case.account is None:
            raise Missing()
        return case, case.account, kind
    account = one(visible_to(user, Account), id_of(values.get("account", ""), "AC"))
    return None, account, kind


def new_plan(request: HttpRequest) -> HttpResponse:
    """The form with what the ledger suggests; sent in, it becomes a draft that shows the exact calls."""
    user = signed_in(request)
    require(user, "compose_plan")
    case, account, kind = _asked_for(request, user)
    about = _Request(case, account, kind, situation_of(account, case))
    if request.method != "POST":
        return render(request, "postings/new.html", _form_context(about, _form(about, None)))
    form = _form(about, request.POST)
    if not _first_time(user, form.given("once") or ""):
        made = ChangePlan.objects.filter(maker=user, kind=kind.code, account=account, state=PlanState.DRAFT).first()
        if made is not None:
            return redirect("web:plan", code=made.code)
    try:
        inputs, reason = form.inputs(), form.given("reason")
        plan = compose_plan(kind=kind.code, case=case, account=account, inputs=inputs, reason=reason, acting_user=user)
    except (Rejected, Conflict, NotAllowed) as error:
        form.keep_problem(error)
        return render(request, "postings/new.html", _form_context(about, form), status=http_status(error))
    words = f"Draft {plan.code} is composed. Nothing has been sent: read the calls, then submit it."
    return back(request, href("plan", plan.code), words)


def _first_time(user: User, once: str) -> bool:
    """False when this very form was sent before. Without the cache every sending counts as the first: a draft sends nothing."""
    try:
        return not once or bool(cache.add(f"compose:{user.pk}:{once}", 1, ONCE_SECONDS))
    except redis.RedisError:
        return True


@dataclass(frozen=True, slots=True)
class _Request:
    """What a plan is composed from."""

    case: ExceptionCase | None
    account: Account
    kind: ChangeKind
    situation: Situation


def _form(about: _Request, data: Mapping[str, Any] | None, stored: Mapping[str, str] | None = None) -> PlanForm:
    """The kind's form: filled in with `data`, else with the draft's own inputs, else with what the ledger suggests."""
    start = stored or {name: str(value) for name, value in about.kind.suggest(about.situation).inputs.items()}
    return PlanForm(about.kind, about.kind.options(about.situation), data, initial=start)


def _form_context(about: _Request, form: PlanForm) -> dict[str, Any]:
    suggestion = about.kind.suggest(about.situation)
    return {
        "page": "plan-new",
        "section": "queue",
        "case": about.case,
        "account": about.account,
        "kind": about.kind,
        "suggestion": suggestion,
        "form": form,
        "once": secrets.token_hex(12),
        "refused": suggestion.why_not is not None and not form.is_bound,
    }


def edit(request: HttpRequest, code: str) -> HttpResponse:
    """Compose one's own draft anew, with other inputs or on fresh facts."""
    user = signed_in(request)
    plan = plan_of(user, code)
    if plan.maker_id != user.pk or plan.state != PlanState.DRAFT:
        raise Missing()
    kind = kind_of(plan.kind)
    about = _Request(plan.case, plan.account, kind, situation_of(plan.account, plan.case))
    if request.method != "POST":
        stored = {name: _as_text(value) for name, value in plan.inputs.items()} | {"reason": plan.reason}
        return render(request, "postings/new.html", _form_context(about, _form(about, None, stored)) | {"plan": plan})
    form = _form(about, request.POST)
    try:
        edit_plan(plan, inputs=form.inputs(), reason=form.given("reason"), acting_user=user)
    except (Rejected, Conflict, NotAllowed) as error:
        form.keep_problem(error)
        context = _form_context(about, form) | {"plan": plan}
        return render(request, "postings/new.html", context, status=http_status(error))
    return back(request, href("plan", plan.code), f"{plan.code} is composed anew on what the systems say now.")


def _as_text(value: object) -> str:
    return str(value["amount"]) if isinstance(value, dict) and "amount" in value else str(value)


# --- one plan ----------------------------------------------------------------------------------------------------------


@require_safe
def plan_page(request: HttpRequest, code: str) -> HttpResponse:
    """One plan: what it will do or did, who decided, what became of each call."""
    user = signed_in(request)
    plan = plan_of(user, code)
    if is_fragment(request) and request.GET.get("since") == stamp_of_plan(progress_of([plan])):
        return HttpResponse(status=204)
    context = plan_context(user, plan)
    template = "postings/_plan.html" if is_fragment(request) else "postings/plan.html"
    return render(request, template, context | frame_of(user, plan, context))


def _refused(request: HttpRequest, user: User, plan: ChangePlan, error: RevOpsError, **forms: PageForm) -> HttpResponse:
    """The plan's page again with the refusal above it and at its field; `forms` are those that were sent."""
    for form in forms.values():
        form.keep_problem(error)
    context = plan_context(user, plan_of(user, plan.code))
    context |= frame_of(user, plan, context) | {"problem": error.message, **forms}
    return render(request, "postings/plan.html", context, status=http_status(error))


@require_POST
def submit(request: HttpRequest, code: str) -> HttpResponse:
    """Hand the draft in."""
    user = signed_in(request)
    plan = plan_of(user, code)
    require(user, "compose_plan")
    try:
        row = actions.submit_plan(plan, acting_user=user)
    except (Rejected, Conflict, NotAllowed) as error:
        return _refused(request, user, plan, error)
    count = Checkpoint.objects.filter(plan=row).count()
    if row.state == PlanState.SUBMITTED:
        words = f"{row.code} is handed in. It needs {plural(count, 'signature')}."
    else:
        words = f"{row.code} needs no approval and is on its way."
    return back(request, href("plan", row.code), words)


@require_POST
def withdraw(request: HttpRequest, code: str) -> HttpResponse:
    """Take one's own plan back before it is released."""
    user = signed_in(request)
    plan = plan_of(user, code)
    require(user, "compose_plan")
    form = withdraw_form(request.POST)
    try:
        actions.withdraw(plan, reason=form.must()["reason"], acting_user=user)
    except (Rejected, Conflict, NotAllowed) as error:
        return _refused(request, user, plan, error, withdraw_form=form)
    return back(request, href("plan", plan.code), f"{plan.code} is withdrawn. Nothing was sent.")


@require_POST
def undo(request: HttpRequest, code: str) -> HttpResponse:
    """Compose the plan that undoes a posted one; it passes the same checkpoints."""
    return _follow(request, code, compose_reversal, "would undo")


@require_POST
def finish(request: HttpRequest, code: str) -> HttpResponse:
    """Compose the plan that makes the missing steps of a partly posted one; it passes the same checkpoints."""
    return _follow(request, code, compose_remainder, "would finish")


def _follow(request: HttpRequest, code: str, compose: Callable[..., ChangePlan], what: str) -> HttpResponse:
    user = signed_in(request)
    plan = plan_of(user, code)
    require(user, "compose_plan")
    form = follow_form(request.POST)
    try:
        row = compose(plan, inputs={}, reason=form.must()["reason"], acting_user=user)
    except (Rejected, Conflict, NotAllowed) as error:
        return _refused(request, user, plan, error, follow_form=form)
    return back(request, href("plan", row.code), f"Draft {row.code} {what} {plan.code}. Nothing has been sent.")


@require_POST
def record_outcome(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """What a controller found out about a call that waits for a person: look again, nothing happened there, the record that
    stands there is its effect, or must not be there."""
    user = signed_in(request)
    plan = plan_of(user, code)
    require(user, "decide_plan")
    posting = one(Posting.objects.filter(plan=plan), pk)
    form = outcome_form(request.POST)
    try:
        said = form.must()
        if said["verdict"] == "absent":
            recover.set_aside(posting, reason=said["reason"], acting_user=user)
            words = "Set aside: nothing happened there. The case needs somebody again."
        elif said["verdict"] == "adopt":
            recover.adopt(posting, reason=said["reason"], acting_user=user)
            words = f"Adopted: the record proves {plan.code}. Nothing was sent by this."
        elif said["verdict"] == "stray":
            recover.declare_stray(posting, reason=said["reason"], acting_user=user)
            words = "Declared a stray. It waits in the queue until the record is voided or deleted in its own system."
        else:
            recover.look_up_again(posting, acting_user=user)
            words = "It is being looked up again. Nothing is sent by this."
    except (Rejected, Conflict, NotAllowed) as error:
        return _refused(request, user, plan, error, outcome_form=form)
    return back(request, href("plan", plan.code), words)
