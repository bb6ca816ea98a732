"""The case page, its preview in the queue, and what a person does there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from revops.access.rules import may, may_compose, require, visible_to
from revops.audit.models import ActionRecord
from revops.cases import actions
from revops.cases.models import CaseNote, CaseStatus, CaseWatch, ExceptionCase
from revops.cases.queue import QueueFilter
from revops.detection.registry import RULES
from revops.errors import Conflict, Missing, Rejected, RevOpsError, http_status
from revops.ledger.freshness import freshness_of
from revops.ledger.models import SourceRecord
from revops.ledger.reading import systems_knowing
from revops.people.models import User
from revops.postings.kinds import KINDS
from revops.postings.models import ChangePlan
from revops.web.compare import compare_grid
from revops.web.formatting import plural
from revops.web.next_step import next_step
from revops.web.queue import assignable, fresh_strip
from revops.web.requests import back, id_of, is_fragment, one, signed_in, version_in
from revops.web.timeline import SHOWS, timeline_of

SNOOZE_CHOICES = (("4", "4 hours"), ("24", "1 day"), ("72", "3 days"), ("168", "1 week"))


def case_of(user: User, code: str) -> ExceptionCase:
    """The visible case of a code. Raises `Missing`."""
    require(user, "see_case")
    rows = visible_to(user, ExceptionCase).select_related("account", "account__legal_entity", "owner")
    return one(rows, id_of(code, "EX"))


def records_of(case: ExceptionCase) -> list[SourceRecord]:
    """The records that the evidence names, in its order. One query by the unique key's columns."""
    named = [entry for entry in case.evidence.get("records") or [] if isinstance(entry, dict)]
    keys = [(str(e.get("system")), str(e.get("object_type")), str(e.get("external_id"))) for e in named]
    rows = SourceRecord.objects.filter(
        system__in={key[0] for key in keys}, object_type__in={key[1] for key in keys}, external_id__in={key[2] for key in keys}
    ).select_related("system", "current")
    found = {(row.system_id, row.object_type, row.external_id): row for row in rows}
    return [found[key] for key in dict.fromkeys(keys) if key in found]


def case_context(
    user: User, case: ExceptionCase, now: dt.datetime, *, everything: bool = False, show: str = "all"
) -> dict[str, Any]:
    """Everything the case page and its fragment show."""
    rule = RULES.get(case.rule)
    records = records_of(case)
    around = list(systems_knowing(case.account_id))
    fresh = freshness_of({*case.systems, *(system.slug for system in around)}, now=now)
    plans = list(visible_to(user, ChangePlan).filter(case=case).select_related("maker"))
    fixes = [
        {"kind": KINDS[code], "may": may_compose(user, code), "href": f"/plans/new/?case={case.code}&kind={code}"}
        for code in (rule.playbook.fixes if rule else ())
        if code in KINDS
    ]
    first = next((fix for fix in fixes if fix["may"]), None)
    may_work = may(user, "work_case", case)
    return {
        "page": "case",
        "section": "queue",
        "case": case,
        "rule": rule,
        "records": records,
        "grid": compare_grid(case.evidence, records, fresh, everything=everything, now=now, others=around),
        "fresh": fresh_strip(fresh, now),
        "inputs": dict(case.evidence.get("inputs") or {}),
        "fixes": fixes,
        "plans": plans,
        "step": next_step(
            case,
            plans[0] if plans else None,
            me=user.pk,
            may_work=may_work,
            may_decide=may(user, "decide_plan"),
            fix_href=str(first["href"]) if first else "",
            fix_label=f"Compose: {KINDS[first['kind'].code].label}" if first else "",  # type: ignore[attr-defined]
        ),
        "first_fix": first,
        "moments": timeline_of(case, records, show=show),
        "show": show,
        "shows": SHOWS,
        "may_work": may_work,
        "mine": case.owner_id == user.pk,
        "people": assignable(user) if may_work else [],
        "watching": CaseWatch.objects.filter(case=case, user=user).exists(),
        "snoozes": SNOOZE_CHOICES,
        "typed": {},
        "now": now,
    }


@require_safe
def case_page(request: HttpRequest, code: str) -> HttpResponse:
    """The page, or its fragment for HTMX."""
    user, now = signed_in(request), timezone.now()
    case = case_of(user, code)
    show = request.GET.get("show", "all")
    context = case_context(user, case, now, everything=request.GET.get("fields") == "all", show=show if show in SHOWS else "all")
    if is_fragment(request):
        return render(request, "cases/_case.html", context)
    return render(request, "cases/case.html", context | neighbours(user, case))


