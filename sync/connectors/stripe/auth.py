"""Talking to Stripe: the restricted key, the version, and what its errors mean."""

from __future__ import annotations

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


def get(client: Client, config: Config, path: str, params: list[tuple[str, str]]) -> Response:
    answer = call(client, config, KEY, "GET", path, headers={"Stripe-Version": API_VERSION}, params=params)
    if answer.status == 200 or (answer.status == 404 and path.count("/") == 3):
        return answer
    code = _error_code(answer)
    if answer.status == 409 or code in {"rate_limit", "lock_timeout"}:
        raise RetryLater(f"Stripe is busy with {path} ({code}).", 30, "vendor_busy")
    if answer.status in {401, 403}:
        raise Refused("Stripe does not accept the API key for this.", "credentials_refused")
    raise Refused(f"Stripe refused {path} with HTTP {answer.status} ({code}).", "vendor_refused")


def _error_code(answer: Response) -> str:
    try:
        found = strict_json.parse(answer.body, allow_unsafe_text=True)
    except strict_json.StrictJsonError:
        return "no error object"
    error = found.get("error") if isinstance(found, dict) else None
    return payload.word(error.get("code") or error.get("type")) if isinstance(error, dict) else "no error object"
