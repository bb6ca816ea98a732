"""The company's customers and two years of what happened to them: consistent in every system. Pure.

`imagine(seed, accounts, anchor)` is the whole company: ordinary customers, the hero of the story, the planted
contradictions, and natural noise. The same three values give the same company, byte for byte. Two customers in five are
`steady` (billed once a year, nothing changed yet): contradictions that need a mid-term change are told about them.
"""

from __future__ import annotations

import datetime as dt
import random

from demo.rehearsal import hero, noise, plants
from demo.rehearsal.catalogue import ENTITIES, MONTHLY, PRICES, QUARTERLY, YEARLY
from demo.rehearsal.changes import DAY, HOUR, Numbers, Teller
from demo.rehearsal.customers import cycle_bills, new_customer, renewal, subscribe
from demo.rehearsal.ids import seeded, stripe_id
from demo.rehearsal.names import NameGenerator
from demo.rehearsal.story import Bill, Company, Customer, Subscription, add_months

CALLS = (
    ("Adoption below plan", "Risk"),
    ("Invoice overdue", "Risk"),
    ("Prepare renewal talk", "Renewal"),
    ("New sponsor", "Lifecycle"),
)
"""Calls to action: name and kind."""


def imagine(seed: int, accounts: int, anchor: dt.datetime) -> Company:
    """The company as it stands at `anchor` (aware UTC, whole seconds). Raises ValueError below two accounts."""
    if accounts < 2:
        raise ValueError("a rehearsal company has at least two accounts")
    if anchor.tzinfo is None or anchor.microsecond:
        raise ValueError("the anchor is an aware moment with whole seconds")
    names, numbers = NameGenerator(seeded(seed, "names")), Numbers()
    company = Company(seed, anchor, [])
    for number in range(accounts):
        rng = seeded(seed, "customer", number)
        if number == 0:
            company.customers.append(hero.tell(seed, anchor, numbers))
        else:
            company.customers.append(_ordinary(number, names, anchor, rng, numbers))
    plants.scatter(company, numbers)
    noise.scatter(company, numbers)
    for customer in company.customers:
        _number_bills(customer)
        _link_credits(customer)
    plants.note_what_ripens(company)
    return company


def _ordinary(number: int, names: NameGenerator, anchor: dt.datetime, rng: random.Random, numbers: Numbers) -> Customer:
    entity = rng.choices(ENTITIES, weights=[one.share for one in ENTITIES])[0]
    steady = number % 5 in (1, 2)
    days = _steady_days(rng) if steady else int(730 - 640 * rng.random() ** 1.5)
    joined = (anchor - dt.timedelta(days=days)).replace(
        hour=rng.randint(7, 17), minute=rng.randint(0, 59), second=rng.randint(0, 59)
    )
    customer = new_customer(number, entity, names.company(entity.code), joined, rng)
    teller = Teller(customer, anchor, rng, numbers)
    rhythm = YEARLY if steady else rng.choices((YEARLY, QUARTERLY, MONTHLY), weights=(50, 34, 16))[0]
    months = 24 if rhythm is not MONTHLY and rng.random() < 0.25 else 12
    seats = min(400, int(8 + 14 * rng.paretovariate(1.4)))
    subscription = subscribe(
        teller, rhythm, rng.choices((0, 1, 2), weights=(4, 4, 2))[0], seats=seats, months=months, started=joined
    )
    if rhythm is not YEARLY and rng.random() < 0.3:
        subscription.usage_item = stripe_id(rng, "si")
        subscription.usage_price = PRICES["usage", rhythm.name, entity.currency]
    if not steady and days > 240 and rng.random() < 0.1:
        subscription.ended = anchor - teller.seconds(15 * DAY, 120 * DAY)
    _renew(teller, subscription)
    if not steady:
        _past_amendment(teller, subscription)
    for bill in cycle_bills(teller, subscription, min(anchor, subscription.ended or anchor)):
        _follow_up(teller, bill)
    for change in subscription.amendments:
        if change.bill is not None and change.bill.reason == "subscription_update":
            _follow_up(teller, change.bill)
    if subscription.ended:
        last = customer.bills[-1]
        if last.finalized and last.remaining(anchor) > 0 and last.finalized < anchor - 90 * DAY:
            last.uncollectible = anchor - 5 * DAY
    _call_to_action(teller)
    return customer


