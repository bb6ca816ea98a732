"""Dated exchange rates, from the facts of the systems that keep books, for totals and materiality. Never for posting."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

from revops.accounts.models import Account
from revops.ledger.batch import BatchRecord
from revops.ledger.facts import decode_fields
from revops.ledger.models import ExchangeRate
from revops.money import Money
from revops.people.models import LegalEntity


def note_rates(moved: Sequence[BatchRecord]) -> None:
    """Keep the table of rates as these records have them. Called by `ledger.record` in its transaction."""
    rates = [row for row in moved if row.object_type == "exchange_rate"]
    if not rates:
        return
    ExchangeRate.objects.filter(pk__in=[row.pk for row in rates]).delete()
    ExchangeRate.objects.bulk_create([made for row in rates if (made := _rate_of(row)) is not None])


def _rate_of(row: BatchRecord) -> ExchangeRate | None:
    """The row of one record; None when it was deleted or does not state all of a rate."""
    stated = decode_fields(row.object_type, row.fields)
    currency, base, on, value = (stated.get(name) for name in ("currency", "base_currency", "on", "rate"))
    if row.deleted or not isinstance(currency, str) or not isinstance(base, str):
        return None
    if not isinstance(on, dt.date) or not isinstance(value, Decimal):
        return None
    return ExchangeRate(
        record_id=row.pk, system=row.system_id, currency=currency, base_currency=base, on=on, rate=value.quantize(_STORED)
    )


_STORED = Decimal("1e-15")


def books_for(system: str, account: Account) -> str | None:
    """Whose rates count for what is done in `system` on an account: the system's own where it keeps the books of a legal entity,
    else those of the account's legal entity. Empty where the account has none: it concerns no books. None where nobody has said
    who keeps them: no rate is known."""
    if LegalEntity.objects.filter(books_system=system).exists():
        return system
    return (account.legal_entity.books_system or None) if account.legal_entity else ""


def rate(currency: str, base: str, on: dt.date, *, books: str | None) -> tuple[Decimal, dt.date] | None:
    """1 `currency` = rate `base` (ISO 4217), with the rate's own day: the newest on or before `on`, else the oldest there is.

    `books` is the slug of the system that keeps the books of the legal entity concerned: its rates alone count. Where it is
    empty, for what belongs to no legal entity, the rates of all systems do; None: nobody keeps them (see `books_for`). Of two
    rates of one day the greater counts, so that no amount is taken for less than it may be.
    """
    if currency == base:
        return Decimal(1), on
    if books is None:
        return None
    rows = ExchangeRate.objects.filter(currency=currency, base_currency=base)
    if books:
        rows = rows.filter(system=books)
    found = rows.filter(on__lte=on).order_by("-on", "-rate").first() or rows.order_by("on", "-rate").first()
    return None if found is None else (found.rate, found.on)


def converted(money: Money, currency: str, *, on: dt.date, books: str | None) -> Money | None:
    """The amount in another currency, rounded half to even; None when no rate is known, which callers must treat as the strictest
    case. `books`: see `rate`."""
    found = rate(money.currency, currency, on, books=books)
    return None if found is None else Money.rounded(money.amount * found[0], currency)
