"""Which accounts detection must look at: marking, claiming, finishing. The table is the queue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

LEASE_SECONDS = 60
ATTEMPTS_MAX = 8
"""After this many failed looks an account waits an hour between tries; its error is shown, it is never dropped."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One account taken for a look; `generation` is the mark that the look answers, `moved` the object types that it names (none:
    any may have moved)."""

    account_id: int
    generation: int
    attempts: int
    trace_id: str
    moved: frozenset[str]


def mark_due(
    account_ids: Iterable[int],
    *,
    now: dt.datetime,
    traces: Mapping[int, str] | None = None,
    moved: Mapping[int, Iterable[str]] | None = None,
) -> None:
    """Mark accounts due now. A mark made while a look is running is kept for the next look.

    `traces` names, for each account that has one, the trace of the delivery that makes it due; `moved` the object types that
    moved on it. Marks add up: once an account is marked without types, everything is looked at.
    """
    ids = sorted(set(account_ids))
    if not ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO ledger_dueaccount AS due (account_id, due_at, generation, attempts, last_error, trace_id, moved)
            SELECT marked.id, %s, 1, 0, '', marked.trace, string_to_array(marked.moved, ' ')
              FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS marked(id, trace, moved)
            ON CONFLICT (account_id) DO UPDATE
               SET generation = due.generation + 1, due_at = LEAST(due.due_at, EXCLUDED.due_at), attempts = 0,
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


@transaction.atomic
def claim_due(*, limit: int, now: dt.datetime) -> list[Claim]:
    """Take up to `limit` due accounts under a lease by the database clock; attempts are committed before the work starts."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE ledger_dueaccount SET lease_until = clock_timestamp() + make_interval(secs => %s), attempts = attempts + 1
             WHERE account_id IN (
                   SELECT account_id FROM ledger_dueaccount
                    WHERE due_at <= %s AND (lease_until IS NULL OR lease_until < clock_timestamp())
                    ORDER BY due_at, account_id LIMIT %s FOR UPDATE SKIP LOCKED)
            RETURNING account_id, generation, attempts, trace_id, moved
            """,
            [LEASE_SECONDS, now, limit],
        )
        taken = sorted(cursor.fetchall())
        return [
            Claim(account, generation, attempts, trace, frozenset(moved)) for account, generation, attempts, trace, moved in taken
        ]


def finish(claims: Sequence[Claim]) -> None:
    """The looks are done: drop the marks, unless they were made again meanwhile. Runs in the transaction of the looks' results;
    locks in the order in which marks are made."""
    looked = {claim.account_id: claim.generation for claim in claims}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT account_id, generation FROM ledger_dueaccount WHERE account_id = ANY(%s) ORDER BY account_id FOR UPDATE",
            [list(looked)],
        )
        again = [account_id for account_id, generation in cursor.fetchall() if generation != looked[account_id]]
        cursor.execute("DELETE FROM ledger_dueaccount WHERE account_id = ANY(%s)", [sorted(looked.keys() - set(again))])
        if again:
            cursor.execute("UPDATE ledger_dueaccount SET lease_until = NULL WHERE account_id = ANY(%s)", [again])


def fail(claim: Claim, error: str, *, now: dt.datetime) -> None:
    """The look failed: keep the mark with the error, and try again later (2 s, 4 s ... one hour)."""
    wait = min(3600, 2 ** min(claim.attempts, 12))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger_dueaccount SET lease_until = NULL, due_at = %s, last_error = %s WHERE account_id = %s",
            [now + dt.timedelta(seconds=wait), error[:2000], claim.account_id],
        )


def count_due() -> int:
    """Accounts still to look at, claimed ones included."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ledger_dueaccount")
        row = cursor.fetchone()
    return int(row[0]) if row else 0
