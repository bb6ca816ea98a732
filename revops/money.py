"""Money: an exact amount with its currency, and the only arithmetic on amounts.

Amounts are `Decimal` in major units with exactly the currency's number of decimals; binary floats are refused. Minor-unit
exponents are those of ISO 4217 for the currencies listed in `EXPONENTS`; a currency outside the table is refused, never
guessed. Vendors that count differently (Stripe treats ISK and UGX as two-decimal) convert in their connector.
Pure: no Django, no clock, no network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal

from revops.errors import Rejected

_ZERO = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_TWO = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC "
    "CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES "
    "KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR "
    "NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT "
    "TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
)
EXPONENTS: dict[str, int] = {
    **dict.fromkeys(_ZERO.split(), 0),
    **dict.fromkeys(_TWO.split(), 2),
    **dict.fromkeys(_THREE.split(), 3),
}
MINOR_LIMIT = 10**17  # largest magnitude in minor units: fits a 64-bit column with room for sums
_EXACT = Context(prec=50, rounding=ROUND_HALF_EVEN)
_UNIT = {places: Decimal(1).scaleb(-places) for places in set(EXPONENTS.values())}
_LARGEST = {places: Decimal(MINOR_LIMIT).scaleb(-places) for places in _UNIT}

_OUTSIDE = {"amount", "currency"}
_PLAIN = re.compile(r"[+-]?[0-9]{1,19}(\.[0-9]{1,12})?", re.ASCII)


def exponent(currency: str) -> int:
    """Decimals of a currency. Raises `Rejected("currency_unknown")`; codes are upper-case ISO 4217."""
    try:
        return EXPONENTS[currency]
    except (KeyError, TypeError):
        raise Rejected("currency_unknown", f"{currency!r} is not a currency code we know; use ISO 4217, such as EUR.") from None


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An exact amount of one currency. `Money(Decimal("12.30"), "EUR")`.

    Raises `Rejected` for floats, NaN, infinities, more decimals than the currency has, or an amount out of range.
    """

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        places = exponent(self.currency)
        if not isinstance(self.amount, Decimal) or not self.amount.is_finite():
            raise Rejected("amount_invalid", "An amount is a decimal number such as 12.30.", field="amount")
        if self.amount.copy_abs() > _LARGEST[places]:
            raise Rejected("amount_too_large", "The amount is larger than any that can be kept.", field="amount")
        amount = self.amount
        if not amount.same_quantum(_UNIT[places]):
            amount = amount.quantize(_UNIT[places], context=_EXACT)
            if amount != self.amount:
                raise Rejected(
                    "amount_decimals",
                    f"{self.currency} amounts have {places} decimals; {self.amount} has more.",
                    field="amount",
                )
        if amount is not self.amount or not amount:
            object.__setattr__(self, "amount", amount if amount else amount.copy_abs())

    # -- making -------------------------------------------------------------------------------------------------------
    @classmethod
    def parse(cls, text: str, currency: str) -> Money:
        """From plain ASCII text such as `-12.30`; no grouping, exponent, spaces or other scripts' digits."""
        if not isinstance(text, str) or not _PLAIN.fullmatch(text):
            raise Rejected("amount_invalid", "Write the amount with digits and one point, such as 1234.50.", field="amount")
        return cls(Decimal(text), currency)

    @classmethod
    def from_minor(cls, minor: int, currency: str) -> Money:
        """From an integer count of minor units (cents, or yen for JPY)."""
        if not isinstance(minor, int) or isinstance(minor, bool):
            raise Rejected("amount_invalid", "Minor units are a whole number.", field="amount")
        return cls(Decimal(minor).scaleb(-exponent(currency)), currency)

    @classmethod
    def rounded(cls, amount: Decimal, currency: str) -> Money:
        """Round half to even to the currency's decimals: for computed amounts (rates, prorations), never for input."""
        if not amount.is_finite():
            raise Rejected("amount_invalid", "An amount is a finite decimal number.", field="amount")
        return cls(amount.quantize(_UNIT[exponent(currency)], context=_EXACT), currency)

    @classmethod
    def half_up(cls, amount: Decimal, currency: str) -> Money:
        """Round half away from zero to the currency's decimals: for amounts that a system computed and shows rounded like that.
        Raises `Rejected` as the class does, never for decimals."""
        places = exponent(currency)
        if not amount.is_finite():
            raise Rejected("amount_invalid", "An amount is a finite decimal number.", field="amount")
        if amount.copy_abs() > _LARGEST[places]:
            raise Rejected("amount_too_large", "The amount is larger than any that can be kept.", field="amount")
        return cls(amount.quantize(_UNIT[places], rounding=ROUND_HALF_UP, context=_EXACT), currency)

    @classmethod
    def zero(cls, currency: str) -> Money:
        """Nothing of that currency. Raises `Rejected("currency_unknown")`."""
        exponent(currency)
        return _ZEROS[currency]

    # -- reading ------------------------------------------------------------------------------------------------------
    @property
    def minor(self) -> int:
        """Whole minor units."""
        return int(self.amount.scaleb(exponent(self.currency)))

    def as_json(self) -> dict[str, str]:
        """The outside form: `{"amount": "12.30", "currency": "EUR"}`."""
        return {"amount": f"{self.amount:f}", "currency": self.currency}

    @classmethod
    def from_json(cls, value: object) -> Money:
        """Back from the outside form; the amount must be a string, never a JSON number."""
        if not isinstance(value, dict) or value.keys() != _OUTSIDE:
            raise Rejected("amount_invalid", 'Money is {"amount": "12.30", "currency": "EUR"}.', field="amount")
        return cls.parse(value["amount"], value["currency"])

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"

    # -- arithmetic ---------------------------------------------------------------------------------------------------
    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise Rejected("currency_mixed", f"{self.currency} and {other.currency} cannot be added or compared.")

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount - other.amount, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __abs__(self) -> Money:
        return Money(abs(self.amount), self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.amount < other.amount

    def __le__(self, other: Money) -> bool:
        self._same(other)
        return self.amount <= other.amount

    def __bool__(self) -> bool:
        return self.amount != 0

    def times(self, factor: Decimal | int) -> Money:
        """Multiplied and rounded half to even. `factor` is exact: no float."""
        if isinstance(factor, float):
            raise Rejected("amount_invalid", "A factor is exact: use Decimal, not float.")
        return Money.rounded(self.amount * factor, self.currency)

    def allocate(self, weights: Sequence[int]) -> list[Money]:
        """Split by whole-number weights so that the parts sum exactly; the residue goes to the largest remainders first."""
        total, minor = sum(weights), self.minor
        if total <= 0 or any(weight < 0 for weight in weights):
            raise Rejected("weights_invalid", "Give at least one positive weight and none below zero.")
        if minor < 0:
            return [-share for share in (-self).allocate(weights)]
        shares = [minor * weight // total for weight in weights]
        order = sorted(range(len(weights)), key=lambda i: (-(minor * weights[i] % total), i))
        for index in order[: minor - sum(shares)]:
            shares[index] += 1
        return [Money.from_minor(share, self.currency) for share in shares]


_ZEROS = {currency: Money(Decimal(0), currency) for currency in EXPONENTS}


def total(amounts: Iterable[Money], currency: str) -> Money:
    """The sum in one currency; zero of that currency when empty. Raises `Rejected("currency_mixed")`."""
    zero = Money.zero(currency)
    found = zero.amount
    for amount in amounts:
        zero._same(amount)
        found += amount.amount
    return Money(found, currency)


def totals_by_currency(amounts: Iterable[Money]) -> dict[str, Money]:
    """One total per currency, sorted by code: totals never mix currencies."""
    sums: dict[str, Money] = {}
    for amount in amounts:
        sums[amount.currency] = sums[amount.currency] + amount if amount.currency in sums else amount
    return dict(sorted(sums.items()))
