"""How each connection in use stands, for `revops.detection.connections`, which judges it. Reads only."""

from __future__ import annotations

from revops.detection.connections import COUNT_MAX, Health
from revops.ledger.coverage import coverages_of
from revops.ledger.unread_values import UnreadField, unread_fields
from sync.models import Connection, Delivery, DeliveryState, Watermark


def connection_healths() -> dict[str, Health]:
    """Slug -> health of every active connection: its dead letters, the streams that could not be read lately, the fields whose
    values could not be read, and how much of it was tied to the others when that was measured last."""
    failures: dict[str, dict[str, int]] = {}
    problems: dict[str, str] = {}
    for mark in Watermark.objects.order_by("connection", "stream"):
        if mark.last_error:
            failures.setdefault(mark.connection_id, {})[mark.stream] = mark.failures
            problems[mark.connection_id] = mark.last_error
    unread: dict[str, list[UnreadField]] = {}
    for each in unread_fields():
        unread.setdefault(each.system, []).append(each)
    found = {}
    rows = Connection.objects.filter(active=True).select_related("system").order_by("pk")
    for slug, covered in rows.values_list("pk", "system__coverage"):
        letters = Delivery.objects.filter(connection=slug, state=DeliveryState.QUARANTINED)[:COUNT_MAX].count()
        found[slug] = Health(
            slug, letters, failures.get(slug, {}), problems.get(slug, ""), unread.get(slug, ()), coverages_of(covered)
        )
    return found
