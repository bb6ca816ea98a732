"""What every page has: ids for the audit log, the reader's time zone, no caching, and our errors as pages."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib.auth.middleware import get_user
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from revops.audit.trace import new_trace_id, tracing
from revops.errors import Rejected, RevOpsError
from revops.people.models import User
from revops.web.errors import error_page, unavailable_page

NOT_ASKED_FOR = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"
"""What no page of ours asks a browser for, so that nothing that gets into one can either (Permissions-Policy)."""


class PageMiddleware:
    """After authentication. Everything a signed-in person sees stays out of every cache."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request inside its trace and the reader's time zone."""
        if hasattr(request, "user"):
            request.user = get_user(request)  # read for its time zone anyway, and cheaper to ask than Django's lazy stand-in
        with tracing(new_trace_id(), str(request.META.get("REVOPS_REQUEST_ID", ""))), timezone.override(_zone(request)):
            response = self.get_response(request)
        if "Cache-Control" not in response and not request.path.startswith("/static/"):
            response["Cache-Control"] = "no-store"
        response["Permissions-Policy"] = NOT_ASKED_FOR
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., object], _args: object, _kwargs: object
    ) -> HttpResponse | None:
        """A form with a character that no text can hold is refused as a whole: nobody types it, and nothing stores it."""
        ours = view.__module__.startswith(("revops.web", "sync.surface.pages"))
        if ours and request.method == "POST" and any("\x00" in text for values in request.POST.lists() for text in values[1]):
            return error_page(request, Rejected("text_unusable", "A field holds a NUL character. Nothing was changed."))
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Our own errors say what to do next; a database that does not answer is our fault and passes."""
        if isinstance(error, RevOpsError):
            return error_page(request, error)
        if isinstance(error, OperationalError):
            return unavailable_page(request)
        return None


def _zone(request: HttpRequest) -> ZoneInfo:
    user = getattr(request, "user", None)
    name = user.time_zone if isinstance(user, User) else "UTC"
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
