"""Values that are an id with something before or after it, such as `ST|in_1`. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

PLACE = "{id}"
CORE_MIN = 3
"""Characters of an id that has something around it: a shorter one is found in any text."""
_UNFIT = frozenset(",{}")
"""Signs that a setting of forms cannot hold around an id."""
LENGTH_MAX = 120
"""Of a value in which an id is looked for. A longer one is prose."""


@dataclass(frozen=True, slots=True)
class Form:
    """What stands around an id, exactly as it is written."""

    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        return f"{self.before}{PLACE}{self.after}"

    @property
    def bare(self) -> bool:
        return not (self.before or self.after)

    def core(self, text: str) -> str:
        """The id in a value of this form; empty for another value."""
        rest = len(text) - len(self.before) - len(self.after)
        if rest < 1 or not (text.startswith(self.before) and text.endswith(self.after)):
            return ""
        return text[len(self.before) : len(self.before) + rest].strip()


def cores(text: str) -> Iterator[tuple[Form, str]]:
    """Every form that a value may have, with the id that it would then hold: from its start, after a sign, or where digits follow
    letters, up to its end or a sign."""
    yield Form(), text
    if len(text) > LENGTH_MAX:
        return
    starts = [at for at in range(len(text)) if at == 0 or _begins(text[at - 1], text[at])]
    ends = [at for at in range(1, len(text) + 1) if at == len(text) or not text[at].isalnum()]
    for start in starts:
        for end in ends:
            form = Form(text[:start], text[end:])
            if end - start >= CORE_MIN and not form.bare and text[start].isalnum() and not _UNFIT & {*form.before, *form.after}:
                yield form, text[start:end]


def _begins(before: str, here: str) -> bool:
    return not before.isalnum() or (before.isalpha() and here.isdigit())
