"""One's own account: password, second factors, sessions, tokens, and who decides during an absence.

Whatever adds or takes away a way in asks first for a proof that is not older than five minutes.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import wraps
from typing import Any

import segno
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from revops.access.delegations import delegate, end_delegation
from revops.access.grants import PRIVILEGED
from revops.access.rules import may
from revops.errors import Missing, Rejected, RevOpsError, http_status
from revops.identity import passkeys, recovery_codes, totp
from revops.identity.factors import factors_of, is_required, remove_factor
from revops.identity.models import Method
from revops.identity.passwords import change_password
from revops.identity.sessions import digest_of, end_session, sessions_of
from revops.identity.step_up import record_step_up
from revops.identity.tokens import SCOPES, issue_token, live_tokens, revoke_token
from revops.parameters import row_id
from revops.people.models import Delegation, User
from revops.web.addresses import href
from revops.web.forms import PageForm
from revops.web.identity_forms import (
    ChangePasswordForm,
    CodeForm,
    DelegationForm,
    PasskeyForm,
    TokenForm,
    WhichForm,
)
from revops.web.requests import signed_in
from revops.web.step_up import fresh_step_up

View = Callable[..., HttpResponse]
NEW_PASSKEY = "new_passkey"


def after_a_proof(view: View) -> View:
    """The view, for somebody who has proved within five minutes who they are; others prove it first, and come back."""

    @wraps(view)
    def asked(request: HttpRequest, *args: Any, **more: Any) -> HttpResponse:
        if fresh_step_up(request, signed_in(request)) is None:
            messages.info(request, "Prove first that it is you; then do it again.")
            return redirect(href("confirm", query={"next": href("own-account")}))
        return view(request, *args, **more)

    return asked


@require_safe
def own_account(request: HttpRequest) -> HttpResponse:
    """Everything about one's own way in."""
    return _page(request)


def _page(request: HttpRequest, status: int = 200, **over: Any) -> HttpResponse:
    user, now = signed_in(request), timezone.now()
    delegations = Delegation.objects.filter(approver=user, ended_at__isnull=True, last_day__gte=now.date())
    setting_up = totp.secret_being_set_up(user)
    context = {
        "page": "own-account",
        "factors": factors_of(user),
        "needed": is_required() and bool(user.role_codes() & PRIVILEGED),
        "host_name": passkeys.relying_party(request.get_host()),
        "setting_up": setting_up,
        "sessions": list(sessions_of(user, now=now)[:50]),
        "this_session": digest_of(request.session.session_key),
        "tokens": list(live_tokens(user, now=now)[:100]),
        "scopes": SCOPES,
        "decides": may(user, "decide_plan"),
        "delegations": list(delegations.select_related("stand_in")),
        "password_form": ChangePasswordForm(),
        "code_form": CodeForm(),
        "passkey_form": PasskeyForm(),
        "token_form": TokenForm(),
        "delegation_form": DelegationForm(stand_ins(user)),
    }
    return render(request, "identity/own_account.html", context | over, status=status)


@require_safe
def app_code(request: HttpRequest) -> HttpResponse:
    """The QR code of the secret that is being set up, as a picture. Raises `Missing` when there is none."""
    address = totp.secret_being_set_up(signed_in(request))
    if not address:
        raise Missing("code")
    drawn = io.BytesIO()
    qr_code = segno.make(address, error="m")
    qr_code.save(drawn, kind="svg", scale=5, border=4, light="#ffffff")
    return HttpResponse(drawn.getvalue(), content_type="image/svg+xml")


def stand_ins(user: User) -> list[tuple[str, str]]:
    """Who might decide in one's place."""
    rows = User.objects.filter(is_active=True, role_grants__role__in=("approver", "controller")).exclude(pk=user.pk).distinct()
    return [(str(row.pk), row.shown_name) for row in rows.order_by("username")[:200]]


def _done(request: HttpRequest, said: str) -> HttpResponse:
    messages.success(request, said)
    return redirect("web:own-account")


def _again(request: HttpRequest, name: str, form: PageForm, error: RevOpsError) -> HttpResponse:
    """The page again, with the refusal at the field of the form that was sent."""
    form.keep_problem(error)
    return _page(request, http_status(error), **{name: form, "problem": error.message})


@sensitive_post_parameters("old", "password")
@require_POST
def password(request: HttpRequest) -> HttpResponse:
    """Another password; the other sessions end."""
    user, form = signed_in(request), ChangePasswordForm(request.POST)
    try:
        given = form.must()
        row = change_password(user, old=given["old"], new=given["password"], now=timezone.now(), acting_user=user)
    except Rejected as refused:
        return _again(request, "password_form", form, refused)
    request.session.cycle_key()
    update_session_auth_hash(request, row)
    return _done(request, "Your password is changed. Your other sessions ended.")


