"""Measuring from time to time how much of each connection is tied to the others; `detection.connections` judges it."""

from __future__ import annotations

import datetime as dt

from revops.ledger.coverage import Coverage, coverages_of, remembered
from revops.ledger.due import mark_due_everywhere
from revops.policies.in_force import policies_in_force
from sync.connections import note_coverage
from sync.mapping.coverage import coverage
from sync.models import Connection, Watermark

MEASURED_EVERY = dt.timedelta(hours=1)
WEAK_MEASURED_EVERY = dt.timedelta(minutes=5)


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
