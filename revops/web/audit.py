"""The audit page: the action log and the history of governed records, on one timeline, for those who may read it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from simple_history.models import DeletedObject

from revops.access.rules import require, visible_to
from revops.accounts.models import Account, AccountLink
from revops.audit.models import ActionRecord
from revops.cases.models import ExceptionCase
from revops.keyset import Keyset
from revops.parameters import row_id
from revops.people.models import RoleGrant
from revops.postings.models import ChangePlan
from revops.web.addresses import href_of_subject
from revops.web.filters import ListFilter, input_attrs, only_first
from revops.web.formatting import instant_text
from revops.web.pager import cursors_in, pager
from revops.web.requests import signed_in
from revops.web.timeline import changes_of, who_did

PAGE_SIZE = 100
GOVERNED = (ExceptionCase, Account, AccountLink, ChangePlan, RoleGrant)
CHANGES = {"+": "created", "~": "changed", "-": "removed"}


def _moment(day: dt.date, clock: dt.time) -> dt.datetime:
    """That time of the day in the reader's zone; days that no zone can shift are moved a little."""
    sound = min(max(day, dt.date(1900, 1, 1)), dt.date(9000, 1, 1))
    return timezone.make_aware(dt.datetime.combine(sound, clock))


def _verbs() -> list[tuple[str, str]]:
    """Everything that was ever done, as choices."""
    verbs = ActionRecord.objects.order_by("verb").values_list("verb", flat=True).distinct()
    return [("", "Everything"), *((verb, in_words(verb)) for verb in verbs)]


def in_words(verb: str) -> str:
    """`case.await_evidence` as people read it: `Case: await evidence`."""
    noun, _, done = verb.partition(".")
    return f"{noun.replace('_', ' ').capitalize()}: {done.replace('_', ' ').replace('.', ' ')}" if done else verb


class AuditFilter(ListFilter[ActionRecord]):
    """By person, verb, subject, account, trace and day."""

    who = django_filters.CharFilter(
        method="by_person", label="Who", widget=forms.TextInput(attrs=input_attrs(data_focus="search"))
    )
    verb = django_filters.CharFilter(lookup_expr="startswith", label="What was done", widget=forms.Select)
    subject = django_filters.CharFilter(
        method="by_subject", label="To what", widget=forms.TextInput(attrs={"placeholder": "EX-00042, CP-00007"})
    )
    account = django_filters.CharFilter(
        method="by_account", label="Account", widget=forms.TextInput(attrs={"placeholder": "AC-00012"})
    )
    trace = django_filters.CharFilter(method="by_trace", label="Trace or request")
    since = django_filters.DateFilter(
        method="from_day", label="From day", input_formats=["%Y-%m-%d"], widget=forms.DateInput(attrs={"type": "date"})
    )
    until = django_filters.DateFilter(
        method="to_day", label="To day", input_formats=["%Y-%m-%d"], widget=forms.DateInput(attrs={"type": "date"})
    )
    history = django_filters.BooleanFilter(
        method="with_history",
        label="With the records’ own history (every changed column)",
        widget=forms.CheckboxInput(attrs={"value": "1"}),
    )

    def __init__(self, address: Mapping[str, str], rows: QuerySet[ActionRecord]) -> None:
        super().__init__(address, rows)
        select = self.form.fields["verb"].widget
        if isinstance(select, forms.Select):
            select.choices = _verbs()

    def by_person(self, rows: QuerySet[ActionRecord], _name: str, text: str) -> QuerySet[ActionRecord]:
        """A part of a name or of a system's label."""
        return rows.filter(Q(actor_label__icontains=text) | Q(actor__display_name__icontains=text))

    def by_subject(self, rows: QuerySet[ActionRecord], _name: str, text: str) -> QuerySet[ActionRecord]:
        """A code, or a subject as the log names it."""
        return rows.filter(subject=_subject(text))

    def by_account(self, rows: QuerySet[ActionRecord], _name: str, text: str) -> QuerySet[ActionRecord]:
        """The code or the number of an account."""
        key = row_id(text.upper().removeprefix("AC-"))
        return rows.filter(account_id=key) if key is not None else rows.none()

    def by_trace(self, rows: QuerySet[ActionRecord], _name: str, text: str) -> QuerySet[ActionRecord]:
        """A trace or a request, whole."""
        return rows.filter(Q(trace_id=text) | Q(request_id=text))

    def from_day(self, rows: QuerySet[ActionRecord], _name: str, day: dt.date) -> QuerySet[ActionRecord]:
        """From the start of that day in the reader's zone."""
        return rows.filter(at__gte=_moment(day, dt.time.min))

    def to_day(self, rows: QuerySet[ActionRecord], _name: str, day: dt.date) -> QuerySet[ActionRecord]:
        """To the end of that day in the reader's zone."""
        return rows.filter(at__lte=_moment(day, dt.time.max))

    def with_history(self, rows: QuerySet[ActionRecord], _name: str, _shown: bool) -> QuerySet[ActionRecord]:
        """Narrows nothing: the page adds lines."""
        return rows