def neighbours(user: User, case: ExceptionCase) -> dict[str, str]:
    """The cases before and after this one in the reader's own open list, for `j` and `k`."""
    rows = visible_to(user, ExceptionCase).filter(status=CaseStatus.OPEN)
    after = rows.filter(due_at__gte=case.due_at).exclude(due_at=case.due_at, pk__lte=case.pk).order_by("due_at", "pk")
    before = rows.filter(due_at__lte=case.due_at).exclude(due_at=case.due_at, pk__gte=case.pk).order_by("-due_at", "-pk")
    following, previous = after.only("pk").first(), before.only("pk").first()
    return {
        "next_href": f"/cases/{following.code}/" if following else "",
        "previous_href": f"/cases/{previous.code}/" if previous else "",
    }


def preview_context(user: User, code: str, now: dt.datetime) -> dict[str, Any]:
    """The pane beside the list; empty when the case is not there."""
    try:
        return case_context(user, case_of(user, code), now) | {"page": "queue", "in_pane": True}
    except Missing:
        return {}


@require_safe
def preview(request: HttpRequest, code: str) -> HttpResponse:
    """The pane's fragment."""
    user, now = signed_in(request), timezone.now()
    context = case_context(user, case_of(user, code), now)
    return render(request, "cases/_preview.html", context | {"in_pane": True})


# --- actions -----------------------------------------------------------------------------------------------------------


def _act(request: HttpRequest, code: str, change: Callable[[ExceptionCase, User, dt.datetime], dict[str, Any]]) -> HttpResponse:
    """Access, the action, and the changed fragment; a refusal keeps what was typed."""
    user, now = signed_in(request), timezone.now()
    case = case_of(user, code)
    require(user, "work_case", case)
    try:
        outcome = change(case, user, now)
    except (Conflict, Rejected) as error:
        return _refused(request, user, case, error, now)
    in_pane = request.POST.get("view") == "preview"
    if not is_fragment(request):
        return back(request, f"/queue/?open={case.code}" if in_pane else f"/cases/{case.code}/", str(outcome["toast"]))
    context = case_context(user, case_of(user, code), now) | outcome | {"in_pane": in_pane, "changed_row": True}
    context["row"] = _row_for(user, context["case"], now)
    return render(request, "cases/_preview.html" if in_pane else "cases/_case.html", context)


def _row_for(user: User, case: ExceptionCase, now: dt.datetime) -> object:
    from revops.ledger.models import SourceSystem
    from revops.web.rows import case_row

    return case_row(case, systems=dict(SourceSystem.objects.values_list("slug", "label")), now=now, me=user.pk)


def _refused(request: HttpRequest, user: User, case: ExceptionCase, error: RevOpsError, now: dt.datetime) -> HttpResponse:
    in_pane = request.POST.get("view") == "preview"
    typed = {name: value for name, value in request.POST.items() if name in ("text", "reason", "remark", "owner", "hours")}
    context = case_context(user, case_of(user, case.code), now)
    context |= {"problem": error.message, "problem_field": error.field, "typed": typed, "in_pane": in_pane}
    if isinstance(error, Conflict):
        context["last_change"] = ActionRecord.objects.filter(case_id=case.pk).select_related("actor").first()
    if is_fragment(request):
        template = "cases/_preview.html" if in_pane else "cases/_case.html"
    else:
        template, context = "cases/case.html", context | neighbours(user, case)
    return render(request, template, context, status=http_status(error))


@require_POST
def take(request: HttpRequest, code: str) -> HttpResponse:
    """Make the case mine."""

    def change(case: ExceptionCase, user: User, _now: dt.datetime) -> dict[str, Any]:
        before = case.owner_id
        row = actions.assign_case(case, owner=user, row_version=version_in(request), acting_user=user)
        return {"toast": f"{case.code} is yours", "undo": _undo_assign(row, before)}

    return _act(request, code, change)


@require_POST
def assign(request: HttpRequest, code: str) -> HttpResponse:
    """Give the case to somebody, or to nobody."""

    def change(case: ExceptionCase, user: User, _now: dt.datetime) -> dict[str, Any]:
        before, owner = case.owner_id, owner_in(request, case)
        row = actions.assign_case(
            case, owner=owner, row_version=version_in(request), acting_user=user, remark=request.POST.get("remark", "")[:300]
        )
        words = f"{case.code} is now with {owner.shown_name}" if owner else f"{case.code} is with nobody now"
        return {"toast": words, "undo": _undo_assign(row, before)}

    return _act(request, code, change)


