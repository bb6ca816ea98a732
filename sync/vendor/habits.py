"""What a connection to an ERP declares of how the company works in it: the settings, and what they say. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from revops.ledger.habits import EVERY_DAY, POSTING_DAYS, Habits, holidays_of
from sync.vendor.contract import Setting


def _judge_zone(written: str) -> str:
    try:
        ZoneInfo(written)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "it is no time zone; write one such as America/New_York."
    return ""


def _judge_holidays(written: str) -> str:
    try:
        holidays_of(written)
    except ValueError:
        return "write days as 2026-12-25, with commas between."
    return ""


HABIT_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "posting_days",
        "Days on which documents are entered",
        required=False,
        steers=False,
        default=EVERY_DAY,
        choices=POSTING_DAYS,
        help="What is on its way into the books is late only once such a day has passed. Month end: the last business day.",
    ),
    Setting(
        "posting_takes_days",
        "How many of these days it may take",
        required=False,
        steers=False,
        default="1",
        choices=tuple(str(count) for count in range(1, 11)),
        help="Three, where people enter documents by hand within three business days.",
    ),
    Setting(
        "posting_zone",
        "Time zone of these days",
        required=False,
        steers=False,
        default="UTC",
        judge=_judge_zone,
        help="IANA name, such as America/New_York.",
    ),
    Setting(
        "holidays",
        "Days on which nothing is entered",
        required=False,
        steers=False,
        judge=_judge_holidays,
        help="Dates such as 2026-12-25, with commas between.",
    ),
    Setting(
        "credits_with_payment",
        "Credits on unpaid invoices come with the payment",
        required=False,
        steers=False,
        default="no",
        choices=("yes", "no"),
        help="Yes where the integration enters a credit note on an open invoice only once the invoice is paid, as Stripe's own "
        "connector for NetSuite does.",
    ),
)


def declared_habits(settings: Mapping[str, str]) -> Habits:
    """What the settings of a connection say; of one that declares none of them, the ordinary. Raises ValueError as the judges."""
    return Habits(
        posting_days=settings.get("posting_days") or EVERY_DAY,
        time_zone=settings.get("posting_zone") or "UTC",
        holidays=holidays_of(settings.get("holidays", "")),
        takes_days=int(settings.get("posting_takes_days") or 1),
        credits_with_payment=settings.get("credits_with_payment") == "yes",
    )
