"""The secrets of a connection: its settings as one sealed envelope, bound to its slug."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from revops import sealing
from revops.errors import Conflict

if TYPE_CHECKING:
    from sync.models import Connection


def seal(values: Mapping[str, str], slug: str) -> bytes:
    """Encrypt settings for the row `slug` with the newest key. Nothing to keep gives empty bytes."""
    return sealing.seal(json.dumps(dict(values), sort_keys=True).encode(), _row(slug)) if values else b""


def unseal(envelope: bytes | memoryview, slug: str) -> dict[str, str]:
    """The settings back. Raises `Conflict("secrets_unreadable")`: unknown key, altered bytes, or another row's envelope."""
    if not envelope:
        return {}
    try:
        plain = sealing.unseal(bytes(envelope), _row(slug))
    except sealing.Unreadable:
        raise Conflict(
            "secrets_unreadable",
            f"The credentials of {slug} cannot be decrypted with the configured keys. Enter them again, or restore the key.",
        ) from None
    return {str(name): str(value) for name, value in json.loads(plain).items()}


def sealed_with_newest_key(connection: Connection) -> bool:
    """Whether the row needs no re-sealing."""
    envelope = bytes(connection.secrets)
    return not envelope or sealing.sealed_with_newest_key(envelope)


def _row(slug: str) -> str:
    return f"sync.connection:{slug}"
