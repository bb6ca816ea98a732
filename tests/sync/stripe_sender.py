"""Deliveries as Stripe sends them: event bodies in its rendering, signed with its scheme."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

SECRET = "whsec_for_these_tests"
API_KEY = "sk_test_for_these_tests"


def event(
    number: int, name: str = "Aurora Ltd", *, created: int | None = None, customer: str = "", **over: Any
) -> dict[str, Any]:
    """`customer.updated` number `number` of one customer."""
    found: dict[str, Any] = {
        "id": f"evt_{number:08d}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": created if created is not None else 1_790_000_000 + number,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": "customer.updated",
        "data": {
            "object": {
                "id": customer or f"cus_{number:08d}",
                "object": "customer",
                "balance": 0,
                "created": 1_780_000_000,
                "currency": "usd",
                "delinquent": False,
                "livemode": False,
                "metadata": {"salesforce_account_id": "001000000000001AAA", "legal_entity": "US"},
                "name": name,
            },
            "previous_attributes": {"name": "before"},
        },
    }
    return found | over


def rendered(found: object) -> bytes:
    """JSON as Stripe writes it: two spaces of indentation."""
    return json.dumps(found, indent=2).encode()


def signature(body: bytes, secret: str = SECRET, at: float | None = None, scheme: str = "v1") -> str:
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={stamp},{scheme}={digest}"


def headers(body: bytes, **signed: Any) -> dict[str, str]:
    return {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signature(body, **signed)}
