"""Talking to NetSuite: the machine token, and what its errors mean."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from sync.vendor import fields as payload
from sync.vendor import strict_json
from sync.vendor.contract import Client, Config, Refused, Response, RetryLater

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"  # noqa: S105 - an address
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TOKEN_SECONDS = 50 * 60  # of the hour that a token lives


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
        """A call with the token; a 401 renews it once. A 401 comes before any effect, so the call may be sent again."""
        for attempt in ("first", "renewed"):
            head = {"Authorization": f"Bearer {self._token()}", **(headers or {})}
            answer = self.client.request(method, path, headers=head, params=params, content=content, safe=safe)
            if answer.status != 401:
                break
            self.client.forget("token")
            if attempt == "renewed":
                raise Refused("NetSuite does not accept the token: check role and certificate.", "credentials_refused")
        if answer.status == 403:
            raise Refused("The role may not do this in NetSuite.", "permission_missing")
        return answer

    def _token(self) -> str:
        token = self.client.remembered("token")
        if token is not None:
            return token
        import jwt  # with its cryptography a large package: only where a token is made

        now = int(time.time())
        claims = {
            "iss": self.config.get("client_id"),
            "scope": ["rest_webservices"],
            "aud": self.config.base_url.rstrip("/") + TOKEN_PATH,
            "iat": now,
            "exp": now + 300,
            "jti": uuid.uuid4().hex,
        }
        try:
            key, algorithm = _signing_key(self.config.get("private_key"))
            assertion = jwt.encode(claims, key, algorithm, {"typ": "JWT", "kid": self.config.get("certificate_id")})
        except (ValueError, TypeError, jwt.PyJWTError):
            raise Refused("The private key of this connection is not a readable PEM key.", "credentials_refused") from None
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        head = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self.client.request("POST", TOKEN_PATH, headers=head, content=urlencode(form).encode(), safe=True)
        if answer.status != 200:
            raise Refused(f"NetSuite gives no token (HTTP {answer.status}).", "credentials_refused")
        made = answer.json()
        token = made.get("access_token") if isinstance(made, dict) else None
        if not isinstance(token, str) or not token:
            raise RetryLater("NetSuite's token answer holds no token.", 60, "unreadable_answer")
        self.client.remember("token", token, TOKEN_SECONDS)
        return token


def _signing_key(pem: str) -> tuple[rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, str]:
    """The key and the algorithm that NetSuite takes with it: PS256 for RSA (RS256 is refused), ES256 to ES512 for curves."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(pem.replace("\\n", "\n").encode(), password=None)
    if isinstance(key, rsa.RSAPrivateKey):
        return key, "PS256"
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size in {256, 384, 521}:
        return key, {256: "ES256", 384: "ES384", 521: "ES512"}[key.curve.key_size]
    raise ValueError("NetSuite takes RSA and NIST curve keys only.")


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
