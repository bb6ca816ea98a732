"""The intake over HTTP: a vendor's delivery, verified as raw bytes, durable before it is answered.

No session, no sign-in, no form parser: what is signed are bytes, and bytes are what is kept. Answers:

- 202 `{"stored": true, "delivery": id}`, also for a copy;
- 400 unreadable, 401 not authentic, 404 no such connection, 405, 413 more than 1 MiB, 415 another type or a compressed body;
  what is too large, too slow (408) or breaks off has been refused before, by `revops.serving`;
- 429 with Retry-After to forgeries only, when they come in floods;
- 503 with Retry-After when it cannot be made durable, within five seconds.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Mapping

import psycopg
from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseTrouble
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from revops.errors import Conflict
from sync import connections
from sync.connections import SLUG, ConnectionHandle
from sync.intake import inbox, refusals
from sync.vendor.contract import ConnectorAnswer, Incoming, NotAuthentic

SIZE_MAX = 1024 * 1024
RETRY_AFTER_SECONDS = 5
_HEADER_LENGTH_MAX = 2000
_KEPT_HEADER = re.compile(r"content-type|user-agent|[a-z0-9-]*(?:signature|timestamp|event|topic|delivery-id|request-id)")
"""What is needed to verify a delivery again and to trace it. Shared secrets, cookies and addresses are not kept."""

_log = logging.getLogger("sync.intake")


@csrf_exempt
@login_not_required
def intake(request: HttpRequest, slug: str) -> HttpResponse:
    """Take one delivery of the connection `slug`."""
    if request.method != "POST":
        return _answer(405, "Deliveries are sent with POST.", Allow="POST")
    try:
        handle = connections.handle(slug) if SLUG.fullmatch(slug) else None
    except (DatabaseTrouble, psycopg.Error):
        return _unavailable()
    except Conflict as conflict:
        _log.error("a delivery was turned away: %s", conflict.message, extra={"connection": slug})
        return _unavailable()
    if handle is None:
        return _answer(404, "Connection not found.")
    headers = _headers(request)
    refusal = _refuse_form(handle, headers)
    if refusal is not None:
        return _refused(handle, refusal)
    body = _body(request)
    if isinstance(body, HttpResponse):
        return _refused(handle, body)
    return _take(handle, body, headers)


def _take(handle: ConnectionHandle, body: bytes, headers: Mapping[str, str]) -> HttpResponse:
    now = dt.datetime.now(dt.UTC)
    incoming = Incoming(kind="event", body=body, headers=headers, received_at=now)
    try:
        handle.connector.taking_pushes().verify(incoming, handle.config, now)
    except NotAuthentic:
        if refusals.floods(handle.slug):
            return _refused(handle, _answer(429, "Too many forgeries.", Retry_After=str(refusals.RETRY_AFTER_SECONDS)))
        return _refused(handle, _answer(401, "The delivery is not authentic."))
    except ConnectorAnswer as answer:
        return _refused(handle, _answer(400, answer.reason))
    try:
        key = handle.connector.taking_pushes().dedup_key(incoming)
    except ConnectorAnswer as answer:
        return _refused(handle, _answer(400, answer.reason))
    try:
        accepted = inbox.accept(handle, kind="event", dedup_key=key, body=body, headers=kept_headers(headers))
    except (DatabaseTrouble, psycopg.Error) as error:
        fields = {"connection": handle.slug, "error": type(error).__name__}
        _log.error("a delivery could not be made durable", extra=fields)
        return _unavailable()
    return JsonResponse({"stored": True, "delivery": accepted.id}, status=202)


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that are stored with a delivery."""
    return {
        name: value[:_HEADER_LENGTH_MAX].replace("\x00", "") for name, value in headers.items() if _KEPT_HEADER.fullmatch(name)
    }


def _headers(request: HttpRequest) -> dict[str, str]:
    found = {name[5:].replace("_", "-").lower(): str(value) for name, value in request.META.items() if name.startswith("HTTP_")}
    found["content-type"] = str(request.META.get("CONTENT_TYPE", ""))
    return found


def _refuse_form(handle: ConnectionHandle, headers: Mapping[str, str]) -> HttpResponse | None:
    """What can be refused without reading the body."""
    content_type = headers["content-type"].split(";", 1)[0].strip().lower()
    accepted = handle.connector.taking_pushes().CONTENT_TYPES
    if content_type not in accepted:
        return _answer(415, f"{handle.connector.label} deliveries are {' or '.join(accepted)}.")
    if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        return _answer(415, "Deliveries are taken uncompressed.")
    return None


def _body(request: HttpRequest) -> bytes | HttpResponse:
    """The raw body, as whole as the web server took it (`revops.serving`)."""
    body = request.read(SIZE_MAX + 1)
    if len(body) > SIZE_MAX:
        return _answer(413, "A delivery is at most 1 MiB.")
    return body or _answer(400, "The delivery is empty.")


def _refused(handle: ConnectionHandle, answer: HttpResponse) -> HttpResponse:
    refusals.count(handle.slug, answer.status_code)
    return answer


def _unavailable() -> HttpResponse:
    return _answer(503, "The delivery could not be kept. Please send it again.", Retry_After=str(RETRY_AFTER_SECONDS))


def _answer(status: int, error: str, **headers: str) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return JsonResponse({"stored": False, "error": error}, status=status, headers=named)
