"""Talking to Salesforce: the client credentials token, and what its errors mean."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from sync.vendor import fields as payload
from sync.vendor import strict_json
from sync.vendor.contract import (
    Client,
    Config,
    Misunderstood,
    Refused,
    Response,
    RetryLater,
)
from sync.vendor.fields import Payload

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - an address
TOKEN_SECONDS = 3000  # the answer says no lifetime; a 401 renews it earlier


def get(client: Client, config: Config, path: str, params: Mapping[str, str] | None) -> Response:
    for attempt in ("first", "renewed"):
        head = {"Authorization": f"Bearer {_token(client, config)}"}
        answer = client.request("GET", path, headers=head, params=params)
        if answer.status != 401:
            break
        client.forget("token")
        if attempt == "renewed":
            raise Refused("Salesforce does not accept the token of this app.", "credentials_refused")
    if answer.status == 403:
        if error_code(answer) == "REQUEST_LIMIT_EXCEEDED":
            raise RetryLater("The org's daily total of calls is used up.", 3600, "vendor_busy")
        raise Refused("The integration user may not read this in Salesforce.", "permission_missing")
    return answer


def _token(client: Client, config: Config) -> str:
    token = client.remembered("token")
    if token is not None:
        return token
    form = {
        "grant_type": "client_credentials",
        "client_id": config.get("client_id"),
        "client_secret": config.get("client_secret"),
    }
    head = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.request("POST", TOKEN_PATH, headers=head, content=urlencode(form).encode(), safe=True)
    if answer.status != 200:
        raise Refused(f"Salesforce gives no token (HTTP {answer.status}).", "credentials_refused")
    made = answer.json()
    body = Payload("token", made if isinstance(made, dict) else {})
    try:
        token, instance = body.text("access_token"), urlsplit(body.text("instance_url"))
    except (Misunderstood, ValueError):
        raise RetryLater("Salesforce's token answer is unreadable.", 60, "unreadable_answer") from None
    own = urlsplit(config.base_url)
    if (instance.scheme, instance.netloc.lower()) != (own.scheme, own.netloc.lower()):
        raise Refused("Salesforce names another host for this org: use it as the base URL.", "address_refused")
    client.remember("token", token, TOKEN_SECONDS)
    return token


def error_code(answer: Response) -> str:
    try:
        body = strict_json.parse(answer.body)
    except strict_json.StrictJsonError:
        return f"HTTP {answer.status}"
    first = body[0] if isinstance(body, list) and body else body
    return payload.word(first.get("errorCode") or first.get("error")) if isinstance(first, dict) else f"HTTP {answer.status}"
