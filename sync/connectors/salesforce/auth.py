"""Talking to Salesforce: the client credentials token, and what its errors mean."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from revops import strict_json
from sync.vendor import fields as payload
from sync.vendor.auth import ClientSecret, Token, call
from sync.vendor.contract import (
    Client,
    Config,
    Refused,
    Response,
    RetryLater,
)
from sync.vendor.fields import Payload


def _same_host(answer: Payload, config: Config) -> None:
    """The org's own host, and no other, may get the token."""
    own = urlsplit(config.base_url)
    try:
        instance = urlsplit(answer.text("instance_url"))
    except ValueError:
        raise answer.misunderstood("instance_url", "an address") from None
    if (instance.scheme, instance.netloc.lower()) != (own.scheme, own.netloc.lower()):
        raise Refused("Salesforce names another host for this org: use it as the base URL.", "address_refused")


TOKEN = Token(
    "Salesforce",
    "/services/oauth2/token",
    ClientSecret(),
    lifetime_seconds=3300,  # the answer says none; a 401 renews it earlier
    check=_same_host,
)


def get(client: Client, config: Config, path: str, params: Mapping[str, str] | None) -> Response:
    answer = call(client, config, TOKEN, "GET", path, params=params)
    if answer.status == 403:
        if error_code(answer) == "REQUEST_LIMIT_EXCEEDED":
            raise RetryLater("The org's daily total of calls is used up.", 3600, "vendor_busy")
        raise Refused(f"The integration user may not read this in Salesforce: {refusal(answer)}", "permission_missing")
    return answer


def error_code(answer: Response) -> str:
    first = _error(answer)
    return payload.word(first.get("errorCode") or first.get("error")) if first else f"HTTP {answer.status}"


def refusal(answer: Response) -> str:
    """The vendor's code and its own words, which for a read are about the query and not about records."""
    words = payload.last_line(_error(answer).get("message"))
    return f"{error_code(answer)}: {words}" if words else error_code(answer)


def _error(answer: Response) -> Mapping[str, object]:
    """The first error of the answer; empty where it is none of Salesforce's."""
    try:
        body = strict_json.parse(answer.body)
    except strict_json.StrictJsonError:
        return {}
    first = body[0] if isinstance(body, list) and body else body
    return first if isinstance(first, dict) else {}
