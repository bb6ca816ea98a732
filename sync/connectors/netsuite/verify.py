"""Hints from our own SuiteScript, signed with a shared secret. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
import re

from sync.vendor import fields as payload
from sync.vendor.contract import (
    Config,
    Incoming,
    NotAuthentic,
    Unreadable,
)
from sync.vendor.signing import check_hmac, check_time

CONTENT_TYPES: tuple[str, ...] = ("application/json",)
WINDOW_SECONDS = 300

_SIGNATURE = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_NONCE = re.compile(r"[A-Za-z0-9-]{16,64}", re.ASCII)


def verify(incoming: Incoming, config: Config, now: dt.datetime) -> None:
    stamp = incoming.headers.get("x-netsuite-timestamp", "")
    signature = incoming.headers.get("x-netsuite-signature", "")
    if not _SIGNATURE.fullmatch(signature):
        raise NotAuthentic("The signature is missing or malformed.", "signature_missing")
    check_time(stamp, now, WINDOW_SECONDS)
    check_hmac(stamp.encode() + b"." + incoming.body, [signature], config.accepted("webhook_secret", now))


def dedup_key(incoming: Incoming) -> str:
    nonce = payload.peek(incoming.body).get("nonce")
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
        raise Unreadable("The hint has no nonce.")
    return f"hint:{nonce}"


def content_digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def rendered_anew(_body: bytes, _other: bytes) -> bool:
    """A hint is written once."""
    return False
