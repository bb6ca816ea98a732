"""Template access to `web.formatting`: `{% load show %}`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from django import template
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString
from heroicons.templatetags import heroicons

from revops.audit.models import ActionRecord
from revops.cases.models import Severity
from revops.ledger.facts import Value
from revops.ledger.models import SourceRecord
from revops.people.models import User
from revops.sentences import Param, spoken
from revops.web import formatting, naming
from revops.web.keyboard import keys_for
from revops.web.page_frame import Tab
from revops.web.rows import initials
from revops.web.status_marks import MARKS, TONES, severity_html
from revops.web.timeline import mark_of, who_did, who_is

register = template.Library()


@register.simple_tag
def minor(amount_minor: int, currency: str) -> SafeString:
    """Money kept as minor units."""
    return formatting.minor_html(amount_minor, currency)


@register.filter
def instant(value: dt.datetime | None) -> SafeString:
    """`2026-11-23 14:05` with the zone in the title."""
    return formatting.instant_html(value)


@register.filter
def ago(value: dt.datetime | None) -> str:
    """`4 min ago`; a supplement to the absolute time, never instead of it."""
    return formatting.ago_text(value, timezone.now())


@register.filter
def duration(seconds: int) -> str:
    """`30 minutes`, `24 hours`."""
    return spoken(dt.timedelta(seconds=seconds)) if seconds >= 60 else f"{seconds} second" + ("" if seconds == 1 else "s")


@register.filter
def due(value: dt.datetime) -> str:
    """`0:42 left`."""
    return formatting.due_text(value, timezone.now())


@register.filter
def ledger_value(value: Value) -> SafeString:
    """A value of the ledger."""
    return formatting.value_html(value)


@register.filter
def words(code: str) -> str:
    """`in_progress` as `in progress`."""
    return formatting.status_text(code)


@register.filter
def severity(number: int) -> SafeString:
    """Shape, word and colour."""
    return severity_html(Severity(number))


@register.filter
def tone(state: str) -> str:
    """The colour class of a state's badge; empty for a state without colour."""
    return TONES.get(state, "")


@register.filter
def mark(state: str) -> str:
    """The mark before a state's words."""
    return MARKS.get(state, "")


@register.filter
def actor(action: ActionRecord) -> str:
    """Who did it: a person's name, or `Posting` for `system:posting`."""
    return who_did(action)


@register.filter
def line_mark(action: ActionRecord) -> str:
    """The class of an action's mark on a timeline."""
    return mark_of(action)


@register.filter
def initials_of(user: User) -> str:
    """`MK` for Mara Kling."""
    return initials(user.shown_name)


@register.filter
def record_name(record: SourceRecord) -> str:
    """What people call a record."""
    return naming.record_name(record)


@dataclass(frozen=True, slots=True)
class Column:
    """The heading of one column. `figures` are set to the right; `hidden` is only read out."""

    label: str
    figures: bool = False
    hidden: bool = False


@register.filter
def columns(text: str) -> list[Column]:
    """The headings of a table from `Plan | #Amount | ~Actions`: `#` before a column of figures, `~` before a hidden heading."""
    words = [part.strip() for part in text.split("|")]
    return [Column(word.lstrip("#~"), word.startswith("#"), word.startswith("~")) for word in words]


@register.simple_tag
@cache
def icon(name: str, style: str = "micro") -> SafeString:
    """A heroicon, `micro` or `outline`. The package copies and prints a tree for each; ours are drawn once a process."""
    draw: Callable[..., str] = {"micro": heroicons.heroicon_micro, "outline": heroicons.heroicon_outline}[style]
    return SafeString(draw(name, **{"class": "icon"}))


@register.simple_tag
def keys_of(page: str, tabs: Sequence[Tab]) -> SafeString:
    """The shortcuts that work on this page, for somebody who has these sections, as rows of a list."""
    return _keys(page, tuple(tab.code for tab in tabs))


@cache
def _keys(page: str, sections: tuple[str, ...]) -> SafeString:
    """As many answers as there are pages and sets of roles: drawn once a process."""
    return SafeString(render_to_string("web/_keys.html", {"keys": keys_for(page, sections)}))


@register.filter
def in_words(sentence: Param | None, names: naming.Names | None = None) -> SafeString:
    """A sentence, with links for what `names` knows; without names it may stand in a link."""
    return SafeString() if sentence is None else (names or naming.Names()).in_words(sentence)


@register.filter
def who(label: str) -> str:
    """`system:posting` as `Posting`."""
    return who_is(label)
