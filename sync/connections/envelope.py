"""The secrets of a connection: its settings as one sealed envelope, bound to its slug. The value that a signing secret had before
lies in it as well, until it is good no more."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from revops import sealing
from revops.errors import Conflict
from sync.vendor.contract import Former

if TYPE_CHECKING:
    from sync.models import Connection

_FORMER = "former:"


def seal(values: Mapping[str, str], slug: str, former: Mapping[str, Former] | None = None) -> bytes:
    """Encrypt settings for the row `slug` with the newest key. Nothing to keep gives empty bytes."""
    kept = {**values, **{_FORMER + name: each.value for name, each in (former or {}).items()}}
    return sealing.seal(json.dumps(kept, sort_keys=True).encode(), _row(slug)) if kept else b""


def unseal(envelope: bytes | memoryview, slug: str) -> dict[str, str]:
    """The settings back. Raises `Conflict("secrets_unreadable")`: unknown key, altered bytes, or another row's envelope."""
    return {name: value for name, value in _opened(envelope, slug).items() if not name.startswith(_FORMER)}


def secrets_of(connection: Connection) -> tuple[dict[str, str], dict[str, Former]]:
    """The sensitive settings of a row, and the signing secrets that were replaced. Raises as `unseal` does."""
    opened = _opened(connection.secrets, str(connection.pk))
    former = {
        name: Former(opened[_FORMER + name], dt.datetime.fromisoformat(until))
        for name, until in connection.former_until.items()
        if _FORMER + name in opened
    }
    return {name: value for name, value in opened.items() if not name.startswith(_FORMER)}, former


def sealed_with_newest_key(connection: Connection) -> bool:
    """Whether the row needs no re-sealing."""
    envelope = bytes(connection.secrets)
    return not envelope or sealing.sealed_with_newest_key(envelope)


def _opened(envelope: bytes | memoryview, slug: str) -> dict[str, str]:
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


def _row(slug: str) -> str:
    return f"sync.connection:{slug}"
