"""Talking to Gainsight: the machine token, and the envelope that hides failures in a 200."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from sync.vendor import strict_json
from sync.vendor.contract import Client, Config, Misunderstood, Refused, Response, RetryLater, Unknown
from sync.vendor.fields import Payload

TOKEN_PATH = "/v1/users/m2m/oauth/token"  # noqa: S105 - an address
TOKEN_CODES = frozenset({"GS_APIG_2401", "GSOBJ_1024"})


class Failed(Exception):
    """The envelope says no. Its description may quote record values, so only the code is kept."""

    def __init__(self, code: str, status: int, missing_object: bool) -> None:
        super().__init__(code)
        self.code, self.status, self.missing_object = code, status, missing_object


@dataclass(frozen=True, slots=True)
class Session:
    """One connection's calls."""

    client: Client
    config: Config

    def call(self, method: str, path: str, content: Mapping[str, object] | bytes | None, *, safe: bool) -> object:
        """The `data` of a successful envelope. Raises `Failed` for a no, and the connector's answers."""
        raw = strict_json.dump(content) if isinstance(content, Mapping) else content
        for attempt in ("first", "renewed"):
            head = {"Authorization": f"Bearer {self._token()}", "Content-Type": "application/json"}
            answer = self.client.request(method, path, headers=head, content=raw, safe=safe)
            try:
                return _data(answer, safe)
            except Failed as failure:
                if failure.code == "GS_APIG_2402":
                    raise Refused("Gainsight refuses our address: add it to the allowlist.", "address_refused") from None
                if failure.code == "GU_2400":
                    raise RetryLater("Gainsight asks us to wait for the next minute.", 60, "vendor_busy") from None
                if answer.status not in {401, 403} and failure.code not in TOKEN_CODES:
                    raise
                self.client.forget("token")
                if attempt == "renewed":
                    raise Refused("Gainsight does not accept the client id and secret.", "credentials_refused") from None
        raise AssertionError("unreachable")  # pragma: no cover - the loop returns or raises

    def _token(self) -> str:
        token = self.client.remembered("token")
        if token is not None:
            return token
        pair = f"{self.config.get('client_id')}:{self.config.get('client_secret')}"
        head = {
            "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        form = urlencode({"grant_type": "client_credentials"}).encode()
        answer = self.client.request("POST", TOKEN_PATH, headers=head, content=form, safe=True)
        if answer.status != 200:
            raise Refused(f"Gainsight gives no token (HTTP {answer.status}).", "credentials_refused")
        made = answer.json()
        body = Payload("token", made if isinstance(made, dict) else {})
        try:
            token, seconds = body.text("access_token"), int(body.number("expires_in"))
        except Misunderstood as error:
            raise RetryLater(f"Gainsight's token answer is unreadable: {error.reason}", 60, "unreadable_answer") from None
        self.client.remember("token", token, max(60, seconds - 300))
        return token


def _data(answer: Response, safe: bool) -> object:
    body = answer.json()
    if not isinstance(body, dict) or not isinstance(body.get("result"), bool):
        if answer.status in {401, 403}:
            raise Failed("GS_APIG_2401", answer.status, missing_object=False)
        reason = f"Gainsight's answer (HTTP {answer.status}) has no result."
        raise RetryLater(reason, 60, "unreadable_answer") if safe else Unknown(reason, "unreadable_answer")
    if body["result"] is True and answer.status < 300:
        return body.get("data")
    code, said = str(body.get("errorCode") or body.get("title") or "unnamed"), str(body.get("errorDesc") or "")
    if "No data found" in said or "No entity matches" in said:
        code = "GSOBJ_1011"
    missing = code == "OBJECT_NOT_FOUND" or "object not found" in said.lower()
    raise Failed("GSOBJ_1011" if missing and safe else code, answer.status, missing)
