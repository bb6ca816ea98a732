"""Talking to Stripe: the restricted key, the version, and what its errors mean."""

from __future__ import annotations

import re
from collections.abc import Mapping

from revops import strict_json
from sync.vendor import fields as payload
from sync.vendor.auth import bearer, call
from sync.vendor.contract import (
    Client,
    Config,
    Refused,
    Response,
    RetryLater,
)

KEY = bearer("api_key")
API_VERSION = "2026-10-28.endive"
_PERMISSION = re.compile(r"\brak_[a-z0-9_]{1,60}", re.ASCII)


def get(client: Client, config: Config, path: str, params: list[tuple[str, str]]) -> Response:
    answer = call(client, config, KEY, "GET", path, headers={"Stripe-Version": API_VERSION}, params=params)
    if answer.status == 200 or (answer.status == 404 and path.count("/") == 3):
        return answer
    code = _error_code(answer)
    if answer.status == 409 or code in {"rate_limit", "lock_timeout"}:
        raise RetryLater(f"Stripe is busy with {path} ({code}).", 30, "vendor_busy")
    if answer.status == 401:
        raise Refused("Stripe does not accept the API key.", "credentials_refused")
    if answer.status == 403:
        raise Refused(f"Stripe does not let this key read {path}: {_lacks(answer)}.", "permission_missing")
    raise Refused(f"Stripe refused {path} with HTTP {answer.status} ({code}).", "vendor_refused")


def _lacks(answer: Response) -> str:
    """The permission that the vendor names."""
    named = _PERMISSION.search(payload.last_line(_error(answer).get("message"), 1000))
    return f"it lacks the permission {named[0]}" if named else "a permission is missing"


def _error_code(answer: Response) -> str:
    error = _error(answer)
    return payload.word(error.get("code") or error.get("type")) if error else "no error object"


def _error(answer: Response) -> Mapping[str, object]:
    try:
        found = strict_json.parse(answer.body, allow_unsafe_text=True)
    except strict_json.StrictJsonError:
        return {}
    error = found.get("error") if isinstance(found, dict) else None
    return error if isinstance(error, dict) else {}
