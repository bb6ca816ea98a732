"""Idempotency-Key: the same key and request get the first answer again; the key with another request is refused.

The effect and the remembered answer are committed together: there is no moment at which one exists without the other.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable

from django.db import connection, transaction
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
FORGOTTEN_AT_ONCE = 100


def once(request: Request, user: User, perform: Callable[[], Response]) -> HttpResponse:
    """Run `perform` in a transaction, once per (user, Idempotency-Key, request).

    Raises `KeyMissing` (400), `Rejected("idempotency_mismatch")` (422) when the key came with another request,
    `Conflict("idempotency_in_flight")` (409) while the first is running. A refused request is not remembered: it had no
    effect, and a corrected one may use the same key. One whose process died is not either: its transaction ends with it, and the
    next one with its key runs.
    """
    key = request.headers.get("Idempotency-Key", "")
    if not 8 <= len(key) <= 255 or not key.isprintable():
        raise KeyMissing()
    path = f"{request.path.rstrip('/')}/"
    digest = hashlib.sha256(f"{request.method} {path}\n".encode() + request.body).hexdigest()
    _forget_old()
    with transaction.atomic():
        _take(user, key)
        row = IdempotentAnswer.objects.filter(user=user, key=key).first()
        if row is None or row.created_at < timezone.now() - REMEMBERED:
            return _remember(user, key, digest, perform())
    if row.request_digest != digest:
        raise Rejected("idempotency_mismatch", "This key was used with another request; use a new key for a new intent.")
    headers = {"Idempotency-Hit": "true", **({"ETag": row.etag} if row.etag else {})}
    return HttpResponse(row.body, status=row.status, content_type="application/json", headers=headers)


def _take(user: User, key: str) -> None:
    """Take the key until the transaction ends, however it ends. Waits for nobody."""
    number = int.from_bytes(hashlib.sha256(f"idempotency {user.pk} {key}".encode()).digest()[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        if not cursor.fetchone()[0]:
            raise Conflict("idempotency_in_flight", "The first request with this key is still running; ask again shortly.")


def _remember(user: User, key: str, digest: str, response: Response) -> Response:
    body = JSONRenderer().render(response.data).decode()
    said = {"status": response.status_code, "body": body, "etag": response.headers.get("ETag", "")}
    fresh = {"request_digest": digest, "created_at": timezone.now(), **said}
    IdempotentAnswer.objects.update_or_create(user=user, key=key, defaults=fresh)
    return response


@transaction.atomic
def _forget_old() -> None:
    """Remove some of the answers that nobody may ask for any more."""
    old = IdempotentAnswer.objects.filter(created_at__lt=timezone.now() - REMEMBERED)
    keys = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
    if keys:
        IdempotentAnswer.objects.filter(pk__in=keys).delete()