@require_safe
def audit_page(request: HttpRequest) -> HttpResponse:
    """100 actions at a time, newest first, with what the records themselves kept of the same time and filter."""
    user = signed_in(request)
    require(user, "see_audit")
    chosen = AuditFilter(only_first(request.GET), visible_to(user, ActionRecord))
    given = chosen.given
    page = Keyset(size=PAGE_SIZE).page(chosen.rows.select_related("actor"), **cursors_in(request))
    history = bool(given.get("history"))
    lines = [_action(action) for action in page.rows]
    if history:
        window = (page.rows[-1].at if page.rows else None, page.rows[0].at if page.rows and page.before else None)
        lines = sorted([*lines, *_history(given, window)], key=lambda line: line["at"], reverse=True)[: 2 * PAGE_SIZE]
    context = {
        "page": "audit",
        "section": "audit",
        "form": chosen.form,
        "history": history,
        "lines": lines,
        "filtered": bool(given.keys() - {"history"}),
        "pager": pager(request, page),
    }
    return render(request, "audit/log.html", context)


def _subject(text: str) -> str:
    """`EX-00042` and `CP-00007` as the log names them; anything else as typed."""
    for prefix, model in (("EX-", "exceptioncase"), ("CP-", "changeplan"), ("AC-", "account")):
        number = text.upper().removeprefix(prefix)
        if text.upper().startswith(prefix) and (key := row_id(number)) is not None:
            return f"{model}:{key}"
    return text


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


def _history(given: Mapping[str, Any], window: tuple[dt.datetime | None, dt.datetime | None]) -> list[dict[str, Any]]:
    """Rows of the governed records' own history within the page's time, each with what changed in it."""
    if given.get("verb") or given.get("trace"):
        return []
    lines: list[dict[str, Any]] = []
    for model in GOVERNED:
        rows = model.history.select_related("history_user").order_by("-history_date")
        if given.get("who"):
            rows = rows.filter(history_user__username__icontains=given["who"])
        since, until = window
        rows = rows.filter(history_date__gte=since) if since else rows
        rows = rows.filter(history_date__lte=until) if until else rows
        if given.get("subject"):
            kind, _, key = _subject(given["subject"]).partition(":")
            rows = rows.filter(id=row_id(key)) if kind == model._meta.model_name else rows.none()
        lines += [_history_line(row, model._meta.verbose_name) for row in rows[:PAGE_SIZE]]
    return lines


def _word(value: object) -> str:
    """A value of a history row: instants to the minute, nothing for nothing, and what a row that is gone was."""
    if isinstance(value, dt.datetime):
        return instant_text(value)
    if isinstance(value, DeletedObject):  # the library's word for a reference that finds no row, also where there was none
        return "nothing" if value.pk is None else f"{value.model._meta.verbose_name} {value.pk}"
    return "nothing" if value in (None, "") else str(value)[:120]


def _history_line(row: Any, what: Any) -> dict[str, Any]:
    previous = row.prev_record if row.history_type == "~" else None
    subject = f"{type(row).instance_type._meta.model_name}:{row.id}"
    named = getattr(row.instance, "code", "") or f"{str(what).capitalize()} {row.id}"
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
        "verb": f"record {CHANGES[row.history_type]}",
        "summary": f"{named} was {CHANGES[row.history_type]}",
        "reason": row.history_change_reason or "",
        "subject": subject,
        "href": href_of_subject(subject),
        "trace": "",
        "request": "",
        "changes": changes,
        "history": True,
    }
