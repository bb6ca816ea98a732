"""Signed heads of the chain, in a file outside the database: who changes the log behind them is found out by them.

Each line of `heads.jsonl` says how far the chain had come, when, and is signed with Ed25519. The chain only grows, so each line
must lie on it for ever; a database that was put back to an older point, or whose end was cut off, has no digest for the last of
them. The operator keeps the folder (`REVOPS_AUDIT_HEADS_DIR`) where nobody who administers the database can write, or copies it.

Never: a head that the chain has not passed through, and a head after one that it has not.
"""

from __future__ import annotations

import base64
import datetime as dt
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from revops.audit.chain import digest_at, head

NAME = "heads.jsonl"
WHEN_MOVED_SECONDS, ALWAYS_SECONDS = 60, 240
"""A head is written when the chain has moved and the last one is a minute old, and in any case before five minutes are over."""
_TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class SignedHead:
    """One line of the file. `restored`: the first one after the database was put back, signed when a person had said so; what
    earlier lines say beyond its number is gone."""

    sequence: int
    digest: str
    at: str
    restored: bool
    key: str
    signature: str

    @property
    def message(self) -> bytes:
        """What is signed."""
        return message(self.sequence, self.digest, self.at, restored=self.restored)

    @property
    def moment(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.at)

    def verifies(self, keys: dict[str, Ed25519PublicKey]) -> bool:
        """Whether one of the keys (by its id) has signed exactly this."""
        key = keys.get(self.key)
        try:
            if key is not None:
                key.verify(bytes.fromhex(self.signature), self.message)
        except (InvalidSignature, ValueError):
            return False
        return key is not None


def message(sequence: int, digest: str, at: str, *, restored: bool) -> bytes:
    """What is signed of a head: its parts in lines of their own, none of which can hold a line's end."""
    return f"revops audit head 1\n{sequence}\n{digest}\n{at}\n{'restored' if restored else ''}\n".encode()


def signing_key() -> Ed25519PrivateKey | None:
    """The newest of `REVOPS_AUDIT_SIGNING_KEY`; None when this process is not told it."""
    keys = settings.REVOPS_AUDIT_SIGNING_KEYS
    return Ed25519PrivateKey.from_private_bytes(keys[0]) if keys else None


def public_keys() -> dict[str, Ed25519PublicKey]:
    """Every public key of the configured keys, by its id."""
    keys = [Ed25519PrivateKey.from_private_bytes(each).public_key() for each in settings.REVOPS_AUDIT_SIGNING_KEYS]
    return {key_id(key): key for key in keys}


def key_id(key: Ed25519PublicKey) -> str:
    """16 hex digits that name a public key."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def folder() -> Path:
    return Path(settings.REVOPS_AUDIT_HEADS_DIR)


def read_heads(path: Path | None = None) -> list[SignedHead]:
    """The lines of the file, oldest first. Raises `ValueError` naming the line that cannot be read, `OSError`."""
    path = path or folder() / NAME
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            found.append(SignedHead(**json.loads(line)))
        except (ValueError, TypeError):
            raise ValueError(f"line {number} of {path} is not a head") from None
    return found


def gone_astray(last: SignedHead | None) -> bool:
    """Whether the chain does not pass through this head: the database was put back, or its end was cut off."""
    if last is None:
        return False
    found = digest_at(last.sequence)
    return found is None or found.hex() != last.digest


def last_head() -> SignedHead | None:
    """The newest head that was written; None without the file. Raises `OSError`, `ValueError`."""
    path = folder() / NAME
    if not path.exists():
        return None
    with path.open("rb") as file:
        return _last(file)


def export_head(now: dt.datetime, *, restored: bool = False) -> SignedHead | None:
    """Write the chain's head where it is time to; returns it. None when it is not time, or when the chain does not pass through
    the last head (`restored` says that a person knows). Raises `OSError` when it cannot be written."""
    key = signing_key()
    if key is None:
        raise OSError("REVOPS_AUDIT_SIGNING_KEY is empty: no head of the audit log can be signed")
    with _locked() as file:
        last = _last(file)
        if gone_astray(last) and not restored:
            return None
        present = head()
        age = (now - last.moment).total_seconds() if last else ALWAYS_SECONDS
        moved = last is None or present.sequence != last.sequence
        if not restored and 0 <= age < (WHEN_MOVED_SECONDS if moved else ALWAYS_SECONDS):
            return None
        at, digest = now.astimezone(dt.UTC).isoformat(timespec="seconds"), present.digest.hex()
        signature = key.sign(message(present.sequence, digest, at, restored=restored)).hex()
        made = SignedHead(present.sequence, digest, at, restored, key_id(key.public_key()), signature)
        file.seek(0, os.SEEK_END)
        file.write(json.dumps({name: getattr(made, name) for name in SignedHead.__slots__}).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
        _leave_public_key(key.public_key())
    return made


@contextmanager
def _locked() -> Iterator[IO[bytes]]:
    """The file, for one process at a time."""
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / NAME).open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _last(file: IO[bytes]) -> SignedHead | None:
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - _TAIL_BYTES))
    lines = file.read().splitlines()
    return SignedHead(**json.loads(lines[-1])) if lines else None


def _leave_public_key(key: Ed25519PublicKey) -> None:
    path = folder() / f"{key_id(key)}.pub"
    if not path.exists():
        path.write_text(base64.b64encode(key.public_bytes_raw()).decode() + "\n")
