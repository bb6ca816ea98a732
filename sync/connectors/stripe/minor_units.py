"""Stripe's own way of counting money. Pure.

Stripe sends whole numbers in a minor unit that is not always ISO 4217's: MGA has none there, ISK and UGX are sent
with two decimals although they have none (always a multiple of 100), IQD, LYD and other three-decimal currencies
outside its short list have two. Source: Stripe's page on currencies; where it lists UGX under both headings we follow
the special case and refuse any amount that it would not allow.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from revops.errors import Rejected
from revops.money import EXPONENTS, Money
from sync.vendor import fields as payload
from sync.vendor.contract import Misunderstood

_ZERO = frozenset(["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"])
_THREE = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])


def exponent(currency: str) -> int:
    """Decimals that Stripe uses for an upper-case currency code."""
    return 0 if currency in _ZERO else 3 if currency in _THREE else 2


def to_money(minor: int | Decimal, currency: str, where: str) -> Money:
    """Exact. Raises `Misunderstood` for a currency we do not keep or a fraction that the currency does not have."""
    if currency not in EXPONENTS:  # nobody knows how many decimals it has
        raise Misunderstood(f"{where} is no amount of money: currency_unknown.", "currency_unknown", raw=f"{minor} {currency}")
    try:
        return _money(minor, currency)
    except Rejected:
        return payload.money(Decimal(minor).scaleb(-exponent(currency)), currency, where)  # raises, and says where


@lru_cache(maxsize=10_000)
def _money(minor: int | Decimal, currency: str) -> Money:
    """The same few amounts come again and again: an invoice says most of its own several times."""
    return Money(Decimal(minor).scaleb(-exponent(currency)), currency)
