"""Secrets at rest: one AES-256-GCM envelope a row, `1 | key id (8) | nonce (12) | ciphertext and tag`.

The key id says which of the configured keys made it, so that a new key can be put in front and old rows still open; the row's
slug is the additional data, so that an envelope copied to another row does not open. By hand, because the kept libraries'
formats (Fernet) bind no additional data.
"""

from __future__ import annotations

import hashlib
import json
import secrets as randomness
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from revops.errors import Conflict

if TYPE_CHECKING:
    from sync.models import Connection

_VERSION = b"\x01"
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12


def seal(values: Mapping[str, str], slug: str) -> bytes:
    """Encrypt settings for the row `slug` with the newest key. Nothing to keep gives empty bytes."""
    if not values:
        return b""
    key = settings.REVOPS_ENCRYPTION_KEYS[0]
    nonce = randomness.token_bytes(_NONCE_BYTES)
    plain = json.dumps(dict(values), sort_keys=True).encode()
    return _VERSION + _key_id(key) + nonce + AESGCM(key).encrypt(nonce, plain, _bound_to(slug))


def unseal(envelope: bytes | memoryview, slug: str) -> dict[str, str]:
    """The settings back. Raises `Conflict("secrets_unreadable")`: unknown key, altered bytes, or another row's envelope."""
    envelope = bytes(envelope)
    if not envelope:
        return {}
    head = len(_VERSION) + _KEY_ID_BYTES
    version, key_id = envelope[:1], envelope[1:head]
    nonce, sealed = envelope[head : head + _NONCE_BYTES], envelope[head + _NONCE_BYTES :]
    for key in settings.REVOPS_ENCRYPTION_KEYS:
        if version == _VERSION and key_id == _key_id(key):
            try:
                plain = AESGCM(key).decrypt(nonce, sealed, _bound_to(slug))
            except (InvalidTag, ValueError):  # altered, another row's, or cut short
                break
            return {str(name): str(value) for name, value in json.loads(plain).items()}
    raise Conflict(
        "secrets_unreadable",
        f"The credentials of {slug} cannot be decrypted with the configured keys. Enter them again, or restore the key.",
    )


def sealed_with_newest_key(connection: Connection) -> bool:
    """Whether the row needs no re-sealing."""
    head = len(_VERSION) + _KEY_ID_BYTES
    envelope = bytes(connection.secrets)
    return not envelope or envelope[1:head] == _key_id(settings.REVOPS_ENCRYPTION_KEYS[0])


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"revops key id" + key).digest()[:_KEY_ID_BYTES]


def _bound_to(slug: str) -> bytes:
    return b"sync.connection:" + slug.encode()
