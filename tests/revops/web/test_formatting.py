"""How money, time and values look."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from revops.money import Money
from revops.sentences import Atom, Word
from revops.web import formatting

NOW = dt.datetime(2026, 11, 23, 14, 5, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("48210.00", "USD", "48,210.00 USD"),
        ("-1200.00", "USD", "\u22121,200.00 USD"),
        ("1250000", "JPY", "1,250,000 JPY"),
        ("12.346", "KWD", "12.346 KWD"),
        ("0.00", "EUR", "0.00 EUR"),
    ],
)
def test_money_has_its_own_decimals_and_a_real_minus(amount: str, currency: str, text: str) -> None:
    assert formatting.money_text(Money(Decimal(amount), currency)) == text


def test_unknown_empty_and_zero_look_different() -> None:
    shown = {formatting.absent_html(), formatting.value_html(None), formatting.money_html(Money.zero("USD"))}
    assert len(shown) == 3
    assert formatting.money_text(None) == "\u2014"


def test_below_zero_is_marked_by_more_than_colour() -> None:
    html = formatting.money_html(Money(Decimal("-5.00"), "EUR"))
    assert "\u22125.00" in html
    assert "below" in html


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (42, "42 min left"),
        (-130, "2:10 h over"),
        (3 * 1440, "3 d left"),
        (-2 * 1440, "2 d over"),
        (1439, "23:59 h left"),
        (60, "1:00 h left"),
        (-1, "1 min over"),
    ],
)
def test_time_left(minutes: int, text: str) -> None:
    assert formatting.due_text(NOW + dt.timedelta(minutes=minutes), NOW) == text


@pytest.mark.parametrize(("seconds", "text"), [(5, "just now"), (240, "4 min ago"), (7200, "2 h ago"), (200_000, "2 d ago")])
def test_ago(seconds: int, text: str) -> None:
    assert formatting.ago_text(NOW - dt.timedelta(seconds=seconds), NOW) == text
    assert formatting.ago_text(None, NOW) == "never"


def test_instants_name_their_zone() -> None:
    html = formatting.instant_html(NOW)
    assert ">2026-11-23 14:05<" in html
    assert "UTC" in html


def test_values_are_escaped() -> None:
    assert formatting.value_html("<b>") == "&lt;b&gt;"
    assert "&lt;b&gt;" in formatting.value_html(("<b>", "x"))


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        (Money(Decimal("15873.44"), "USD"), "15,873.44\u00a0USD"),
        (Money(Decimal(3382932), "JPY"), "3,382,932\u00a0JPY"),
        (12995, "12,995"),
        ("B-1000 USD, 15873.44 USD", "B-1000 USD, 15873.44 USD"),
        ("\u202eUSD", "USD"),
        (Word("in_progress"), "in progress"),
        (dt.date(2026, 11, 30), "2026-11-30"),
        (dt.timedelta(hours=4), "4 hours"),
    ],
)
def test_what_a_sentence_says_is_shown_by_its_type_and_never_by_how_it_looks(part: Atom, shown: str) -> None:
    assert formatting.part_html(part) == shown


@pytest.mark.parametrize(("count", "text"), [(128, "128"), (1000, "1,000"), (1001, "1,000+")])
def test_counts_are_capped(count: int, text: str) -> None:
    assert formatting.count_text(count) == text
