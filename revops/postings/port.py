"""The one port to the vendors' side: how an exact call is made, and how the sender is told that there is work.

`revops` knows no vendor, so the wiring binds both functions at start-up. `ComposedCall` carries what a connector composed, word
for word; nothing here can send it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from revops.postings.changes import Change
from revops.sentences import Param, Sentence


@dataclass(frozen=True, slots=True)
class ComposedCall:
    """One exact write as a connector composed it: method, path, headers without secrets, and the body byte for byte.

    `key` is the idempotency or external id under which the vendor will know it. `summary` says what it does, without a full stop;
    `before` / `after` list field -> value of the object touched; `reverse` says how it would be undone.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    key: str
    summary: Sentence
    before: Mapping[str, Param] = field(default_factory=dict)
    after: Mapping[str, Param] = field(default_factory=dict)
    reverse: Sentence | None = None


class Compose(Protocol):
    """Makes the exact call of a change at a connection. Deterministic. Raises `Rejected` for what cannot be sent."""

    def __call__(self, system: str, key: str, change: Change) -> ComposedCall: ...


@dataclass(slots=True)
class _Bound:
    compose: Compose | None = None
    ring: Callable[[], None] | None = None


_bound = _Bound()


def bind(*, compose: Compose, ring: Callable[[], None] | None = None) -> None:
    """Bind the port. `ring` tells the sender that a posting was released; losing a ring costs seconds, never work."""
    _bound.compose, _bound.ring = compose, ring


def compose(system: str, key: str, change: Change) -> ComposedCall:
    """The exact call. Raises `Rejected`; `RuntimeError` when nothing is bound, which is a defect of the wiring."""
    if _bound.compose is None:
        raise RuntimeError("postings.port is not bound: revops.wiring.bind_ports() must run at start-up")
    return _bound.compose(system, key, change)


def ring() -> None:
    """Tell the sender that there may be work. Does nothing when no bell is bound."""
    if _bound.ring is not None:
        _bound.ring()
