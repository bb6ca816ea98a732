"""Errors as problem details (RFC 9457): one shape, one table from our errors to HTTP."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from django.http.request import RawPostDataException, UnreadablePostError
from rest_framework import status
from rest_framework.exceptions import APIException, AuthenticationFailed, NotAuthenticated, Throttled, ValidationError
from rest_framework.response import Response

from revops.audit.trace import request_id
from revops.errors import Missing, Rejected, RevOpsError, http_status

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "Unreadable request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    412: "Changed in the meantime",
    413: "Too large",
    415: "Unsupported content",
    422: "Rejected",
    428: "Precondition required",
    429: "Too many requests",
    500: "Our fault",
    503: "Not available now",
}
_log = logging.getLogger("revops.api")


class PreconditionFailed(APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_code = "changed"
    default_detail = "The row was changed after you read it. Read it again, then decide."


class PreconditionRequired(APIException):
    status_code = status.HTTP_428_PRECONDITION_REQUIRED
    default_code = "if_match_missing"
    default_detail = "Send the row's ETag as If-Match, so that nobody's change is overwritten."


class KeyMissing(APIException):
    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "idempotency_key_missing"
    default_detail = "Send an Idempotency-Key of 8 to 255 printable characters with every POST."


def problem_body(
    status_code: int, code: str, detail: str, errors: list[dict[str, str]] | None = None, request: str = ""
) -> dict[str, Any]:
    """The members of a problem."""
    body: dict[str, Any] = {
        "type": f"urn:revops:problem:{code}",
        "title": TITLES.get(status_code, "Error"),
        "status": status_code,
        "detail": detail,
        "code": code,
        "request_id": request or request_id(),
    }
    if errors:
        body["errors"] = errors
    return body


def problem(status_code: int, code: str, detail: str, errors: list[dict[str, str]] | None = None) -> Response:
    """An `application/problem+json` answer."""
    return Response(problem_body(status_code, code, detail, errors), status=status_code, content_type=MEDIA_TYPE)


def not_found(request: HttpRequest) -> JsonResponse:
    """The 404 of an address that is none, without the framework's machinery."""
    body = problem_body(404, "not_found", "Not found.", request=request.META.get("REVOPS_REQUEST_ID", ""))
    return JsonResponse(body, status=404, content_type=MEDIA_TYPE)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's hook. Anything unknown is logged and becomes a 500 without its text."""
    if isinstance(error, Http404 | PermissionDenied):
        error = Missing()
    if isinstance(error, RevOpsError):
        errors = [{"field": error.field, "detail": error.message}] if isinstance(error, Rejected) and error.field else None
        return problem(http_status(error), error.code, error.message, errors)
    if isinstance(error, ValidationError):
        return problem(400, "invalid", "Some values cannot be accepted; see errors.", _flat(error.detail))
    if isinstance(error, APIException):
        return _refused(error)
    if isinstance(error, RequestDataTooBig):
        return problem(413, "body_too_large", "The body is larger than any that is read.")
    if isinstance(error, SuspiciousOperation | UnreadablePostError | RawPostDataException):
        return problem(400, "unreadable", "The request could not be read.")
    if isinstance(error, OperationalError):
        _log.warning("the database did not answer in time", exc_info=error)
        response = problem(503, "unavailable", "The database did not answer in time. Nothing was changed. Try again.")
        response["Retry-After"] = "5"
        return response
    _log.error("a request failed", exc_info=error)
    return problem(500, "internal", "Something went wrong on our side. Quote the request id.")


def _refused(error: APIException) -> Response:
    response = problem(error.status_code, str(error.default_code), str(error.detail))
    if isinstance(error, NotAuthenticated | AuthenticationFailed):
        response["WWW-Authenticate"] = 'Bearer realm="revops"'
        response.status_code = response.data["status"] = 401
        response.data["title"] = TITLES[401]
    if isinstance(error, Throttled):
        response["Retry-After"] = str(int(getattr(error, "wait", None) or 0) + 1)
    return response


def _flat(detail: Any, path: str = "") -> list[dict[str, str]]:
    if isinstance(detail, dict):
        return [line for name, value in detail.items() for line in _flat(value, f"{path}.{name}" if path else str(name))]
    if isinstance(detail, list):
        return [line for value in detail for line in _flat(value, path)]
    return [{"field": path, "detail": str(detail)}]
