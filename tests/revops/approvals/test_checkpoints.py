"""Which signatures a change needs: from the data alone."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revops.approvals.checkpoints import CONTROLLER_FROM, Open, Related, checkpoints_for, may_sign, signable
from revops.money import Money


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def roles(amount: str, *, base: Money | None = None, related: tuple[Related, ...] = ()) -> list[str]:
    money = usd(amount)
    needs = checkpoints_for(moves_money=True, amount=money, base_amount=base or money, related=related)
    assert [need.sequence for need in needs] == list(range(1, len(needs) + 1))
    return [need.role for need in needs]


def test_a_change_without_money_needs_nobody() -> None:
    assert checkpoints_for(moves_money=False, amount=usd("0.00"), base_amount=None) == []


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


def test_i26_a_foreign_amount_is_judged_in_base_currency() -> None:
    amount = Money(Decimal("9500.00"), "EUR")
    needs = checkpoints_for(moves_money=True, amount=amount, base_amount=usd("10260.00"))
    assert "10260.00 USD reaches the limit" in needs[1].why


def test_i26_without_a_rate_the_strictest_tier_applies_and_says_why() -> None:
    needs = checkpoints_for(moves_money=True, amount=Money(Decimal(5), "JPY"), base_amount=None)
    assert [need.role for need in needs] == ["approver", "controller"]
    assert needs[1].why.startswith("No exchange rate from JPY to USD is known")


def test_i26_splitting_does_not_get_below_the_limit() -> None:
    related = (Related("CP-00001", usd("4000.00")), Related("CP-00002", usd("3000.00")))
    assert roles("2999.99", related=related) == ["approver"]
    assert roles("3000.00", related=related) == ["approver", "controller"]
    assert roles("1.00", related=(Related("CP-00003", None),)) == ["approver", "controller"]


@given(parts=st.lists(st.integers(min_value=1, max_value=2_000_000), min_size=1, max_size=8))
def test_i26_however_an_amount_is_split_the_last_part_meets_the_tier_of_the_sum(parts: list[int]) -> None:
    whole = Money.from_minor(sum(parts), "USD")
    last = Money.from_minor(parts[-1], "USD")
    related = tuple(Related(f"CP-{number}", Money.from_minor(part, "USD")) for number, part in enumerate(parts[:-1]))
    needs = checkpoints_for(moves_money=True, amount=last, base_amount=last, related=related)
    assert ("controller" in [need.role for need in needs]) is (whole.minor >= CONTROLLER_FROM.minor)
    assert all(0 < len(need.why) <= 300 for need in needs)


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
