"""Addresses under `api/` that are none, and those that lack only their last slash."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from django.views.decorators.csrf import csrf_exempt

from revops.api.problems import not_found


@csrf_exempt
@login_not_required
def unknown(request: HttpRequest) -> HttpResponseBase:
    """404 as a problem. A known address without its last slash is served as itself: a redirect would lose a POST's body."""
    if not request.path_info.endswith("/"):
        try:
            match = resolve(f"{request.path_info}/")
        except Resolver404:
            return not_found(request)
        if match.func is not unknown:
            answer: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
            return answer
    return not_found(request)
