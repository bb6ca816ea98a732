"""Which signatures a change needs: from the data alone."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revops.approvals.checkpoints import Need, Open, Related, checkpoints_for, may_sign, signable
from revops.money import Money
from tests.revops.policies.documents import policies

POLICIES = policies()
RATES = {"USD": Decimal(1), "EUR": Decimal("1.08")}


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def convert(money: Money, currency: str) -> Money | None:
    """By two rates; yen has none."""
    if money.currency == currency:
        return money
    if money.currency not in RATES or currency not in RATES:
        return None
    return Money.rounded(money.amount * RATES[money.currency] / RATES[currency], currency)


def needed(amount: Money, *related: Related) -> list[Need]:
    return checkpoints_for(POLICIES, moves_money=True, amount=amount, convert=convert, related=related)


def roles(amount: str, *, related: tuple[Related, ...] = ()) -> list[str]:
    needs = needed(usd(amount), *related)
    assert [need.sequence for need in needs] == list(range(1, len(needs) + 1))
    return [need.role for need in needs]


def test_a_change_without_money_needs_nobody() -> None:
    assert checkpoints_for(POLICIES, moves_money=False, amount=usd("0.00"), convert=convert) == []


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("0.01", ["approver"]),
        ("9999.99", ["approver"]),
        ("10000.00", ["approver", "controller"]),
        ("10000.01", ["approver", "controller"]),
    ],
)
def test_i26_the_controller_signs_from_the_limit_on(amount: str, expected: list[str]) -> None:
    assert roles(amount) == expected


def test_i26_a_foreign_amount_is_judged_in_the_currency_of_the_tier() -> None:
    needs = needed(Money(Decimal("9500.00"), "EUR"))
    assert [(need.code, need.role, need.sequence) for need in needs] == [
        ("amount", "approver", 1),
        ("controller", "controller", 2),
    ]
    assert str(needs[0].why) == "It moves 9500.00 EUR: somebody other than its maker approves."
    assert str(needs[1].why) == "Because 10260.00 USD reaches the limit of 10000.00 USD."
    assert [need.role for need in needed(Money(Decimal("9200.00"), "EUR"))] == ["approver"]


def test_i26_without_a_rate_the_strictest_tier_applies_and_says_why() -> None:
    needs = needed(Money(Decimal(5), "JPY"))
    assert [need.role for need in needs] == ["approver", "controller"]
    assert str(needs[1].why) == "Because no exchange rate from JPY to USD is known, so the strictest tier applies."


def test_i26_splitting_does_not_get_below_the_limit() -> None:
    related = (Related("CP-00001", usd("4000.00")), Related("CP-00002", usd("3000.00")))
    assert roles("2999.99", related=related) == ["approver"]
    assert roles("3000.00", related=related) == ["approver", "controller"]
    why = needed(usd("3000.00"), *related)[1].why
    assert str(why) == "Because together with CP-00001, CP-00002 on the same account within 7 days it is 10000.00 USD."
    assert roles("1.00", related=(Related("CP-00003", Money(Decimal(1), "JPY")),)) == ["approver", "controller"]
    unknown = Related("CP-00003", Money(Decimal(1), "JPY")), Related("CP-00004", Money(Decimal(2), "JPY"))
    assert str(needed(usd("1.00"), *unknown)[1].why) == "Because the amount of CP-00003, CP-00004 cannot be converted to USD."


def test_i26_all_reasons_are_told_in_one_sentence() -> None:
    why = needed(Money(Decimal(5), "JPY"), Related("CP-00001", usd("12000.00")))[1].why
    assert str(why) == (
        "Because no exchange rate from JPY to USD is known, so the strictest tier applies; "
        "together with CP-00001 on the same account within 7 days it is 12000.00 USD."
    )
    many = [Related(f"CP-{number:05}", usd("1000.00")) for number in range(60)]
    why = needed(usd("1.00"), *many)[1].why
    assert str(why) == "Because together with 60 other plans on the same account within 7 days it is 60001.00 USD."


def test_the_tiers_are_the_policies_to_say() -> None:
    """Three signatures, one of them from an amount in euros."""
    third = '{ code = "board", label = "Second controller", role = "controller", from = "50000.00 EUR" },\n]'
    strict = policies(('from = "10000.00 USD" },\n]', 'from = "500.00 USD" },\n  ' + third))

    def codes(amount: Money) -> list[str]:
        return [need.code for need in checkpoints_for(strict, moves_money=True, amount=amount, convert=convert)]

    assert codes(usd("499.99")) == ["amount"]
    assert codes(usd("500.00")) == ["amount", "controller"]
    assert codes(usd("53999.00")) == ["amount", "controller"]
    assert codes(usd("54000.00")) == ["amount", "controller", "board"]
    assert codes(Money(Decimal("50000.00"), "EUR")) == ["amount", "controller", "board"]


@settings(deadline=None)
@given(parts=st.lists(st.integers(min_value=1, max_value=2_000_000), min_size=1, max_size=8))
def test_i26_however_an_amount_is_split_the_last_part_meets_the_tier_of_the_sum(parts: list[int]) -> None:
    whole, last = sum(parts), Money.from_minor(parts[-1], "USD")
    related = tuple(Related(f"CP-{number}", Money.from_minor(part, "USD")) for number, part in enumerate(parts[:-1]))
    needs = needed(last, *related)
    assert ("controller" in [need.role for need in needs]) is (whole >= 1_000_000)
    assert all(0 < len(str(need.why)) <= 300 for need in needs)


FIRST, SECOND = Open(1, "approver", 1), Open(2, "controller", 2)


@pytest.mark.parametrize(
    ("waiting", "held", "signs"),
    [
        ([FIRST], {"approver"}, 1),
        ([FIRST], {"controller"}, 1),
        ([FIRST], {"finance_analyst", "admin", "auditor"}, None),
        ([FIRST, SECOND], {"approver"}, 1),
        ([FIRST, SECOND], {"controller"}, None),
        ([FIRST, SECOND], {"controller", "approver"}, 1),
        ([SECOND], {"controller"}, 2),
        ([SECOND], {"approver"}, None),
        ([], {"approver", "controller"}, None),
    ],
)
def test_who_signs_next(waiting: list[Open], held: set[str], signs: int | None) -> None:
    found = signable(waiting, frozenset(held))
    assert (found.id if found else None) == signs


def test_a_controller_stands_in_for_an_approver_and_not_the_other_way_round() -> None:
    assert may_sign("approver", frozenset({"controller"}))
    assert not may_sign("controller", frozenset({"approver"}))
