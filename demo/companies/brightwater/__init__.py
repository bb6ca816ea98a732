"""Brightwater Analytics, Inc., "tidy": packaged connectors, keys that are what their makers document, and a nightly copy."""

from __future__ import annotations

from demo.companies.brightwater.contradictions import CONTRADICTION, LEFT_OUT
from demo.companies.brightwater.practices import PRACTICE
from demo.companies.brightwater.world import SETTINGS, Brightwater
from demo.companies.situations import Company

BRIGHTWATER = Company("brightwater", (*PRACTICE.listed, *CONTRADICTION.listed), LEFT_OUT, SETTINGS, Brightwater)
