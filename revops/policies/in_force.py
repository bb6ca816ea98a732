"""Which policies judge now: those of `defaults.toml`, read and validated once a process."""

from __future__ import annotations

import functools
from pathlib import Path

from revops.policies.document import policies_of
from revops.policies.policies import Policies

DEFAULTS = Path(__file__).with_name("defaults.toml")


@functools.cache
def policies_in_force() -> Policies:
    """Raises `DocumentInvalid` when the document cannot be used."""
    return policies_of(DEFAULTS.read_text(encoding="utf-8"))
