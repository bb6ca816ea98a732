"""An accounting period is being closed while the ERP's copy of a subscription is older than the subscription."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from revops.detection.examples import (
    Expected,
    Stated,
    at,
    billing,
    customer,
    erp,
    example,
    period,
    proration,
    sales_order,
    subscription,
)
from revops.detection.rule import Difference, Finding, Order, Playbook, Rule, money, rounding, text
from revops.ledger.view import AccountLedger, LedgerRecord, span_of
from revops.money import Money, total
from revops.policies.policies import Policies
from revops.sentences import Sentence, template

LIVE = frozenset({"active", "past_due", "trialing", "unpaid"})
LOCKS = ("ar_locked", "all_locked", "closed")
ORDER = Order("period_close", stage="lock", needs="subscriptions_current")

CLOSING = template(
    "close_on_stale_subscription.closing",
    "Billing changed subscription {subscription} to {current} a year on {on}; the ERP still carries {stale} a year, and period "
    "{period} is being closed.",
)
STILL_OPEN = template(
    "close_on_stale_subscription.still_open",
    "Billing changed subscription {subscription} to {current} a year on {on}; the ERP still carries {stale} a year, and the "
    "period is still open.",
)
ANNUAL_AMOUNT = template("close_on_stale_subscription.annual_amount", "Recurring amount a year")
LAST_CHANGED = template("close_on_stale_subscription.last_changed", "Last changed")
IN_BILLING = template("close_on_stale_subscription.in_billing", "In billing")
IN_THE_ERP = template("close_on_stale_subscription.in_the_erp", "In the ERP")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    grace = policies.process(ORDER.process).prerequisite(ORDER.stage, ORDER.needs).grace
    for billed in ledger.of("subscription", "billing"):
        current = money(billed, "annual_amount")
        if current is None or text(billed, "status") not in LIVE:
            continue
        since = changed_at(ledger, billed)
        for orders in _orders(ledger, billed):
            stale = _annual(orders)
            if stale is None or not policies.beyond_tolerance(current, stale):
                continue
            locked, due_at = _lock(ledger, orders[0], since, now)
            if due_at is not None:
                change = Change(billed, orders, current, stale, since)
                yield _finding(change, policies, locked=locked, due_at=due_at + grace)


def _orders(ledger: AccountLedger, subscription: LedgerRecord) -> list[list[LedgerRecord]]:
    """The sales orders that carry the subscription, together for each ERP that has some."""
    by_system: dict[str, list[LedgerRecord]] = {}
    for order in ledger.pointing_at(subscription, "subscription", "sales_order"):
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
        for part in ledger.pointing_at(subscription, "subscription", "proration", deleted=True)
        if part.fields.get("is_proration") and isinstance(start := part.fields.get("period_start_at"), dt.datetime)
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
    for month in ledger.periods_of(entity):
        start, end = span_of(month)
        if end < since.date():
            continue
        ends_at = dt.datetime.combine(end + dt.timedelta(days=1), dt.time(), tzinfo=dt.UTC)
        if any(month.fields.get(name) for name in LOCKS) and (start <= since.date() or ends_at <= now):
            return month, max(since, month.effective_at)
        if start <= since.date() <= end:
            end_of_own = ends_at
    return None, max(end_of_own, now + dt.timedelta(days=1)) if end_of_own else None


@dataclass(frozen=True, slots=True)
class Change:
    """A subscription as billing has it since a moment, and the orders of one ERP that still carry another amount a year."""

    subscription: LedgerRecord
    orders: Sequence[LedgerRecord]
    current: Money
    stale: Money
    since: dt.datetime


def _finding(change: Change, policies: Policies, *, locked: LedgerRecord | None, due_at: dt.datetime) -> Finding:
    subscription, orders, current, stale = change.subscription, change.orders, change.current, change.stale
    same = current.currency == stale.currency
    stage = policies.stage_of("subscription", [text(subscription, "status")])
    return Finding(
        subjects=(subscription, *orders),
        sentence=_sentence(change, locked),
        due_at=due_at,
        amount=abs(current - stale) if same else current,
        differences=(
            Difference(
                "annual_amount",
                ANNUAL_AMOUNT,
                policies.owner_for("subscription", "annual_amount", stage),
                ((subscription, current), *((order, order.fields["annual_amount"]) for order in orders)),
            ),
            Difference(
                "changed_at",
                LAST_CHANGED,
                policies.owner_for("subscription", "changed_at", stage),
                ((subscription, change.since), *((order, order.effective_at) for order in orders)),
            ),
        ),
        context=(locked,) if locked is not None else (),
        inputs={IN_BILLING: current, IN_THE_ERP: stale},
        order=ORDER,
    )


def _sentence(change: Change, locked: LedgerRecord | None) -> Sentence:
    subscription, on = change.subscription.named, change.since.date()
    if locked is None:
        return STILL_OPEN(subscription=subscription, current=change.current, on=on, stale=change.stale)
    return CLOSING(subscription=subscription, current=change.current, on=on, stale=change.stale, period=locked.named)


_OCTOBER = at("2026-10-14 09:00")
_LOCKED_ON = at("2026-11-19 00:00")
_COPY = erp(sales_order("77", at("2026-01-05 00:00"), annual="48000.00", total="48000.00", subscription="sub_1"))


def _billed(annual: str | None = "60000.00", changed_at: dt.datetime = _OCTOBER, status: str = "active") -> Stated:
    return billing(subscription("sub_1", changed_at, annual=annual, status=status, changed_at=changed_at))


def _month(month: int, lock: str = "") -> Stated:
    return erp(period(2026, month, _LOCKED_ON, lock=lock))


def _found(due: dt.datetime = _LOCKED_ON, amount: str = "12000.00", currency: str = "USD") -> list[Expected]:
    return [Expected(amount, ("billing subscription sub_1", "erp sales_order 77"), due=due, currency=currency)]


RULE = Rule(
    code="close_on_stale_subscription",
    title="Period is closing on stale subscription data",
    sentence="An accounting period is being closed while the ERP's copy of a subscription is out of date.",
    tolerance=rounding,
    reads=frozenset({"subscription", "sales_order", "proration", "accounting_period", "customer", "legal_entity"}),
    needs=("billing subscription", "erp sales_order.annual_amount", "erp accounting_period"),
    playbook=Playbook(
        means="The ERP will report the period's recurring revenue from terms that the customer no longer has.",
        check=(
            "When did the subscription change in billing, and did the change ever reach the ERP?",
            "Can the lock of the period wait until the ERP's order is refreshed?",
            "If the period must close now, who records the adjustment in the next one?",
        ),
    ),
    find=find,
    fires_on=(
        *(
            example(f"changed in October, October is locked ({lock})", _billed(), _COPY, _month(10, lock), expect=_found())
            for lock in LOCKS
        ),
        *(
            example(f"{status} counts", _billed(status=status), _COPY, _month(10, "closed"), expect=_found())
            for status in sorted(LIVE)
        ),
        example("the ERP carries more", _billed("40000.00"), _COPY, _month(10, "ar_locked"), expect=_found(amount="8000.00")),
        example("six cents are no rounding", _billed("48000.06"), _COPY, _month(10, "ar_locked"), expect=_found(amount="0.06")),
        example(
            "other currencies: what billing charges is at risk",
            billing(subscription("sub_1", annual=Money(Decimal(50000), "EUR"), changed_at=_OCTOBER)),
            _COPY,
            _month(10, "ar_locked"),
            expect=_found(amount="50000", currency="EUR"),
        ),
        example(
            "the proration tells when it changed",
            _billed(changed_at=at("2026-11-20 12:00")),
            billing(proration("ii_1", _OCTOBER, amount="900.00", subscription="sub_1", starts_at=_OCTOBER)),
            _COPY,
            _month(10, "ar_locked"),
            expect=_found(),
        ),
        example(
            "an invoiced proration still tells when it changed",
            _billed(changed_at=at("2026-11-20 12:00")),
            billing(proration("ii_1", amount="900.00", subscription="sub_1", starts_at=_OCTOBER, deleted=True)),
            _COPY,
            _month(10, "ar_locked"),
            expect=_found(),
        ),
        example(
            "no proration and no stamp: since when billing has had it",
            billing(subscription("sub_1", _OCTOBER, annual="60000.00")),
            _COPY,
            _month(10, "ar_locked"),
            expect=_found(),
        ),
        example(
            "the order names its customer, and the customer the legal entity",
            _billed(),
            erp(sales_order("77", annual="48000.00", subscription="sub_1", customer="9")),
            erp(customer("9", legal_entity="US")),
            _month(10, "ar_locked"),
            expect=_found(),
        ),
        example(
            "changed in September, October is locked",
            _billed(changed_at=at("2026-09-14 09:00")),
            _COPY,
            _month(9),
            _month(10, "ar_locked"),
            expect=_found(),
        ),
        example(
            "changed on the last day of the locked month",
            _billed(changed_at=at("2026-10-31 23:59")),
            _COPY,
            _month(10, "ar_locked"),
            expect=_found(),
        ),
        example(
            "changed on the first day of the locked month",
            _billed(changed_at=at("2026-10-01 00:00")),
            _COPY,
            _month(10, "ar_locked"),
            expect=_found(),
        ),
        example(
            "the month was locked before billing changed it: late from the change on",
            _billed(changed_at=at("2026-10-14 09:00")),
            _COPY,
            erp(period(2026, 10, at("2026-10-10 00:00"), lock="closed")),
            expect=_found(due=_OCTOBER),
        ),
    ),
    silent_on=(
        example(
            "an order for three years: its total is no yearly amount",
            _billed("12000.00"),
            erp(sales_order("77", total="36000.00", term_months=36, subscription="sub_1")),
            _month(10, "ar_locked"),
        ),
        example("the copy is current", _billed("48000.00"), _COPY, _month(10, "ar_locked")),
        example("five cents are rounding", _billed("48000.05"), _COPY, _month(10, "ar_locked")),
        example("cancelled", _billed(status="canceled"), _COPY, _month(10, "ar_locked")),
        example("no copy in the ERP", _billed(), _month(10, "ar_locked")),
        example("billing states no amount", _billed(None), _COPY, _month(10, "ar_locked")),
        example("the ERP states no amount", _billed(), erp(sales_order("77", subscription="sub_1")), _month(10, "ar_locked")),
        example("the lock was before the change", _billed(), _COPY, _month(9, "ar_locked")),
        example("no period is known", _billed(), _COPY),
        example(
            "a pending charge that is no proration does not tell when it changed",
            _billed(changed_at=at("2026-11-02 00:00")),
            billing(proration("ii_1", amount="9.00", subscription="sub_1", starts_at=_OCTOBER, is_proration=False)),
            _COPY,
            _month(10, "ar_locked"),
        ),
        example(
            "another subscription's proration does not tell when this one changed",
            _billed(changed_at=at("2026-11-02 00:00")),
            billing(proration("ii_1", amount="9.00", subscription="sub_2", starts_at=_OCTOBER)),
            _COPY,
            _month(10, "ar_locked"),
        ),
        example(
            "next month is locked ahead, the change is of this one: not yet due",
            _billed(changed_at=at("2026-11-02 00:00")),
            _COPY,
            _month(11),
            _month(12, "ar_locked"),
            expect=_found(due=at("2026-12-01 00:00")),
        ),
        example(
            "the month of the change is over, not locked: looked at again tomorrow",
            _billed(),
            _COPY,
            _month(10),
            expect=_found(due=at("2026-11-21 12:00")),
        ),
    ),
)
