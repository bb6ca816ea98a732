"""Texts that somebody with bad intent, or a broken link, may put into any parameter; and which parameters are asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.http import QueryDict

HOSTILE = (
    "", "\x00", "\x00~1", "state=quarantined&trace=%00", "\ud800", "\udcff~1", "\u202e", "x" * 9000, "-1", "0", "9" * 400,
    "99999999999999999999", "1e400", "NaN", "１２", "[]", "x~1", "~~~", "2026-02-30", "2026-11-28",
    "9999-12-31T23:59:59.999999~1", "2026-11-28T00:00+16:00", "2026-11-28T00:00-23:59", "0001-01-01T00:00", "//evil.example/x",
    "/\\evil.example", "http://testserver//evil.example/x", "javascript:alert(1)", "' OR 1=1 --",
    "\"><script>alert(2)</script>", "%s%s%n", "CP-99999", "a\r\nX-Evil: 1",
)  # fmt: skip
SHARP = ("", "\x00", "\ud800", "x" * 9000, "9" * 400, "0001-01-01T00:00", "//evil.example/x")
"""One text of each kind, for what is dear to ask."""
ALL = os.environ.get("HOSTILE") == "all"
"""`make hostile`."""


def share(turn: int, *, dear: bool = False) -> tuple[str, ...]:
    """What the parameter whose turn it is gets: each fifth text, so that five get all of them. `dear`: of those of each kind,
    each fourth one. `make hostile` gives every parameter every text."""
    if ALL:
        return HOSTILE
    return SHARP[turn % 4 :: 4] if dear else HOSTILE[turn % 5 :: 5]


@contextmanager
def names_read() -> Iterator[set[str]]:
    """Collects every name that is asked of a query or a form while the block runs."""
    seen: set[str] = set()
    asking = {name: getattr(QueryDict, name) for name in ("get", "getlist", "__getitem__", "__contains__")}

    def watching(ask: Callable[..., Any]) -> Callable[..., Any]:
        def watched(self: QueryDict, name: str, *more: Any, **named: Any) -> Any:
            seen.add(name)
            return ask(self, name, *more, **named)

        return watched

    for name, ask in asking.items():
        setattr(QueryDict, name, watching(ask))
    try:
        yield seen
    finally:
        for name, ask in asking.items():
            if name in vars(QueryDict) and ask.__qualname__.startswith("QueryDict."):
                setattr(QueryDict, name, ask)
            else:
                delattr(QueryDict, name)