def owner_in(request: HttpRequest, case: ExceptionCase | None = None) -> User | None:
    """The chosen owner; None for nobody. Raises `Rejected` for people who may not work the case."""
    text = request.POST.get("owner", "")
    if not text:
        return None
    owner = User.objects.filter(pk=int(text), is_active=True).first() if text.isdecimal() and len(text) < 19 else None
    if owner is None or not may(owner, "work_case", case):
        raise Rejected("owner_unsuitable", "This person does not work such cases. Choose somebody of the list.", field="owner")
    return owner


def _undo_assign(row: ExceptionCase, before: int | None) -> dict[str, object] | None:
    if row.owner_id == before:
        return None
    fields = {"owner": before or "", "version": row.row_version, "remark": "undone"}
    return {"action": f"/cases/{row.code}/assign/", "fields": fields}


@require_POST
def snooze(request: HttpRequest, code: str) -> HttpResponse:
    """Put the case aside for some hours."""

    def change(case: ExceptionCase, user: User, now: dt.datetime) -> dict[str, Any]:
        hours = request.POST.get("hours", "")
        if hours not in dict(SNOOZE_CHOICES):
            raise Rejected("snooze_time", "Choose for how long.", field="hours")
        row = actions.snooze_case(
            case,
            until=now + dt.timedelta(hours=int(hours)),
            reason=request.POST.get("reason", "")[:500],
            row_version=version_in(request),
            acting_user=user,
            now=now,
        )
        undo = {"action": f"/cases/{row.code}/wake/", "fields": {"version": row.row_version}}
        return {"toast": f"{case.code} is put aside for {dict(SNOOZE_CHOICES)[hours]}", "undo": undo}

    return _act(request, code, change)


@require_POST
def wake(request: HttpRequest, code: str) -> HttpResponse:
    """Bring a snoozed case back now."""

    def change(case: ExceptionCase, user: User, _now: dt.datetime) -> dict[str, Any]:
        actions.wake_case(case, row_version=version_in(request), acting_user=user)
        return {"toast": f"{case.code} is back in the queue"}

    return _act(request, code, change)


@require_POST
def watch(request: HttpRequest, code: str) -> HttpResponse:
    """Watch or stop watching; whoever may see a case may watch it."""
    user, now = signed_in(request), timezone.now()
    case = case_of(user, code)
    on = request.POST.get("on") == "1"
    if on:
        actions.watch_case(case, acting_user=user)
    else:
        actions.unwatch_case(case, acting_user=user)
    words = f"You watch {case.code}" if on else f"You no longer watch {case.code}"
    context = case_context(user, case, now) if is_fragment(request) else {}
    return back(request, f"/cases/{case.code}/", words, "cases/_case.html", context)


@require_POST
def note(request: HttpRequest, code: str) -> HttpResponse:
    """Write a note."""

    def change(case: ExceptionCase, user: User, now: dt.datetime) -> dict[str, Any]:
        written: CaseNote = actions.comment_on_case(case, text=request.POST.get("text", ""), acting_user=user, now=now)
        called = [person.shown_name for person in written.mentions.all()]
        return {"toast": f"Note written; {', '.join(called)} will see it" if called else "Note written"}

    return _act(request, code, change)


@require_POST
def assign_many(request: HttpRequest) -> HttpResponse:
    """Assign the selected rows; each row has its own result."""
    user, now = signed_in(request), timezone.now()
    require(user, "work_case")
    owner = owner_in(request)
    remark = request.POST.get("remark", "")[:300]
    done, skipped = 0, []
    for picked in dict.fromkeys(request.POST.getlist("case")[:200]):
        key, _, version = picked.partition(":")
        if not (key.isdecimal() and version.isdecimal() and len(key) < 19):
            continue
        row = visible_to(user, ExceptionCase).filter(pk=int(key)).first()
        if row is None:
            continue
        try:
            require(user, "work_case", row)
            if owner is not None:
                require(owner, "work_case", row)
            actions.assign_case(row, owner=owner, row_version=int(version), acting_user=user, remark=remark)
            done += 1
        except Missing:
            skipped.append((row.code, "not a case that this person works"))
        except (Conflict, Rejected) as error:
            skipped.append((row.code, error.message))
    who = owner.shown_name if owner else "nobody"
    words = f"{plural(done, 'case')} given to {who}" if done or skipped else "Select at least one row first."
    chosen = QueueFilter.from_query(request.POST.get("back", ""))
    if is_fragment(request):
        from revops.web.queue import queue_context

        context = queue_context(user, dict(_lists(chosen.query())), now)
        return render(request, "cases/_queue.html", context | {"toast": words, "skipped": skipped})
    text = words + "".join(f" Skipped {code}: {why}" for code, why in skipped)
    return back(request, f"/queue/?{chosen.query()}", text)


def _lists(query: str) -> dict[str, list[str]]:
    from urllib.parse import parse_qs

    return parse_qs(query)
