"""The sections in the top bar. `sync`'s pages add their own when they are loaded, so that web need not know them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from revops.access.rules import may
from revops.people.models import User


@dataclass(frozen=True, slots=True)
class Section:
    """One entry. `verb` is what one must be allowed to do to see it; `count` gives the number of things waiting there."""

    code: str
    label: str
    url_name: str
    verb: str
    order: int
    count: Callable[[User], int] | None = None


_sections: dict[str, Section] = {}


def add_section(section: Section) -> None:
    """Put a section in the bar; the same code again replaces it."""
    _sections[section.code] = section


def sections_for(user: User) -> list[Section]:
    """The sections this person may open, in order."""
    return [s for s in sorted(_sections.values(), key=lambda s: s.order) if may(user, s.verb)]
