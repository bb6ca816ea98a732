"""Dated exchange rates, from the ERP's own facts, for totals and materiality. Never for posting."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from revops.ledger.models import SourceRecord
from revops.money import Money


def rate(currency: str, base: str, on: dt.date) -> tuple[Decimal, dt.date] | None:
    """The newest rate on or before `on` (else the oldest there is), with its date: 1 `currency` = rate `base`."""
    if currency == base:
        return Decimal(1), on
    rows = SourceRecord.objects.filter(
        object_type="exchange_rate", deleted=False, fields__currency=currency, fields__base_currency=base
    ).values_list("fields__on", "fields__rate")
    dated = sorted((dt.date.fromisoformat(str(day)), Decimal(str(value))) for day, value in rows if day and value)
    if not dated:
        return None
    earlier = [line for line in dated if line[0] <= on]
    day, value = earlier[-1] if earlier else dated[0]
    return value, day


def converted(money: Money, currency: str, *, on: dt.date) -> Money | None:
    """Converted and rounded half to even; None when no rate is known, which callers must treat as the strictest case."""
    found = rate(money.currency, currency, on)
    return None if found is None else Money.rounded(money.amount * found[0], currency)
