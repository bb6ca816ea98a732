"""Idempotency-Key: the same key and request get the first answer again; the key with another request is refused."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable

from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from revops.api.models import IdempotentAnswer
from revops.errors import Conflict, Rejected
from revops.people.models import User

REMEMBERED = dt.timedelta(hours=24)
ABANDONED = dt.timedelta(minutes=2)
"""A first request that has not answered within this time is taken to have died; the next one with its key runs."""


def once(request: Request, user: User, perform: Callable[[], Response]) -> Response:
    """Run `perform` once per (user, Idempotency-Key, request).

    Raises `Rejected("idempotency_key_missing")`, `Rejected("idempotency_mismatch")` (422) when the key came with another
    request, `Conflict("idempotency_in_flight")` (409) while the first is running. A refused request is not remembered: it had
    no effect, and a corrected one may use the same key.
    """
    key = request.headers.get("Idempotency-Key", "")
    if not 8 <= len(key) <= 255 or not key.isprintable():
        raise Rejected("idempotency_key_missing", "Send an Idempotency-Key of 8 to 255 printable characters with every POST.")
    digest = hashlib.sha256(f"{request.method} {request.path}\n".encode() + request.body).hexdigest()
    row, answer = _claim(user, key, digest)
    if answer is not None:
        return answer
    try:
        response = perform()
    except Exception:
        row.delete()
        raise
    row.status, row.body = response.status_code, response.data
    row.save()
    return response


def _claim(user: User, key: str, digest: str) -> tuple[IdempotentAnswer, Response | None]:
    now = timezone.now()
    try:
        with transaction.atomic():
            return IdempotentAnswer.objects.create(user=user, key=key, request_digest=digest, created_at=now), None
    except IntegrityError:
        pass
    with transaction.atomic():
        row = IdempotentAnswer.objects.select_for_update().filter(user=user, key=key).first()
        if row is None:
            raise Conflict("idempotency_in_flight", "A request with this key has just ended; send it again.")
        expired = row.created_at < now - (REMEMBERED if row.status is not None else ABANDONED)
        if expired:
            row.request_digest, row.status, row.body, row.created_at = digest, None, None, now
            row.save()
            return row, None
        if row.request_digest != digest:
            raise Rejected("idempotency_mismatch", "This key was used with another request; use a new key for a new intent.")
        if row.status is None:
            raise Conflict("idempotency_in_flight", "The first request with this key is still running; ask again shortly.")
        return row, Response(row.body, status=row.status, headers={"Idempotency-Hit": "true"})
