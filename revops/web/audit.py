"""The audit page: the action log and the history of governed records, on one timeline, for those who may read it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from revops.access.rules import require, visible_to
from revops.accounts.models import Account, AccountLink
from revops.audit.models import ActionRecord
from revops.cases.models import ExceptionCase
from revops.keyset import Keyset
from revops.parameters import row_id
from revops.people.models import RoleGrant
from revops.postings.models import ChangePlan
from revops.web.addresses import href_of_subject
from revops.web.formatting import instant_text
from revops.web.pager import cursors_in, pager
from revops.web.requests import signed_in
from revops.web.timeline import changes_of, who_did

PAGE_SIZE = 100
FILTERS = ("who", "verb", "subject", "account", "trace", "since", "until")
GOVERNED = (ExceptionCase, Account, AccountLink, ChangePlan, RoleGrant)
CHANGES = {"+": "created", "~": "changed", "-": "removed"}


@require_safe
def audit_page(request: HttpRequest) -> HttpResponse:
    """100 actions at a time, newest first, with what the records themselves kept of the same time and filter."""
    user = signed_in(request)
    require(user, "see_audit")
    given = {name: request.GET.get(name, "").replace("\x00", "").strip()[:200] for name in FILTERS}
    rows = _filtered(visible_to(user, ActionRecord), given)
    page = Keyset(size=PAGE_SIZE).page(rows.select_related("actor"), **cursors_in(request))
    history = request.GET.get("history") == "1"
    lines = [_action(action) for action in page.rows]
    if history:
        window = (page.rows[-1].at if page.rows else None, page.rows[0].at if page.rows and page.before else None)
        lines = sorted([*lines, *_history(given, window)], key=lambda line: line["at"], reverse=True)[: 2 * PAGE_SIZE]
    verbs = ActionRecord.objects.order_by("verb").values_list("verb", flat=True).distinct()
    kept = {name: value for name, value in given.items() if value}
    context = {
        "page": "audit",
        "section": "audit",
        "given": given,
        "history": history,
        "lines": lines,
        "verbs": list(verbs),
        "filtered": bool(kept),
        "pager": pager(request, page),
    }
    return render(request, "audit/log.html", context)


def _filtered(rows: QuerySet[ActionRecord], given: dict[str, str]) -> QuerySet[ActionRecord]:
    if given["who"]:
        rows = rows.filter(Q(actor_label__icontains=given["who"]) | Q(actor__display_name__icontains=given["who"]))
    if given["verb"]:
        rows = rows.filter(verb__startswith=given["verb"])
    if given["subject"]:
        rows = rows.filter(subject=_subject(given["subject"]))
    if given["account"]:
        code = given["account"].upper().removeprefix("AC-")
        rows = rows.filter(account_id=row_id(code)) if row_id(code) is not None else rows.none()
    if given["trace"]:
        rows = rows.filter(Q(trace_id=given["trace"]) | Q(request_id=given["trace"]))
    for name, lookup, end in (("since", "at__gte", False), ("until", "at__lte", True)):
        moment = _day(given[name], end=end)
        if moment is not None:
            rows = rows.filter(**{lookup: moment})
    return rows


def _subject(text: str) -> str:
    """`EX-00042` and `CP-00007` as the log names them; anything else as typed."""
    for prefix, model in (("EX-", "exceptioncase"), ("CP-", "changeplan"), ("AC-", "account")):
        number = text.upper().removeprefix(prefix)
        if text.upper().startswith(prefix) and (key := row_id(number)) is not None:
            return f"{model}:{key}"
    return text


def _day(text: str, *, end: bool) -> dt.datetime | None:
    try:
        day = dt.date.fromisoformat(text)
        return timezone.make_aware(dt.datetime.combine(day, dt.time.max if end else dt.time.min))
    except (ValueError, OverflowError):
        return None


def _action(action: ActionRecord) -> dict[str, Any]:
    return {
        "at": action.at,
        "who": who_did(action),
        "label": action.actor_label,
        "verb": action.verb,
        "summary": action.summary,
        "reason": action.reason,
        "subject": action.subject,
        "href": href_of(action),
        "trace": action.trace_id,
        "request": action.request_id,
        "changes": changes_of(action),
        "history": False,
    }


def href_of(action: ActionRecord) -> str:
    """The page of what an action was about."""
    if page := href_of_subject(action.subject):
        return page
    if action.case_id:
        return href_of_subject(f"exceptioncase:{action.case_id}")
    return href_of_subject(f"account:{action.account_id}") if action.account_id else ""


def _history(given: dict[str, str], window: tuple[dt.datetime | None, dt.datetime | None]) -> list[dict[str, Any]]:
    """Rows of the governed records' own history within the page's time, each with what changed in it."""
    if given["verb"] or given["trace"]:
        return []
    lines: list[dict[str, Any]] = []
    for model in GOVERNED:
        rows = model.history.select_related("history_user").order_by("-history_date")
        if given["who"]:
            rows = rows.filter(history_user__username__icontains=given["who"])
        since, until = window
        rows = rows.filter(history_date__gte=since) if since else rows
        rows = rows.filter(history_date__lte=until) if until else rows
        subject = _subject(given["subject"])
        if given["subject"]:
            kind, _, key = subject.partition(":")
            rows = rows.filter(id=row_id(key)) if kind == model._meta.model_name else rows.none()
        lines += [_history_line(row, model._meta.verbose_name) for row in rows[:PAGE_SIZE]]
    return lines


def _word(value: object) -> str:
    """A value of a history row: instants to the minute, nothing for nothing."""
    if isinstance(value, dt.datetime):
        return instant_text(value)
    return "nothing" if value in (None, "") else str(value)[:120]


def _history_line(row: Any, what: Any) -> dict[str, Any]:
    previous = row.prev_record if row.history_type == "~" else None
    subject = f"{type(row).instance_type._meta.model_name}:{row.id}"
    changes: tuple[tuple[str, str, str], ...] = ()
    if previous is not None:
        delta = row.diff_against(previous, foreign_keys_are_objs=True)
        changes = tuple(
            (c.field.replace("_", " "), _word(c.old), _word(c.new))
            for c in delta.changes
            if c.field not in ("row_version", "facts_digest")
        )[:6]
    return {
        "at": row.history_date,
        "who": row.history_user.shown_name if row.history_user else "The system",
        "label": row.history_user.get_username() if row.history_user else "",
        "verb": f"history.{CHANGES[row.history_type]}",
        "summary": f"{str(what).capitalize()} {row.id} was {CHANGES[row.history_type]}",
        "reason": row.history_change_reason or "",
        "subject": subject,
        "href": href_of_subject(subject),
        "trace": "",
        "request": "",
        "changes": changes,
        "history": True,
    }