@require_POST
@after_a_proof
def begin_app(request: HttpRequest) -> HttpResponse:
    """A new secret for an authenticator app; the page shows its QR code."""
    totp.begin_totp(signed_in(request))
    return redirect("web:own-account")


@require_POST
@after_a_proof
def confirm_app(request: HttpRequest) -> HttpResponse:
    """The first code: from now on the app counts."""
    user, form = signed_in(request), CodeForm(request.POST)
    try:
        totp.confirm_totp(user, form.must()["code"], now=timezone.now(), acting_user=user)
    except Rejected as refused:
        return _again(request, "code_form", form, refused)
    record_step_up(user, Method.TOTP, session=digest_of(request.session.session_key))
    return _with_codes(request, user)


@require_POST
@after_a_proof
def new_codes(request: HttpRequest) -> HttpResponse:
    """New recovery codes, shown once."""
    user = signed_in(request)
    if not factors_of(user).any:
        raise Rejected("no_second_factor", "Recovery codes stand in for a second factor: set one up first.")
    return _page(request, new_codes=recovery_codes.make_recovery_codes(user, acting_user=user))


def _with_codes(request: HttpRequest, user: User) -> HttpResponse:
    """After the first second factor: codes for the day on which it is lost."""
    if factors_of(user).recovery_codes:
        return _done(request, "Your second factor is set up.")
    return _page(request, new_codes=recovery_codes.make_recovery_codes(user, acting_user=user))


@require_POST
def new_passkey(request: HttpRequest) -> HttpResponse:
    """What the browser is asked for to make a passkey: JSON."""
    user = signed_in(request)
    if fresh_step_up(request, user) is None:
        raise Missing("proof")
    options, state = passkeys.begin_passkey(user, host=request.get_host())
    request.session[NEW_PASSKEY] = state
    return JsonResponse(options)


@require_POST
@after_a_proof
def add_passkey(request: HttpRequest) -> HttpResponse:
    """Keep what the browser made."""
    user, form = signed_in(request), PasskeyForm(request.POST)
    state = request.session.pop(NEW_PASSKEY, {})
    try:
        given = form.must()
        passkeys.add_passkey(
            user, name=given["name"], answer=given["answer"], state=state, host=request.get_host(), acting_user=user
        )
    except Rejected as refused:
        return _again(request, "passkey_form", form, refused)
    return _with_codes(request, user)


@require_POST
@after_a_proof
def drop_factor(request: HttpRequest) -> HttpResponse:
    """Take a second factor away."""
    user = signed_in(request)
    needed = bool(user.role_codes() & PRIVILEGED)
    remove_factor(user, WhichForm(request.POST).must()["which"], needed=needed, acting_user=user)
    return _done(request, "It is removed.")


@require_POST
@after_a_proof
def new_token(request: HttpRequest) -> HttpResponse:
    """A new API token, shown once."""
    user, form = signed_in(request), TokenForm(request.POST)
    try:
        given = form.must()
        made = issue_token(
            user, name=given["name"], days=given["days"], scopes=given["scopes"], now=timezone.now(), acting_user=user
        )
    except Rejected as refused:
        return _again(request, "token_form", form, refused)
    return _page(request, new_token=made)


@require_POST
def drop_token(request: HttpRequest) -> HttpResponse:
    """End a token."""
    user = signed_in(request)
    revoke_token(user, row_id(WhichForm(request.POST).must()["which"]) or 0, now=timezone.now(), acting_user=user)
    return _done(request, "The token ended.")


@require_POST
def drop_session(request: HttpRequest) -> HttpResponse:
    """End a session, also the one in hand."""
    user = signed_in(request)
    end_session(user, WhichForm(request.POST).must()["which"], acting_user=user)
    return _done(request, "The session ended.")


@require_POST
def new_delegation(request: HttpRequest) -> HttpResponse:
    """Name a stand-in."""
    user = signed_in(request)
    form = DelegationForm(stand_ins(user), request.POST)
    try:
        given = form.must()
        stand_in = User.objects.get(pk=int(given["stand_in"]))
        delegate(
            stand_in, first_day=given["first_day"], last_day=given["last_day"], reason=given["reason"], now=timezone.now(),
            acting_user=user,
        )  # fmt: skip
    except Rejected as refused:
        return _again(request, "delegation_form", form, refused)
    return _done(request, f"{stand_in.shown_name} stands in for you from {given['first_day']} to {given['last_day']}.")


@require_POST
def drop_delegation(request: HttpRequest) -> HttpResponse:
    """End a delegation early."""
    which = row_id(WhichForm(request.POST).must()["which"]) or 0
    end_delegation(which, now=timezone.now(), acting_user=signed_in(request))
    return _done(request, "The delegation ended.")
