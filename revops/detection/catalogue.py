"""Every kind of exception by its code: what rules find, and what is found about systems and about what we have sent."""

from __future__ import annotations

from collections.abc import Mapping

from revops.detection.connections import CONNECTION_KINDS
from revops.detection.postings import POSTING_KINDS
from revops.detection.registry import RULES
from revops.detection.rule import ExceptionKind, Rule

EXCEPTIONS: Mapping[str, Rule | ExceptionKind] = {**RULES, **CONNECTION_KINDS, **POSTING_KINDS}
