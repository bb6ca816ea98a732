"""Talking to Gainsight: the machine token, and the envelope that hides failures in a 200."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from revops import strict_json
from sync.vendor.auth import ClientSecret, Token, call
from sync.vendor.contract import Client, Config, Refused, Response, RetryLater, Unknown

TOKEN = Token("Gainsight", "/v1/users/m2m/oauth/token", ClientSecret(basic=True))
TOKEN_CODES = frozenset({"GS_APIG_2401", "GSOBJ_1024"})
ADDRESS_CODE, BUSY_CODE = "GS_APIG_2402", "GU_2400"


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
        head = {"Content-Type": "application/json"}
        answer = call(
            self.client, self.config, TOKEN, method, path, headers=head, content=raw, safe=safe, rejected=_is_token_rejected
        )
        try:
            return _data(answer, safe)
        except Failed as failure:
            if failure.code == ADDRESS_CODE:
                raise Refused("Gainsight refuses our address: add it to the allowlist.", "address_refused") from None
            if failure.code == BUSY_CODE:
                raise RetryLater("Gainsight asks us to wait for the next minute.", 60, "vendor_busy") from None
            raise


def _is_token_rejected(answer: Response) -> bool:
    """By status, or by a code in the envelope of any status; an address that is not allowed is no matter of the token."""
    if answer.status not in {401, 403} and not any(code.encode() in answer.body for code in TOKEN_CODES):
        return False
    try:
        _data(answer, safe=True)
    except Failed as failure:
        return failure.code in TOKEN_CODES or (answer.status in {401, 403} and failure.code not in {ADDRESS_CODE, BUSY_CODE})
    return False


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
