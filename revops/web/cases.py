"""The case page, its preview in the queue, and what a person does there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from revops.access.rules import may, require
from revops.audit.models import ActionRecord
from revops.cases import actions
from revops.cases.models import CaseNote, ExceptionCase
from revops.errors import Conflict, Rejected, RevOpsError, http_status
from revops.parameters import row_id
from revops.people.models import User
from revops.web.addresses import href
from revops.web.assignees import assignable
from revops.web.case_context import (
    SNOOZE_CHOICES,
    case_context,
    case_forms,
    case_of,
    neighbours,
    plans_of,
    progress_of,
    stamp_of,
)
from revops.web.forms import OriginForm, PageForm, WatchForm
from revops.web.queue import counts_beside, row_of
from revops.web.requests import back, is_fragment, signed_in
from revops.web.timeline import SHOWS


@require_safe
def case_page(request: HttpRequest, code: str) -> HttpResponse:
    """The page, or its fragment for HTMX."""
    user, now = signed_in(request), timezone.now()
    case = case_of(user, code)
    show = request.GET.get("show", "all")
    if is_fragment(request) and request.GET.get("since") == stamp_of(case, progress_of(plans_of(user, case))):
        return HttpResponse(status=204)
    context = case_context(user, case, now, everything=request.GET.get("fields") == "all", show=show if show in SHOWS else "all")
    if is_fragment(request):
        return render(request, "cases/_case.html", context)
    return render(request, "cases/case.html", context | neighbours(user, case))


@require_safe
def preview(request: HttpRequest, code: str) -> HttpResponse:
    """The pane's fragment."""
    user, now = signed_in(request), timezone.now()
    context = case_context(user, case_of(user, code), now, brief=True)
    return render(request, "cases/_preview.html", context | {"in_pane": True})


# --- actions -----------------------------------------------------------------------------------------------------------


Change = Callable[[ExceptionCase, User, dt.datetime, Mapping[str, Any]], dict[str, Any]]
"""What an action does, given the version that was shown and the clean values of its form; answers what the toast says and how it
is undone."""


def _act(request: HttpRequest, code: str, change: Change, which: str = "") -> HttpResponse:
    """Access, the form named `which`, the action, and the changed fragment; a refusal keeps what was typed."""
    user, now = signed_in(request), timezone.now()
    case = case_of(user, code)
    require(user, "work_case", case)
    origin = OriginForm(request.POST)
    in_pane = origin.given("view") == "preview"
    forms = case_forms(case, assignable(user, case), which, request.POST)
    try:
        said = {"version": origin.given("version"), **(forms[which].must() if which else {})}
        outcome = change(case, user, now, said)
    except (Conflict, Rejected) as error:
        if which:
            forms[which].keep_problem(error)
        return _refused(request, user, case, error, now=now, forms=forms, in_pane=in_pane)
    if not is_fragment(request):
        return back(
            request, href("queue", query={"open": case.code}) if in_pane else href("case", case.code), str(outcome["toast"])
        )
    context = case_context(user, case_of(user, code), now, brief=in_pane) | outcome | {"in_pane": in_pane}
    if in_pane:
        context |= counts_beside(request, user, now) | {"row": row_of(user, context["case"], now), "changed_row": True}
    return render(request, "cases/_preview.html" if in_pane else "cases/_case.html", context)


def _refused(
    request: HttpRequest,
    user: User,
    case: ExceptionCase,
    error: RevOpsError,
    *,
    now: dt.datetime,
    forms: Mapping[str, PageForm],
    in_pane: bool,
) -> HttpResponse:
    context = case_context(user, case_of(user, case.code), now)
    context |= {"problem": error.message, "forms": forms, "in_pane": in_pane}
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

    def change(case: ExceptionCase, user: User, _now: dt.datetime, said: Mapping[str, Any]) -> dict[str, Any]:
        before = case.owner_id
        row = actions.assign_case(case, owner=user, row_version=said["version"], acting_user=user)
        return {"toast": f"{case.code} is yours", "undo": _undo_assign(row, before)}

    return _act(request, code, change)


