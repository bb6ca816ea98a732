"""Whether a delivery is authentic: shared secrets, signatures and their time, once for all connectors. Pure.

Several secrets are good while one is replaced by another: `Config.accepted` says which.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Iterable

from sync.vendor.contract import NotAuthentic

_STAMP = re.compile(r"[0-9]{10}", re.ASCII)


def check_time(stamp: str, now: dt.datetime, tolerance_seconds: int) -> None:
    """Raises `NotAuthentic("signature_time")` unless `stamp` (epoch seconds as text) is within the tolerance of `now`."""
    if not _STAMP.fullmatch(stamp):
        raise NotAuthentic("The signature has no readable timestamp.", "signature_time")
    if abs(int(now.timestamp()) - int(stamp)) > tolerance_seconds:
        raise NotAuthentic("The signature is too old or from the future.", "signature_time")


def check_hmac(signed: bytes, offered: Iterable[str], secrets: Iterable[str]) -> None:
    """Raises `NotAuthentic("signature_wrong")` unless one offered signature is the hex HMAC-SHA256 of `signed` under a secret."""
    good = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets if secret]
    if not any(_equal(signature.lower(), expected) for signature in offered for expected in good):
        raise NotAuthentic("The signature does not match.", "signature_wrong")


def check_token(given: str, header: str, secrets: Iterable[str]) -> None:
    """Raises `NotAuthentic("token_wrong")` unless the value of `header` is one of the secrets."""
    if not given or not any(_equal(given, secret) for secret in secrets if secret):
        raise NotAuthentic(f"The {header} header is missing or wrong.", "token_wrong")


def digest_of_bytes(body: bytes) -> str:
    """SHA-256 (hex), for vendors that send a message again byte for byte."""
    return hashlib.sha256(body).hexdigest()


def one_rendering(_body: bytes, _other: bytes) -> bool:
    """For vendors that render a message in one way alone: what differs is another message."""
    return False


def _equal(given: str, expected: str) -> bool:
    """In a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
