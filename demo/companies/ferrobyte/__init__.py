"""Ferrobyte Controls LLC, "custom": everything is tied together, and nothing where its vendor would have put it."""

from __future__ import annotations

from demo.companies.ferrobyte.contradictions import CONTRADICTION, LEFT_OUT
from demo.companies.ferrobyte.practices import PRACTICE
from demo.companies.ferrobyte.world import SETTINGS, Ferrobyte
from demo.companies.situations import Company

FERROBYTE = Company("ferrobyte", (*PRACTICE.listed, *CONTRADICTION.listed), LEFT_OUT, SETTINGS, Ferrobyte)
