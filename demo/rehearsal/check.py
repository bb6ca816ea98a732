"""What the application found against what was planted. The one place that reads the application's tables.

An entry of the answer key counts while it stands by the judge's own reading of the simulators; a case that no counting entry
explains is false. Where the judge says that either is right (a due time of this minute), neither counts. A case must name the
records and the amount. The check also fails on what stands in nobody's key, and on an entry of the key that neither the judge
sees nor the application ever did.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from demo.rehearsal import judge, key, native
from demo.rehearsal.wire import Wire, connect

Json = dict[str, Any]
Subject = tuple[str, str, str]


@dataclass(frozen=True)
class OpenCase:
    """A case of the application: its rule, its account's Salesforce id, the native ids its evidence names, the money at risk in
    major units. `live`: it is not closed."""

    code: str
    rule: str
    account: str
    ids: frozenset[str]
    amount: Decimal
    currency: str
    sentence: str = ""
    live: bool = True


@dataclass
class CheckResult:
    """Counts and lists. `quiet`: the application had nothing left to do when this was taken."""

    planted: int = 0
    found: int = 0
    missed: list[Json] = field(default_factory=list)
    false: list[OpenCase] = field(default_factory=list)
    wrong: list[tuple[OpenCase, judge.Contradiction]] = field(default_factory=list)
    unplanned: list[judge.Contradiction] = field(default_factory=list)
    overlooked: list[Json] = field(default_factory=list)
    quiet: bool = True

    @property
    def ok(self) -> bool:
        return not (self.missed or self.false or self.wrong or self.unplanned or self.overlooked)

    @property
    def line(self) -> str:
        more: dict[str, int] = {
            "wrong amount": len(self.wrong),
            "unplanned": len(self.unplanned),
            "overlooked": len(self.overlooked),
        }
        rest = "".join(f" {name} {count}" for name, count in more.items() if count)
        return f"planted {self.planted} found {self.found} missed {len(self.missed)} false {len(self.false)}{rest}"

    def details(self) -> list[str]:
        """One line for each that is missed, false or found for another amount; for what stands there unplanned, and for what was
        planted and is seen by nobody."""
        return [
            *(f"missed {entry['id']} on {entry['account']}: {entry['why']}" for entry in self.missed),
            *(f"false {case.code} {case.rule} on {case.account}: {case.sentence}" for case in self.false),
            *(
                f"wrong amount {case.code} {case.rule} on {case.account}: {case.amount} {case.currency}, "
                f"should be {one.amount} {one.currency}"
                for case, one in self.wrong
            ),
            *(f"overlooked {entry['id']} on {entry['account']}: {entry['why']}" for entry in self.overlooked),
            *(f"unplanned {one.rule} on {one.account}: {sorted(one.subjects)}" for one in self.unplanned),
            *([] if self.quiet else ["the application still had work when time was up"]),
        ]


def compare(
    entries: Sequence[Json], standing: Iterable[judge.Contradiction], cases: Iterable[OpenCase], now: dt.datetime
) -> CheckResult:
    """Pure. Cases match by rule, account and native ids: every subject's id must be among those that the evidence names.

    An entry that does not stand is in order when it was yet to ripen (somebody acted before), or when the application has or had
    a case of it (it was put right since).
    """
    result = CheckResult()
    verdicts = {(one.rule, one.account, one.subjects): one for one in standing}
    known = {_identity(entry): entry for entry in entries}
    everything = list(cases)
    open_cases = [case for case in everything if case.live]
    for identity, one in verdicts.items():
        verdict, entry = one.verdict(now), known.get(identity)
        if verdict == "due" and entry is None:
            result.unplanned.append(one)
        if verdict == "waiting" or entry is None:
            continue
        match = next((case for case in open_cases if _matches(case, identity)), None)
        if match is not None:
            open_cases.remove(match)
        if verdict == "due":
            result.planted += 1
            if match is None:
                result.missed.append(entry)
            else:
                result.found += 1
        if match is not None and (match.amount, match.currency) != (one.amount, one.currency):
            result.wrong.append((match, one))
    result.false = open_cases
    result.overlooked = [
        entry
        for identity, entry in known.items()
        if identity not in verdicts and not entry["ripens_at"] and not any(_matches(case, identity) for case in everything)
    ]
    return result


def _identity(entry: Json) -> tuple[str, str, frozenset[Subject]]:
    subjects = frozenset((str(vendor), str(kind), str(id)) for vendor, kind, id in entry["subjects"])
    return str(entry["rule"]), str(entry["account"]), subjects


def _matches(case: OpenCase, identity: tuple[str, str, frozenset[Subject]]) -> bool:
    rule, account, subjects = identity
    return case.rule == rule and case.account == account and {id for _, _, id in subjects} <= case.ids


def cases_of_accounts() -> list[OpenCase]:
    """The application's cases about accounts, closed ones too."""
    from revops.cases.models import ExceptionCase
    from revops.money import Money

    return [
        OpenCase(
            code=case.code,
            rule=case.rule,
            account=_crm_id(case.account_id),
            ids=frozenset(str(record["external_id"]) for record in case.evidence.get("records", [])),
            amount=Money.from_minor(case.amount_minor, case.currency).amount,
            currency=case.currency,
            live=case.is_live,
            sentence=str(case.sentence),
        )
        for case in ExceptionCase.objects.filter(account__isnull=False).select_related("account").order_by("pk")
    ]


def _crm_id(account_id: int | None) -> str:
    """The id of the account's customer in the CRM; empty when it has none there."""
    from revops.accounts.models import AccountLink

    link = AccountLink.objects.filter(account=account_id, system="salesforce").exclude(basis="refused").order_by("pk").first()
    return link.customer_id if link is not None else ""


def pending_work(now: dt.datetime) -> int:
    """Deliveries not yet applied, accounts that detection must still look at, and expectations whose time has come or that wait
    for a read."""
    from revops.cases.models import Expectation
    from revops.ledger.due import ACCOUNTS
    from sync.models import Delivery, DeliveryState

    waiting = Delivery.objects.filter(state=DeliveryState.PENDING).count()
    due = ACCOUNTS.counts()
    expected = Expectation.objects.filter(due_at__lte=now, held="").count() + Expectation.objects.exclude(awaits_role="").count()
    return waiting + due.due + due.held + expected


def check(urls: Mapping[str, str], wait_seconds: float = 0.0, poll_seconds: float = 2.0) -> CheckResult:
    """Compare now, or keep comparing until all is well or the time is up. Raises `wire.Unreachable`."""
    deadline = time.monotonic() + wait_seconds
    with connect(urls) as wires:
        while True:
            result = _check_once(wires)
            if (result.ok and result.quiet) or time.monotonic() >= deadline:
                return result
            time.sleep(min(poll_seconds, max(0.0, deadline - time.monotonic())))


def _check_once(wires: Mapping[str, Wire]) -> CheckResult:
    cases = cases_of_accounts()
    entries = key.contradictions(wires["stripe"].key())
    now = dt.datetime.now(dt.UTC)
    result = compare(entries, judge.contradictions(native.read(wires), now), cases, now)
    result.quiet = not pending_work(now) and not any(wire.health()["undelivered"] for wire in wires.values())
    return result
