"""Errors as problem details (RFC 9457): one shape, one table from our errors to HTTP."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import status
from rest_framework.exceptions import APIException, AuthenticationFailed, NotAuthenticated, Throttled, ValidationError
from rest_framework.response import Response

from revops.audit.trace import request_id
from revops.errors import Missing, Rejected, RevOpsError, http_status

TITLES = {
    400: "Unreadable request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    412: "Changed in the meantime",
    415: "Unsupported content",
    422: "Rejected",
    428: "Precondition required",
    429: "Too many requests",
    503: "Not available now",
}


class PreconditionFailed(APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_code = "changed"
    default_detail = "The row was changed after you read it. Read it again, then decide."


class PreconditionRequired(APIException):
    status_code = status.HTTP_428_PRECONDITION_REQUIRED
    default_code = "if_match_missing"
    default_detail = "Send the row's ETag as If-Match, so that nobody's change is overwritten."


def problem(status_code: int, code: str, detail: str, errors: list[dict[str, str]] | None = None) -> Response:
    """An `application/problem+json` answer."""
    body: dict[str, Any] = {
        "type": f"urn:revops:problem:{code}",
        "title": TITLES.get(status_code, "Error"),
        "status": status_code,
        "detail": detail,
        "code": code,
        "request_id": request_id(),
    }
    if errors:
        body["errors"] = errors
    return Response(body, status=status_code, content_type="application/problem+json")


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook. Anything unknown stays a 500 without its text."""
    if isinstance(error, Http404 | PermissionDenied):
        error = Missing()
    if isinstance(error, RevOpsError):
        errors = [{"field": error.field, "detail": error.message}] if isinstance(error, Rejected) and error.field else None
        return problem(http_status(error), error.code, error.message, errors)
    if isinstance(error, ValidationError):
        return problem(400, "invalid", "Some values cannot be read; see errors.", _flat(error.detail))
    if isinstance(error, APIException):
        response = problem(error.status_code, str(error.default_code), str(error.detail))
        if isinstance(error, NotAuthenticated | AuthenticationFailed):
            response["WWW-Authenticate"] = 'Bearer realm="revops"'
            response.status_code = response.data["status"] = 401
        wait = getattr(error, "wait", None)
        if isinstance(error, Throttled) and wait:
            response["Retry-After"] = str(int(wait) + 1)
        return response
    return None


def _flat(detail: Any, path: str = "") -> list[dict[str, str]]:
    if isinstance(detail, dict):
        return [line for name, value in detail.items() for line in _flat(value, f"{path}.{name}" if path else str(name))]
    if isinstance(detail, list):
        return [line for value in detail for line in _flat(value, path)]
    return [{"field": path, "detail": str(detail)}]
