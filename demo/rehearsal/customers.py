"""A customer's standing parts: its ids everywhere, its subscription with the ERP's order, its bills by period, its renewal."""

from __future__ import annotations

import datetime as dt
import random

from demo.rehearsal.catalogue import PLANS, PRICES, Entity, Rhythm
from demo.rehearsal.changes import DAY, HOUR, MINUTE, Teller
from demo.rehearsal.ids import gsid, salesforce_id, stripe_id
from demo.rehearsal.names import INDUSTRIES, people
from demo.rehearsal.story import Bill, Customer, Line, Order, Renewal, Subscription, add_months

FIRST_ERP_CUSTOMER = 501


def new_customer(number: int, entity: Entity, name: str, joined: dt.datetime, rng: random.Random) -> Customer:
    """A customer with its ids in every system and nothing else yet."""
    return Customer(
        number=number,
        entity=entity,
        name=name,
        industry=rng.choice(INDUSTRIES),
        crm=salesforce_id(rng, "001"),
        gsid=gsid(rng, "1P02"),
        stripe=stripe_id(rng, "cus"),
        erp=FIRST_ERP_CUSTOMER + number,
        prefix="".join(rng.choices("0123456789ABCDEF", k=8)),
        tax_rate=rng.choice(entity.taxes),
        joined=joined,
        owner=rng.randrange(len(people())),
    )


def subscribe(teller: Teller, rhythm: Rhythm, plan_index: int, *, seats: int, months: int, started: dt.datetime) -> Subscription:
    """A subscription under a new contract, with the ERP's order."""
    customer, rng = teller.customer, teller.rng
    plan = PLANS[plan_index]
    contract = teller.contract("New", started, months)
    created = started + teller.seconds(HOUR, 6 * HOUR)
    subscription = Subscription(
        id=stripe_id(rng, "sub"),
        item=stripe_id(rng, "si"),
        plan=plan,
        price=PRICES[plan.code, rhythm.name, customer.entity.currency],
        rhythm=rhythm,
        started=started,
        quantity=seats,
        contract=contract,
        order=Order(next(teller.numbers.transactions), created, created),
    )
    customer.subscriptions.append(subscription)
    return subscription


def cycle_bills(teller: Teller, subscription: Subscription, until: dt.datetime) -> list[Bill]:
    """One bill for every period that began before `until`, with what waited for it: prorations, usage of the period before.
    A bill that billing makes only after the anchor is left out."""
    found, count = [], 0
    while (start := add_months(subscription.started, count * subscription.rhythm.months)) < until:
        end = add_months(subscription.started, (count + 1) * subscription.rhythm.months)
        lines = _cycle_lines(teller, subscription, start, end, count)
        created = start + teller.seconds(MINUTE, 5 * MINUTE)
        if created > teller.anchor:
            break
        finalized = created + teller.seconds(61 * MINUTE, 75 * MINUTE)
        bill = teller.bill(
            "subscription_create" if count == 0 else "subscription_cycle",
            created,
            lines,
            finalized=finalized if finalized < teller.anchor else None,
            subscription=subscription,
            contract=teller.contract_at(start),
        )
        for change in subscription.amendments:
            if change.bill is None and change.at < start:
                change.bill = bill
        found.append(bill)
        count += 1
    return found


def _cycle_lines(teller: Teller, subscription: Subscription, start: dt.datetime, end: dt.datetime, count: int) -> list[Line]:
    rng = teller.rng
    lines = [line for change in subscription.amendments if change.bill is None and change.at < start for line in change.lines]
    seats = subscription.seats(start)
    lines.append(
        Line(
            stripe_id(rng, "il"), "licensed", f"{seats} x {subscription.plan.label}", int(subscription.price.unit) * seats,
            start, end, seats, subscription.price, subscription.item,
        )
    )  # fmt: skip
    if count and subscription.usage_price is not None:
        calls = rng.randint(20_000, 90_000) * subscription.rhythm.months
        before = add_months(subscription.started, (count - 1) * subscription.rhythm.months)
        lines.append(
            Line(
                stripe_id(rng, "il"), "metered", f"{calls} platform calls", int(calls * subscription.usage_price.unit),
                before, start, calls, subscription.usage_price, subscription.usage_item,
            )
        )  # fmt: skip
    return lines


def renewal(teller: Teller, subscription: Subscription, closes: dt.datetime, stage: str) -> Renewal:
    """A renewal that closes at the end of a term. `stage`: the label of the picklist item."""
    rng, customer = teller.rng, teller.customer
    created = min(closes - 300 * DAY, teller.anchor - 20 * DAY)
    started = max(created, min(closes - teller.seconds(30 * DAY, 74 * DAY), teller.anchor - teller.seconds(2 * DAY, 9 * DAY)))
    touched = {"Closed Won": closes - teller.seconds(DAY, 12 * DAY), "Not Started": created}.get(stage, started)
    return Renewal(
        gsid=gsid(rng, "1P06"),
        opportunity=salesforce_id(rng, "006"),
        name=f"{customer.name} renewal {closes.year}",
        closes=closes.date(),
        stage=stage,
        target=subscription.annual(min(closes, teller.anchor)),
        created=created,
        touched=touched,
        started=None if stage == "Not Started" else started.date(),
    )
