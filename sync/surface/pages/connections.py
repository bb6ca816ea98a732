"""Pages of connections: which there are, how each one stands, and everything that is done with one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from revops.access.rules import may, require, roles_that, visible_to
from revops.errors import Missing, RevOpsError, http_status
from revops.ledger.freshness import freshness_of
from revops.ledger.models import SystemRole
from revops.ledger.unread_values import unread_fields
from revops.people.models import User
from revops.web.addresses import href
from revops.web.forms import PageForm
from revops.web.freshness_strip import fresh_strip
from revops.web.requests import is_fragment, signed_in
from revops.web.step_up import add_proof, asked_of, proved
from revops.web.withheld import Holders
from sync import connections
from sync.connections import condition
from sync.connections.trial import Trial, try_connection, try_settings
from sync.connections.values import known_vendor
from sync.connectors import CONNECTORS
from sync.mapping.sampled import in_force
from sync.models import Connection, PostingProposal, PostingState
from sync.surface.pages import ties
from sync.surface.pages.connection_forms import (
    ChangeForm,
    ConnectForm,
    ProofForm,
    ProposePostingForm,
    SecretForm,
    TieForm,
    VersionForm,
    WhyForm,
)
from sync.surface.pages.connection_parts import history_of, streams_of
from sync.vendor.contract import Connector

Act = Callable[[User, Mapping[str, Any]], str]


def _row(user: User, slug: str) -> Connection:
    """Raises `Missing`: not there and not yours look alike."""
    row = visible_to(user, Connection).select_related("system").filter(pk=slug).first()
    if row is None:
        raise Missing()
    return row


def _manager(request: HttpRequest) -> User:
    user = signed_in(request)
    require(user, "manage_connections")
    return user


# --- lists ---------------------------------------------------------------------------------------------------------------


@require_safe
def connections_page(request: HttpRequest) -> HttpResponse:
    """Every connection in a line, and what waits for a second person."""
    user, now = signed_in(request), timezone.now()
    require(user, "see_connections")
    rows = list(visible_to(user, Connection).select_related("system", "circuit").order_by("system__role", "system_id"))
    fresh = {system.label: system for system in fresh_strip(freshness_of(now=now), now)}
    waiting = visible_to(user, PostingProposal).filter(state=PostingState.WAITING, expires_at__gt=now)
    context = {
        "page": "connections",
        "section": "connections",
        "manages": may(user, "manage_connections"),
        "managers": Holders().sentence(roles_that("manage_connections")),
        "rows": [(row, condition.connector_or_none(row), fresh.get(row.system.label)) for row in rows],
        "waiting": list(waiting.select_related("connection__system", "proposed_by")),
    }
    return render(request, "sync/connections.html", context)


def count_waiting(user: User) -> int:
    """How many proposals wait for this person to confirm them."""
    if not may(user, "confirm_posting"):
        return 0
    waiting = PostingProposal.objects.filter(state=PostingState.WAITING, expires_at__gt=timezone.now())
    return waiting.exclude(proposed_by=user).count()


# --- adding --------------------------------------------------------------------------------------------------------------


@require_safe
def vendors_page(request: HttpRequest) -> HttpResponse:
    """The systems that can be connected."""
    _manager(request)
    vendors = [(each, SystemRole(each.role).label, condition.abilities(each)) for each in CONNECTORS.values()]
    return render(request, "sync/vendors.html", {"page": "connect", "section": "connections", "vendors": vendors})


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def connect_page(request: HttpRequest, vendor: str) -> HttpResponse:
    """A new connection of this vendor."""
    user, connector = _manager(request), _connector(vendor)
    asked = asked_of(request, user)
    form = ConnectForm(connector, request.POST) if request.method == "POST" else ConnectForm(connector)
    add_proof(form, asked)
    context = {"page": "connect", "section": "connections", "connector": connector, "form": form, "asked": asked}
    if not form.is_bound:
        return render(request, "sync/connect.html", context)
    try:
        said = form.must()
        row = connections.connect(
            on_trial=True,
            slug=said["slug"],
            vendor=vendor,
            base_url=said["base_url"],
            values=form.values(),
            label=said["label"],
            step_up=proved(request, user, said),
            acting_user=user,
        )
    except RevOpsError as refused:
        form.keep_problem(refused)
        return render(request, "sync/connect.html", context | {"problem": refused.message}, status=http_status(refused))
    messages.success(request, f"{row.system.label} is connected. Nothing is read yet: start it when all is as it should be.")
    return redirect("sync:connection", slug=row.pk)


def _connector(vendor: str) -> Connector:
    if vendor not in CONNECTORS:
        raise Missing()
    return known_vendor(vendor)


@sensitive_post_parameters()
@require_POST
def try_new(request: HttpRequest, vendor: str) -> HttpResponse:
    """Ask the vendor who we are there, before anything is kept."""
    user, connector = _manager(request), _connector(vendor)
    form = ConnectForm(connector, request.POST)

    def ask() -> Trial:
        return try_settings(vendor, form.must()["base_url"], form.values(), acting_user=user)

    context = {"page": "connect", "section": "connections", "connector": connector, "form": form}
    return _told(request, form, ask, "sync/connect.html", context)


def _told(request: HttpRequest, form: PageForm, ask: Callable[[], Trial], template: str, context: dict[str, Any]) -> HttpResponse:
    """What the vendor said: in the page beside the form as it stands, or, without script, in the page again."""
    status = 200
    try:
        trial = ask()
    except RevOpsError as refused:
        trial, status = Trial(False, refused.message), http_status(refused)
        form.keep_problem(refused)
    if is_fragment(request):
        return render(request, "sync/_trial.html", {"trial": trial})
    asked = asked_of(request, signed_in(request))
    add_proof(form, asked)
    return render(request, template, context | {"asked": asked, "trial": trial}, status=status)


# --- one -----------------------------------------------------------------------------------------------------------------


@require_safe
def connection_page(request: HttpRequest, slug: str) -> HttpResponse:
    """One connection: how it stands, what it can do, and what is done with it."""
    return _page(request, slug)


@require_safe
def streams_part(request: HttpRequest, slug: str) -> HttpResponse:
    """How far it is read; the page asks again while something is read."""
    user = signed_in(request)
    require(user, "see_connections")
    row = _row(user, slug)
    if not is_fragment(request):
        return redirect("sync:connection", slug=slug)
    return render(request, "sync/_streams.html", {"row": row, **streams_of(row)})


def _page(request: HttpRequest, slug: str, status: int = 200, **over: Any) -> HttpResponse:
    user, now = signed_in(request), timezone.now()
    require(user, "see_connections")
    row = _row(user, slug)
    connector = condition.connector_or_none(row)
    asked = asked_of(request, user)
    context: dict[str, Any] = {
        "page": "connection",
        "section": "connections",
        "row": row,
        "connector": connector,
        "asked": asked,
        "manages": may(user, "manage_connections"),
        "confirms": may(user, "confirm_posting"),
        "circuit": condition.circuit_of(row),
        "lines": freshness_of([slug], now=now),
        "intake_address": request.build_absolute_uri(href("intake:intake", slug)) if connector and connector.pushes else "",
        "unread": unread_fields(slug),
        "history": history_of(slug),
        "proposal": condition.waiting_proposal(row, now),
        "proposals": list(row.posting_proposals.select_related("proposed_by", "decided_by")[:5]),
        "pause_form": WhyForm("pause"),
        "stop_form": WhyForm("stop"),
        "propose_form": ProposePostingForm("propose"),
        "confirm_form": ProofForm(auto_id="confirm-%s"),
        "confirmers": Holders().sentence(roles_that("confirm_posting"), without=user.pk),
        **streams_of(row),
    }
    if connector is not None:
        given = condition.given(row, connector, now)
        context |= {
            "given": given,
            "secrets": [(each, SecretForm(each.setting)) for each in given if each.setting.sensitive],
            "operations": condition.operations(connector),
            "used": condition.used(row, connector),
            "unsettled": connections.unsettled(row),
            "ties_in_force": in_force(row),
        }
    context |= over
    for form in [context["propose_form"], context["confirm_form"], *(form for _, form in context.get("secrets", []))]:
        if "proof" not in form.fields:
            add_proof(form, asked)
    return render(request, "sync/connection.html", context, status=status)


def _done(request: HttpRequest, slug: str, form: PageForm, act: Act, over: Callable[[], Mapping[str, Any]]) -> HttpResponse:
    """Do it and show the connection; a refusal stands at its field, and nothing was done."""
    user = signed_in(request)
    try:
        messages.success(request, act(user, form.must()))
    except Missing:
        raise
    except RevOpsError as refused:
        form.keep_problem(refused)
        return _page(request, slug, http_status(refused), problem=refused.message, **over())
    return redirect("sync:connection", slug=slug)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def change_page(request: HttpRequest, slug: str) -> HttpResponse:
    """Another label or address, other settings."""
    user = _manager(request)
    row = _row(user, slug)
    connector, asked = connections.connector_of(row), asked_of(request, user)
    form = ChangeForm(row, connector, request.POST) if request.method == "POST" else ChangeForm(row, connector)
    add_proof(form, asked)
    context = {"page": "connection", "section": "connections", "row": row, "connector": connector, "form": form, "asked": asked}
    if not form.is_bound:
        return render(request, "sync/connection_change.html", context)
    try:
        said = form.must()
        changed = connections.change_connection(
            slug,
            base_url=said["base_url"],
            values=form.values(),
            label=said["label"],
            row_version=said["version"] or 0,
            step_up=proved(request, user, said),
            acting_user=user,
        )
    except RevOpsError as refused:
        form.keep_problem(refused)
        over = context | {"problem": refused.message}
        return render(request, "sync/connection_change.html", over, status=http_status(refused))
    messages.success(request, f"Changed.{_stopped(row, changed)}")
    return redirect("sync:connection", slug=slug)


def _stopped(before: Connection, after: Connection) -> str:
    gone = before.posting_enabled and not after.posting_enabled
    return " Posting is off until a second person confirms it anew." if gone else ""


@sensitive_post_parameters()
@require_POST
def try_change(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask the vendor who we are there, with what the form would change."""
    user = _manager(request)
    row = _row(user, slug)
    connector = connections.connector_of(row)
    form = ChangeForm(row, connector, request.POST)

    def ask() -> Trial:
        said = form.must()
        return try_connection(slug, base_url=said["base_url"], values=form.values(), acting_user=user)

    context = {"page": "connection", "section": "connections", "row": row, "connector": connector, "form": form}
    return _told(request, form, ask, "sync/connection_change.html", context)


