"""The one work queue: claim, lease with fence, finish, retry, give up, due, oldest, counts.

A claim is committed before the work starts: it counts the attempt, moves the fence and lends the row until a time of the
database's clock. While the worker lives its lease is renewed (`leases`); one that died is simply late, and one that comes back
from the dead finds another fence and changes nothing. A row that was tried before and came to no end is claimed alone, so that
one that kills its worker cannot take its neighbours along.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic

from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now

from revops.work_queues.leases import C, Claim, Held, keeping

LEASE_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class BackOff:
    """How long a failed row waits: `first_seconds`, twice that, four times ... `max_seconds` at most."""

    first_seconds: float
    max_seconds: float

    def seconds(self, attempts: int) -> float:
        """After this many attempts in vain."""
        return min(self.max_seconds, self.first_seconds * (1 << min(max(attempts, 1) - 1, 20)))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a claimed row. `after_seconds`: when it may be claimed again (None: its time is left as it is);
    `attempts`: what is counted from now on; `columns`: what else is written."""

    claim: Claim
    after_seconds: float | None
    attempts: int
    columns: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows that wait: `due` may be claimed now, `held` are under a lease, `later` wait for their time."""

    due: int
    held: int
    later: int


@dataclass(frozen=True, slots=True)
class WorkQueue(Generic[C]):
    """A table as a queue. All SQL given here is over the alias `q`.

    `waits`: there is work left in the row. `ready`: it is this queue's turn. `columns`: what a claim reads besides key, fence and
    attempts, in the order of `claimed`. `taking`: what a claim sets besides. `oldest`: a query for the time since which the
    longest waiting row waits, in the eyes of people. `task` is what the doorbell rings for, `worker` the kind that does it.
    `done_at`: the column for the time at which a row came to rest. `attempts_max` None: it never gives up.
    """

    name: str
    table: str
    task: str
    worker: str
    claimed: Callable[..., C]
    back_off: BackOff
    key: str = "id"
    waits: str = "true"
    ready: str = "true"
    columns: Sequence[str] = ()
    taking: str = ""
    noun: str = ""
    oldest: str = ""
    done_at: str = ""
    attempts_max: int | None = None
    lease_seconds: float = LEASE_SECONDS
    held_seconds_max: float = 120.0

    # -- questions ----------------------------------------------------------------------------------------------------------

    @property
    def due(self) -> str:
        """The condition under which a claim takes a row now."""
        return f"{self.waiting} AND {_TIME_HAS_COME} AND {_FREE}"

    @property
    def waiting(self) -> str:
        """The condition under which a row waits in this queue, now or later, free or held."""
        return f"({self.waits}) AND ({self.ready})"

    def has_due_sql(self) -> str:
        """An expression: is there anything to claim?"""
        return f"EXISTS (SELECT 1 FROM {self.table} q WHERE {self.due})"

    def due_since_sql(self) -> str:
        """A query: since when the row that has been due longest has been so, held or not. No row when nothing is due."""
        return (
            f"SELECT q.next_attempt_at FROM {self.table} q WHERE {self.waiting} AND {_TIME_HAS_COME} "
            "ORDER BY q.next_attempt_at LIMIT 1"
        )

    def oldest_sql(self) -> str:
        """A query: since when the longest waiting row waits, in the eyes of people."""
        return self.oldest or self.due_since_sql()

    def counts(self) -> Counts:
        """Count what waits, at one instant."""
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                SELECT count(*) FILTER (WHERE {_TIME_HAS_COME} AND {_FREE}), count(*) FILTER (WHERE NOT {_FREE}),
                       count(*) FILTER (WHERE NOT {_TIME_HAS_COME} AND {_FREE}) FROM {self.table} q WHERE {self.waiting}
                """
            )
            return Counts(*cursor.fetchone())

    # -- taking -------------------------------------------------------------------------------------------------------------

    @contextmanager
    def take(self, **chosen: Any) -> Iterator[Held[C]]:
        """Claim, and keep the lease until the block ends. Takes what `claim` takes."""
        asked_at = time.monotonic()
        held = Held(self, self.claim(**chosen), asked_at)
        if not held.rows:
            yield held
            return
        with keeping(held):
            yield held

    def claim(
        self, *, limit: int, tried: bool | None = None, early: bool = False, where: str = "true", values: Sequence[Any] = ()
    ) -> list[C]:
        """Take up to `limit` due rows, longest due first, in one statement that commits itself; in order of their keys.

        `tried`: only rows tried before (True) or never (False). `early`: also before their time. `where` narrows, with `values`.
        """
        tries = {None: "true", True: "q.attempts > 0", False: "q.attempts = 0"}[tried]
        condition = f"{self.waiting} AND {_FREE}" if early else self.due
        columns = "".join(f", {column}" for column in self.columns)
        statement = f"""
            WITH taken AS MATERIALIZED (
                SELECT q.{self.key} AS key FROM {self.table} q WHERE {condition} AND {tries} AND ({where})
                 ORDER BY q.next_attempt_at, q.{self.key} LIMIT %s FOR UPDATE OF q SKIP LOCKED)
            UPDATE {self.table} q
               SET attempts = q.attempts + 1, fence = q.fence + 1, lease_until = {_LATER}{self.taking and f", {self.taking}"}
              FROM taken WHERE q.{self.key} = taken.key
            RETURNING q.{self.key}, q.fence, q.attempts{columns}
        """
        with connection.cursor() as cursor:
            cursor.execute(statement, [*values, limit, self.lease_seconds])
            return [self.claimed(*row) for row in sorted(cursor.fetchall(), key=lambda row: row[0])]

    def renew(self, claims: Sequence[Claim]) -> set[int]:
        """Renew the leases that are still ours; returns their keys. Waits for nobody: a locked row is in somebody's hands."""
        statement = f"""
            WITH mine AS MATERIALIZED ({self._mine("FOR UPDATE OF q SKIP LOCKED")})
            UPDATE {self.table} q SET lease_until = {_LATER} FROM mine WHERE q.{self.key} = mine.key RETURNING mine.key
        """
        return self._keys(statement, [*_ours(claims), self.lease_seconds])

    def lock(self, claims: Sequence[Claim]) -> set[int]:
        """Lock the rows whose claims still hold, in order of their keys, until the transaction ends; returns their keys."""
        return self._keys(self._mine(f"ORDER BY q.{self.key} FOR UPDATE OF q"), _ours(claims))

    def _mine(self, locked: str) -> str:
        return f"""
            SELECT q.{self.key} AS key FROM {self.table} q JOIN unnest(%s::bigint[], %s::bigint[]) AS c(key, fence)
                ON q.{self.key} = c.key AND q.fence = c.fence
             WHERE q.lease_until IS NOT NULL AND ({self.waits}) {locked}
        """

    # -- ending -------------------------------------------------------------------------------------------------------------

    def finish(self, claim: Claim, **columns: object) -> Outcome:
        """Nothing waits in it any more: it is done, or given up; the columns say which. Its attempts stay for people to see."""
        return Outcome(claim, None, claim.attempts, columns)

    def repeat(self, claim: Claim, after_seconds: float, **columns: object) -> Outcome:
        """It ended well and comes again by its nature: nothing is counted against it any more."""
        return Outcome(claim, after_seconds, 0, columns)

    def later(self, claim: Claim, after_seconds: float, **columns: object) -> Outcome:
        """It was not its time: claimed again after that, and this attempt does not count."""
        return Outcome(claim, after_seconds, max(0, claim.attempts - 1), columns)

    def retry(self, claim: Claim, *, after_seconds: float | None = None, **columns: object) -> Outcome:
        """It failed: claimed again after its back-off, or what was asked for."""
        wait = self.back_off.seconds(claim.attempts) if after_seconds is None else after_seconds
        return Outcome(claim, wait, claim.attempts, columns)

    def gives_up(self, claim: Claim) -> bool:
        """Whether a failure of this attempt is its last."""
        return self.attempts_max is not None and claim.attempts >= self.attempts_max

    def was_dropped(self, claim: Claim) -> bool:
        """Whether it was claimed more often than it may be: its workers ended before they could say anything."""
        return self.attempts_max is not None and claim.attempts > self.attempts_max

    def write(self, outcomes: Iterable[Outcome]) -> set[int]:
        """Write down what became of claimed rows and end their leases, each under its fence; returns the keys that were ours.

        All outcomes of one call have the same columns.
        """
        found = sorted(outcomes, key=lambda outcome: outcome.claim.key)
        if not found:
            return set()
        names = sorted(found[0].columns)
        rows = [
            {
                "key": each.claim.key,
                "fence": each.claim.fence,
                "after": each.after_seconds,
                "attempts": each.attempts,
                "columns": {name: each.columns[name] for name in names},
            }
            for each in found
        ]
        return self._keys(self._write_sql(tuple(names)), [json.dumps(rows, default=str)])

    def _write_sql(self, names: tuple[str, ...]) -> str:
        return f"""
            UPDATE {self.table} q
               SET lease_until = NULL, attempts = e.attempts,
                   next_attempt_at = CASE WHEN e.after IS NULL THEN q.next_attempt_at
                                          ELSE clock_timestamp() + make_interval(secs => e.after) END
                   {self.done_at and f", {self.done_at} = CASE WHEN e.after IS NULL THEN clock_timestamp() END"}
                   {"".join(f", {name} = written.{name}" for name in names)}
              FROM jsonb_to_recordset(%s::jsonb) AS e(key bigint, fence bigint, after float8, attempts int, columns jsonb),
                   jsonb_populate_record(NULL::{self.table}, e.columns) AS written
             WHERE q.{self.key} = e.key AND q.fence = e.fence AND q.lease_until IS NOT NULL AND ({self.waits})
            RETURNING q.{self.key}
        """

    def progress(self, claim: Claim, **columns: object) -> bool:
        """Write columns in the middle of the work, under its fence, and renew the lease. False when it is not ours any more."""
        statement = f"""
            UPDATE {self.table} q
               SET lease_until = {_LATER}{"".join(f", {name} = written.{name}" for name in sorted(columns))}
              FROM jsonb_populate_record(NULL::{self.table}, %s::jsonb) AS written
             WHERE q.{self.key} = %s AND q.fence = %s AND q.lease_until IS NOT NULL AND ({self.waits})
            RETURNING q.{self.key}
        """
        written = json.dumps(columns, default=str)
        return bool(self._keys(statement, [self.lease_seconds, written, claim.key, claim.fence]))

    @staticmethod
    def _keys(statement: str, values: Sequence[Any]) -> set[int]:
        with connection.cursor() as cursor:
            cursor.execute(statement, list(values))
            return {int(row[0]) for row in cursor.fetchall()}


_TIME_HAS_COME = "q.next_attempt_at <= statement_timestamp()"
"""Compared with a time that is one for the whole statement, so that the index can be asked for what is due and no more."""
_FREE = "(q.lease_until IS NULL OR q.lease_until < statement_timestamp())"
WAS_FREE = "OLD.lease_until IS NULL"
"""As a trigger asks it of a row that is changed."""
_LATER = "clock_timestamp() + make_interval(secs => %s)"


def _ours(claims: Sequence[Claim]) -> list[Any]:
    return [[claim.key for claim in claims], [claim.fence for claim in claims]]


def free() -> Q:
    """Rows in nobody's hands, as a filter on a model."""
    return Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
