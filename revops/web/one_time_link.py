"""Accepting an invitation, or setting a new password: both by a link that is good once."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from revops.errors import Rejected, http_status
from revops.identity.links import set_password_by_link
from revops.web.identity_forms import LinkPasswordForm


@login_not_required
@never_cache
@sensitive_post_parameters("secret", "password")
@require_http_methods(["GET", "HEAD", "POST"])
def link(request: HttpRequest) -> HttpResponse:
    """Choose a password; then one signs in with it."""
    form = LinkPasswordForm(request.POST) if request.method == "POST" else LinkPasswordForm()
    if not form.is_bound:
        return render(request, "identity/link.html", {"page": "link", "form": form})
    try:
        given = form.must()
        set_password_by_link(given["secret"], password=given["password"], now=timezone.now())
    except Rejected as refused:
        form.keep_problem(refused)
        return render(request, "identity/link.html", {"page": "link", "form": form}, status=http_status(refused))
    messages.success(request, "Your password is set. Sign in with it.")
    return redirect("web:sign-in")
