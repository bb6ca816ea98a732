"""Money is exact, keeps its currency, and refuses what it cannot keep."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revops.errors import Rejected
from revops.money import EXPONENTS, Money, total, totals_by_currency

CURRENCIES = st.sampled_from(["USD", "EUR", "JPY", "KWD", "ISK"])
MINOR = st.integers(min_value=-(10**15), max_value=10**15)


@pytest.mark.parametrize(
    ("text", "currency", "code"),
    [
        ("1e10", "USD", "amount_invalid"),
        ("NaN", "USD", "amount_invalid"),
        ("Infinity", "USD", "amount_invalid"),
        ("1_000", "USD", "amount_invalid"),
        ("1,000.00", "USD", "amount_invalid"),
        (" 1", "USD", "amount_invalid"),
        ("٣", "USD", "amount_invalid"),
        ("", "USD", "amount_invalid"),
        ("12345678901234567890", "USD", "amount_invalid"),
        ("1000000000000000001", "USD", "amount_too_large"),
        ("1.005", "USD", "amount_decimals"),
        ("1.5", "JPY", "amount_decimals"),
        ("1.00", "usd", "currency_unknown"),
        ("1.00", "XXX", "currency_unknown"),
        ("1.00", "US", "currency_unknown"),
    ],
)
def test_a8_i20_unreadable_amounts_are_refused_with_a_code(text: str, currency: str, code: str) -> None:
    with pytest.raises(Rejected) as refused:
        Money.parse(text, currency)
    assert refused.value.code == code


@pytest.mark.parametrize("amount", [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("1e10000000"), 0.1, 3])
def test_i19_only_finite_decimals_make_money(amount: object) -> None:
    with pytest.raises(Rejected):
        Money(amount, "USD")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "currency", "minor", "shown"),
    [
        ("12.3", "USD", 1230, "12.30"),
        ("-0.00", "USD", 0, "0.00"),
        ("1250000", "JPY", 1250000, "1250000"),
        ("12.346", "KWD", 12346, "12.346"),
        ("+7", "EUR", 700, "7.00"),
    ],
)
def test_i20_amounts_have_the_decimals_of_their_currency(text: str, currency: str, minor: int, shown: str) -> None:
    money = Money.parse(text, currency)
    assert money.minor == minor
    assert money.as_json() == {"amount": shown, "currency": currency}
    assert Money.from_json(money.as_json()) == money


def test_a9_i19_a_json_number_is_not_money() -> None:
    with pytest.raises(Rejected):
        Money.from_json({"amount": 0.1, "currency": "USD"})
    with pytest.raises(Rejected):
        Money.from_json({"amount": "0.10"})


def test_i20_currencies_do_not_mix() -> None:
    dollars, euros = Money.parse("1", "USD"), Money.parse("1", "EUR")
    for mix in (lambda: dollars + euros, lambda: dollars - euros, lambda: dollars < euros, lambda: total([euros], "USD")):
        with pytest.raises(Rejected) as refused:
            mix()
        assert refused.value.code == "currency_mixed"
    assert totals_by_currency([dollars, euros, dollars]) == {"EUR": euros, "USD": Money.parse("2", "USD")}


@given(minor=MINOR, currency=CURRENCIES)
def test_i20_minor_units_go_there_and_back(minor: int, currency: str) -> None:
    assert Money.from_minor(minor, currency).minor == minor


@given(minor=MINOR, currency=CURRENCIES, weights=st.lists(st.integers(0, 1000), min_size=1, max_size=12).filter(any))
def test_i20_allocated_parts_sum_to_the_whole(minor: int, currency: str, weights: list[int]) -> None:
    whole = Money.from_minor(minor, currency)
    parts = whole.allocate(weights)
    assert total(parts, currency) == whole
    assert all(part.minor == 0 for part, weight in zip(parts, weights, strict=True) if weight == 0)


@given(left=MINOR, right=MINOR, currency=CURRENCIES)
def test_i19_sums_are_exact(left: int, right: int, currency: str) -> None:
    both = Money.from_minor(left, currency) + Money.from_minor(right, currency)
    assert both.minor == left + right
    assert (both - Money.from_minor(right, currency)).minor == left


def test_i20_half_is_rounded_to_even() -> None:
    assert Money.rounded(Decimal("2.675"), "USD") == Money.parse("2.68", "USD")
    assert Money.rounded(Decimal("2.665"), "USD") == Money.parse("2.66", "USD")
    with pytest.raises(Rejected):
        Money.parse("1", "USD").times(0.5)  # type: ignore[arg-type]


def test_i20_every_currency_has_an_iso_code_and_a_known_exponent() -> None:
    assert all(len(code) == 3 and code.isupper() for code in EXPONENTS)
    assert {EXPONENTS["JPY"], EXPONENTS["USD"], EXPONENTS["BHD"]} == {0, 2, 3}
