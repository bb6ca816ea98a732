"""What looks like a contradiction and is none: the rules must stay silent on all of it. Pure.

Rounding differences, drafts, voided and zero invoices, one-off invoices without a contract, late but arrived postings, an
unposted invoice of today, a credit note that is on its way, amendments that are finished, held or not yet in anybody's way,
a contract and an order that are still in time. What would become a contradiction if nobody ever acted is noted in the key
with the moment when it ripens.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator

from demo.rehearsal.catalogue import YEARLY
from demo.rehearsal.changes import DAY, HOUR, MINUTE, Numbers, Teller
from demo.rehearsal.customers import renewal
from demo.rehearsal.ids import seeded
from demo.rehearsal.story import Bill, Company, Customer, Planted, Renewal, add_months

Kind = Callable[[Company, Teller], bool]


def month_start(moment: dt.datetime) -> dt.datetime:
    """Midnight UTC of the first of the month."""
    return moment.replace(day=1, hour=0, minute=0, second=0)


def changeable(customer: Customer) -> bool:
    """Billed once a year, running, never changed, and well inside a period: an amendment may be told about it."""
    return bool(
        not customer.marks
        and customer.number
        and len(customer.subscriptions) == 1
        and customer.subscription.rhythm is YEARLY
        and customer.subscription.ended is None
        and not customer.subscription.amendments
    )


def open_renewal(teller: Teller) -> Renewal:
    """The customer's open renewal; told now when it has none yet."""
    customer = teller.customer
    for one in customer.renewals:
        if not one.stage.startswith("Closed"):
            return one
    subscription = customer.subscription
    end = add_months(subscription.started, subscription.contract.months)
    while end < teller.anchor:
        end = add_months(end, subscription.contract.months)
    fresh = renewal(teller, subscription, end, "Not Started")
    customer.renewals.append(fresh)
    return fresh


def start_renewal(teller: Teller, at: dt.datetime, stage: str = "In Progress") -> Renewal:
    """Put the open renewal into a stage since a moment."""
    one = open_renewal(teller)
    one.stage, one.started, one.touched = stage, at.date(), at
    one.created = min(one.created, at - DAY)
    return one


def rest_renewal(teller: Teller) -> Renewal:
    """The open renewal, not started."""
    one = open_renewal(teller)
    one.stage, one.started, one.touched = "Not Started", None, one.created
    return one


