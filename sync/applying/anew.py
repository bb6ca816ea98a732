"""A delivery that is put back to the start may be translated otherwise than before: its connection was given other settings, or
this version reads it otherwise.

What it says then is no other statement of its system. Where the record's content rests on this very delivery, the new translation
takes its place, above every fact under the vendor's stamp and below the vendor's next one. Where the content rests on another
delivery, nothing is different: the vendor's stamps decide.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

from revops.ledger.facts import RESOLVED, Fact
from revops.ledger.models import SourceRecord

Placed = tuple[int, Fact]
"""A delivery's key, and a fact that it states."""


def placed_anew(slug: str, stated: Collection[Placed], now: dt.datetime) -> list[Fact]:
    """The facts in their order, those that take the place of an earlier translation with a version that says so. `stated`: what
    deliveries that were put back state. `now`: an aware instant."""
    if not stated:
        return []
    rows = SourceRecord.objects.filter(
        system=slug,
        object_type__in={fact.object_type for _, fact in stated},
        external_id__in={fact.external_id for _, fact in stated},
    ).values_list("object_type", "external_id", "version", "digest", "current__delivery_id")
    known = {(object_type, external_id): rest for object_type, external_id, *rest in rows}
    return [_placed(key, fact, known.get((fact.object_type, fact.external_id)), now) for key, fact in stated]


def _placed(key: int, fact: Fact, known: Sequence[object] | None, now: dt.datetime) -> Fact:
    if known is None:
        return fact
    version, digest, delivery = known
    same_stamp = version == fact.version or str(version).startswith(fact.version + RESOLVED)
    if delivery != key or not same_stamp or digest == fact.content().digest:
        return fact
    return fact.resolved_at(now)
