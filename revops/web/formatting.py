"""How values look on a page: money, instants, ages, ledger values. Pure apart from the active time zone.

Money: the currency's own decimals, a comma between thousands, U+2212 for minus, the ISO code always after the number. Instants:
`2026-11-23 14:05` in the reader's zone, the zone in the title. Plain dates stay plain dates. Unknown is a dash, empty is `empty`,
zero is zero.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

from django.utils import timezone
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from revops.ledger.facts import Value
from revops.money import Money, exponent
from revops.sentences import Atom, plain

MINUS = "\u2212"
DASH = "\u2014"
DAY = 86_400


def amount_text(money: Money) -> str:
    """The number alone: `1,200.00`, with U+2212 below zero."""
    text = f"{abs(money.amount):,.{exponent(money.currency)}f}"
    return f"{MINUS}{text}" if money.amount < 0 else text


def money_text(money: Money | None) -> str:
    """`48,210.00 USD`; a dash when unknown."""
    return DASH if money is None else f"{amount_text(money)} {money.currency}"


def money_html(money: Money | None) -> SafeString:
    """The amount with its code in quieter ink; below zero also coloured (the sign is always there)."""
    if money is None:
        return mark_safe('<span class="unknown" title="not known">\u2014</span>')
    below = " below" if money.amount < 0 else ""
    # Digits and a code of our table need no escaping, and a page has a hundred of them.
    return SafeString(f'<span class="money{below}">{amount_text(money)}&nbsp;<span class="code">{money.currency}</span></span>')


_BIDI = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def straight(text: str) -> str:
    """A vendor's text without the characters that turn the reading direction: a name must not reorder the amount behind it."""
    return _BIDI.sub("", text)


def part_html(part: Atom) -> str:
    """One thing that a sentence says: amounts grouped and on one line with their code, instants in the reader's zone, a vendor's
    or a person's words without what turns the reading direction."""
    if isinstance(part, Money):
        return f"{amount_text(part)}\u00a0{part.currency}"
    if isinstance(part, dt.datetime):
        return instant_html(part)
    return f"{part:,}" if isinstance(part, int) else straight(plain(part))


def minor_html(minor: int, currency: str) -> SafeString:
    """Money stored as minor units with its currency; a dash when there is no currency."""
    return money_html(Money.from_minor(minor, currency) if currency else None)


def instant_text(moment: dt.datetime) -> str:
    """`2026-11-23 14:05` in the reader's zone."""
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}"


def instant_html(moment: dt.datetime | None, empty: str = DASH) -> SafeString:
    """A `<time>` whose title names the zone and the second."""
    if moment is None:
        return SafeString(escape(empty))
    local = timezone.localtime(moment)
    stamp, zone = f"{moment.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}", escape(zone_name(local))
    return SafeString(f'<time datetime="{stamp}" title="{local:%Y-%m-%d %H:%M:%S} {zone}">{local:%Y-%m-%d %H:%M}</time>')


def zone_name(local: dt.datetime) -> str:
    """The zone as people know it: `Europe/Berlin (CET)`."""
    key = str(getattr(local.tzinfo, "key", "") or local.tzname() or "UTC")
    short = local.tzname() or key
    return key if short == key else f"{key} ({short})"


def span_text(seconds: int) -> str:
    """A length of time in one figure that cannot be misread: `42 min`, `3:59 h` (hours:minutes) under a day, `3 d` from there."""
    seconds = abs(seconds)
    if seconds < 3600:
        return f"{seconds // 60} min"
    return f"{seconds // 3600}:{seconds % 3600 // 60:02d} h" if seconds < DAY else f"{seconds // DAY} d"


def due_text(due_at: dt.datetime, now: dt.datetime) -> str:
    """`42 min left`, `3:59 h left`, `3 d left` or `2:10 h over`."""
    seconds = int((due_at - now).total_seconds())
    return f"{span_text(seconds)} {'left' if seconds >= 0 else 'over'}"


def ago_text(moment: dt.datetime | None, now: dt.datetime) -> str:
    """`just now`, `4 min ago`, `2 h ago`, `3 d ago`; `never` without a moment."""
    if moment is None:
        return "never"
    seconds = int((now - moment).total_seconds())
    if seconds < 60:
        return "just now"
    for size, unit in ((DAY, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    raise AssertionError("unreachable")


def value_html(value: Value) -> SafeString:
    """A ledger value. None is the system's own "empty"; a value nobody stated is shown by `absent_html`, never here."""
    if value is None or value == "":
        return mark_safe('<span class="blank" title="the system says: empty">empty</span>')
    if isinstance(value, Money):
        return money_html(value)
    if isinstance(value, bool):
        return SafeString("yes" if value else "no")
    if isinstance(value, dt.datetime):
        return instant_html(value)
    if isinstance(value, dt.date):
        return format_html("<time datetime='{0}'>{0}</time>", value.isoformat())
    if isinstance(value, Decimal):
        return format_html('<span class="num">{}</span>', f"{value.normalize():f}")
    if isinstance(value, tuple):
        if not value:
            return mark_safe('<span class="blank" title="an empty list">none</span>')
        return format_html_join(mark_safe("<br>"), "{}", ((item,) for item in value))
    return SafeString(escape(straight(str(value))))


def absent_html() -> SafeString:
    """This system did not speak of this field."""
    return mark_safe('<span class="unknown" title="not stated by this system">\u2014</span>')


def status_text(code: str) -> str:
    """A status code as words: `in_progress` is `in progress`."""
    return code.replace("_", " ")


def count_text(count: int, cap: int = 1000) -> str:
    """`128`, `1,000+` beyond the cap."""
    return f"{cap:,}+" if count > cap else f"{count:,}"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 case`, `3 cases`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
