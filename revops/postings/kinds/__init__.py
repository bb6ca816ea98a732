"""All kinds of change, found by looking into this folder: adding a file adds a kind.

A kind whose change does not exist yet adds its type to `postings.changes`, and the connector that makes it lists the type among
its operations.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from revops.errors import Rejected
from revops.postings.kind import ChangeKind

_KINDS: dict[str, ChangeKind] = {}
KINDS: Mapping[str, ChangeKind] = MappingProxyType(_KINDS)
"""Every kind of change by its code."""


def register(kind: ChangeKind) -> None:
    """Add a kind. Raises `ValueError` for a code in use."""
    if kind.code in _KINDS:
        raise ValueError(f"there is a kind of change called {kind.code} already")
    _KINDS[kind.code] = kind


def unregister(code: str) -> None:
    """Take a kind away again. Raises `KeyError` when there is none."""
    del _KINDS[code]


def _load() -> None:
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        kind: ChangeKind = importlib.import_module(f"{__name__}.{name}").KIND
        assert kind.code == name, f"the kind in {name}.py must have the code {name}"
        register(kind)


_load()


def kind_of(code: str) -> ChangeKind:
    """The kind of that code. Raises `Rejected("kind_unknown")`."""
    kind = KINDS.get(code)
    if kind is None:
        choices = ", ".join(KINDS)
        raise Rejected("kind_unknown", f"Unknown kind of change {code!r}. Choose one of {choices}.", field="kind")
    return kind


def kinds_for(rule: str) -> list[ChangeKind]:
    """The kinds that a detection rule proposes, by code."""
    return [kind for kind in KINDS.values() if rule in kind.rules]
