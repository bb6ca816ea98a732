"""Which accounts the rules must run on: marking, claiming, finishing. The table is the queue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from django.db import connection

from revops.work_queues.leases import Claim, Held
from revops.work_queues.queue import BackOff, WorkQueue


@dataclass(frozen=True, slots=True)
class AccountClaim(Claim):
    """One account taken for a run of the rules; `key` is its id, `marks` the number of the mark that the run answers, `moved` the
    object types that moved (none: any may have)."""

    marks: int
    trace_id: str
    moved: Sequence[str]


ACCOUNTS = WorkQueue(
    name="accounts",
    table="ledger_dueaccount",
    key="account_id",
    task="detect_accounts",
    worker="apply",
    noun="account",
    claimed=AccountClaim,
    columns=("q.marks", "q.trace_id", "q.moved"),
    back_off=BackOff(2, 3600),
)
"""It never gives up: an account on which the rules fail is tried again every hour, its error is shown, it is never dropped."""


def mark_due(
    account_ids: Iterable[int],
    *,
    now: dt.datetime,
    traces: Mapping[int, str] | None = None,
    moved: Mapping[int, Iterable[str]] | None = None,
) -> None:
    """Mark accounts due now. A mark made during a run of the rules is kept for the next run.

    `traces` names, for each account that has one, the trace of the delivery that makes it due; `moved` the object types that
    moved on it. Marks add up: once an account is marked without types, every rule runs.
    """
    ids = sorted(set(account_ids))
    if not ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO ledger_dueaccount AS due
                   (account_id, next_attempt_at, marks, attempts, fence, last_error, trace_id, moved)
            SELECT marked.id, %s, 1, 0, 0, '', marked.trace, string_to_array(marked.moved, ' ')
              FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS marked(id, trace, moved)
            ON CONFLICT (account_id) DO UPDATE
               SET marks = due.marks + 1, attempts = 0,
                   next_attempt_at = LEAST(due.next_attempt_at, EXCLUDED.next_attempt_at),
                   trace_id = CASE WHEN EXCLUDED.trace_id = '' THEN due.trace_id ELSE EXCLUDED.trace_id END,
                   moved = CASE WHEN due.moved = '{}' OR EXCLUDED.moved = '{}' THEN '{}'
                                ELSE ARRAY(SELECT unnest(due.moved || EXCLUDED.moved) AS kind GROUP BY kind ORDER BY kind) END
            """,
            [
                now,
                ids,
                [(traces or {}).get(each, "") for each in ids],
                [" ".join(sorted(set((moved or {}).get(each, ())))) for each in ids],
            ],
        )


def mark_due_everywhere(system: str, *, now: dt.datetime, moved: Iterable[str] = ()) -> None:
    """Mark every account that has a record in `system`: objects of these types moved there that concern no single account."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT account_id FROM ledger_sourcerecord WHERE system_id = %s AND account_id IS NOT NULL",
            [system],
        )
        ids = [row[0] for row in cursor.fetchall()]
    mark_due(ids, now=now, moved=dict.fromkeys(ids, moved))


def take_due(*, limit: int, tried: bool) -> AbstractContextManager[Held[AccountClaim]]:
    """Take up to `limit` due accounts for a run; `tried`: those whose last run came to no end."""
    return ACCOUNTS.take(limit=limit, tried=tried)


def finish(claims: Sequence[AccountClaim]) -> None:
    """The runs are done: drop the marks, unless they were made again meanwhile. Belongs in the transaction of their results;
    locks in the order in which marks are made. What another worker holds by now is left to it."""
    ours = ACCOUNTS.lock(claims)
    run = {claim.key: claim for claim in claims if claim.key in ours}
    with connection.cursor() as cursor:
        cursor.execute("SELECT account_id, marks FROM ledger_dueaccount WHERE account_id = ANY(%s)", [sorted(ours)])
        again = {account_id for account_id, marks in cursor.fetchall() if marks != run[account_id].marks}
        cursor.execute("DELETE FROM ledger_dueaccount WHERE account_id = ANY(%s)", [sorted(ours - again)])
    ACCOUNTS.write([ACCOUNTS.repeat(run[account_id], 0) for account_id in again])


def fail(claim: AccountClaim, error: str) -> None:
    """The run failed: keep the mark with the error, and try again later (2 s, 4 s ... one hour)."""
    ACCOUNTS.write([ACCOUNTS.retry(claim, last_error=error.replace("\x00", "")[:2000])])


def count_due() -> int:
    """Accounts on which the rules must still run, claimed ones included."""
    counted = ACCOUNTS.counts()
    return counted.due + counted.held + counted.later