@require_POST
def assign(request: HttpRequest, code: str) -> HttpResponse:
    """Give the case to somebody, or to nobody."""

    def change(case: ExceptionCase, user: User, _now: dt.datetime, said: Mapping[str, Any]) -> dict[str, Any]:
        before, owner = case.owner_id, owner_of(said["owner"], case)
        row = actions.assign_case(case, owner=owner, row_version=said["version"], acting_user=user, remark=said["remark"])
        words = f"{case.code} is now with {owner.shown_name}" if owner else f"{case.code} is with nobody now"
        return {"toast": words, "undo": _undo_assign(row, before)}

    return _act(request, code, change, "assign")


def owner_of(text: str, case: ExceptionCase | None = None) -> User | None:
    """The chosen owner; None for nobody. Raises `Rejected` for people who may not work the case."""
    if not text:
        return None
    owner = User.objects.filter(pk=row_id(text) or 0, is_active=True).first()
    if owner is None or not may(owner, "work_case", case):
        raise Rejected("owner_unsuitable", "This person does not work such cases. Choose somebody of the list.", field="owner")
    return owner


def _undo_assign(row: ExceptionCase, before: int | None) -> dict[str, object] | None:
    if row.owner_id == before:
        return None
    fields = {"owner": before or "", "version": row.row_version, "remark": "undone"}
    return {"action": href("case-assign", row.code), "fields": fields}


@require_POST
def snooze(request: HttpRequest, code: str) -> HttpResponse:
    """Put the case aside for some hours."""

    def change(case: ExceptionCase, user: User, now: dt.datetime, said: Mapping[str, Any]) -> dict[str, Any]:
        hours = said["hours"]
        row = actions.snooze_case(
            case,
            until=now + dt.timedelta(hours=int(hours)),
            reason=said["reason"],
            row_version=said["version"],
            acting_user=user,
            now=now,
        )
        undo = {"action": href("case-wake", row.code), "fields": {"version": row.row_version}}
        return {"toast": f"{case.code} is put aside for {dict(SNOOZE_CHOICES)[hours]}", "undo": undo}

    return _act(request, code, change, "snooze")


@require_POST
def wake(request: HttpRequest, code: str) -> HttpResponse:
    """Bring a snoozed case back now."""

    def change(case: ExceptionCase, user: User, _now: dt.datetime, said: Mapping[str, Any]) -> dict[str, Any]:
        actions.wake_case(case, row_version=said["version"], acting_user=user)
        return {"toast": f"{case.code} is back in the queue"}

    return _act(request, code, change)


@require_POST
def watch(request: HttpRequest, code: str) -> HttpResponse:
    """Watch or stop watching."""
    user, now = signed_in(request), timezone.now()
    case = case_of(user, code)
    require(user, "watch_case")
    on = bool(WatchForm(request.POST).given("on"))
    if on:
        actions.watch_case(case, acting_user=user)
    else:
        actions.unwatch_case(case, acting_user=user)
    words = f"You watch {case.code}" if on else f"You no longer watch {case.code}"
    context = case_context(user, case, now) if is_fragment(request) else {}
    return back(request, href("case", case.code), words, "cases/_case.html", context)


@require_POST
def note(request: HttpRequest, code: str) -> HttpResponse:
    """Write a note."""

    def change(case: ExceptionCase, user: User, now: dt.datetime, said: Mapping[str, Any]) -> dict[str, Any]:
        written: CaseNote = actions.comment_on_case(case, text=said["text"], acting_user=user, now=now)
        called = [person.shown_name for person in written.mentions.all()]
        return {"toast": f"Note written; {', '.join(called)} will see it" if called else "Note written"}

    return _act(request, code, change, "note")
