"""The customer whose story `play` tells: a clean past, with everything in place for what is going to happen. Pure.

Halden Robotics buys from the German entity. Its main subscription runs for a year and its renewal comes up in six weeks; an
upgrade in the summer left an invoice of which a part is unpaid. A second subscription, for its robot fleet, was enlarged ten
weeks ago. A workshop was invoiced three weeks ago.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from demo.rehearsal.catalogue import DE, YEARLY
from demo.rehearsal.changes import DAY, HOUR, Numbers, Teller
from demo.rehearsal.customers import cycle_bills, new_customer, renewal, subscribe
from demo.rehearsal.ids import seeded
from demo.rehearsal.names import HERO_NAME
from demo.rehearsal.story import Customer, add_months

RENEWAL_IN_DAYS = 46


def tell(seed: int, anchor: dt.datetime, numbers: Numbers) -> Customer:
    """Customer number 0."""
    rng = seeded(seed, "hero")
    joined = add_months((anchor + RENEWAL_IN_DAYS * DAY).replace(hour=9, minute=12, second=0), -12)
    customer = new_customer(0, DE, HERO_NAME, joined, rng)
    customer.industry, customer.tax_rate = "Manufacturing", Decimal("0.19")
    teller = Teller(customer, anchor, rng, numbers)
    main = subscribe(teller, YEARLY, 1, seats=120, months=12, started=joined)
    upgrade = teller.amend(main, anchor - 132 * DAY, 150, "now").bill
    (first,) = cycle_bills(teller, main, anchor)
    fleet = subscribe(teller, YEARLY, 0, seats=40, months=12, started=joined + 70 * DAY)
    enlarged = teller.amend(fleet, anchor - 70 * DAY, 64, "now").bill
    (second,) = cycle_bills(teller, fleet, anchor)
    workshop = teller.bill(
        "manual", anchor - 21 * DAY, [teller.service("Integration workshop, two days", 640_000, anchor - 21 * DAY)],
        finalized=anchor - 21 * DAY + HOUR,
    )  # fmt: skip
    workshop.days_due = 45
    assert upgrade is not None
    assert upgrade.finalized is not None
    upgrade.days_due = 180  # the rest is agreed for later: nothing is overdue
    assert enlarged is not None
    for bill in (first, second, upgrade, enlarged, workshop):
        teller.post(bill, 3 * HOUR)
    for bill in (first, second, enlarged):
        assert bill.finalized is not None
        teller.pay(bill, bill.total, bill.finalized + 25 * DAY)
    teller.pay(upgrade, upgrade.total * 3 // 5, upgrade.finalized + 33 * DAY)
    customer.renewals.append(renewal(teller, main, anchor + RENEWAL_IN_DAYS * DAY, "Not Started"))
    customer.calls.append(("Second plant goes live", "Lifecycle", anchor + 12 * DAY, False))
    return customer
