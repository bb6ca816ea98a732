"""Talking to NetSuite: the machine token, and what its errors mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from revops import strict_json
from sync.vendor import fields as payload
from sync.vendor.auth import Certificate, Token, call
from sync.vendor.contract import Client, Config, Refused, Response

TOKEN = Token("NetSuite", "/services/rest/auth/oauth2/v1/token", Certificate(scope=("rest_webservices",)))
"""RSA keys sign with PS256: NetSuite refuses RS256."""


@dataclass(frozen=True, slots=True)
class Session:
    """One connection's calls. Raises `RetryLater`, `Refused`, `Unknown` as `sync.vendor.http` and the vendor's codes say."""

    client: Client
    config: Config

    def call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: list[tuple[str, str]] | None = None,
        content: bytes | None = None,
        safe: bool | None = None,
    ) -> Response:
        """A call with the token. Raises `Refused("permission_missing")` for a 403."""
        answer = call(self.client, self.config, TOKEN, method, path, headers=headers, params=params, content=content, safe=safe)
        if answer.status == 403:
            raise Refused(f"The role may not do this in NetSuite: {error_text(answer)}", "permission_missing")
        return answer

    def write(self, method: str, path: str, *, headers: Mapping[str, str], content: bytes) -> Response:
        """A call that changes something. Any answer below 500 comes back, for `is_own` to be asked first."""
        return call(self.client, self.config, TOKEN, method, path, headers=headers, content=content, safe=False)


def is_own(answer: Response) -> bool:
    """Whether an error answer is NetSuite's: its body is the vendor's error object, which no gateway before it writes."""
    return bool(_details(answer))


def error_codes(answer: Response) -> set[str]:
    """The `o:errorCode`s of an error answer."""
    return {code for code, _detail in _details(answer)}


def error_text(answer: Response) -> str:
    """Status, codes and the first detail, cut, for a person."""
    details = _details(answer)
    codes = ", ".join(sorted({payload.word(code) for code, _detail in details})) or "no code"
    detail = "".join(c for c in details[0][1] if c.isprintable())[:200] if details else ""
    return f"HTTP {answer.status} ({codes}) {detail}".strip()


def _details(answer: Response) -> list[tuple[str, str]]:
    try:
        body = strict_json.parse(answer.body)
    except strict_json.StrictJsonError:
        return []
    found = body.get("o:errorDetails") if isinstance(body, dict) else None
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    return [(str(row.get("o:errorCode", "")), str(row.get("detail", ""))) for row in rows]
