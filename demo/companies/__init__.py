"""Made-up companies that use the four systems in their own ways, and what is right and wrong about them.

Each company is written from a description of practices and contradictions alone, and from what the vendors publish: it knows
nothing of how the product reads payloads, matches records or judges them. For a seed it gives situations: what comes in, step by
step, and which cases must be open at the end. A practice passes through its states, and never has a case. A contradiction stands
there left open, cured, and cured and broken again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from demo.companies.brightwater import BRIGHTWATER
from demo.companies.ferrobyte import FERROBYTE
from demo.companies.quarrylight import QUARRYLIGHT
from demo.companies.situations import Company

COMPANIES: Mapping[str, Company[Any]] = {company.name: company for company in (BRIGHTWATER, FERROBYTE, QUARRYLIGHT)}
"""By name."""
