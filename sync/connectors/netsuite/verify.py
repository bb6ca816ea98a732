"""Hints from our own SuiteScript, signed with a shared secret. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re

from sync.vendor import fields as payload
from sync.vendor.contract import (
    Config,
    Incoming,
    NotAuthentic,
    Unreadable,
)

CONTENT_TYPES: tuple[str, ...] = ("application/json",)
WINDOW_SECONDS = 300

_SIGNATURE = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_STAMP = re.compile(r"[0-9]{10}", re.ASCII)
_NONCE = re.compile(r"[A-Za-z0-9-]{16,64}", re.ASCII)


def verify(incoming: Incoming, config: Config, now: dt.datetime) -> None:
    stamp = incoming.headers.get("x-netsuite-timestamp", "")
    signature = incoming.headers.get("x-netsuite-signature", "")
    if not _STAMP.fullmatch(stamp) or not _SIGNATURE.fullmatch(signature):
        raise NotAuthentic("The timestamp or the signature is missing or malformed.", "signature_missing")
    if abs(int(now.timestamp()) - int(stamp)) > WINDOW_SECONDS:
        raise NotAuthentic("The signature is too old or from the future.", "signature_time")
    signed = stamp.encode() + b"." + incoming.body
    for secret in config.get("webhook_secret").split():
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        if hmac.compare_digest(expected, signature.lower()):
            return
    raise NotAuthentic("The signature does not match.", "signature_wrong")


def dedup_key(incoming: Incoming) -> str:
    nonce = payload.peek(incoming.body).get("nonce")
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
        raise Unreadable("The hint has no nonce.")
    return f"hint:{nonce}"


def content_digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
