"""Going through a vendor's listing page by page, once for all connectors. Pure.

A listing ends when the vendor says so. One that says "more" without a place to go on from, or that names a place where it has
been before, would never end: it is `RetryLater("paging_loop")`, and what its page held is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sync.vendor.contract import Response, RetryLater

LOOP_SECONDS = 300

Row = TypeVar("Row")
Place = TypeVar("Place", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Listed(Generic[Row, Place]):
    """One page: its rows, whether there are more, and the place where the next page begins (cursor, key, offset or address).
    `answer` is how it came, where the rows alone do not tell all."""

    rows: Sequence[Row]
    more: bool
    after: Place | None
    answer: Response | None = None


def pages(
    listing: str, ask: Callable[[Place | None], Listed[Row, Place]], start: Place | None = None
) -> Iterator[Listed[Row, Place]]:
    """Every page from `start` (None = the beginning). `listing` names it in a reason. Raises `RetryLater("paging_loop")`."""
    been, place = {start}, start
    while True:
        page = ask(place)
        if page.more and (page.after is None or page.after in been):
            said = "says that there is more and not where" if page.after is None else "leads back to where it has been"
            raise RetryLater(f"{listing} does not advance: a page {said}.", LOOP_SECONDS, "paging_loop")
        yield page
        if not page.more:
            return
        place = page.after
        been.add(place)
