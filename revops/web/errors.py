"""Error pages in the product's own look: what happened, what to do, and the request id to quote.

The frame around a page needs collected files, a session and the database. An error page may be about any of them being
away, so a page without frame stands in wherever the frame cannot be drawn.
"""

from __future__ import annotations

import logging
import sys

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import loader

from revops.errors import RevOpsError, http_status

_log = logging.getLogger("revops.web.errors")

TITLES = {
    403: "This is not yours to do",
    404: "There is nothing here",
    409: "This changed in the meantime",
    422: "That cannot be accepted as it is",
}


def error_page(request: HttpRequest, error: RevOpsError) -> HttpResponse:
    """One of our errors, with its own status and sentence."""
    status = http_status(error)
    message = error.message
    if status == 404:
        message = "It does not exist, or it is not among the things you may see."
    return _page(request, status, TITLES.get(status, "Something went wrong"), message)


def unavailable_page(request: HttpRequest) -> HttpResponse:
    """The database does not answer in time. Without frame: the frame would ask it for who is signed in."""
    sent = request.method not in ("GET", "HEAD", "OPTIONS")
    what = "Before you send it again, look whether it was carried out after all." if sent else "Nothing was changed."
    message = f"The database did not answer in time. {what} Try again in a moment."
    answer = _page(request, 503, "The service is busy", message, framed=False)
    answer["Retry-After"] = "5"
    return answer


@login_not_required
def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    """404, also for what somebody may not see: the two look alike on purpose."""
    return _page(request, 404, TITLES[404], "It does not exist, or it is not among the things you may see.")


@login_not_required
def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    """403."""
    return _page(request, 403, TITLES[403], "Your role does not include this. Ask an administrator if you think it should.")


@login_not_required
def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001
    """400."""
    return _page(request, 400, "The request could not be read", "Go back and try again. Nothing was changed.")


@login_not_required
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001
    """A form that is too old or was sent from elsewhere."""
    return _page(request, 403, "This form has expired", "Nothing was changed. Go back, reload the page and send the form again.")


@login_not_required
def server_error(request: HttpRequest) -> HttpResponse:
    """500, or 503 when what failed is the database, which middleware meets before any view. It must always work."""
    if isinstance(sys.exception(), OperationalError | InterfaceError):
        return unavailable_page(request)
    message = "What you sent was not carried out, unless the page you came from now shows it. Nothing is half done."
    return _page(request, 500, "Something went wrong on our side", message, framed=False)


def _page(request: HttpRequest, status: int, title: str, message: str, *, framed: bool = True) -> HttpResponse:
    fragment = bool(getattr(request, "htmx", False))
    context = {
        "status": status,
        "title": title,
        "message": message,
        "request_id": request.META.get("REVOPS_REQUEST_ID", ""),
        "page": "error",
    }
    if fragment:
        answer = HttpResponse(loader.render_to_string("errors/_error.html", context), status=status)
        answer["HX-Retarget"] = "#alerts"
        answer["HX-Reswap"] = "innerHTML"
    else:
        answer = (framed and _framed(request, status, context)) or _alone(request, status, context)
    answer["Cache-Control"] = "no-store"
    return answer


def _framed(request: HttpRequest, status: int, context: dict[str, object]) -> HttpResponse | None:
    """The page in its frame, or None when something that the frame needs is away."""
    try:
        return render(request, "errors/error.html", context, status=status)
    except Exception as error:
        _log.warning("an error page is shown without its frame", extra={"error": type(error).__name__})
        return None


def _alone(request: HttpRequest, status: int, context: dict[str, object]) -> HttpResponse:
    theme = request.COOKIES.get("revops-theme", "")
    known = {"theme": theme if theme in ("light", "dark") else "", "static_url": settings.STATIC_URL}
    return HttpResponse(loader.render_to_string("errors/alone.html", context | known), status=status)
