"""Tallybook signs a change with `X-Tallybook-Signature: <epoch seconds>.<hex HMAC of them, a point and the body>`."""

from __future__ import annotations

import datetime as dt

from sync.vendor import fields
from sync.vendor.contract import Config, Incoming
from sync.vendor.signing import check_hmac, check_time
from sync.vendor.signing import digest_of_bytes as content_digest
from sync.vendor.signing import one_rendering as rendered_anew

__all__ = ["CONTENT_TYPES", "content_digest", "dedup_key", "rendered_anew", "verify"]
CONTENT_TYPES: tuple[str, ...] = ("application/json",)


def verify(incoming: Incoming, config: Config, now: dt.datetime) -> None:
    stamp, _, signature = incoming.headers.get("x-tallybook-signature", "").partition(".")
    check_time(stamp, now, 300)
    check_hmac(stamp.encode() + b"." + incoming.body, [signature], config.accepted("webhook_secret", now))


def dedup_key(incoming: Incoming) -> str:
    return fields.key_of(incoming.body, "id")
