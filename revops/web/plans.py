"""Change plans: compose with a preview of the exact calls, submit, follow, withdraw."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import redis
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from revops.access.rules import may, may_compose, require, visible_to
from revops.accounts.models import Account
from revops.approvals import actions
from revops.approvals.models import Checkpoint, Decision
from revops.approvals.requirements import needs_of
from revops.audit.models import ActionRecord
from revops.cases.models import ExceptionCase
from revops.errors import Conflict, Missing, NotAllowed, Rejected, RevOpsError, http_status
from revops.ledger.models import LedgerEntry, SourceSystem
from revops.ledger.reading import account_ledger
from revops.people.models import Role, User
from revops.postings import recover
from revops.postings.build import body_text, fact_rows, facts_digest, moves
from revops.postings.draft import compose_plan, compose_reversal, edit_plan, situation_of
from revops.postings.kind import ChangeKind, FormField, Situation
from revops.postings.kinds import KINDS, kind_of
from revops.postings.models import ChangePlan, PlanState, Posting
from revops.web.cases import case_of
from revops.web.formatting import plural
from revops.web.requests import back, id_of, one, signed_in

ONCE_SECONDS = 600
ROLE_LABELS = {str(code): str(label) for code, label in Role.choices}


def plan_of(user: User, code: str) -> ChangePlan:
    """The visible plan of a code. Raises `Missing`."""
    require(user, "see_plan")
    rows = visible_to(user, ChangePlan).select_related("case", "account", "maker", "reverses")
    return one(rows, id_of(code, "CP"))


# --- composing ---------------------------------------------------------------------------------------------------------


def _subject(request: HttpRequest, user: User) -> tuple[ExceptionCase | None, Account, ChangeKind]:
    """The case (or account) and the kind that the address names. Raises `Missing` for a kind this person may not compose."""
    values = request.GET
    if not may_compose(user, values.get("kind", "")):
        raise Missing()
    kind = kind_of(values["kind"])
    if values.get("case"):
        case = case_of(user, values["case"])
        return case, case.account, kind
    account = one(visible_to(user, Account), id_of(values.get("account", ""), "AC"))
    return None, account, kind


def new_plan(request: HttpRequest) -> HttpResponse:
    """The form with what the ledger suggests; sent in, it becomes a draft that shows the exact calls."""
    user = signed_in(request)
    require(user, "compose_plan")
    case, account, kind = _subject(request, user)
    situation = situation_of(account, case)
    if request.method != "POST":
        return render(request, "postings/new.html", _form_context(_Subject(case, account, kind, situation), {}, {}))
    if not _first_time(user, request.POST.get("once", "")):
        made = ChangePlan.objects.filter(maker=user, kind=kind.code, account=account, state=PlanState.DRAFT).first()
        if made is not None:
            return redirect("plan", code=made.code)
    typed = {name: request.POST.get(name, "")[:2000] for name in [*(f.name for f in kind.fields), "reason"]}
    try:
        plan = compose_plan(
            kind=kind.code, case=case, account=account, inputs=typed, reason=typed["reason"], acting_user=user
        )  # fmt: skip
    except (Rejected, Conflict, NotAllowed) as error:
        context = _form_context(_Subject(case, account, kind, situation), typed, _problem(error))
        return render(request, "postings/new.html", context, status=http_status(error))
    return back(
        request, f"/plans/{plan.code}/", f"Draft {plan.code} is composed. Nothing has been sent: read the calls, then submit it."
    )


def _first_time(user: User, once: str) -> bool:
    """False when this very form was sent before. Without the cache every sending counts as the first: a draft sends nothing."""
    try:
        return not once or bool(cache.add(f"compose:{user.pk}:{once[:64]}", 1, ONCE_SECONDS))
    except redis.RedisError:
        return True


def _problem(error: RevOpsError) -> dict[str, str]:
    return {"message": error.message, "field": error.field or ""}


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a plan is about."""

    case: ExceptionCase | None
    account: Account
    kind: ChangeKind
    situation: Situation


def _form_context(about: _Subject, typed: Mapping[str, str], problem: Mapping[str, str]) -> dict[str, Any]:
    kind = about.kind
    suggestion = kind.suggest(about.situation)
    options = kind.options(about.situation)
    values = dict(typed) or {name: str(value) for name, value in suggestion.inputs.items()}
    return {
        "page": "plan-new",
        "section": "queue",
        "case": about.case,
        "account": about.account,
        "kind": kind,
        "suggestion": suggestion,
        "fields": [_field(f, options, values, problem) for f in kind.fields],
        "reason": values.get("reason", ""),
        "problem": problem,
        "once": typed.get("once") or _token(),
        "refused": bool(suggestion.why_not) and not typed,
    }


