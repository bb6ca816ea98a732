"""Pages of what came in: deliveries, dead letters by cause, replay with its preview and progress, and the connections.

They live here because they show this package's rows; frame, formatting and request habits come from `revops.web`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from django import forms
from django.db.models import Count, Max, Min
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from revops.access.rules import may, require, roles_that, visible_to
from revops.keyset import Keyset
from revops.ledger.models import LedgerEntry, SourceSystem
from revops.logs import MASK, masked
from revops.people.models import User
from revops.web.addresses import add_subject
from revops.web.case_context import trace_base
from revops.web.formatting import count_text
from revops.web.navigation import Section, add_section
from revops.web.pager import cursors_in, pager
from revops.web.requests import one, signed_in
from revops.web.withheld import Holders
from sync.models import Connection, Delivery, DeliveryState
from sync.surface.pages import connections
from sync.surface.pages.replays import (
    FILTERS,
    DeliveryFilter,
    cancel,
    filtered,
    last_replay,
    preview_replay,
    progress,
    recent_runs,
    replay_now,
)

BODY_SHOWN_MAX = 200_000
_MARKED_NUMBER = re.compile(r'"\\u0000([-+0-9.eE]+)"')


# --- lists ---------------------------------------------------------------------------------------------------------------


def _given(request: HttpRequest) -> dict[str, str]:
    return {name: request.GET.get(name, "").replace("\x00", "")[:80] for name in FILTERS}


@require_safe
def deliveries_page(request: HttpRequest) -> HttpResponse:
    """What came in, newest first, 50 at a time by id."""
    user = signed_in(request)
    require(user, "see_deliveries")
    given = _given(request)
    rows = filtered(user, given)
    page = Keyset().page(rows.defer("body").select_related("connection__system"), **cursors_in(request))
    context = {
        "page": "deliveries",
        "section": "deliveries",
        "given": given,
        "rows": page.rows,
        "query": _query(given),
        "pager": pager(request, page),
        "tabs": _tabs(user, given),
        "form": _filter_form(given),
        "chips": _chips(given),
        "narrowed": any(given[name] for name in FILTERS if name != "state"),
        "may_replay": may(user, "replay_delivery"),
        "anything": bool(page.rows) or visible_to(user, Delivery).exists(),
    }
    return render(request, "sync/deliveries.html", context)


def _filter_form(given: dict[str, str]) -> forms.Form:
    """The two filters that are drawn as inputs; the others are chips."""
    form: forms.Form = DeliveryFilter(given, Delivery.objects.none()).form
    systems = Connection.objects.order_by("system_id").values_list("pk", "system__label")
    select = form.fields["connection"].widget
    if isinstance(select, forms.Select):
        select.choices = [("", "Every system"), *systems]
    return form


def _query(given: dict[str, str], **changes: str) -> str:
    from urllib.parse import urlencode

    return urlencode({name: value for name, value in {**given, **changes}.items() if value})


def _chips(given: dict[str, str]) -> list[tuple[str, str, str]]:
    """The filters beside the state, each with the address without it."""
    words = {"connection": "System", "kind": "Kind", "object_type": "Object", "code": "Cause", "trace": "Trace"}
    labels = dict(SourceSystem.objects.values_list("slug", "label")) if given["connection"] else {}
    shown = {**given, "connection": labels.get(given["connection"], given["connection"])}
    return [
        (label, shown[name].replace("_", " "), f"?{_query(given, **{name: ''})}") for name, label in words.items() if given[name]
    ]


def _tabs(user: User, given: dict[str, str]) -> list[dict[str, object]]:
    """One tab a state, counted up to the cap with the other filters applied."""
    tabs: list[dict[str, object]] = [
        {"label": "All", "href": f"?{_query(given, state='')}", "on": not given["state"], "count": ""}
    ]
    labels = {
        DeliveryState.PENDING: "Waiting", DeliveryState.APPLIED: "Applied", DeliveryState.SUPERSEDED: "Late evidence",
        DeliveryState.IGNORED: "Ignored", DeliveryState.QUARANTINED: "Dead letters",
    }  # fmt: skip
    for state, label in labels.items():
        rows = filtered(user, {**given, "state": state})
        count = rows.order_by()[:1001].count()
        tabs.append(
            {"label": label, "href": f"?{_query(given, state=state)}", "on": given["state"] == state, "count": count_text(count)}
        )
    return tabs


@require_safe
def dead_letters_page(request: HttpRequest) -> HttpResponse:
    """Dead letters grouped by cause: what is wrong, how many, since when; and the replays of late."""
    user = signed_in(request)
    require(user, "see_dead_letters")
    rows = visible_to(user, Delivery).filter(state=DeliveryState.QUARANTINED)
    groups = (
        rows.order_by()
        .values("connection_id", "connection__system__label", "reason_code", "object_type")
        .annotate(
            count=Count("id"), reasons=Count("reason", distinct=True), first=Min("received_at"), last=Max("received_at"),
            example=Max("id"), attempts=Max("attempts"),
        )
        .order_by("-count", "connection_id", "reason_code")[:100]
    )  # fmt: skip
    listed: list[dict[str, Any]] = [dict(group) for group in groups]
    reasons = dict(Delivery.objects.filter(pk__in=[g["example"] for g in listed]).values_list("pk", "reason"))
    for group in listed:
        group["reason"] = reasons.get(group["example"], "")
        filters = {"connection": group["connection_id"], "code": group["reason_code"], "object_type": group["object_type"]}
        group["query"] = _query({"state": "quarantined", **filters})
    context = {
        "page": "dead-letters",
        "section": "deliveries",
        "groups": listed,
        "total": sum(group["count"] for group in listed),
        "may_replay": may(user, "replay_delivery"),
        "replayers": "" if may(user, "replay_delivery") else Holders().sentence(roles_that("replay_delivery")),
        "runs": recent_runs(),
    }
    return render(request, "sync/dead_letters.html", context)


# --- one delivery -----------------------------------------------------------------------------------------------------------


@require_safe
def delivery_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One delivery: why it is where it is; for who may read the ledger the body with its secrets masked, and what it became."""
    user = signed_in(request)
    require(user, "see_deliveries")
    delivery = one(visible_to(user, Delivery).select_related("connection__system", "conflicts_with"), pk)
    body = bytes(delivery.body)
    may_read = may(user, "see_ledger")
    text, note = shown_body(body) if may_read else ("", "")
    entries = LedgerEntry.objects.filter(delivery_id=delivery.pk).select_related("record", "record__system")
    context = {
        "page": "delivery",
        "section": "deliveries",
        "delivery": delivery,
        "size": len(body),
        "may_read": may_read,
        "readers": "" if may_read else Holders().sentence(roles_that("see_ledger")),
        "body": text,
        "body_note": note,
        "headers": sorted((str(k), str(v)) for k, v in masked(dict(delivery.headers)).items()),
        "entries": list(visible_to(user, entries)[:50]),
        "may_replay": may(user, "replay_delivery") and delivery.state != DeliveryState.PENDING,
        "trace_base": trace_base(user),
    }
    return render(request, "sync/delivery.html", context)


