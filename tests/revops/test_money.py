"""Money is exact, keeps its currency, and refuses what it cannot keep."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_UP, Decimal, localcontext

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


def euros(text: str) -> Money:
    return Money.parse(text, "EUR")


NUMBER = "An amount is a decimal number such as 12.30."
WRITTEN = "Write the amount with digits and one point, such as 1234.50."
LARGE = "The amount is larger than any that can be kept."
OUTSIDE = 'Money is {"amount": "12.30", "currency": "EUR"}.'
WEIGHTS = "Give at least one positive weight and none below zero."
MIXED = "EUR and USD cannot be added or compared."


@pytest.mark.parametrize(
    ("act", "code", "message", "field"),
    [
        (lambda: Money(Decimal("NaN"), "EUR"), "amount_invalid", NUMBER, "amount"),
        (lambda: Money("1", "EUR"), "amount_invalid", NUMBER, "amount"),  # type: ignore[arg-type]
        (lambda: Money(Decimal("1e21"), "EUR"), "amount_too_large", LARGE, "amount"),
        (lambda: euros("1000000000000000.01"), "amount_too_large", LARGE, "amount"),
        (lambda: euros("-1000000000000000.01"), "amount_too_large", LARGE, "amount"),
        (lambda: euros("1.005"), "amount_decimals", "EUR amounts have 2 decimals; 1.005 has more.", "amount"),
        (lambda: euros("1,5"), "amount_invalid", WRITTEN, "amount"),
        (lambda: Money.parse(Decimal(1), "EUR"), "amount_invalid", WRITTEN, "amount"),  # type: ignore[arg-type]
        (lambda: Money.from_minor(True, "EUR"), "amount_invalid", "Minor units are a whole number.", "amount"),
        (lambda: Money.from_minor(Decimal(7), "EUR"), "amount_invalid", "Minor units are a whole number.", "amount"),  # type: ignore[arg-type]
        (lambda: Money.rounded(Decimal("NaN"), "EUR"), "amount_invalid", "An amount is a finite decimal number.", "amount"),
        (lambda: Money.from_json([]), "amount_invalid", OUTSIDE, "amount"),
        (lambda: Money.from_json({"amount": "1"}), "amount_invalid", OUTSIDE, "amount"),
        (
            lambda: Money.parse("1", "eur"), "currency_unknown",
            "'eur' is not a currency code we know; use ISO 4217, such as EUR.", None,
        ),
        (lambda: euros("1") + Money.parse("1", "USD"), "currency_mixed", MIXED, None),
        (lambda: euros("1").times(0.5), "amount_invalid", "A factor is exact: use Decimal, not float.", None),  # type: ignore[arg-type]
        (lambda: euros("1").allocate([]), "weights_invalid", WEIGHTS, None),
        (lambda: euros("1").allocate([0, 0]), "weights_invalid", WEIGHTS, None),
        (lambda: euros("1").allocate([-1, 2]), "weights_invalid", WEIGHTS, None),
    ],
)  # fmt: skip
def test_a_refusal_has_a_code_for_machines_a_sentence_for_people_and_the_field(
    act: Callable[[], object], code: str, message: str, field: str | None
) -> None:
    with pytest.raises(Rejected) as refused:
        act()
    assert (refused.value.code, refused.value.message, refused.value.field) == (code, message, field)


def test_i20_the_largest_amount_is_kept() -> None:
    assert euros("1000000000000000.00").minor == 10**17
    assert euros("-1000000000000000.00").minor == -(10**17)


@given(whole=st.integers(-(10**12), 10**12), currency=CURRENCIES)
def test_the_decimal_context_of_the_caller_changes_nothing(whole: int, currency: str) -> None:
    with localcontext(prec=2, rounding=ROUND_UP):
        assert Money(Decimal(whole), currency).as_json()["amount"].partition(".")[0] == str(whole)
        assert Money.rounded(Decimal("12.344"), "USD").as_json()["amount"] == "12.34"
        assert Money.rounded(Decimal("12345678.901"), "USD").as_json()["amount"] == "12345678.90"


def test_amounts_have_an_order_a_sign_and_a_size() -> None:
    assert euros("1") < euros("2")
    assert not euros("1") < euros("1")
    assert euros("1") <= euros("1")
    assert euros("1") <= euros("2")
    assert not euros("2") <= euros("1")
    with pytest.raises(Rejected):
        assert euros("1") <= Money.parse("2", "USD")
    assert -euros("1.50") == euros("-1.50")
    assert abs(euros("-1.50")) == abs(euros("1.50")) == euros("1.50")
    assert euros("0.01")
    assert euros("-0.01")
    assert not euros("0")
    assert str(euros("-1.5")) == "-1.50 EUR"


@pytest.mark.parametrize(
    ("amount", "factor", "expected"),
    [("10", 3, "30"), ("10", Decimal("0.5"), "5"), ("0.05", Decimal("0.5"), "0.02"), ("0.15", Decimal("0.5"), "0.08")],
)
def test_a_product_is_rounded_half_to_even(amount: str, factor: Decimal | int, expected: str) -> None:
    assert euros(amount).times(factor) == euros(expected)


@pytest.mark.parametrize(
    ("amount", "weights", "parts"),
    [
        ("1", [1], ["1"]),
        ("1", [1, 1, 1], ["0.34", "0.33", "0.33"]),
        ("-1", [1, 1, 1], ["-0.34", "-0.33", "-0.33"]),
        ("1", [2, 5], ["0.29", "0.71"]),  # the larger remainder, not the larger share
        ("0", [3, 4], ["0", "0"]),
        ("0.02", [1, 0, 1, 1], ["0.01", "0", "0.01", "0"]),
    ],
)
def test_the_residue_goes_to_the_largest_remainders_first(amount: str, weights: list[int], parts: list[str]) -> None:
    assert euros(amount).allocate(weights) == [euros(part) for part in parts]


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
