"""Every kind of exception by its code: what rules find, and what is found about systems and about what we have sent."""

from __future__ import annotations

from collections.abc import Mapping

from revops.detection.connections import CONNECTION_RULES
from revops.detection.postings import POSTING_RULES
from revops.detection.registry import RULES

TITLES: Mapping[str, str] = {**{code: rule.title for code, rule in RULES.items()}, **CONNECTION_RULES, **POSTING_RULES}