def shown_body(body: bytes) -> tuple[str, str]:
    """The body for people: JSON indented with secrets masked, else text masked; and a note on what was done to it."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return body[:2000].hex(" "), "No text: the first bytes in hexadecimal."
    if len(text) > BODY_SHOWN_MAX:
        return str(masked(text[:BODY_SHOWN_MAX])), f"The first {BODY_SHOWN_MAX:,} of {len(text):,} characters; secrets masked."
    try:
        value = json.loads(text, parse_float=_as_it_came, parse_int=_as_it_came)
    except (ValueError, RecursionError):
        return str(masked(text)), "Not JSON; shown as it came, secrets masked."
    shown = _MARKED_NUMBER.sub(r"\1", json.dumps(masked(value), indent=2, ensure_ascii=False))
    what = " Secrets are masked." if MASK in shown and MASK not in text else ""
    return shown, f"Indented for reading; numbers as the text that came.{what}"


def _as_it_came(digits: str) -> str:
    """A number as a marked text, so that it is shown with the digits it came with: bytes are evidence."""
    return f"\x00{digits}"


def _dead_letters(_user: User) -> int:
    return Delivery.objects.filter(state=DeliveryState.QUARANTINED).order_by()[:1001].count()


add_section(Section("deliveries", "Deliveries", "sync:deliveries", "see_deliveries", 40, _dead_letters))
add_section(Section("connections", "Connections", "sync:connections", "see_connections", 70, connections.count_waiting))

add_subject("delivery", "sync:delivery")
add_subject("replay", "sync:replay-run")
add_subject("connection", "sync:connection", by_name=True)

app_name = "sync"
urlpatterns = [
    path("deliveries/", deliveries_page, name="deliveries"),
    path("deliveries/dead/", dead_letters_page, name="dead-letters"),
    path("deliveries/replay/", replay_now, name="replay"),
    path("deliveries/replay/preview/", preview_replay, name="replay-preview"),
    path("deliveries/replay/progress/", last_replay, name="replay-progress"),
    path("deliveries/replays/<int:pk>/", progress, name="replay-run"),
    path("deliveries/replays/<int:pk>/cancel/", cancel, name="replay-cancel"),
    path("deliveries/<int:pk>/", delivery_page, name="delivery"),
    path("connections/", connections.connections_page, name="connections"),
    path("connections/<slug:slug>/", connections.connection_page, name="connection"),
    path("connections/<slug:slug>/streams/", connections.streams_part, name="connection-streams"),
    path("connections/<slug:slug>/change/", connections.change_page, name="connection-change"),
    path("connections/<slug:slug>/change/try/", connections.try_change, name="connection-change-try"),
    path("connections/<slug:slug>/try/", connections.try_saved, name="connection-try"),
    path("connections/<slug:slug>/start/", connections.start, name="connection-start"),
    path("connections/<slug:slug>/pause/", connections.pause, name="connection-pause"),
    path("connections/<slug:slug>/read/", connections.read_now, name="connection-read"),
    path("connections/<slug:slug>/secrets/<slug:name>/", connections.replace_secret, name="secret-replace"),
    path("connections/<slug:slug>/secrets/<slug:name>/end/", connections.end_secret, name="secret-end"),
    path("connections/<slug:slug>/ties/", connections.ties_part, name="connection-ties"),
    path("connections/<slug:slug>/ties/accept/", connections.accept_tie, name="tie-accept"),
    path("connections/<slug:slug>/posting/stop/", connections.stop_posting, name="posting-stop"),
    path("connections/<slug:slug>/posting/propose/", connections.propose_posting, name="posting-propose"),
    path("connect/", connections.vendors_page, name="vendors"),
    path("connect/<slug:vendor>/", connections.connect_page, name="connect"),
    path("connect/<slug:vendor>/try/", connections.try_new, name="connect-try"),
    path("posting-proposals/<int:pk>/confirm/", connections.confirm_posting, name="posting-confirm"),
    path("posting-proposals/<int:pk>/refuse/", connections.refuse_posting, name="posting-refuse"),
]
