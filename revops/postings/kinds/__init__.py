"""All kinds of change, found by looking into this folder: adding a file adds a kind."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from revops.errors import Rejected
from revops.postings.kind import ChangeKind


def _load() -> Mapping[str, ChangeKind]:
    found: dict[str, ChangeKind] = {}
    for module in pkgutil.iter_modules(__path__):
        kind: ChangeKind = importlib.import_module(f"{__name__}.{module.name}").KIND
        assert kind.code == module.name, f"the kind in {module.name}.py must have the code {module.name}"
        found[kind.code] = kind
    return MappingProxyType(dict(sorted(found.items())))


KINDS: Mapping[str, ChangeKind] = _load()


def kind_of(code: str) -> ChangeKind:
    """The kind of that code. Raises `Rejected("kind_unknown")`."""
    kind = KINDS.get(code)
    if kind is None:
        choices = ", ".join(KINDS)
        raise Rejected("kind_unknown", f"There is no kind of change called {code!r}. Choose one of {choices}.", field="kind")
    return kind


def kinds_for(rule: str) -> list[ChangeKind]:
    """The kinds that a detection rule proposes, by code."""
    return [kind for kind in KINDS.values() if rule in kind.rules]
