"""Signing an event as its vendor does. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping

Headers = Mapping[str, str]
Sign = Callable[[bytes, str, int], Headers]
"""(raw body, secret, unix seconds) -> the headers of one delivery."""


def _stripe(body: bytes, secret: str, at: int) -> Headers:
    """`t=<unix>,v1=<hex HMAC-SHA256 of "<t>.<body>">`."""
    return {"Stripe-Signature": f"t={at},v1={_of(body, secret, at)}"}


def _netsuite(body: bytes, secret: str, at: int) -> Headers:
    """As the SuiteScript that sends hints does: hex HMAC-SHA256 of `<unix>.<body>`."""
    return {"X-Netsuite-Timestamp": str(at), "X-Netsuite-Signature": _of(body, secret, at)}


def _gainsight(_body: bytes, secret: str, _at: int) -> Headers:
    """A rule's call carries the shared token, no signature."""
    return {"X-Gainsight-Token": secret}


def _of(body: bytes, secret: str, at: int) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


SIGNS: Mapping[str, Sign] = {"stripe": _stripe, "netsuite": _netsuite, "gainsight": _gainsight}
"""By the slug of the connector."""
