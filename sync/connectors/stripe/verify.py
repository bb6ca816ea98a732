"""Stripe's signed webhooks: authentic, of our mode, and which event. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
import re

from revops import strict_json
from sync.vendor import fields as payload
from sync.vendor.contract import (
    Config,
    Incoming,
    Misunderstood,
    NotAuthentic,
    Unreadable,
)
from sync.vendor.signing import check_hmac, check_time

CONTENT_TYPES: tuple[str, ...] = ("application/json",)
TOLERANCE_SECONDS = 300

_HEADER = re.compile(r"[a-z0-9]{1,10}=[0-9A-Za-z]{1,128}(?:,[a-z0-9]{1,10}=[0-9A-Za-z]{1,128}){0,19}", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9_]{1,100}", re.ASCII)


def verify(incoming: Incoming, config: Config, now: dt.datetime) -> None:
    header = incoming.headers.get("stripe-signature", "")
    if not _HEADER.fullmatch(header):
        raise NotAuthentic("The Stripe-Signature header is missing or malformed.", "signature_missing")
    parts = [(name, value) for name, _, value in (part.partition("=") for part in header.split(","))]
    stamps = [value for name, value in parts if name == "t"]
    if len(stamps) != 1:
        raise NotAuthentic("The signature has no readable timestamp.", "signature_time")
    check_time(stamps[0], now, TOLERANCE_SECONDS)
    offered = [value for name, value in parts if name == "v1"]
    check_hmac(stamps[0].encode() + b"." + incoming.body, offered, config.get("webhook_secret"))
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
