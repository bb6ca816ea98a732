"""Secrets at rest: one AES-256-GCM envelope each, `1 | key id (8) | nonce (12) | ciphertext and tag`.

The key id says which of the configured keys made it, so that a new key can be put in front and old envelopes still open. The row
that an envelope is for is the additional data, so that one copied to another row does not open. By hand, because the kept
libraries' formats (Fernet) bind no additional data.
"""

from __future__ import annotations

import hashlib
import secrets as randomness

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

_VERSION = b"\x01"
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12
_HEAD = len(_VERSION) + _KEY_ID_BYTES


class Unreadable(Exception):
    """An unknown key, altered bytes, or another row's envelope."""


def seal(plain: bytes, bound_to: str) -> bytes:
    """Encrypt for the row that `bound_to` names, with the newest key."""
    key = settings.REVOPS_ENCRYPTION_KEYS[0]
    nonce = randomness.token_bytes(_NONCE_BYTES)
    return _VERSION + _key_id(key) + nonce + AESGCM(key).encrypt(nonce, plain, bound_to.encode())


def unseal(envelope: bytes, bound_to: str) -> bytes:
    """What was sealed. Raises `Unreadable`."""
    version, key_id = envelope[:1], envelope[1:_HEAD]
    nonce, sealed = envelope[_HEAD : _HEAD + _NONCE_BYTES], envelope[_HEAD + _NONCE_BYTES :]
    for key in settings.REVOPS_ENCRYPTION_KEYS:
        if version == _VERSION and key_id == _key_id(key):
            try:
                return AESGCM(key).decrypt(nonce, sealed, bound_to.encode())
            except (InvalidTag, ValueError):  # altered, another row's, or cut short
                break
    raise Unreadable


def sealed_with_newest_key(envelope: bytes) -> bool:
    """Whether it needs no sealing anew."""
    return envelope[:_HEAD] == head_of_newest()


def head_of_newest() -> bytes:
    """With what every envelope begins that the newest key has sealed."""
    return heads_of_known()[0]


def heads_of_known() -> list[bytes]:
    """With what every envelope begins that one of the configured keys has sealed, the newest first."""
    return [_VERSION + _key_id(key) for key in settings.REVOPS_ENCRYPTION_KEYS]


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"revops key id" + key).digest()[:_KEY_ID_BYTES]
