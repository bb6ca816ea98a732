"""Triggers that more than one append-only table needs."""

from __future__ import annotations

import pgtrigger


def no_truncate() -> pgtrigger.Trigger:
    """Row triggers do not fire on TRUNCATE, so append-only tables carry a statement trigger of their own."""
    return pgtrigger.Trigger(
        name="no_truncate",
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Truncate,
        func="RAISE EXCEPTION 'this table is append-only' USING ERRCODE = 'insufficient_privilege';",
    )