def _token() -> str:
    import secrets

    return secrets.token_hex(12)


def _field(spec: FormField, options: Mapping[str, Any], values: Mapping[str, str], problem: Mapping[str, str]) -> dict[str, Any]:
    return {
        "spec": spec,
        "value": values.get(spec.name, ""),
        "options": options.get(spec.name, []),
        "problem": problem.get("message", "") if problem.get("field") == spec.name else "",
    }


def edit(request: HttpRequest, code: str) -> HttpResponse:
    """Compose one's own draft anew, with other inputs or on fresh facts."""
    user = signed_in(request)
    plan = plan_of(user, code)
    if plan.maker_id != user.pk or plan.state != PlanState.DRAFT:
        raise Missing()
    kind = kind_of(plan.kind)
    situation = situation_of(plan.account, plan.case)
    stored = {name: _as_text(value) for name, value in plan.inputs.items()} | {"reason": plan.reason}
    if request.method != "POST":
        context = _form_context(_Subject(plan.case, plan.account, kind, situation), stored, {})
        return render(request, "postings/new.html", context | {"plan": plan})
    typed = {name: request.POST.get(name, "")[:2000] for name in [*(f.name for f in kind.fields), "reason"]}
    try:
        edit_plan(plan, inputs=typed, reason=typed["reason"], acting_user=user)
    except (Rejected, Conflict, NotAllowed) as error:
        context = _form_context(_Subject(plan.case, plan.account, kind, situation), typed, _problem(error))
        return render(request, "postings/new.html", context | {"plan": plan}, status=http_status(error))
    return back(request, f"/plans/{plan.code}/", f"{plan.code} is composed anew on what the systems say now.")


def _as_text(value: object) -> str:
    return str(value["amount"]) if isinstance(value, dict) and "amount" in value else str(value)


# --- one plan ----------------------------------------------------------------------------------------------------------


def plan_context(user: User, plan: ChangePlan) -> dict[str, Any]:
    """What the plan page and the approval page share."""
    kind = KINDS.get(plan.kind)
    labels = dict(SourceSystem.objects.values_list("slug", "label"))
    postings = list(Posting.objects.filter(plan=plan).order_by("sequence"))
    draft = plan.state == PlanState.DRAFT
    checkpoints = list(Checkpoint.objects.filter(plan=plan).order_by("sequence"))
    decisions = {d.checkpoint_id: d for d in Decision.objects.filter(plan=plan).select_related("decided_by")}
    now = fact_rows(kind.facts(plan.inputs, account_ledger(plan.account))) if kind and _undecided(plan) else []
    moved = moves(plan.facts, now) if now and facts_digest(now) != plan.facts_digest else []
    return {
        "section": "queue",
        "plan": plan,
        "kind": kind,
        "steps": [_step(posting, labels) for posting in postings],
        "needs": needs_of(plan) if draft else [],
        "checkpoints": [
            {"checkpoint": c, "decision": decisions.get(c.pk), "role": ROLE_LABELS.get(c.role, c.role)} for c in checkpoints
        ],
        "waiting_for": [ROLE_LABELS.get(c.role, c.role) for c in checkpoints if c.pk not in decisions],
        "facts": [_fact(fact, labels) for fact in plan.facts],
        "moved": [move.sentence() for move in moved],
        "mine": plan.maker_id == user.pk,
        "inputs": _inputs(plan, kind),
        "entries": _evidence(postings),
        "actions": ActionRecord.objects.filter(subject=f"changeplan:{plan.pk}").select_related("actor")[:50],
        "now": timezone.now(),
    }


def _undecided(plan: ChangePlan) -> bool:
    return plan.state in (PlanState.DRAFT, PlanState.SUBMITTED)


def _inputs(plan: ChangePlan, kind: ChangeKind | None) -> list[tuple[str, str]]:
    labels = {f.name: f.label for f in kind.fields} if kind else {}
    shown = []
    for name, value in plan.inputs.items():
        if name in labels:
            text = f"{value['amount']} {value['currency']}" if isinstance(value, dict) and "amount" in value else str(value)
            shown.append((labels[name], text))
    return shown


