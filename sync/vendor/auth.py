"""How a request says who we are: once for all connectors. Pure but for the client that it is handed.

Two kinds. A key is a setting sent as it is (`bearer`, `AccessKey`). A `Token` is asked for with a secret (`ClientSecret`) or a
key pair (`Certificate`), remembered for its lifetime under the connection, and asked for once more when the vendor rejects it. A
rejection comes before any effect, so the request may be sent again.

Never: a token or key in a reason or a log (the client keeps remembered values and sensitive settings out of both).
"""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol
from urllib.parse import urlencode

from sync.vendor.contract import Client, Config, Misunderstood, Refused, Response, RetryLater
from sync.vendor.fields import Payload

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

REMEMBERED_AS = "token"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LEEWAY_SECONDS = 300
"""A token is given up this long before the vendor does."""


class Authentication(Protocol):
    """How a vendor knows us. `renews`: whether a rejected credential can be asked for again."""

    renews: ClassVar[bool]

    def headers(self, client: Client, config: Config) -> Mapping[str, str]:
        """The headers that say who we are. Raises `Refused("credentials_refused")`, `RetryLater`."""
        ...


def is_unauthorized(answer: Response) -> bool:
    return answer.status == 401


def call(
    client: Client,
    config: Config,
    authentication: Authentication,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
    content: bytes | None = None,
    safe: bool | None = None,
    rejected: Callable[[Response], bool] = is_unauthorized,
) -> Response:
    """One authenticated request. A token that was rejected is renewed once; a second rejection is `Refused`.

    The answer to a key that was rejected is returned as it is: there is nothing to renew.
    """
    for _attempt in ("first", "renewed"):
        head = {**authentication.headers(client, config), **(headers or {})}
        answer = client.request(method, path, headers=head, params=params, content=content, safe=safe)
        if not authentication.renews or not rejected(answer):
            return answer
        client.forget(REMEMBERED_AS)
    raise Refused("The vendor does not accept the token that it gave us: check the role of this app.", "credentials_refused")


@dataclass(frozen=True, slots=True)
class AccessKey:
    """The value of a setting in a header of the vendor's own."""

    header: str
    setting: str
    prefix: str = ""
    renews: ClassVar[bool] = False

    def headers(self, client: Client, config: Config) -> Mapping[str, str]:
        return {self.header: self.prefix + config.get(self.setting)}


def bearer(setting: str) -> AccessKey:
    """The value of a setting as `Authorization: Bearer`."""
    return AccessKey("Authorization", setting, "Bearer ")


def accept_any(answer: Payload, config: Config) -> None:
    """A token answer needs no check of the connector's own."""


class Grant(Protocol):
    """What proves to the vendor that we may have a token."""

    def form(self, config: Config, token_path: str) -> Mapping[str, str]:
        """The fields of the request. Raises `Refused("credentials_refused")` for credentials that cannot be used."""
        ...

    def headers(self, config: Config) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """The settings `client_id` and `client_secret`, in the form or as Basic authorization."""

    basic: bool = False

    def form(self, config: Config, token_path: str) -> Mapping[str, str]:
        form = {"grant_type": "client_credentials"}
        if not self.basic:
            form |= {"client_id": config.get("client_id"), "client_secret": config.get("client_secret")}
        return form

    def headers(self, config: Config) -> Mapping[str, str]:
        if not self.basic:
            return {}
        pair = f"{config.get('client_id')}:{config.get('client_secret')}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


@dataclass(frozen=True, slots=True)
class Certificate:
    """A JWT signed with the setting `private_key` (PEM), whose public half the vendor has: `client_id` is its issuer,
    `certificate_id` its key id. RSA keys sign with `rsa_algorithm`."""

    scope: tuple[str, ...]
    rsa_algorithm: str = "PS256"

    def form(self, config: Config, token_path: str) -> Mapping[str, str]:
        import jwt  # with its cryptography a large package: only where a token is made

        now = int(time.time())
        claims = {
            "iss": config.get("client_id"),
            "scope": list(self.scope),
            "aud": config.base_url.rstrip("/") + token_path,
            "iat": now,
            "exp": now + 300,
            "jti": uuid.uuid4().hex,
        }
        try:
            key, algorithm = _signing_key(config.get("private_key"), self.rsa_algorithm)
            assertion = jwt.encode(claims, key, algorithm, {"typ": "JWT", "kid": config.get("certificate_id")})
        except (ValueError, TypeError, jwt.PyJWTError):
            raise Refused("The private key of this connection is not a readable PEM key.", "credentials_refused") from None
        return {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}

    def headers(self, config: Config) -> Mapping[str, str]:
        return {}


@dataclass(frozen=True, slots=True)
class Token:
    """An OAuth 2.0 token for machines, from one POST to `path`. `lifetime_seconds` holds where the answer says none. `check`
    judges the answer before the token is used."""

    vendor: str
    path: str
    grant: Grant
    lifetime_seconds: int = 3600
    check: Callable[[Payload, Config], None] = accept_any
    renews: ClassVar[bool] = True

    def headers(self, client: Client, config: Config) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {client.remembered(REMEMBERED_AS) or self._asked_for(client, config)}"}

    def _asked_for(self, client: Client, config: Config) -> str:
        form = urlencode(self.grant.form(config, self.path)).encode()
        head = {"Content-Type": "application/x-www-form-urlencoded", **self.grant.headers(config)}
        answer = client.request("POST", self.path, headers=head, content=form, safe=True)
        if answer.status != 200:
            raise Refused(f"{self.vendor} gives no token (HTTP {answer.status}).", "credentials_refused")
        made = answer.json()
        body = Payload("token", made if isinstance(made, dict) else {})
        try:
            token, seconds = body.text("access_token"), self._seconds(body)
            self.check(body, config)
        except Misunderstood as error:
            raise RetryLater(f"{self.vendor}'s token answer is unreadable: {error.reason}", 60, "unreadable_answer") from None
        client.remember(REMEMBERED_AS, token, max(60, seconds - LEEWAY_SECONDS))
        return token

    def _seconds(self, answer: Payload) -> int:
        """`expires_in`, which some vendors write as a text and some leave out."""
        stated = answer.data.get("expires_in")
        if stated is None:
            return self.lifetime_seconds
        return int(answer.written_number("expires_in") if isinstance(stated, str) else answer.number("expires_in"))


def _signing_key(pem: str, rsa_algorithm: str) -> tuple[rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, str]:
    """The key and its algorithm: as told for RSA, ES256 to ES512 for the NIST curves. Raises `ValueError`."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(pem.replace("\\n", "\n").encode(), password=None)
    if isinstance(key, rsa.RSAPrivateKey):
        return key, rsa_algorithm
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size in {256, 384, 521}:
        return key, {256: "ES256", 384: "ES384", 521: "ES512"}[key.curve.key_size]
    raise ValueError("RSA and NIST curve keys only.")
