"""Working the inbox off: batch after batch is claimed and applied, and what became of it is told on."""

from __future__ import annotations

import datetime as dt
from collections import Counter

from sync.applying.apply import process
from sync.applying.claims import DELIVERIES
from sync.applying.reread import process_rereads
from sync.ground import doorbell
from sync.ground.heartbeat import alive
from sync.intake.announce import announce_reads

BATCH = 400
ALONE_MAX = 50


def process_all(now: dt.datetime) -> Counter[str]:
    """Process everything that is due, rereads included, until nothing is. Returns how many rows ended in each state.

    `now` (aware UTC) is written as the time we learned it.
    """
    total: Counter[str] = Counter()
    while done := process_round(now) + process_rereads(now):
        total += done
    return total


def process_round(now: dt.datetime, *, limit: int = BATCH) -> Counter[str]:
    """One batch of fresh rows, then a few that were tried before, one by one. Empty when nothing was due."""
    with DELIVERIES.take(limit=limit, tried=False) as held:
        done = process(held.rows, now)
    for _ in range(ALONE_MAX):
        alive()
        with DELIVERIES.take(limit=1, tried=True) as held:
            if not held.rows:
                break
            done += process(held.rows, now)
    if done:
        announce_reads()
        doorbell.ring("detect_accounts")
    return done
