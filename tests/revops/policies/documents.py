"""Policy documents for tests: the shipped one with some words replaced."""

from __future__ import annotations

from revops.policies.document import policies_of
from revops.policies.in_force import DEFAULTS
from revops.policies.policies import Policies


def document(*replaced: tuple[str, str]) -> str:
    """The shipped document with each first text replaced, once, by the second."""
    text = DEFAULTS.read_text(encoding="utf-8")
    for old, new in replaced:
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    return text


def policies(*replaced: tuple[str, str]) -> Policies:
    return policies_of(document(*replaced))
