"""Quarrylight Software, Inc., "messy": merges, invoices keyed by hand, write-offs in every form, self-serve."""

from __future__ import annotations

from demo.companies.quarrylight.contradictions import CONTRADICTION, LEFT_OUT
from demo.companies.quarrylight.practices import PRACTICE
from demo.companies.quarrylight.world import SETTINGS, Quarrylight
from demo.companies.situations import Company

QUARRYLIGHT = Company("quarrylight", (*PRACTICE.listed, *CONTRADICTION.listed), LEFT_OUT, SETTINGS, Quarrylight)
