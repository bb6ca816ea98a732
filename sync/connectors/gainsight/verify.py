"""Hints of a rule's external action: a shared token, no signature. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib

from revops import strict_json
from sync.vendor import fields as payload
from sync.vendor.contract import (
    Config,
    Incoming,
    Misunderstood,
    Unreadable,
)
from sync.vendor.signing import check_token

CONTENT_TYPES: tuple[str, ...] = ("application/json",)


def verify(incoming: Incoming, config: Config, now: dt.datetime) -> None:
    check_token(incoming.headers.get("x-gainsight-token", ""), "X-Gainsight-Token", config.accepted("hint_token", now))


def dedup_key(incoming: Incoming) -> str:
    hint = payload.peek(incoming.body)
    parts = [hint.get(name) for name in ("object", "gsid", "modifiedDate")]
    if not all(isinstance(part, str) and 0 < len(part) <= 80 for part in parts):
        raise Unreadable("The hint does not name object, gsid and modifiedDate.")
    return "hint:" + ":".join(str(part) for part in parts)


def content_digest(body: bytes) -> str:
    try:
        return strict_json.content_digest(payload.message(body))
    except Misunderstood:
        return hashlib.sha256(body).hexdigest()


def rendered_anew(_body: bytes, _other: bytes) -> bool:
    """A hint is written once."""
    return False
