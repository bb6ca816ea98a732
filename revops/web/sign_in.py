"""Sign-in, sign-out and the reader's preferences.

Failed attempts are counted (`revops.identity.failures`); a wrong name and a wrong password answer alike, in about the same time
(Django hashes a dummy password for unknown names).
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from revops.client_address import client_address
from revops.errors import Rejected, http_status
from revops.identity import passkeys, sign_ins
from revops.identity.factors import has_second_factor
from revops.identity.failures import begin_attempt, forget_failures
from revops.identity.models import Method
from revops.identity.sessions import digest_of, forget_expired
from revops.identity.step_up import record_step_up
from revops.people.models import User
from revops.web.fields import line
from revops.web.forms import PageForm
from revops.web.known_browser import known_browser, remember
from revops.web.page_frame import DENSITIES, THEMES
from revops.web.requests import safe_next, signed_in
from revops.web.step_up import PENDING, Asked, ConfirmForm, pending_person, proof_in

REFUSED = "This address and password do not fit together. Check both and try again."
TOO_MANY = "There were too many failed attempts. Wait a quarter of an hour, or use a browser in which you have signed in before."
YEAR_SECONDS = 365 * 86_400


class SignInForm(PageForm):
    """The two things we ask for. The cursor stands in the first that is empty."""

    username = line(
        "Work e-mail",
        length_max=150,
        missing=REFUSED,
        inputmode="email",
        autocomplete="username",
        autocapitalize="none",
        spellcheck="false",
    )
    password = forms.CharField(
        label="Password",
        max_length=300,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    next = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, auto_id="%s", **options)
        first = "password" if self.initial.get("username") else "username"
        self.fields[first].widget.attrs["autofocus"] = True


class PreferencesForm(PageForm):
    """What a reader may choose; each button sends one."""

    theme = forms.ChoiceField(required=False, choices=[(code, code) for code in (*THEMES, "system")])
    density = forms.ChoiceField(required=False, choices=[(code, code) for code in DENSITIES])
    keys = forms.ChoiceField(required=False, choices=[("on", "on"), ("off", "off")])
    next = forms.CharField(required=False, widget=forms.HiddenInput)


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """The form; on success the page that was asked for."""
    if request.user.is_authenticated and request.method != "POST":
        return redirect(safe_next(request))
    form = SignInForm(request.POST) if request.method == "POST" else SignInForm()
    sent = form.given("next") if form.is_bound else None
    context: dict[str, object] = {"page": "sign-in", "next": safe_next(request, sent, ""), "form": form, "problem": ""}
    if not form.is_bound:
        return render(request, "web/sign_in.html", context)
    name = str(form["username"].data or "").strip()
    context["form"] = SignInForm(initial={"username": name[:150]})  # never with what of the two was wrong
    if not form.is_valid():  # nothing was tried, so nothing is counted
        return render(request, "web/sign_in.html", context | {"problem": REFUSED}, status=422)
    address, now = client_address(request), timezone.now()
    attempt = begin_attempt(name, address=address, browser=known_browser(request, name), now=now)
    if attempt is None:
        sign_ins.stopped(name, address=address, now=now)
        return render(request, "web/sign_in.html", context | {"problem": TOO_MANY}, status=429)
    user = authenticate(request, username=name, password=form.cleaned_data["password"])
    if not isinstance(user, User):
        sign_ins.refused(name, address=address, now=now)
        return render(request, "web/sign_in.html", context | {"problem": REFUSED}, status=422)
    forget_failures(attempt)
    if not has_second_factor(user):
        return _enter(request, user, Method.PASSWORD, sent)
    request.session.cycle_key()
    request.session[PENDING] = {"user": user.pk, "at": timezone.now().isoformat(), "next": safe_next(request, sent)}
    return redirect("web:second-factor")


@login_not_required
@never_cache
@sensitive_post_parameters("proof", "answer")
@require_http_methods(["GET", "HEAD", "POST"])
def second_factor(request: HttpRequest) -> HttpResponse:
    """After the right password: a code, or a passkey."""
    user = pending_person(request)
    if user is None:
        return redirect("web:sign-in")
    asked = Asked(False, "A code of your app, or a recovery code", True, passkeys.has_passkey(user, request.get_host()))
    form = ConfirmForm(asked, request.POST) if request.method == "POST" else ConfirmForm(asked)
    context: dict[str, object] = {"page": "sign-in", "form": form, "asked": asked}
    if not form.is_bound:
        return render(request, "identity/second_factor.html", context)
    try:
        method = proof_in(request, user, form.must())
        if method is None:
            raise Rejected("proof_wrong", "Enter a code, or use your passkey.", field="proof")
    except Rejected as refused:
        sign_ins.refused(user.get_username(), address=client_address(request), now=timezone.now())
        form.keep_problem(refused)
        return render(request, "identity/second_factor.html", context, status=http_status(refused))
    return _enter(request, user, method, request.session.pop(PENDING)["next"])


def _enter(request: HttpRequest, user: User, method: Method, target: str | None) -> HttpResponse:
    """Begin the session, leave the trace, and go where that was asked for."""
    now = timezone.now()
    login(request, user, backend="revops.identity.backend.PeopleBackend")
    request.session["begun_at"] = now.isoformat()
    request.session["address"] = client_address(request)
    request.session["browser"] = request.headers.get("User-Agent", "")[:200]
    methods = (Method.PASSWORD,) if method == Method.PASSWORD else (Method.PASSWORD, method)
    sign_ins.signed_in(user, methods=tuple(str(each) for each in methods), address=client_address(request))
    if method != Method.PASSWORD:
        record_step_up(user, method, session=digest_of(request.session.session_key))
    forget_expired(now=now)
    answer = HttpResponseRedirect(safe_next(request, target))
    remember(request, answer, user.get_username())
    return answer


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    sign_ins.signed_out(signed_in(request), address=client_address(request))
    logout(request)
    messages.success(request, "You are signed out.")
    return redirect("web:sign-in")


@login_not_required
@require_POST
def preferences(request: HttpRequest) -> HttpResponse:
    """Theme, density and shortcuts: kept in this browser, read by the server before the first byte."""
    form = PreferencesForm(request.POST)
    answer: HttpResponse = HttpResponseRedirect(safe_next(request, form.given("next")))
    for name in ("theme", "density", "keys"):
        if value := form.given(name):
            answer.set_cookie(
                f"revops-{name}", value, max_age=YEAR_SECONDS, samesite="Lax", secure=request.is_secure(), httponly=True
            )
    return answer