def _steady_days(rng: random.Random) -> int:
    """How long ago a steady customer joined: its running year is at least 80 days old, so that a change of this month, of the
    month being closed or of the one before can be told about it, and has ten days to go."""
    days = 720 - int(470 * rng.random())
    return days if days > 445 else days - 90


def _renew(teller: Teller, subscription: Subscription) -> None:
    """Contracts that followed the first one, and the renewals in customer success: the last one closed, the next one open."""
    first, ended = subscription.contract, subscription.ended
    term, end = first.months, add_months(subscription.started, first.months)
    while end < min(teller.anchor, ended or teller.anchor):
        teller.contract("Renewal", end, term)
        teller.customer.renewals = [renewal(teller, subscription, end, "Closed Won")]
        end = add_months(end, term)
    left = (end - teller.anchor).days
    if ended is not None:
        lost = renewal(teller, subscription, end, "Closed Lost")
        lost.touched, lost.created = ended, min(lost.created, ended - 30 * DAY)
        teller.customer.renewals.append(lost)
    elif left < 300:
        working = left < 75 and teller.rng.random() < 0.7
        teller.customer.renewals.append(renewal(teller, subscription, end, "In Progress" if working else "Not Started"))


def _past_amendment(teller: Teller, subscription: Subscription) -> None:
    """Half of these customers changed their seats once, in the middle of a period, and billing has finished with it."""
    rng, anchor = teller.rng, teller.anchor
    if rng.random() > 0.5:
        return
    last = (subscription.ended or anchor) - 12 * DAY
    first = subscription.started + 21 * DAY
    if last - first < 10 * DAY:
        return
    at = first + dt.timedelta(seconds=rng.randrange(int((last - first).total_seconds())))
    after = subscription.quantity + max(2, subscription.quantity * rng.randint(10, 45) // 100)
    if subscription.rhythm is YEARLY:
        teller.amend(subscription, at, after, "now")
    elif subscription.period(at)[1] < min(anchor, subscription.ended or anchor) - DAY:
        teller.amend(subscription, at, after, "later")


def _follow_up(teller: Teller, bill: Bill) -> None:
    """What usually becomes of a bill: posted in hours (now and then a day or two late), credited rarely, paid mostly."""
    rng, anchor = teller.rng, teller.anchor
    if bill.finalized is None:
        return
    late = rng.random() < 0.04 and bill.finalized < anchor - 4 * DAY
    teller.post(bill, teller.seconds(26 * HOUR, 70 * HOUR) if late else None)
    if bill.copy and rng.random() < 0.05 and bill.finalized < anchor - 20 * DAY:
        teller.credit(bill, bill.total * rng.randint(5, 20) // 100, bill.copy.at + teller.seconds(8 * HOUR, 30 * HOUR))
    teller.settle(bill)


def _call_to_action(teller: Teller) -> None:
    rng, anchor = teller.rng, teller.anchor
    for _ in range(rng.choices((0, 1, 2), weights=(5, 4, 1))[0]):
        name, kind = rng.choice(CALLS)
        due = (anchor + teller.seconds(-60 * DAY, 45 * DAY)).replace(hour=17, minute=0, second=0)
        teller.customer.calls.append((name, kind, due, due < anchor - 5 * DAY))


def _number_bills(customer: Customer) -> None:
    finalized = sorted((b for b in customer.bills if b.finalized), key=lambda b: (b.finalized or b.created, b.id))
    for place, bill in enumerate(finalized, 1):
        bill.number = f"{customer.prefix}-{place:04d}"
    customer.bills.sort(key=lambda b: (b.created, b.id))


def _link_credits(customer: Customer) -> None:
    """An amendment's negative proration names the invoice line that it gives back."""
    for subscription in customer.subscriptions:
        for change in subscription.amendments:
            start, _ = subscription.period(change.at)
            for bill in customer.bills:
                licensed = [line for line in bill.lines if line.kind == "licensed"]
                if bill.subscription is subscription and licensed and licensed[0].start == start:
                    change.lines[0].credits = (bill.id, licensed[0].id)
