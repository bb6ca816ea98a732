"""When something is late in a company that does not enter its documents all the time."""

from __future__ import annotations

import datetime as dt

import pytest

from revops.ledger.habits import BUSINESS_DAYS, EVERY_DAY, MONTH_END, ORDINARY, Habits, habits_from_json, holidays_of

WEEK = frozenset(dt.date(2026, 11, day) for day in range(23, 28))
CHRISTMAS = frozenset({dt.date(2026, 12, 25)})


def at(moment: str) -> dt.datetime:
    return dt.datetime.strptime(moment, "%Y-%m-%d %H:%M").replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("habits", "moment", "due"),
    [
        (ORDINARY, "2026-11-14 07:00", "2026-11-14 07:00"),  # a Saturday
        (Habits(BUSINESS_DAYS), "2026-11-13 23:00", "2026-11-13 23:00"),  # a Friday: it had the whole day
        (Habits(BUSINESS_DAYS), "2026-11-14 07:00", "2026-11-17 00:00"),
        (Habits(BUSINESS_DAYS), "2026-11-16 10:00", "2026-11-17 00:00"),  # a Monday: Sunday was no day for it
        (Habits(BUSINESS_DAYS, "America/Los_Angeles"), "2026-11-08 07:00", "2026-11-10 08:00"),
        (Habits(BUSINESS_DAYS, holidays=CHRISTMAS), "2026-12-25 12:00", "2026-12-29 00:00"),
        (Habits(EVERY_DAY, holidays=CHRISTMAS), "2026-12-25 12:00", "2026-12-27 00:00"),
        (Habits(BUSINESS_DAYS, takes_days=3), "2026-11-10 20:00", "2026-11-13 00:00"),
        (Habits(BUSINESS_DAYS, "America/Chicago", WEEK, 3), "2026-11-21 20:00", "2026-12-03 06:00"),
        (Habits("monday"), "2026-11-17 10:00", "2026-11-24 00:00"),
        (Habits("monday"), "2026-11-16 10:00", "2026-11-17 00:00"),
        (Habits(MONTH_END), "2026-11-02 10:00", "2026-12-01 00:00"),
        (Habits(MONTH_END), "2027-01-30 10:00", "2027-02-27 00:00"),  # January's last business day was the 29th
        (Habits(MONTH_END, holidays=frozenset({dt.date(2026, 11, 30)})), "2026-11-02 10:00", "2026-11-28 00:00"),
    ],
)
def test_what_is_late_is_put_off_to_the_end_of_a_posting_day(habits: Habits, moment: str, due: str) -> None:
    assert habits.due(at(moment)) == at(due)


def test_nothing_is_due_before_its_time() -> None:
    start = at("2026-11-01 00:00")
    moments = [start + dt.timedelta(hours=7 * count) for count in range(200)]
    for days in (EVERY_DAY, BUSINESS_DAYS, "friday", MONTH_END):
        dues = [Habits(days, "Asia/Tokyo", CHRISTMAS).due(moment) for moment in moments]
        assert dues == sorted(dues)
        assert all(moment <= due <= moment + dt.timedelta(days=36) for moment, due in zip(moments, dues, strict=True))


def test_habits_are_kept_as_they_are() -> None:
    habits = Habits("friday", "Asia/Tokyo", CHRISTMAS, 4, credits_with_payment=True)
    assert habits_from_json(habits.as_json()) == habits
    assert habits_from_json({}) == ORDINARY


def test_days_that_are_none_are_refused() -> None:
    assert holidays_of("2026-12-25, 2027-01-01") == CHRISTMAS | {dt.date(2027, 1, 1)}
    with pytest.raises(ValueError, match="Invalid isoformat"):
        holidays_of("25.12.2026")
