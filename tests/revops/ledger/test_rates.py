"""Exchange rates: which facts become one, which of several counts, and how an amount is converted."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from revops.ledger.facts import Fact, Value
from revops.ledger.models import ExchangeRate, SourceSystem
from revops.ledger.rates import converted, rate
from revops.money import Money
from tests.revops.world import say

pytestmark = pytest.mark.django_db

DAY = dt.date(2026, 11, 20)
ONE = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _systems() -> None:
    for slug in ("erp", "erp-b"):
        SourceSystem.objects.create(slug=slug, label=slug, role="erp", vendor="test")


def stated(key: str, version: str = "1", *, deleted: bool = False, **over: Value) -> Fact:
    fields: dict[str, Value] = {
        "currency": "EUR", "base_currency": "USD", "on": DAY, "rate": Decimal("1.25"), "kind": "current", **over,
    }  # fmt: skip
    at = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
    return Fact("exchange_rate", key, version, at, {} if deleted else fields, deleted=deleted)


def test_a_rate_is_kept_as_its_record_has_it() -> None:
    say("erp", stated("1", rate=Decimal("1.2345678901234567")))
    assert list(ExchangeRate.objects.values("system", "currency", "base_currency", "on", "rate", "record__external_id")) == [
        {
            "system": "erp", "currency": "EUR", "base_currency": "USD", "on": DAY, "rate": Decimal("1.234567890123457"),
            "record__external_id": "1",
        }
    ]  # fmt: skip
    say("erp", stated("1", "2", rate=Decimal("1.5")), stated("2", on=DAY - ONE))
    assert list(ExchangeRate.objects.order_by("on").values_list("rate", flat=True)) == [Decimal("1.25"), Decimal("1.5")]
    say(
        "erp", stated("1", "3", deleted=True), Fact("customer", "9", "1", dt.datetime(2026, 11, 20, tzinfo=dt.UTC), {"name": "H"})
    )
    assert list(ExchangeRate.objects.values_list("on", flat=True)) == [DAY - ONE]


@pytest.mark.parametrize("missing", ["currency", "base_currency", "on", "rate"])
def test_what_does_not_state_all_of_a_rate_is_none(missing: str) -> None:
    say("erp", stated("1"))
    say("erp", stated("1", "2", deleted=False, **{missing: None}), stated("2"))
    assert [found.record.external_id for found in ExchangeRate.objects.all()] == ["2"]


def test_the_newest_rate_on_or_before_the_day_counts_else_the_oldest() -> None:
    for key, days, value in (("1", -9, "1.1"), ("2", -3, "1.2"), ("3", 0, "1.3"), ("4", 5, "1.4")):
        say("erp", stated(key, on=DAY + days * ONE, rate=Decimal(value)))
    wanted = {-20: ("1.1", -9), -9: ("1.1", -9), -4: ("1.1", -9), -3: ("1.2", -3), 0: ("1.3", 0), 4: ("1.3", 0), 9: ("1.4", 5)}
    for days, (value, from_day) in wanted.items():
        assert rate("EUR", "USD", DAY + days * ONE, books="") == (Decimal(value), DAY + from_day * ONE), days
    assert rate("USD", "EUR", DAY, books="") is None
    assert rate("EUR", "CHF", DAY, books="") is None
    assert rate("JPY", "USD", DAY, books="") is None
    assert rate("CHF", "CHF", DAY, books="") == (Decimal(1), DAY)


def test_of_two_rates_of_one_day_the_greater_counts_on_either_side_of_the_day() -> None:
    for key, days, value in (("1", 0, "1.1"), ("2", 0, "1.3"), ("3", 0, "1.2")):
        say("erp", stated(key, on=DAY + days * ONE, rate=Decimal(value)))
    for day in (DAY - ONE, DAY, DAY + ONE):
        assert rate("EUR", "USD", day, books="") == (Decimal("1.3"), DAY)


def test_rates_of_the_books_alone_count_where_books_are_named() -> None:
    say("erp", stated("1", rate=Decimal("1.1")))
    say("erp-b", stated("1", rate=Decimal("1.4")))
    assert rate("EUR", "USD", DAY, books="erp") == (Decimal("1.1"), DAY)
    assert rate("EUR", "USD", DAY, books="erp-b") == rate("EUR", "USD", DAY, books="") == (Decimal("1.4"), DAY)
    assert rate("EUR", "USD", DAY, books="erp-c") is None


def test_an_amount_is_converted_and_rounded_half_to_even() -> None:
    say("erp", stated("1", rate=Decimal("1.25")))
    say("erp-b", stated("1", rate=Decimal("2"), on=DAY - ONE))
    assert converted(Money.parse("10.02", "EUR"), "USD", on=DAY, books="") == Money.parse("12.52", "USD")
    assert converted(Money.parse("10.06", "EUR"), "USD", on=DAY, books="") == Money.parse("12.58", "USD")
    assert converted(Money.parse("10.00", "EUR"), "USD", on=DAY, books="erp-b") == Money.parse("20.00", "USD")
    assert converted(Money.parse("10.00", "EUR"), "USD", on=DAY - ONE, books="") == Money.parse("20.00", "USD")
    assert converted(Money.parse("10.00", "EUR"), "EUR", on=DAY, books="") == Money.parse("10.00", "EUR")
    assert converted(Money.parse("10.00", "EUR"), "CHF", on=DAY, books="") is None
