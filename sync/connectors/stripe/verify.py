"""Stripe's signed webhooks: authentic, of our mode, and which event. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re

from sync.vendor import fields as payload
from sync.vendor import strict_json
from sync.vendor.contract import (
    Config,
    Incoming,
    Misunderstood,
    NotAuthentic,
    Unreadable,
)

CONTENT_TYPES: tuple[str, ...] = ("application/json",)
TOLERANCE_SECONDS = 300

_HEADER = re.compile(r"[a-z0-9]{1,10}=[0-9A-Za-z]{1,128}(?:,[a-z0-9]{1,10}=[0-9A-Za-z]{1,128}){0,19}", re.ASCII)
_STAMP = re.compile(r"[0-9]{10}", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9_]{1,100}", re.ASCII)


def verify(incoming: Incoming, config: Config, now: dt.datetime) -> None:
    header = incoming.headers.get("stripe-signature", "")
    if not _HEADER.fullmatch(header):
        raise NotAuthentic("The Stripe-Signature header is missing or malformed.", "signature_missing")
    stamps = [value for name, _, value in (part.partition("=") for part in header.split(",")) if name == "t"]
    if len(stamps) != 1 or not _STAMP.fullmatch(stamps[0]):
        raise NotAuthentic("The signature has no readable timestamp.", "signature_time")
    if abs(int(now.timestamp()) - int(stamps[0])) > TOLERANCE_SECONDS:
        raise NotAuthentic("The signature is too old or from the future.", "signature_time")
    offered = [value for name, _, value in (part.partition("=") for part in header.split(",")) if name == "v1"]
    signed = stamps[0].encode() + b"." + incoming.body
    secrets = config.get("webhook_secret").split()
    expected = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    if not any(hmac.compare_digest(value, good) for value in offered for good in expected):
        raise NotAuthentic("The signature does not match.", "signature_wrong")
    _check_mode(incoming.body, config)


def _check_mode(body: bytes, config: Config) -> None:
    try:
        livemode = payload.peek(body).get("livemode")
    except Unreadable:
        return  # authentic but no message: said by `dedup_key`
    if isinstance(livemode, bool) and livemode != (config.get("mode", "test") == "live"):
        raise NotAuthentic("The event belongs to the other mode (test or live).", "mode_wrong")


def dedup_key(incoming: Incoming) -> str:
    key = payload.peek(incoming.body).get("id")
    if not isinstance(key, str) or not _ID.fullmatch(key):
        raise Unreadable("The body is no Stripe event: it has no id.")
    return key


def content_digest(body: bytes) -> str:
    try:
        return strict_json.content_digest(payload.message(body), ("pending_webhooks",))
    except Misunderstood:
        return hashlib.sha256(body).hexdigest()
