"""How a company works in a system, as far as it decides when something is late: on which days documents are entered. Pure."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

EVERY_DAY, BUSINESS_DAYS, MONTH_END = "every day", "business days", "month end"
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
POSTING_DAYS = (EVERY_DAY, BUSINESS_DAYS, *WEEKDAYS, MONTH_END)
DAYS_MAX = 62
"""A posting day comes within so many days, whatever the holidays."""


@dataclass(frozen=True, slots=True)
class Habits:
    """`posting_days`: when documents are entered, a word of `POSTING_DAYS`; in `time_zone` (IANA), never on one of `holidays`.
    `takes_days`: on how many such days somebody may come to it. `credits_with_payment`: a credit on an unpaid invoice is entered
    together with its payment, not before."""

    posting_days: str = EVERY_DAY
    time_zone: str = "UTC"
    holidays: frozenset[dt.date] = frozenset()
    takes_days: int = 1
    credits_with_payment: bool = False

    def due(self, moment: dt.datetime) -> dt.datetime:
        """From when on something is late that would be late at `moment` (aware) if documents were entered all the time: when the
        first posting day from then on is over, or as many as it takes. What had a business day before it is not put off."""
        if self.posting_days == EVERY_DAY and not self.holidays and self.takes_days == 1:
            return moment
        day = moment.astimezone(ZoneInfo(self.time_zone)).date()
        often = self.takes_days == 1 and self.posting_days in (EVERY_DAY, BUSINESS_DAYS)
        if often and self._posts(day) and self._posts(day - dt.timedelta(days=1)):
            return moment
        coming = (day + dt.timedelta(days=ahead) for ahead in range(DAYS_MAX * self.takes_days))
        days = list(itertools.islice(filter(self._posts, coming), self.takes_days))
        last = days[-1] if days else day
        over = dt.datetime.combine(last + dt.timedelta(days=1), dt.time(), ZoneInfo(self.time_zone)).astimezone(dt.UTC)
        return max(moment, over)

    def _posts(self, day: dt.date) -> bool:
        if day in self.holidays:
            return False
        if self.posting_days == BUSINESS_DAYS:
            return day.weekday() < 5
        if self.posting_days == MONTH_END:
            return self._last_business_day(day) == day
        return self.posting_days == EVERY_DAY or WEEKDAYS[day.weekday()] == self.posting_days

    def _last_business_day(self, day: dt.date) -> dt.date:
        last = (day.replace(day=1) + dt.timedelta(days=32)).replace(day=1) - dt.timedelta(days=1)
        while last.weekday() >= 5 or last in self.holidays:
            last -= dt.timedelta(days=1)
        return last

    def as_json(self) -> dict[str, Any]:
        """The form in which it is stored."""
        return {
            "posting_days": self.posting_days,
            "time_zone": self.time_zone,
            "holidays": sorted(day.isoformat() for day in self.holidays),
            "takes_days": self.takes_days,
            "credits_with_payment": self.credits_with_payment,
        }


ORDINARY = Habits()
"""Of a system of which nobody said anything."""


def habits_from_json(stored: Mapping[str, Any]) -> Habits:
    """What `as_json` wrote; nothing stored is the ordinary."""
    if not stored:
        return ORDINARY
    return Habits(
        stored["posting_days"],
        stored["time_zone"],
        frozenset(dt.date.fromisoformat(day) for day in stored["holidays"]),
        stored["takes_days"],
        stored["credits_with_payment"],
    )


def holidays_of(written: str) -> frozenset[dt.date]:
    """Days written as 2026-12-25, with commas or blanks between. Raises ValueError."""
    return frozenset(dt.date.fromisoformat(day) for day in written.replace(",", " ").split())
