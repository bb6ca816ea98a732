"""How each connection in use stands, for `revops.detection.connections`, which judges it. Reads only."""

from __future__ import annotations

import datetime as dt

from revops.detection.connections import COUNT_MAX, Health
from revops.ledger.coverage import Coverage, coverages_of, remembered
from revops.ledger.due import mark_due_everywhere
from revops.ledger.unread_values import UnreadField, unread_fields
from revops.policies.in_force import policies_in_force
from sync.connections import note_coverage
from sync.mapping.coverage import coverage
from sync.models import Connection, Delivery, DeliveryState, Watermark

MEASURED_EVERY = dt.timedelta(hours=1)
WEAK_MEASURED_EVERY = dt.timedelta(minutes=5)


def connection_healths() -> dict[str, Health]:
    """Slug -> health of every active connection: its dead letters, the streams that could not be read lately, and the fields
    whose values could not be read."""
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


def measure_coverage(now: dt.datetime) -> None:
    """Once an hour, and more often where it is weak, how much of each active connection is tied to the others. It reads every
    record of a connection, so one is measured at a time; and none before all were read once, when much is not there yet."""
    if Watermark.objects.filter(connection__active=True, read_at__isnull=True).exists():
        return
    policy = policies_in_force().connections
    for row in Connection.objects.filter(active=True).select_related("system").order_by("system__coverage_at", "pk"):
        before = coverages_of(row.system.coverage)
        weak = {each.part for each in before if each.is_weak(policy)}
        measured_at = row.system.coverage_at
        if measured_at is None or measured_at <= now - (WEAK_MEASURED_EVERY if weak else MEASURED_EVERY):
            after = remembered(before, measured(row))
            note_coverage(row.pk, after, now=now)
            if weak != {each.part for each in after if each.is_weak(policy)}:
                mark_due_everywhere(row.pk, now=now)
            return


def measured(row: Connection) -> list[Coverage]:
    """The ties by which the connection's own records point to others, as far as there are such records."""
    ties = [each for each in coverage(row) if each.tie.role and not each.tie.named]
    return [
        Coverage(f"{each.tie.object_type}.{each.tie.role}", each.tie.label, each.total, each.tied) for each in ties if each.total
    ]
