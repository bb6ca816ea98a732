"""NetSuite's REST error body: RFC 9457-like, with the array `o:errorDetails`."""

from __future__ import annotations

from demo.simulators.vendor import Halt, Response

_SECTIONS = {400: "10.4.1", 401: "10.4.2", 403: "10.4.4", 404: "10.4.5", 405: "10.4.6", 429: "10.4", 500: "10.5.1"}
_TITLES = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    409: "Conflict", 429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip
_CODES = {
    400: "INVALID_REQUEST", 401: "INVALID_LOGIN", 403: "INSUFFICIENT_PERMISSION", 404: "NONEXISTENT_ID",
    405: "METHOD_NOT_ALLOWED", 429: "CONCURRENCY_LIMIT_EXCEEDED",
}  # fmt: skip

CONTENT_TYPE = "application/vnd.oracle.resource+json; type=error"


def problem(status: int, detail: str, code: str = "", where: dict[str, str] | None = None, title: str = "") -> Response:
    """An error answer. `where` holds `o:errorPath`, `o:errorQueryParam`, `o:errorHeader` or `o:errorUrl`."""
    return Response.of(
        {
            "type": f"https://www.w3.org/Protocols/rfc2616/rfc2616-sec10.html#sec{_SECTIONS.get(status, '10.5')}",
            "title": title or _TITLES.get(status, "Error"),
            "status": status,
            "o:errorDetails": [
                {"detail": detail, **(where or {}), "o:errorCode": code or _CODES.get(status, "UNEXPECTED_ERROR")}
            ],
        },
        status,
        {"Content-Type": CONTENT_TYPE},
    )


def refuse_content(detail: str, path: str = "", code: str = "INVALID_CONTENT") -> Halt:
    """400 about the body: `raise refuse_content(...)` undoes the call."""
    text = f"Error while accessing a resource. {detail}"
    return Halt(problem(400, text, code, {"o:errorPath": path} if path else None))


def refuse_parameter(detail: str, name: str) -> Halt:
    """400 about a query parameter."""
    return Halt(problem(400, detail, "INVALID_PARAMETER", {"o:errorQueryParam": name}))


def refuse_missing(detail: str = "The record instance does not exist. Provide a valid record instance ID.") -> Halt:
    """404: no such record, also for an unknown `eid:`."""
    return Halt(problem(404, detail, "NONEXISTENT_ID"))
