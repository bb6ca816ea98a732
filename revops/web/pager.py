"""The buttons below a list that has more than one page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

from django.http import HttpRequest

from revops.keyset import Page


class Cursors(TypedDict):
    """The part of an address that says which page of a list it is."""

    after: str
    before: str


@dataclass(frozen=True, slots=True)
class Pager:
    """Addresses of the first page (in the queue: of the page before) and of the next, empty where there is none."""

    first: str
    following: str

    def __bool__(self) -> bool:
        return bool(self.first or self.following)


def cursors_in(request: HttpRequest) -> Cursors:
    """The cursors of the address; what is not one gives the first page."""
    return {"after": request.GET.get("after", ""), "before": request.GET.get("before", "")}


def pager(request: HttpRequest, page: Page[Any]) -> Pager:
    """The buttons for the page that this request shows."""
    kept = request.GET.copy()
    for name in ("after", "before"):
        kept.pop(name, None)
    first = f"?{kept.urlencode()}" if page.before else ""
    kept["after"] = page.after
    return Pager(first, f"?{kept.urlencode()}" if page.after else "")
