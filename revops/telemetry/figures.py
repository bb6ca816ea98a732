"""Figures for monitoring: what each is called, what it counts, and the values now. How they are written is the exporter's.

The figures of the inbox come through a port from the vendors' side; those of the business are counted here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from django.db import connection
from django.db.models import Count, Q

from revops.cases.models import CaseStatus, ExceptionCase
from revops.detection.catalogue import EXCEPTIONS
from revops.ledger.due import ACCOUNTS
from revops.ledger.freshness import freshness_of
from revops.ledger.models import DueAccount
from revops.postings.models import PostingState
from revops.telemetry.work_state import WorkState, troubles_in

Sample = tuple[tuple[str, ...], int]


@dataclass(frozen=True, slots=True)
class Figure:
    """One named figure. A counter only ever grows; a gauge goes up and down. Ages are seconds."""

    name: str
    help: str
    kind: Literal["counter", "gauge"]
    labels: tuple[str, ...]
    samples: Sequence[Sample]


def gauge(name: str, text: str, labels: tuple[str, ...], samples: Iterable[Sample]) -> Figure:
    """A figure that goes up and down."""
    return Figure(name, text, "gauge", labels, list(samples))


def counter(name: str, text: str, labels: tuple[str, ...], samples: Iterable[Sample]) -> Figure:
    """A figure that only grows; the exporter adds `_total` to its name."""
    return Figure(name, text, "counter", labels, list(samples))


@dataclass(slots=True)
class _Bound:
    inflow: Callable[[], list[Figure]] | None = None


_bound = _Bound()


def bind(inflow: Callable[[], list[Figure]]) -> None:
    """Bind the port to the vendors' side."""
    _bound.inflow = inflow


def inflow_figures() -> list[Figure]:
    """The inbox, a connection at a time. `RuntimeError` when nothing is bound, which is a defect of the wiring."""
    if _bound.inflow is None:
        raise RuntimeError("telemetry.figures is not bound: revops.wiring.bind_ports() must run at start-up")
    return _bound.inflow()


def work_figures(work: WorkState) -> list[Figure]:
    """The workers, and what waits for them."""
    workers, oldest = work.workers, work.oldest_seconds
    beats = [((w.kind,), w.beat_seconds) for w in workers if w.beat_seconds is not None]
    waits = [((w.kind,), w.waiting_seconds or 0) for w in workers]
    silent = [((w.kind,), int(w.silent_seconds is not None)) for w in workers]
    ages = [((what,), seconds or 0) for what, seconds in oldest.items()]
    found = {trouble.code for trouble in troubles_in(work)}
    codes = [f"silent_{w.kind}" for w in workers] + [f"overdue_{what}" for what in oldest]
    troubles = [((code,), int(code in found)) for code in codes]
    one = ("worker",)
    return [
        gauge("revops_worker_beat_age_seconds", "Since a worker of this kind last finished something.", one, beats),
        gauge("revops_worker_waiting_seconds", "How long the longest waiting work of this kind has been due.", one, waits),
        gauge("revops_worker_silent", "1 when work waits and nobody has done any for a minute.", one, silent),
        gauge("revops_oldest_waiting_seconds", "Age of the longest waiting delivery, account or posting.", ("what",), ages),
        gauge("revops_trouble", "1 for each thing that a person must know: alert on it.", ("code",), troubles),
    ]


def business_figures(now: dt.datetime) -> list[Figure]:
    """Postings, exceptions, accounts due, freshness. `now`: aware UTC."""
    return [*_postings(), _cases(), *_accounts(), *_freshness(now)]


def _postings() -> list[Figure]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.slug, p.state, count(p.id), count(*) FILTER (WHERE p.needs_person),
                   extract(epoch FROM clock_timestamp() - min(p.first_sent_at) FILTER (WHERE p.state = 'unknown'))::bigint
              FROM ledger_sourcesystem s LEFT JOIN postings_posting p ON p.system_id = s.slug
             GROUP BY s.slug, p.state ORDER BY s.slug, p.state
            """
        )
        rows = cursor.fetchall()
    systems = sorted({row[0] for row in rows})
    counts = {(system, state): count for system, state, count, _, _ in rows if state is not None}
    unknown = {system: age for system, state, _, _, age in rows if state == PostingState.UNKNOWN}
    persons = {system: sum(row[3] for row in rows if row[0] == system) for system in systems}
    return [
        gauge("revops_postings", "Postings by state.", ("system", "state"),
               [((s, state.value), counts.get((s, state.value), 0)) for s in systems for state in PostingState]),
        gauge("revops_postings_needing_person", "Postings that wait for a person's decision.", ("system",),
               [((s,), persons[s]) for s in systems]),
        gauge("revops_posting_unknown_oldest_seconds", "Since the oldest posting of unknown outcome was first sent; 0 without.",
               ("system",), [((s,), unknown.get(s) or 0) for s in systems]),
    ]  # fmt: skip


def _cases() -> Figure:
    counted = dict(
        ExceptionCase.objects.filter(~Q(status=CaseStatus.CLOSED)).order_by().values_list("rule").annotate(Count("id"))
    )
    samples = [((rule,), counted.get(rule, 0)) for rule in sorted({*EXCEPTIONS, *counted})]
    return gauge("revops_cases_open", "Exceptions that are not closed, by rule.", ("rule",), samples)


def _accounts() -> list[Figure]:
    counted = ACCOUNTS.counts()
    due, failing = counted.due + counted.held, DueAccount.objects.exclude(last_error="").count()
    return [
        gauge("revops_accounts_due", "Accounts that wait for a run of the rules.", (), [((), due)]),
        gauge("revops_accounts_failing", "Accounts on which the rules failed and will be tried again.", (), [((), failing)]),
    ]


def _freshness(now: dt.datetime) -> list[Figure]:
    lines = freshness_of(now=now)
    labels = ("system", "object")
    return [
        gauge("revops_freshness_lag_seconds", "Since the last complete read of this kind of object.", labels,
               [((x.system, x.object_type), x.lag_seconds) for x in lines if x.lag_seconds is not None]),
        gauge("revops_freshness_stale", "1 when no complete read came within its limit, or none ever.", labels,
               [((x.system, x.object_type), int(x.stale)) for x in lines]),
    ]  # fmt: skip