@require_POST
def try_saved(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask the vendor who we are there."""
    user = _manager(request)
    _row(user, slug)
    try:
        trial = try_connection(slug, acting_user=user)
    except RevOpsError as refused:
        trial = Trial(False, refused.message)
    return render(request, "sync/_trial.html", {"trial": trial}) if is_fragment(request) else _page(request, slug, trial=trial)


@require_POST
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """Read it from now on."""
    form, row = VersionForm(request.POST), _row(_manager(request), slug)

    def act(user: User, said: Mapping[str, Any]) -> str:
        connections.resume(slug, row_version=said["version"], acting_user=user)
        return f"{row.system.label} is read from now on."

    return _done(request, slug, form, act, dict)


@require_POST
def pause(request: HttpRequest, slug: str) -> HttpResponse:
    """Neither read nor post; what it sends is kept."""
    form, row = WhyForm("pause", request.POST), _row(_manager(request), slug)

    def act(user: User, said: Mapping[str, Any]) -> str:
        connections.pause(slug, reason=said["reason"], acting_user=user)
        return f"{row.system.label} is paused. What it sends is kept until you start it again."

    return _done(request, slug, form, act, lambda: {"pause_form": form})


@require_POST
def read_now(request: HttpRequest, slug: str) -> HttpResponse:
    """Read its streams at once."""
    _row(_manager(request), slug)

    def act(user: User, _said: Mapping[str, Any]) -> str:
        count = connections.read_now(slug, acting_user=user)
        return f"{count} {'stream is' if count == 1 else 'streams are'} read now."

    return _done(request, slug, VersionForm(request.POST), act, dict)


@sensitive_post_parameters()
@require_POST
def replace_secret(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """Another value of one secret."""
    user = _manager(request)
    row = _row(user, slug)
    setting = next((each for each in connections.connector_of(row).settings if each.sensitive and each.name == name), None)
    if setting is None:
        raise Missing()
    form = SecretForm(setting, request.POST)
    add_proof(form, asked_of(request, user))

    def act(user: User, said: Mapping[str, Any]) -> str:
        changed = connections.change_connection(
            slug,
            values={name: said["value"]},
            overlap_hours=said.get("overlap_hours", 0),
            row_version=said["version"] or 0,
            step_up=proved(request, user, said),
            acting_user=user,
        )
        more = " The one before is good as well until you end it or its time is over." if name in changed.former_until else ""
        return f"{setting.label} is replaced.{more}{_stopped(row, changed)}"

    def over() -> Mapping[str, Any]:
        given = condition.given(row, connections.connector_of(row), timezone.now())
        forms = ((each, form if each.setting.name == name else SecretForm(each.setting)) for each in given)
        return {"secrets": [(each, shown) for each, shown in forms if each.setting.sensitive]}

    return _done(request, slug, form, act, over)


@require_POST
def end_secret(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """The value that a signing secret had before is good no more."""
    _row(_manager(request), slug)

    def act(user: User, _said: Mapping[str, Any]) -> str:
        connections.end_former_secret(slug, name, acting_user=user)
        return "The former secret is good no more."

    return _done(request, slug, VersionForm(request.POST), act, dict)


# --- ties ----------------------------------------------------------------------------------------------------------------


@require_safe
def ties_part(request: HttpRequest, slug: str) -> HttpResponse:
    """How it is tied to the others: what its data proposes, and what is tied. Apart from the page, because it looks at what came
    in; without script in the page."""
    user = signed_in(request)
    require(user, "see_connections")
    row = _row(user, slug)
    connections.connector_of(row)
    asked = asked_of(request, user)
    if not is_fragment(request):
        return _page(request, slug, ties=ties.of(row, asked))
    context = {"row": row, "manages": may(user, "manage_connections"), "asked": asked, "ties": ties.of(row, asked)}
    return render(request, "sync/_ties.html", context)


@sensitive_post_parameters("proof", "answer")
@require_POST
def accept_tie(request: HttpRequest, slug: str) -> HttpResponse:
    """Use what the data proposes for one setting, and translate anew what came in before."""
    user = _manager(request)
    row = _row(user, slug)
    asked = asked_of(request, user)
    form = TieForm(request.POST)
    add_proof(form, asked)

    def act(user: User, said: Mapping[str, Any]) -> str:
        done = ties.accept(row, said, step_up=proved(request, user, said), acting_user=user)
        return f"{ties.in_words(done)}{_stopped(row, done.row)}"

    return _done(request, slug, form, act, lambda: {"ties": ties.of(row, asked, form)})


# --- posting -------------------------------------------------------------------------------------------------------------


@require_POST
def stop_posting(request: HttpRequest, slug: str) -> HttpResponse:
    """The stop switch: from the commit on, nothing new is sent to this system; what is under way may still be looked up."""
    form, row = WhyForm("stop", request.POST), _row(_manager(request), slug)

    def act(user: User, said: Mapping[str, Any]) -> str:
        connections.stop_posting(slug, reason=said["reason"], acting_user=user)
        return f"Posting to {row.system.label} is stopped."

    return _done(request, slug, form, act, lambda: {"stop_form": form})


@sensitive_post_parameters("proof", "answer")
@require_POST
def propose_posting(request: HttpRequest, slug: str) -> HttpResponse:
    """Propose that changes are posted there."""
    user = _manager(request)
    _row(user, slug)
    form = ProposePostingForm("propose", request.POST)
    add_proof(form, asked_of(request, user))

    def act(user: User, said: Mapping[str, Any]) -> str:
        connections.propose_posting(
            slug,
            reason=said["reason"],
            row_version=said["version"] or 0,
            step_up=proved(request, user, said),
            acting_user=user,
        )
        return "It is proposed. Another person confirms it within seven days."

    return _done(request, slug, form, act, lambda: {"propose_form": form})


def _proposal(request: HttpRequest, pk: int) -> PostingProposal:
    user = signed_in(request)
    require(user, "confirm_posting")
    found = visible_to(user, PostingProposal).filter(pk=pk).first()
    if found is None:
        raise Missing()
    return found


@sensitive_post_parameters("proof", "answer")
@require_POST
def confirm_posting(request: HttpRequest, pk: int) -> HttpResponse:
    """Confirm what another person proposed: posting is on."""
    proposal = _proposal(request, pk)
    form = ProofForm(request.POST, auto_id="confirm-%s")
    add_proof(form, asked_of(request, signed_in(request)))

    def act(user: User, said: Mapping[str, Any]) -> str:
        row = connections.confirm_posting(pk, step_up=proved(request, user, said), acting_user=user)
        return f"Posting to {row.system.label} is on."

    return _done(request, str(proposal.connection_id), form, act, lambda: {"confirm_form": form})


@require_POST
def refuse_posting(request: HttpRequest, pk: int) -> HttpResponse:
    """Refuse it, or withdraw one's own."""
    proposal = _proposal(request, pk)

    def act(user: User, _said: Mapping[str, Any]) -> str:
        connections.refuse_posting(pk, acting_user=user)
        return "It does not wait any more."

    return _done(request, str(proposal.connection_id), VersionForm(request.POST), act, dict)
