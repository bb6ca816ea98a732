"""An accounting period is being closed while the ERP's copy of a subscription is older than the subscription."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.rule import (
    Difference,
    Example,
    Finding,
    Playbook,
    Rule,
    beyond_tolerance,
    fact,
    money,
    text,
    usd,
)
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.ownership.owners import owner_of
from revops.processes.period_close import PERIOD_CLOSE

LIVE = frozenset({"active", "past_due", "trialing", "unpaid"})
LOCKS = ("ar_locked", "all_locked", "closed")
ORDER = PERIOD_CLOSE.prerequisite("lock", "subscriptions_current")


def find(ledger: AccountLedger, now: dt.datetime) -> Iterable[Finding]:
    copies = {
        copy.refs["billing_subscription"]: copy
        for copy in ledger.of("subscription", "erp")
        if copy.refs.get("billing_subscription")
    }
    for subscription in ledger.of("subscription", "billing"):
        copy = copies.get(subscription.external_id)
        current = money(subscription, "annual_amount")
        if copy is None or current is None or text(subscription, "status") not in LIVE:
            continue
        stale = money(copy, "annual_amount")
        if stale is None or not beyond_tolerance(current, stale):
            continue
        since = changed_at(ledger, subscription)
        locked, due_at = _lock(ledger, since, now)
        if due_at is None:
            continue
        yield _finding(subscription, copy, since, locked, due_at)


def changed_at(ledger: AccountLedger, subscription: LedgerRecord) -> dt.datetime:
    """When the subscription last changed its price: billing stamps no change on it, but each change leaves prorations that
    start at its moment. Without any, what the subscription itself says, else since when we have its present version."""
    starts = [
        start
        for proration in ledger.of("proration", "billing", deleted=True)
        if proration.refs.get("subscription") == subscription.external_id and proration.fields.get("is_proration")
        if isinstance(start := proration.fields.get("period_start_at"), dt.datetime)
    ]
    stated = subscription.fields.get("changed_at")
    return max(starts) if starts else stated if isinstance(stated, dt.datetime) else subscription.effective_at


def _lock(ledger: AccountLedger, since: dt.datetime, now: dt.datetime) -> tuple[LedgerRecord | None, dt.datetime | None]:
    """The first locked period that the change belongs before the end of; else when the period of the change ends."""
    end_of_own: dt.datetime | None = None
    for period in sorted(ledger.of("accounting_period", "erp"), key=lambda p: str(p.fields.get("start_on"))):
        start, end = period.fields.get("start_on"), period.fields.get("end_on")
        if not isinstance(start, dt.date) or not isinstance(end, dt.date) or end < since.date():
            continue
        ends_at = dt.datetime.combine(end + dt.timedelta(days=1), dt.time(), tzinfo=dt.UTC)
        if any(period.fields.get(name) for name in LOCKS) and (start <= since.date() or ends_at <= now):
            return period, max(since, period.effective_at)
        if start <= since.date() <= end:
            end_of_own = ends_at
    return None, max(end_of_own, now + dt.timedelta(days=1)) if end_of_own else None


def _finding(
    subscription: LedgerRecord, copy: LedgerRecord, since: dt.datetime, locked: LedgerRecord | None, due_at: dt.datetime
) -> Finding:
    current, stale = money(subscription, "annual_amount"), money(copy, "annual_amount")
    assert current is not None
    assert stale is not None
    same = current.currency == stale.currency
    where = f"period {locked.label} is being closed" if locked is not None else "the period is still open"
    return Finding(
        subjects=(subscription, copy),
        sentence=f"Billing changed subscription {subscription.label} to {current} a year on {since:%Y-%m-%d}; the ERP still "
        f"carries {stale} a year, and {where}.",
        due_at=due_at,
        amount=abs(current - stale) if same else current,
        differences=(
            Difference(
                "annual_amount",
                "Recurring amount a year",
                owner_of("subscription", "annual_amount"),
                ((subscription, current), (copy, stale)),
            ),
            Difference(
                "changed_at",
                "Last changed",
                owner_of("subscription", "changed_at"),
                ((subscription, since), (copy, copy.effective_at)),
            ),
        ),
        context=(locked,) if locked is not None else (),
        inputs={"in billing": str(current), "in the ERP": str(stale), "order": ORDER.why},
    )


_NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
_OCTOBER = dt.datetime(2026, 10, 14, 9, tzinfo=dt.UTC)


def _subscription(annual: str, at: dt.datetime = _OCTOBER, status: str = "active") -> tuple[str, object]:
    return ("billing", fact("subscription", "sub_1", at, status=status, annual_amount=usd(annual), changed_at=at))


def _copy(annual: str) -> tuple[str, object]:
    at = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
    return ("erp", fact("subscription", "77", at, refs={"billing_subscription": "sub_1"}, annual_amount=usd(annual)))


def _proration(at: dt.datetime) -> tuple[str, object]:
    refs = {"subscription": "sub_1"}
    return (
        "billing",
        fact("proration", "ii_1", at, refs=refs, is_proration=True, period_start_at=at, amount=usd("900.00")),
    )


def _period(month: int, locked: bool) -> tuple[str, object]:
    start = dt.date(2026, month, 1)
    end = dt.date(2026, month + 1, 1) - dt.timedelta(days=1)
    at = dt.datetime(2026, 11, 19, tzinfo=dt.UTC)
    return (
        "erp",
        fact(
            "accounting_period",
            str(200 + month),
            at,
            name=f"2026-{month:02}",
            start_on=start,
            end_on=end,
            ar_locked=locked,
            all_locked=False,
            closed=False,
        ),
    )


def _example(name: str, *facts: object, finds: int = 0, waits: int = 0) -> Example:
    return Example(name, facts, _NOW, finds, waits)  # type: ignore[arg-type]


RULE = Rule(
    code="close_on_stale_subscription",
    title="Period is closing on stale subscription data",
    severity="critical",
    team="finance",
    sentence="An accounting period is being closed while the ERP's copy of a subscription is out of date.",
    tolerance="0.05 (1 in currencies without decimals)",
    reads=frozenset({"subscription", "accounting_period"}),
    playbook=Playbook(
        means=ORDER.why,
        check=(
            "When did the subscription change in billing, and did the change ever reach the ERP?",
            "Can the lock of the period wait until the ERP's order is refreshed?",
            "If the period must close now, who records the adjustment in the next one?",
        ),
    ),
    find=find,
    fires_on=(
        _example(
            "changed in October, October is locked",
            _subscription("60000.00"),
            _copy("48000.00"),
            _period(10, True),
            finds=1,
        ),
        _example(
            "the proration tells when it changed",
            _subscription("60000.00", _NOW),
            _proration(_OCTOBER),
            _copy("48000.00"),
            _period(10, True),
            finds=1,
        ),
        _example(
            "changed in September, October is locked",
            _subscription("60000.00", _OCTOBER - dt.timedelta(days=30)),
            _copy("48000.00"),
            _period(9, False),
            _period(10, True),
            finds=1,
        ),
    ),
    silent_on=(
        _example("the copy is current", _subscription("60000.00"), _copy("60000.00"), _period(10, True)),
        _example("cancelled", _subscription("60000.00", status="canceled"), _copy("48000.00"), _period(10, True)),
        _example("no copy in the ERP", _subscription("60000.00"), _period(10, True)),
        _example("the lock was before the change", _subscription("60000.00"), _copy("48000.00"), _period(9, True)),
        _example("nothing locked: not yet due", _subscription("60000.00"), _copy("48000.00"), _period(10, False), waits=1),
    ),
)
