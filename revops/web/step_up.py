"""Asking, before something weighty, that the person proves once more who they are; and the challenges of passkeys."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from revops.errors import Missing, Rejected, http_status
from revops.identity import passkeys
from revops.identity.factors import factors_of
from revops.identity.models import Method, StepUp
from revops.identity.sessions import digest_of
from revops.identity.step_up import check_passkey, check_proof, record_step_up, step_up_of_session
from revops.people.models import User
from revops.web.forms import PageForm
from revops.web.requests import safe_next, signed_in

PENDING, CHALLENGE = "sign_in_pending", "passkey_challenge"
PENDING_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page asks for: nothing (`fresh`), or a password or code, and a passkey where there is one for this host."""

    fresh: bool
    label: str
    second_factor: bool
    passkey: bool


def asked_of(request: HttpRequest, user: User) -> Asked:
    """What this person is asked for in this session now."""
    fresh = fresh_step_up(request, user) is not None
    factors = factors_of(user)
    label = "A code of your app, or a recovery code" if factors.any else "Your password, once more"
    return Asked(fresh, label, factors.any, passkeys.has_passkey(user, request.get_host()))


def fresh_step_up(request: HttpRequest, user: User) -> StepUp | None:
    """The step-up of this session that is not older than five minutes."""
    return step_up_of_session(user, digest_of(request.session.session_key), now=timezone.now())


def add_proof(form: PageForm, asked: Asked) -> None:
    """Put the fields of a proof at the end of a form, unless one is fresh."""
    if asked.fresh:
        return
    autocomplete = "one-time-code" if asked.second_factor else "current-password"
    attrs = {"autocomplete": autocomplete, "autocapitalize": "none", "spellcheck": "false"}
    widget = forms.TextInput(attrs=attrs) if asked.second_factor else forms.PasswordInput(attrs=attrs)
    form.fields["proof"] = forms.CharField(label=asked.label, max_length=300, strip=False, required=False, widget=widget)
    form.fields["answer"] = forms.CharField(required=False, max_length=20_000, widget=forms.HiddenInput)


def proved(request: HttpRequest, user: User, given: Mapping[str, Any]) -> StepUp | None:
    """The step-up of what was typed or signed, else the fresh one of this session. Raises `Rejected`."""
    method = proof_in(request, user, given)
    if method is None:
        return fresh_step_up(request, user)
    return record_step_up(user, method, session=digest_of(request.session.session_key))


def proof_in(request: HttpRequest, user: User, given: Mapping[str, Any]) -> Method | None:
    """With what the fields of a form prove that it is the person; None when they are empty. Raises `Rejected`."""
    now = timezone.now()
    if given.get("answer"):
        state = request.session.pop(CHALLENGE, None)
        if state is None:
            raise Rejected("proof_wrong", passkeys.WRONG, field="proof")
        return check_passkey(user, answer=given["answer"], state=state, host=request.get_host(), now=now)
    return check_proof(user, given["proof"], now=now) if given.get("proof") else None


def pending_person(request: HttpRequest) -> User | None:
    """Who has given the right password and not yet the second factor, for five minutes."""
    kept = request.session.get(PENDING) or {}
    begun = dt.datetime.fromisoformat(kept["at"]) if "at" in kept else None
    if begun is None or (timezone.now() - begun).total_seconds() > PENDING_SECONDS:
        return None
    return User.objects.filter(pk=kept["user"], is_active=True).first()


@login_not_required
@require_POST
def passkey_challenge(request: HttpRequest) -> HttpResponse:
    """What a passkey of the person who is signing in, or is signed in, has to sign: JSON for the browser."""
    user = request.user if isinstance(request.user, User) else pending_person(request)
    if user is None:
        raise Missing("person")
    options, state = passkeys.begin_proof(user, host=request.get_host())
    request.session[CHALLENGE] = state
    return JsonResponse(options)


class ConfirmForm(PageForm):
    """Nothing but the proof."""

    next = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, asked: Asked, *args: Any, **options: Any) -> None:
        super().__init__(*args, auto_id="c-%s", **options)
        add_proof(self, asked)


@sensitive_post_parameters("proof", "answer")
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest) -> HttpResponse:
    """Prove it, and go on where that was asked for. Holds for five minutes."""
    user = signed_in(request)
    asked = asked_of(request, user)
    form = (
        ConfirmForm(asked, request.POST) if request.method == "POST" else ConfirmForm(asked, initial={"next": safe_next(request)})
    )
    context: dict[str, object] = {"page": "confirm", "form": form, "asked": asked}
    if not form.is_bound:
        return redirect(safe_next(request)) if asked.fresh else render(request, "identity/confirm.html", context)
    try:
        if proved(request, user, form.must()) is None:
            raise Rejected("proof_wrong", "Enter it, or use your passkey.", field="proof")
    except Rejected as refused:
        form.keep_problem(refused)
        return render(request, "identity/confirm.html", context, status=http_status(refused))
    return redirect(safe_next(request, form.given("next")))
