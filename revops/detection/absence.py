"""Before something is called missing: was a message about it received that could not be used?

The vendors' side answers through `bind`. A record that is missing may lie among the dead letters: then that letter is what is
wrong, and nobody is told that something is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from revops.detection.rule import Finding
from revops.ledger.models import SourceSystem

Search = Callable[[Collection[str], Collection[str]], int]
"""(slugs of systems, texts) -> how many dead letters of these systems hold one of the texts."""

_bound: list[Search] = []
SHORTEST = 5
"""Texts that are shorter are found everywhere."""


def bind(search: Search) -> None:
    """Tell who looks through the dead letters. Called once at start-up."""
    _bound[:] = [search]


def unused_letters(finding: Finding, role: str) -> int:
    """How many dead letters of the systems of that role name what the finding is about, by id or by number."""
    texts = {text for text in _names(finding) if len(text) >= SHORTEST}
    if not _bound or not texts:
        return 0
    return _bound[0](list(SourceSystem.objects.filter(role=role).values_list("slug", flat=True)), sorted(texts))


def _names(finding: Finding) -> Iterable[str]:
    for record in finding.subjects:
        yield record.external_id
        number = record.fields.get("number")
        if isinstance(number, str):
            yield number