def upgrade(teller: Teller, days_low: int, days_high: int, billed: str) -> bool:
    """An amendment so many days ago, told about a `changeable` customer. False, and nothing told, when the running period is
    younger than that."""
    subscription = teller.customer.subscription
    first, last = subscription.period(teller.anchor)[0] + DAY, teller.anchor - days_low * DAY
    if not changeable(teller.customer) or first >= last:
        return False
    at = max(first, teller.anchor - teller.seconds(days_low * DAY, days_high * DAY))
    seats = subscription.quantity
    change = teller.amend(subscription, at, seats + max(3, seats * teller.rng.randint(15, 60) // 100), billed)
    if billed == "now" and change.bill is not None:
        teller.post(change.bill)
    return True


# -- kinds of noise: each returns whether it could be told about this customer ------------------------------------------


def _posted(customer: Customer, anchor: dt.datetime, *, unpaid: bool = False) -> Iterator[Bill]:
    for bill in reversed(customer.bills):
        if bill.copy and bill.finalized and not bill.voided and bill.finalized < anchor - 2 * DAY:
            if unpaid and (bill.payments or bill.credits):
                continue
            yield bill


def _rounding(company: Company, teller: Teller) -> bool:
    bill = next(_posted(teller.customer, company.anchor), None)
    if bill is None or bill.copy is None or teller.customer.entity.places == 0:
        return False
    bill.copy.extra, bill.copy.extra_text = teller.rng.choice((-3, -2, -1, 1, 2, 3)), "Rounding"
    return True


def _oneoff(text: str, low: int, high: int) -> Kind:
    def tell(company: Company, teller: Teller) -> bool:
        at = company.anchor - teller.seconds(5 * DAY, 200 * DAY)
        bill = _service_bill(teller, text, teller.rng.randint(low, high), max(at, teller.customer.joined + HOUR))
        teller.post(bill)
        teller.settle(bill)
        return True

    return tell


def _service_bill(teller: Teller, text: str, hundreds: int, at: dt.datetime, final: bool = True) -> Bill:
    places = teller.customer.entity.places
    amount = hundreds * 100 * 10**places if places else hundreds * 15_000
    return teller.bill("manual", at, [teller.service(text, amount, at)], finalized=at + HOUR if final else None)


def _today(company: Company, teller: Teller) -> bool:
    _service_bill(teller, "Data migration", teller.rng.randint(8, 60), company.anchor - teller.seconds(3 * HOUR, 19 * HOUR))
    return True


def _draft(company: Company, teller: Teller) -> bool:
    _service_bill(teller, "Training day", 14, company.anchor - teller.seconds(2 * HOUR, 4 * DAY), final=False)
    return True


def _free(company: Company, teller: Teller) -> bool:
    _service_bill(teller, "Pilot month, free of charge", 0, company.anchor - teller.seconds(3 * DAY, 90 * DAY))
    return True


def _void(posted: bool) -> Kind:
    def tell(company: Company, teller: Teller) -> bool:
        at = company.anchor - teller.seconds(8 * DAY, 150 * DAY)
        bill = _service_bill(teller, "Entered by mistake", teller.rng.randint(5, 90), max(at, teller.customer.joined))
        assert bill.finalized is not None
        if posted:
            teller.post(bill)
            bill.voided = bill.finalized + teller.seconds(20 * HOUR, 3 * DAY)
        else:
            bill.voided = bill.finalized + teller.seconds(10 * MINUTE, 50 * MINUTE)
        return True

    return tell


def _credit_on_its_way(company: Company, teller: Teller) -> bool:
    bill = next((b for b in _posted(teller.customer, company.anchor, unpaid=True)), None)
    if bill is None or bill.copy is None or bill.uncollectible:
        return False
    at = company.anchor - teller.seconds(50 * MINUTE, 100 * MINUTE)
    credit = teller.credit(bill, bill.total * teller.rng.randint(6, 18) // 100, at, mirrored=False)
    note = Planted(
        "invoice_amount_mismatch",
        teller.customer,
        [("stripe", "invoice", bill.id), ("netsuite", "invoice", str(bill.copy.id))],
        credit.amount,
        "A credit note of the last two hours has not reached the ERP yet.",
        {"netsuite.transaction": f"a credit memo with external id {credit.id}"},
        ripens=at + 4 * HOUR,
    )
    company.planted.append(note)
    return True


def _pending_at_rest(_: Company, teller: Teller) -> bool:
    if not upgrade(teller, 2, 12, "pending"):
        return False
    rest_renewal(teller)
    return True


def _pending_held(company: Company, teller: Teller) -> bool:
    if not upgrade(teller, 4, 12, "pending"):
        return False
    held = start_renewal(teller, company.anchor - teller.seconds(30 * HOUR, 70 * HOUR), "On Hold")
    held.hold_reason = "Amendment not yet finalised in billing"
    return True


def _draft_at_rest(_: Company, teller: Teller) -> bool:
    if not upgrade(teller, 2, 6, "draft"):
        return False
    rest_renewal(teller)
    return True


def _finished(company: Company, teller: Teller) -> bool:
    if not upgrade(teller, 5, 25, "now"):
        return False
    start_renewal(teller, company.anchor - teller.seconds(2 * DAY, 4 * DAY))
    return True


def _order_in_time(company: Company, teller: Teller) -> bool:
    """The ERP's order lags behind a change of the running month."""
    first = month_start(company.anchor)
    if not changeable(teller.customer) or company.anchor - first < 12 * HOUR:
        return False
    subscription = teller.customer.subscription
    low = max(first + HOUR, company.anchor - 9 * DAY, subscription.period(company.anchor)[0] + HOUR)
    at = low + (company.anchor - 6 * HOUR - low) / 2
    if at <= low:
        return False
    old = subscription.annual(company.anchor)
    change = teller.amend(subscription, at.replace(microsecond=0), subscription.quantity + 9, "now")
    assert change.bill is not None
    teller.post(change.bill, 2 * HOUR)
    subscription.order.annual, subscription.order.touched = old, subscription.order.created
    company.planted.append(
        Planted(
            "close_on_stale_subscription",
            teller.customer,
            [("stripe", "subscription", subscription.id), ("netsuite", "sales_order", str(subscription.order.id))],
            abs(subscription.annual(company.anchor) - old),
            "The ERP's order lags behind a change of this month; the month is open.",
            {"netsuite.transaction": f"order {subscription.order.id} carries the amount of billing"},
            ripens=add_months(first, 1),
        )
    )
    return True


def _contract_in_time(company: Company, teller: Teller) -> bool:
    """The ERP has had the amendment's invoice for less than an hour; the contract is still in approval."""
    if not changeable(teller.customer):
        return False
    subscription = teller.customer.subscription
    at = company.anchor - 100 * MINUTE
    if at <= subscription.period(company.anchor)[0] + DAY:
        return False
    change = teller.amend(subscription, at, subscription.quantity + 6, "now", reach=40 * MINUTE)
    change.contract.status, change.contract.activated = "InApproval", None
    assert change.bill is not None
    copy = teller.post(change.bill, 35 * MINUTE)
    assert copy is not None
    company.planted.append(
        Planted(
            "invoice_before_contract",
            teller.customer,
            [("netsuite", "invoice", str(copy.id))],
            change.bill.total,
            "The ERP has had the invoice for less than two hours; its contract is in approval.",
            {"salesforce.Contract": f"{change.contract.number} activated"},
            ripens=copy.at + 2 * HOUR,
        )
    )
    return True


KINDS: dict[str, tuple[Kind, float]] = {
    "finished amendment, renewal in progress": (_finished, 0.02),
    "pending amendment, renewal not started": (_pending_at_rest, 0.02),
    "pending amendment, renewal held": (_pending_held, 0.02),
    "draft of an amendment, renewal not started": (_draft_at_rest, 0.01),
    "order behind in the open month": (_order_in_time, 0.01),
    "contract still in time": (_contract_in_time, 0.01),
    "credit note on its way": (_credit_on_its_way, 0.01),
    "rounding": (_rounding, 0.06),
    "not yet posted": (_today, 0.02),
    "one-off": (_oneoff("Onboarding workshop", 20, 180), 0.10),
    "second one-off": (_oneoff("Custom report", 4, 40), 0.05),
    "draft": (_draft, 0.03),
    "free": (_free, 0.03),
    "void in both": (_void(posted=True), 0.03),
    "void before posting": (_void(posted=False), 0.02),
}
"""Name of the noise to how it is told and for which share of the customers."""


def scatter(company: Company, numbers: Numbers) -> None:
    """Tell each kind about its share of the unmarked customers, at least about one where there is one."""
    rng = seeded(company.seed, "noise")
    for name, (tell, share) in KINDS.items():
        wanted = max(1, round(share * len(company.customers)))
        for teller in shuffled(company, rng, numbers):
            if wanted and not teller.customer.marks and tell(company, teller):
                teller.customer.marks.add(name)
                wanted -= 1


def shuffled(company: Company, rng: random.Random, numbers: Numbers) -> Iterator[Teller]:
    """Every customer but the hero, in random order, each with its teller."""
    order = list(company.customers[1:])
    rng.shuffle(order)
    for customer in order:
        yield Teller(customer, company.anchor, rng, numbers)
