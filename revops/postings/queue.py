"""The queue of released postings: which one is next, and whether it is sent or looked up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

from django.db import connection

from revops.work_queues.leases import Claim, Held
from revops.work_queues.queue import BackOff, WorkQueue

Task = Literal["send", "look_up"]


@dataclass(frozen=True, slots=True)
class PostingClaim(Claim):
    """One posting in hand; `key` is its id. `task`: send it for the first time, or look up what became of it."""

    plan_id: int
    system: str
    task: Task
    trace_id: str


POSTINGS = WorkQueue(
    name="postings",
    table="postings_posting",
    task="send_postings",
    worker="posting",
    noun="posting",
    claimed=PostingClaim,
    columns=("q.plan_id", "q.system_id", "CASE WHEN q.state = 'unknown' THEN 'look_up' ELSE 'send' END", "q.trace_id"),
    waits="q.state IN ('released', 'sending', 'unknown')",
    ready="""NOT q.needs_person AND NOT EXISTS (
        SELECT 1 FROM postings_posting e
         WHERE e.plan_id = q.plan_id AND e.sequence < q.sequence AND e.state NOT IN ('posted', 'confirmed'))""",
    # A row whose worker died is taken again after its lease: if its first byte may have left its outcome is unknown, and it is
    # looked up; else it is sent as new.
    taking="""state = CASE WHEN q.state = 'unknown' OR (q.state = 'sending' AND q.first_sent_at IS NOT NULL)
                        THEN 'unknown' ELSE 'sending' END""",
    oldest="""SELECT min(p.released_at) FROM postings_posting q JOIN postings_changeplan p ON p.id = q.plan_id
        WHERE q.state IN ('released', 'sending', 'unknown')""",
    back_off=BackOff(5, 3600),
)


def take_due(*, may_send: Sequence[str], may_look: Sequence[str]) -> AbstractContextManager[Held[PostingClaim]]:
    """Take the posting that has been due longest, if there is one, and keep its lease until the block ends.

    `may_send` are the systems whose stop switch is off; at `may_look` what is already under way may be looked up.
    """
    where = "q.system_id = ANY(CASE WHEN q.first_sent_at IS NULL OR q.state = 'released' THEN %s::text[] ELSE %s::text[] END)"
    return POSTINGS.take(limit=1, where=where, values=[list(may_send), list(may_look)])


def database_now() -> dt.datetime:
    """The database's clock, aware UTC. Leases and waits never use ours."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: dt.datetime = cursor.fetchone()[0]
    return now
