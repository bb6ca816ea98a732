"""Idempotency-Key: the same key and request get the first answer again; the key with another request is refused.

The effect and the remembered answer are committed together: there is no moment at which one exists without the other.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable

from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from revops.api.models import IdempotentAnswer
from revops.api.problems import KeyMissing
from revops.errors import Conflict, Rejected
from revops.people.models import User

REMEMBERED = dt.timedelta(hours=24)
ABANDONED = dt.timedelta(minutes=2)
"""A first request that has not answered within this time is taken to have died; the next one with its key runs."""
FORGOTTEN_AT_ONCE = 100


def once(request: Request, user: User, perform: Callable[[], Response]) -> HttpResponse:
    """Run `perform` in a transaction, once per (user, Idempotency-Key, request).

    Raises `KeyMissing` (400), `Rejected("idempotency_mismatch")` (422) when the key came with another request,
    `Conflict("idempotency_in_flight")` (409) while the first is running. A refused request is not remembered: it had no
    effect, and a corrected one may use the same key.
    """
    key = request.headers.get("Idempotency-Key", "")
    if not 8 <= len(key) <= 255 or not key.isprintable():
        raise KeyMissing()
    path = f"{request.path.rstrip('/')}/"
    digest = hashlib.sha256(f"{request.method} {path}\n".encode() + request.body).hexdigest()
    _forget_old()
    row = _claim(user, key, digest)
    if row.status is not None:
        headers = {"Idempotency-Hit": "true", **({"ETag": row.etag} if row.etag else {})}
        return HttpResponse(row.body, status=row.status, content_type="application/json", headers=headers)
    ours = IdempotentAnswer.objects.filter(pk=row.pk, created_at=row.created_at, status__isnull=True)
    try:
        with transaction.atomic():
            response = perform()
            body = JSONRenderer().render(response.data).decode()
            if not ours.update(status=response.status_code, body=body, etag=response.headers.get("ETag", "")):
                raise Conflict("idempotency_in_flight", "This took so long that another request took its place; ask again.")
    except BaseException:
        ours.delete()
        raise
    return response


def _claim(user: User, key: str, digest: str) -> IdempotentAnswer:
    """The row of this key: ours to fill (no status), or the first answer."""
    now = timezone.now()
    try:
        with transaction.atomic():
            return IdempotentAnswer.objects.create(user=user, key=key, request_digest=digest, created_at=now)
    except IntegrityError:
        pass
    with transaction.atomic():
        row = IdempotentAnswer.objects.select_for_update().filter(user=user, key=key).first()
        if row is None:
            raise Conflict("idempotency_in_flight", "A request with this key has just ended; send it again.")
        expired = row.created_at < now - (REMEMBERED if row.status is not None else ABANDONED)
        if expired:
            row.request_digest, row.status, row.body, row.etag, row.created_at = digest, None, "", "", now
            row.save()
        elif row.request_digest != digest:
            raise Rejected("idempotency_mismatch", "This key was used with another request; use a new key for a new intent.")
        elif row.status is None:
            raise Conflict("idempotency_in_flight", "The first request with this key is still running; ask again shortly.")
        return row


@transaction.atomic
def _forget_old() -> None:
    """Remove some of the answers that nobody may ask for any more."""
    old = IdempotentAnswer.objects.filter(created_at__lt=timezone.now() - REMEMBERED)
    keys = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
    if keys:
        IdempotentAnswer.objects.filter(pk__in=keys).delete()
