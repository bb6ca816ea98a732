"""Error pages in the product's own look: what happened, what to do, and the request id to quote."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import loader

from revops.errors import RevOpsError, http_status

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
    """The database does not answer in time: nothing was changed, try again."""
    answer = _page(
        request,
        503,
        "The service is busy",
        "The database did not answer in time. Nothing was changed. Try again in a moment.",
    )
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
    """500: no context, no database, no user: it must always work."""
    context = {"request_id": request.META.get("REVOPS_REQUEST_ID", ""), "static_url": settings.STATIC_URL}
    answer = HttpResponse(loader.render_to_string("errors/500.html", context), status=500)
    answer["Cache-Control"] = "no-store"
    return answer


def _page(request: HttpRequest, status: int, title: str, message: str) -> HttpResponse:
    fragment = bool(getattr(request, "htmx", False))
    context = {
        "status": status,
        "title": title,
        "message": message,
        "request_id": request.META.get("REVOPS_REQUEST_ID", ""),
        "page": "error",
    }
    answer = render(request, "errors/_error.html" if fragment else "errors/error.html", context, status=status)
    answer["Cache-Control"] = "no-store"
    if fragment:
        answer["HX-Retarget"] = "#alerts"
        answer["HX-Reswap"] = "innerHTML"
    return answer
