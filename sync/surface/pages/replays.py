"""Replaying from the pages: what it would do, why, how it gets on, and stopping it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import django_filters
from django import forms
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from revops.access.rules import may, require, visible_to
from revops.accounts.models import Account
from revops.errors import Conflict, Rejected, RevOpsError, http_status
from revops.ledger.types import TYPES
from revops.people.models import User
from revops.web.addresses import href
from revops.web.fields import RowIdsField
from revops.web.filters import ListFilter
from revops.web.formatting import plural
from revops.web.forms import PageForm, ReasonForm
from revops.web.requests import back, one, signed_in
from sync.applying.replay import Impact, begin_replay, cancel_replay, impact_of, replay_many
from sync.models import Delivery, DeliveryState, Replay

REPLAY_MAX = 1000


class DeliveryFilter(ListFilter[Delivery]):
    """By state, connection, kind, object type, cause and trace, each exactly."""

    state = django_filters.CharFilter(field_name="state")
    connection = django_filters.CharFilter(field_name="connection_id", widget=forms.Select(attrs={"class": "input"}))
    kind = django_filters.CharFilter(field_name="kind")
    object_type = django_filters.CharFilter(field_name="object_type")
    code = django_filters.CharFilter(field_name="reason_code")
    trace = django_filters.CharFilter(
        field_name="trace_id",
        widget=forms.TextInput(
            attrs={"class": "input", "placeholder": "Trace id", "data-focus": "search", "aria-keyshortcuts": "/"}
        ),
    )


FILTERS = tuple(DeliveryFilter.base_filters)


def filtered(user: User, values: Mapping[str, str]) -> QuerySet[Delivery]:
    """The visible deliveries that fit a filter."""
    return DeliveryFilter(values, visible_to(user, Delivery)).rows


class SelectionForm(PageForm):
    """Which deliveries are meant: the ticked ones, or all that a filter of the list finds."""

    delivery = RowIdsField()
    query = forms.CharField(required=False, max_length=500, widget=forms.HiddenInput)


class ReplayForm(ReasonForm):
    """Why they are replayed."""

    asks = "Why do you replay?"
    missing = "Say why you replay: it stays in the log."
    length_max = 500
    help_text = (
        f"Kept in the log. At most {REPLAY_MAX} at a time; the rest stays where it is. While it runs you can stop what is not "
        "yet replayed."
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, auto_id="%s", **options)


def _selection(form: SelectionForm, user: User) -> tuple[QuerySet[Delivery], dict[str, Any]]:
    """The deliveries that a form names: by id, or by the filter of a group. At most `REPLAY_MAX`, oldest first."""
    said = form.must()
    ids = said["delivery"][:REPLAY_MAX]
    rows = visible_to(user, Delivery).exclude(state=DeliveryState.PENDING)
    if ids:
        return rows.filter(pk__in=ids), {"ids": ids, "query": ""}
    given = {name: values[0] for name, values in parse_qs(said["query"]).items() if name in FILTERS}
    if not given.get("state"):
        raise Rejected("nothing_selected", "Select deliveries, or open one cause, before you replay.")
    wanted = filtered(user, given).exclude(state=DeliveryState.PENDING)
    return wanted.filter(pk__in=list(wanted.order_by("id").values_list("pk", flat=True)[:REPLAY_MAX])), {
        "ids": [],
        "query": said["query"],
    }


@require_POST
def preview_replay(request: HttpRequest) -> HttpResponse:
    """What a replay would do, before anybody presses the button. Changes nothing."""
    user = signed_in(request)
    require(user, "replay_delivery")
    try:
        rows, chosen = _selection(SelectionForm(request.POST), user)
        impact = impact_of(rows, now=timezone.now())
    except RevOpsError as error:
        return render(request, "sync/replay.html", _replay_context(user, None, {}, error.message), status=http_status(error))
    problem = "" if impact.deliveries else "Nothing to replay."
    return render(request, "sync/replay.html", _replay_context(user, impact, chosen, problem))


def _replay_context(
    user: User, impact: Impact | None, chosen: dict[str, Any], problem: str, form: ReplayForm | None = None
) -> dict[str, Any]:
    lines = sorted(impact.arrivals.items()) if impact else []
    words = {
        "first": "new records", "newer": "changed records", "same": "already known, nothing to write",
        "restated": "stated again under a newer version", "late": "kept as late evidence", "conflict": "contradictions kept",
    }  # fmt: skip
    accounts = list(visible_to(user, Account).filter(pk__in=sorted(impact.account_ids)[:20])) if impact else []
    return {
        "page": "replay",
        "section": "deliveries",
        "impact": impact,
        "chosen": chosen,
        "problem": problem,
        "arrivals": [(TYPES.label(kind), words.get(how, how), n) for (kind, how), n in lines],
        "refused": sorted(impact.refused.items()) if impact else [],
        "ignored": sorted(impact.ignored.items()) if impact else [],
        "accounts": accounts,
        "form": form or ReplayForm(),
    }


@require_POST
def replay_now(request: HttpRequest) -> HttpResponse:
    """Put the chosen deliveries back to the start, and show how they get on."""
    user = signed_in(request)
    require(user, "replay_delivery")
    form = ReplayForm(request.POST)
    try:
        rows, chosen = _selection(SelectionForm(request.POST), user)
    except RevOpsError as error:
        return render(request, "sync/replay.html", _replay_context(user, None, {}, error.message), status=http_status(error))
    try:
        reason = form.must()["reason"]
        ids = list(rows.order_by("id").values_list("pk", flat=True))
        if not ids:
            raise Rejected("nothing_selected", "There is nothing to replay any more.")
        run = begin_replay(reason=reason, acting_user=user)
        count = replay_many(visible_to(user, Delivery).filter(pk__in=ids), reason=reason, acting_user=user, run=run)
    except RevOpsError as error:
        form.keep_problem(error)
        context = _replay_context(user, impact_of(rows, now=timezone.now()), chosen, error.message, form)
        return render(request, "sync/replay.html", context, status=http_status(error))
    request.session["replay"] = run.pk
    return back(request, href("sync:replay-run", run.pk), f"{plural(count, 'delivery', 'deliveries')} put back to the start")


@require_safe
def last_replay(request: HttpRequest) -> HttpResponse:
    """How the last replay of this session gets on."""
    user = signed_in(request)
    require(user, "see_deliveries")
    run = Replay.objects.filter(pk=int(request.session.get("replay", 0))).first()
    return _progress(request, user, run) if run is not None else redirect("sync:deliveries")


@require_safe
def progress(request: HttpRequest, pk: int) -> HttpResponse:
    """How one replay gets on; whoever sees deliveries may look."""
    user = signed_in(request)
    require(user, "see_deliveries")
    return _progress(request, user, one(Replay.objects.all(), pk))


def _progress(request: HttpRequest, user: User, run: Replay, problem: str = "", status: int = 200) -> HttpResponse:
    rows = visible_to(user, Delivery).filter(replay=run)
    counts = dict(rows.order_by().values_list("state").annotate(Count("id")))
    waiting, held = counts.get(DeliveryState.PENDING, 0), sum(counts.values())
    stopped = run.stopped_at is not None
    context = {
        "page": "replay",
        "section": "deliveries",
        "run": run,
        "who": _asked_by(run),
        "total": run.total,
        "done": run.total - waiting - run.taken_back,
        "waiting": waiting,
        "elsewhere": max(0, run.total - held),
        "outcomes": [] if stopped else [(DeliveryState(state).label, count, state) for state, count in sorted(counts.items())],
        "still": [] if stopped else list(rows.filter(state=DeliveryState.QUARANTINED).defer("body").order_by("id")[:20]),
        "may_cancel": may(user, "replay_delivery") and waiting and not stopped,
        "problem": problem,
    }
    fragment = bool(getattr(request, "htmx", False))
    return render(request, "sync/_progress.html" if fragment else "sync/progress.html", context, status=status)


@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop a replay: what is not yet replayed becomes what it was."""
    user = signed_in(request)
    require(user, "replay_delivery")
    run = one(Replay.objects.all(), pk)
    try:
        taken = cancel_replay(run, acting_user=user)
    except (Conflict, Rejected) as error:
        run.refresh_from_db()
        return _progress(request, user, run, error.message, http_status(error))
    words = f"Replay {run.pk} is stopped: {plural(taken, 'delivery is', 'deliveries are')} what they were"
    return back(request, href("sync:replay-run", run.pk), words)


def recent_runs() -> list[dict[str, Any]]:
    """The last ten replays with how many of each still wait. Two queries."""
    runs = list(Replay.objects.filter(total__gt=0).select_related("asked_by").order_by("-pk")[:10])
    waiting = Delivery.objects.filter(replay__in=runs, state=DeliveryState.PENDING).order_by().values_list("replay")
    counts = dict(waiting.annotate(Count("id")))
    return [{"run": run, "waiting": counts.get(run.pk, 0), "who": _asked_by(run)} for run in runs]


def _asked_by(run: Replay) -> str:
    return run.asked_by.shown_name if run.asked_by else "the command line"
