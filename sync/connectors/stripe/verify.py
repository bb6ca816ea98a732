"""Stripe's signed webhooks: authentic, of our mode, and which event. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Mapping

from revops import strict_json
from sync.connectors.stripe.translate import event_key
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
    check_hmac(stamps[0].encode() + b"." + incoming.body, offered, config.accepted("webhook_secret", now))
    _check_mode(incoming.body, config)


def _check_mode(body: bytes, config: Config) -> None:
    try:
        livemode = payload.peek(body).get("livemode")
    except Unreadable:
        return  # authentic but no message: said by `dedup_key`
    if isinstance(livemode, bool) and livemode != (config.get("mode", "test") == "live"):
        raise NotAuthentic("The event belongs to the other mode (test or live).", "mode_wrong")


def dedup_key(incoming: Incoming) -> str:
    event = payload.peek(incoming.body)
    key = event.get("id")
    if not isinstance(key, str) or not _ID.fullmatch(key):
        raise Unreadable("The body is no Stripe event: it has no id.")
    return event_key(key, event.get("api_version"))


def rendered_anew(body: bytes, other: bytes) -> bool:
    """An event has one id, and is rendered in the API version of the endpoint or of the account, for each of them in its own way.
    Two that are not of one version are one message when they tell of the same happening to the same object."""
    try:
        one, two = payload.message(body), payload.message(other)
    except Misunderstood:
        return False
    return one.get("api_version") != two.get("api_version") and _told(one) == _told(two)


def _told(event: Mapping[str, object]) -> tuple[object, ...]:
    """What every rendering says alike."""
    data = event.get("data")
    found = data.get("object") if isinstance(data, Mapping) else None
    about = (found.get("object"), found.get("id")) if isinstance(found, Mapping) else (None, None)
    return (event.get("type"), event.get("created"), event.get("livemode"), event.get("account"), *about)


def content_digest(body: bytes) -> str:
    try:
        return strict_json.content_digest(payload.message(body), ("pending_webhooks", "request"))
    except Misunderstood:
        return hashlib.sha256(body).hexdigest()
