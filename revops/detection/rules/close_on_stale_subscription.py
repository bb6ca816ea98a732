"""An accounting period is being closed while the ERP's copy of a subscription is older than the subscription."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

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
from revops.ledger.reference import Ref, refs
from revops.ledger.view import AccountLedger, LedgerRecord, span_of
from revops.money import Money, total
from revops.ownership.owners import owner_of
from revops.processes.period_close import PERIOD_CLOSE

LIVE = frozenset({"active", "past_due", "trialing", "unpaid"})
LOCKS = ("ar_locked", "all_locked", "closed")
ORDER = PERIOD_CLOSE.prerequisite("lock", "subscriptions_current")


def find(ledger: AccountLedger, now: dt.datetime) -> Iterable[Finding]:
    for subscription in ledger.of("subscription", "billing"):
        current = money(subscription, "annual_amount")
        if current is None or text(subscription, "status") not in LIVE:
            continue
        since = changed_at(ledger, subscription)
        for orders in _orders(ledger, subscription):
            stale = _annual(orders)
            if stale is None or not beyond_tolerance(current, stale):
                continue
            locked, due_at = _lock(ledger, orders[0], since, now)
            if due_at is not None:
                yield _finding(subscription, orders, (current, stale), since, locked=locked, due_at=due_at)


def _orders(ledger: AccountLedger, subscription: LedgerRecord) -> list[list[LedgerRecord]]:
    """The sales orders that carry the subscription, together for each ERP that has some."""
    by_system: dict[str, list[LedgerRecord]] = {}
    for order in ledger.pointing_at(subscription.ref, "subscription", "sales_order"):
        if order.role == "erp":
            by_system.setdefault(order.system, []).append(order)
    return [sorted(orders, key=lambda order: order.key) for _, orders in sorted(by_system.items())]


def _annual(orders: Sequence[LedgerRecord]) -> Money | None:
    """What the orders carry a year together; None when one does not state it or the currencies differ. The total of an order says
    nothing about a year."""
    amounts = [amount for order in orders if (amount := money(order, "annual_amount")) is not None]
    if len(amounts) < len(orders) or len({amount.currency for amount in amounts}) != 1:
        return None
    return total(amounts, amounts[0].currency)


def changed_at(ledger: AccountLedger, subscription: LedgerRecord) -> dt.datetime:
    """When the subscription last changed its price: billing stamps no change on it, but each change leaves prorations that
    start at its moment. Without any, what the subscription itself says, else since when we have its present version."""
    starts = [
        start
        for proration in ledger.pointing_at(subscription.ref, "subscription", "proration", deleted=True)
        if proration.fields.get("is_proration") and isinstance(start := proration.fields.get("period_start_at"), dt.datetime)
    ]
    stated = subscription.fields.get("changed_at")
    return max(starts) if starts else stated if isinstance(stated, dt.datetime) else subscription.effective_at


def _lock(
    ledger: AccountLedger, order: LedgerRecord, since: dt.datetime, now: dt.datetime
) -> tuple[LedgerRecord | None, dt.datetime | None]:
    """In the books of the order's legal entity: the first locked period that the change belongs before the end of; else when the
    period of the change ends. Other entities' locks do not matter."""
    entity = ledger.entity_of(order)
    if entity is None:
        return None, None
    end_of_own: dt.datetime | None = None
    for period in ledger.periods_of(entity):
        start, end = span_of(period)
        if end < since.date():
            continue
        ends_at = dt.datetime.combine(end + dt.timedelta(days=1), dt.time(), tzinfo=dt.UTC)
        if any(period.fields.get(name) for name in LOCKS) and (start <= since.date() or ends_at <= now):
            return period, max(since, period.effective_at)
        if start <= since.date() <= end:
            end_of_own = ends_at
    return None, max(end_of_own, now + dt.timedelta(days=1)) if end_of_own else None


def _finding(
    subscription: LedgerRecord,
    orders: Sequence[LedgerRecord],
    amounts: tuple[Money, Money],
    since: dt.datetime,
    *,
    locked: LedgerRecord | None,
    due_at: dt.datetime,
) -> Finding:
    current, stale = amounts
    same = current.currency == stale.currency
    where = f"period {locked.label} is being closed" if locked is not None else "the period is still open"
    return Finding(
        subjects=(subscription, *orders),
        sentence=f"Billing changed subscription {subscription.label} to {current} a year on {since:%Y-%m-%d}; the ERP still "
        f"carries {stale} a year, and {where}.",
        due_at=due_at,
        amount=abs(current - stale) if same else current,
        differences=(
            Difference(
                "annual_amount",
                "Recurring amount a year",
                owner_of("subscription", "annual_amount"),
                ((subscription, current), *((order, order.fields["annual_amount"]) for order in orders)),
            ),
            Difference(
                "changed_at",
                "Last changed",
                owner_of("subscription", "changed_at"),
                ((subscription, since), *((order, order.effective_at) for order in orders)),
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
    of = refs(subscription=Ref("billing", "subscription", "sub_1"))
    return ("erp", fact("sales_order", "77", at, refs=of, annual_amount=usd(annual), total=usd(annual)))


def _three_years(total: str) -> tuple[str, object]:
    """An order for three years that states its total and its term, and no recurring amount."""
    at = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
    of = refs(subscription=Ref("billing", "subscription", "sub_1"))
    return ("erp", fact("sales_order", "77", at, refs=of, total=usd(total), term_months=36))


def _proration(at: dt.datetime) -> tuple[str, object]:
    of = refs(subscription=Ref("billing", "subscription", "sub_1"))
    return (
        "billing",
        fact("proration", "ii_1", at, refs=of, is_proration=True, period_start_at=at, amount=usd("900.00")),
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
    reads=frozenset({"subscription", "sales_order", "proration", "accounting_period"}),
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
        _example(
            "an order for three years: its total is no yearly amount",
            _subscription("12000.00"),
            _three_years("36000.00"),
            _period(10, True),
        ),
        _example("cancelled", _subscription("60000.00", status="canceled"), _copy("48000.00"), _period(10, True)),
        _example("no copy in the ERP", _subscription("60000.00"), _period(10, True)),
        _example("the lock was before the change", _subscription("60000.00"), _copy("48000.00"), _period(9, True)),
        _example("nothing locked: not yet due", _subscription("60000.00"), _copy("48000.00"), _period(10, False), waits=1),
    ),
)
