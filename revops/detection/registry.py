"""All rules, found by looking into the `rules` folder: adding a file adds a rule."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from revops.detection import rules as folder
from revops.detection.rule import Rule


def _load() -> Mapping[str, Rule]:
    found: dict[str, Rule] = {}
    for module in pkgutil.iter_modules(folder.__path__):
        rule = importlib.import_module(f"{folder.__name__}.{module.name}").RULE
        assert isinstance(rule, Rule), f"{module.name} must define RULE"
        assert rule.code == module.name, f"the rule in {module.name}.py must have the code {module.name}"
        found[rule.code] = rule
    return MappingProxyType(dict(sorted(found.items())))


RULES: Mapping[str, Rule] = _load()
