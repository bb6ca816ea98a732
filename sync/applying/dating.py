"""Whether a statement can be dated as its vendor dates it.

A vendor's clock may be ahead, its time zone may be set wrongly, a stamp may be nonsense. A statement dated in the future would
stand above every real one until then. Where it is dated later than it came, by more than clocks may differ, it counts as of a
moment before it came, whatever its own date: what is said next stands above it.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings

from revops.ledger.facts import Fact
from sync.vendor.contract import Connector

DATED_AHEAD = "dated_ahead"
"""The reason code of a delivery that was dated later than it came."""

_A_MOMENT = dt.timedelta(seconds=3)
"""Vendors stamp whole seconds, and a delivery is on its way for some: what is stated in these last seconds, or read right after
them, is believed rather than a statement whose date is wrong."""


def dated(fact: Fact, connector: Connector, received_at: dt.datetime) -> Fact:
    """The fact, or the same as of its arrival where it is dated more than `REVOPS_CLOCK_SKEW_SECONDS` later.

    `received_at` is aware UTC. A vendor whose versions are no times cannot be ahead.
    """
    stamp = connector.stamp
    if stamp is None or fact.version <= stamp(received_at + dt.timedelta(seconds=settings.REVOPS_CLOCK_SKEW_SECONDS + 1)):
        return fact
    at = received_at - _A_MOMENT
    return fact.counted_at(stamp(at), at)