def _step(posting: Posting, labels: Mapping[str, str]) -> dict[str, Any]:
    """One call as shown: where, what, field by field before and after, the body indented for reading."""
    text = body_text(bytes(posting.body))
    with contextlib.suppress(ValueError):
        text = json.dumps(json.loads(text, parse_float=str), indent=2, ensure_ascii=False)
    names = list(dict.fromkeys([*posting.before, *posting.after]))
    return {
        "posting": posting,
        "system": labels.get(str(posting.system_id), str(posting.system_id)),
        "body": text,
        "changes": [(n, posting.before.get(n), posting.after.get(n)) for n in names],
    }


def _fact(fact: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, object]:
    return {
        "system": labels.get(fact["system"], fact["system"]),
        "what": f"{str(fact['object_type']).replace('_', ' ')} {fact['label']}",
        "version": fact["version"],
        "digest": str(fact["digest"])[:12],
    }


def _reversal(user: User, plan: ChangePlan, kind: ChangeKind | None) -> str:
    """The label of the change that undoes a posted plan, where this person may compose it; empty otherwise."""
    if kind is None or plan.state not in (PlanState.POSTED, PlanState.CONFIRMED) or plan.reversals.exists():
        return ""
    reversal = kind.reversal(plan.inputs)
    return KINDS[reversal.kind].label if reversal is not None and may_compose(user, reversal.kind) else ""


def _evidence(postings: list[Posting]) -> list[LedgerEntry]:
    ids = [posting.confirming_entry_id for posting in postings if posting.confirming_entry_id]
    return list(LedgerEntry.objects.filter(pk__in=ids).select_related("record", "record__system"))


@require_safe
def plan_page(request: HttpRequest, code: str) -> HttpResponse:
    """One plan: what it will do or did, who decided, what became of each call."""
    user = signed_in(request)
    plan = plan_of(user, code)
    context = plan_context(user, plan)
    return render(request, "postings/plan.html", context | _frame(user, plan, context))


def _frame(user: User, plan: ChangePlan, context: Mapping[str, Any]) -> dict[str, Any]:
    """What this person may do on the plan page besides reading."""
    stuck = any(step["posting"].needs_person for step in context["steps"])
    return {
        "page": "plan",
        "may_decide": may(user, "decide_plan"),
        "may_recover": stuck and bool(user.role_codes() & recover.DECIDERS),
        "reversal": _reversal(user, plan, context["kind"]),
    }


def _refused(request: HttpRequest, user: User, plan: ChangePlan, error: RevOpsError) -> HttpResponse:
    context = plan_context(user, plan_of(user, plan.code))
    context |= _frame(user, plan, context) | {"problem": error.message, "typed": request.POST.get("reason", "")[:2000]}
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
    return back(request, f"/plans/{row.code}/", words)


@require_POST
def withdraw(request: HttpRequest, code: str) -> HttpResponse:
    """Take one's own plan back before it is released."""
    user = signed_in(request)
    plan = plan_of(user, code)
    require(user, "compose_plan")
    try:
        actions.withdraw(plan, reason=request.POST.get("reason", "")[:2000], acting_user=user)
    except (Rejected, Conflict, NotAllowed) as error:
        return _refused(request, user, plan, error)
    return back(request, f"/plans/{plan.code}/", f"{plan.code} is withdrawn. Nothing was sent.")


@require_POST
def undo(request: HttpRequest, code: str) -> HttpResponse:
    """Compose the plan that undoes a posted one; it passes the same checkpoints."""
    user = signed_in(request)
    plan = plan_of(user, code)
    require(user, "compose_plan")
    try:
        row = compose_reversal(plan, inputs={}, reason=request.POST.get("reason", "")[:2000], acting_user=user)
    except (Rejected, Conflict, NotAllowed) as error:
        return _refused(request, user, plan, error)
    return back(request, f"/plans/{row.code}/", f"Draft {row.code} would undo {plan.code}. Nothing has been sent.")


@require_POST
def settle(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """What a controller found out about a call whose outcome nobody knows: look again, or nothing happened there."""
    user = signed_in(request)
    plan = plan_of(user, code)
    require(user, "decide_plan")
    posting = one(Posting.objects.filter(plan=plan), pk)
    try:
        if request.POST.get("verdict") == "absent":
            recover.set_aside(posting, reason=request.POST.get("reason", "")[:2000], acting_user=user)
            words = "Set aside: nothing happened there. The case needs somebody again."
        else:
            recover.look_again(posting, acting_user=user)
            words = "It is being looked up again. Nothing is sent by this."
    except (Rejected, Conflict, NotAllowed) as error:
        return _refused(request, user, plan, error)
    return back(request, f"/plans/{plan.code}/", words)
