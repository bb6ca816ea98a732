"""OAuth 2.0 client credentials with a signed assertion, as NetSuite's machine-to-machine flow asks for it.

The simulator trusts one certificate id. Its public key is either given as a PEM file or the demo key: an EC P-256 pair
derived from a fixed text, so that no key file lies in the repository and every process derives the same one. It
protects nothing but rehearsal data on this computer.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import load_pem_x509_certificate

from demo.simulators.vendor import Request, Response

ALGORITHMS = ("PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPES = frozenset({"restlets", "rest_webservices", "suite_analytics"})
LONGEST_ASSERTION_SECONDS = 3600
LEEWAY_SECONDS = 5


def demo_private_key_pem() -> str:
    """The demo private key (EC P-256, PKCS#8 PEM): sign assertions with ES256 and the demo certificate id."""
    secret = int.from_bytes(hashlib.sha256(b"netsuite simulator demo key, not a secret").digest(), "big")
    key = ec.derive_private_key(secret, ec.SECP256R1())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


def load_public_key(path: str | None) -> Any:
    """The public key of a PEM file (key or X.509 certificate); without a path, the demo key's."""
    if not path:
        private = serialization.load_pem_private_key(demo_private_key_pem().encode(), None)
        return private.public_key()
    pem = Path(path).read_bytes()
    if b"BEGIN CERTIFICATE" in pem:
        return load_pem_x509_certificate(pem).public_key()
    return serialization.load_pem_public_key(pem)


class Tokens:
    """Grants and checks access tokens. Tokens live in memory: a restarted account knows none."""

    def __init__(self, client_id: str, certificate_id: str, public_key: Any, clock: Callable[[], float]) -> None:
        self.client_id = client_id
        self.certificate_id = certificate_id
        self.lifetime_seconds = 3600.0
        self._public_key = public_key
        self._clock = clock
        self._granted: dict[str, float] = {}
        self._lock = threading.Lock()

    def grant(self, request: Request, address: str) -> Response:
        """Answer the token endpoint at `address`. `expires_in` is a string and always says 3600, as documented."""
        form = dict(request.form())
        if form.get("grant_type") != "client_credentials" or form.get("client_assertion_type") != ASSERTION_TYPE:
            return _refused("invalid_request", "grant_type or client_assertion_type")
        reason = self._fault_in(form.get("client_assertion", ""), {address, _as_called(request)})
        if reason:
            return _refused("invalid_grant", reason)
        token = _shaped_like_a_jwt(self.client_id)
        with self._lock:
            now = self._clock()
            self._granted = {t: until for t, until in self._granted.items() if until > now}
            self._granted[token] = now + self.lifetime_seconds
        return Response.of({"access_token": token, "expires_in": "3600", "token_type": "bearer"})

    def knows(self, authorization: str | None) -> bool:
        """True for `Bearer <token>` with a token granted here and not expired."""
        scheme, _, token = (authorization or "").partition(" ")
        with self._lock:
            return scheme.lower() == "bearer" and self._granted.get(token.strip(), 0) > self._clock()

    def forget(self) -> None:
        """Every token stops working, as after revoking the certificate's sessions."""
        with self._lock:
            self._granted.clear()

    def _fault_in(self, assertion: str, addresses: set[str]) -> str:
        try:
            header = jwt.get_unverified_header(assertion)
            if header.get("alg") not in ALGORITHMS:
                return f"algorithm {header.get('alg')} is not supported"
            if header.get("kid") != self.certificate_id:
                return "unknown certificate id"
            claims = jwt.decode(
                assertion,
                self._public_key,
                algorithms=list(ALGORITHMS),
                options={"require": ["iss", "scope", "aud", "iat", "exp"], "verify_aud": False, "verify_exp": False,
                         "verify_iat": False},
            )  # fmt: skip
        except (jwt.PyJWTError, TypeError, ValueError) as error:
            return f"assertion not accepted: {error}"
        return self._fault_in_claims(claims, addresses)

    def _fault_in_claims(self, claims: dict[str, Any], addresses: set[str]) -> str:
        now = self._clock()
        audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        scope = claims["scope"]
        scopes = set(scope if isinstance(scope, list) else str(scope).replace(",", " ").split())
        if claims["iss"] != self.client_id:
            return "unknown client id"
        if not addresses.intersection(audience):
            return "aud is not the token address"
        if "rest_webservices" not in scopes or not scopes <= SCOPES:
            return "scope must hold rest_webservices"
        try:
            issued, expires = float(claims["iat"]), float(claims["exp"])
        except (TypeError, ValueError):
            return "iat and exp must be numbers"
        if expires < now - LEEWAY_SECONDS or issued > now + LEEWAY_SECONDS:
            return "assertion expired or from the future"
        if expires - issued > LONGEST_ASSERTION_SECONDS:
            return "exp lies more than 60 minutes after iat"
        return ""


def _as_called(request: Request) -> str:
    return f"http://{request.headers.get('Host', '')}{request.path}"


def _refused(error: str, text: str) -> Response:
    return Response.of({"error": error, "error_description": text}, 400)


def _shaped_like_a_jwt(client_id: str) -> str:
    parts = (b'{"alg":"RS256"}', f'{{"sub":"{client_id}","iat":{int(time.time())}}}'.encode(), secrets.token_bytes(32))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
