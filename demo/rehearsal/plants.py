"""The contradictions that are planted on purpose, all long past their due times and far from every tolerance. Pure.

About 1.5 % of the customers for each rule: at least two of each from 40 customers on, at least one from ten on. Most stand on
customers of their own; some customers have two. Each becomes an entry of the answer key.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable

from demo.rehearsal.changes import DAY, HOUR, Numbers, Teller
from demo.rehearsal.ids import seeded
from demo.rehearsal.noise import changeable, month_start, shuffled, start_renewal
from demo.rehearsal.story import Bill, Company, Customer, Planted

Plant = Callable[[Company, Teller, int], Planted | None]


def count_for(accounts: int) -> int:
    """How many contradictions of each rule a company of this size has."""
    if accounts < 10:
        return 0
    return max(2 if accounts >= 40 else 1, round(0.015 * accounts))


def scatter(company: Company, numbers: Numbers) -> None:
    """Plant all five kinds. Raises RuntimeError when a company is too small to carry them (a fault of this module)."""
    rng = seeded(company.seed, "plants")
    wanted = count_for(len(company.customers))
    for rule, plant in PLANTS.items():
        done = 0
        for pass_over_marked in (True, False):
            for teller in shuffled(company, rng, numbers):
                if done == wanted:
                    break
                marked = bool(teller.customer.marks)
                if marked and pass_over_marked and not _doubles(rule, teller, rng):
                    continue
                planted = plant(company, teller, done)
                if planted is not None:
                    company.planted.append(planted)
                    teller.customer.marks.add(rule)
                    done += 1
        if done < wanted:
            raise RuntimeError(f"found room for {done} of {wanted} contradictions of {rule}")


def _doubles(rule: str, teller: Teller, rng: random.Random) -> bool:
    """Now and then a customer that already has one gets a second of another kind."""
    return rule in ("invoice_amount_mismatch", "invoice_not_posted") and rule not in teller.customer.marks and rng.random() < 0.4


def note_what_ripens(company: Company) -> None:
    """Invoices of the last hours that the ERP does not have yet are no contradiction today, and are one tomorrow."""
    named = {subject for planted in company.planted for subject in planted.subjects}
    for customer in company.customers:
        for bill in customer.bills:
            subject = ("stripe", "invoice", bill.id)
            if bill.finalized is None or bill.voided or bill.copy or bill.total <= 0 or subject in named:
                continue
            if bill.finalized <= company.anchor - 23 * HOUR:
                raise RuntimeError(f"bill {bill.id} is missing in the ERP and nobody planned it")
            why = "Finalised today; the ERP has 24 hours."
            company.planted.append(
                Planted(
                    "invoice_not_posted", customer, [subject], bill.total, why,
                    {"netsuite.transaction": f"an invoice with external id {bill.id}"}, bill.finalized + 24 * HOUR,
                )
            )  # fmt: skip


# -- the five kinds ----------------------------------------------------------------------------------------------------


def _stale_order(company: Company, teller: Teller, _: int) -> Planted | None:
    """The ERP's order never followed a change of a month whose receivables are locked."""
    customer, anchor = teller.customer, company.anchor
    if not changeable(customer):
        return None
    subscription = customer.subscription
    high = month_start(anchor) - DAY
    low = max(high - 40 * DAY, subscription.period(high)[0] + 2 * DAY)
    if subscription.started > high - 30 * DAY or low >= high or subscription.period(high) != subscription.period(anchor):
        return None
    at = low + teller.seconds(dt.timedelta(0), high - low)
    old = subscription.annual(anchor)
    change = teller.amend(subscription, at, subscription.quantity + max(4, subscription.quantity // 3), "now")
    assert change.bill is not None
    teller.post(change.bill)
    teller.settle(change.bill)
    subscription.order.annual, subscription.order.touched = old, subscription.order.created
    return Planted(
        "close_on_stale_subscription",
        customer,
        [("stripe", "subscription", subscription.id), ("netsuite", "sales_order", str(subscription.order.id))],
        abs(subscription.annual(anchor) - old),
        f"The order in the ERP kept the amount from before the change of {at:%d %B}; receivables of that month are locked.",
        {"netsuite.transaction": f"order {subscription.order.id} carries the amount of billing"},
    )


def _early_invoice(company: Company, teller: Teller, number: int) -> Planted | None:
    """The ERP has the invoice of an amendment whose contract is not activated."""
    customer, anchor = teller.customer, company.anchor
    if not changeable(customer):
        return None
    subscription = customer.subscription
    at = anchor - teller.seconds(36 * HOUR, 20 * DAY)
    if at <= subscription.period(anchor)[0] + DAY:
        return None
    change = teller.amend(subscription, at, subscription.quantity + max(3, subscription.quantity // 4), "now")
    contract = change.contract
    contract.activated = None
    contract.status = ("InApproval", "Draft", "InApproval")[number % 3]
    contract.known = number % 3 != 2
    state = {"InApproval": "in approval", "Draft": "a draft"}[contract.status] if contract.known else "not in the CRM at all"
    assert change.bill is not None
    copy = teller.post(change.bill, teller.seconds(HOUR, 6 * HOUR))
    assert copy is not None
    return Planted(
        "invoice_before_contract",
        customer,
        [("netsuite", "invoice", str(copy.id))],
        change.bill.total,
        f"The invoice names contract {contract.number}, which is {state}.",
        {"salesforce.Contract": f"{contract.number} activated on this account"},
    )


def _renewal_too_early(company: Company, teller: Teller, number: int) -> Planted | None:
    """A renewal is being worked while an upgrade waits for its invoice."""
    customer, anchor = teller.customer, company.anchor
    if not changeable(customer):
        return None
    subscription = customer.subscription
    at = anchor - teller.seconds(3 * DAY, 16 * DAY)
    if at <= subscription.period(anchor)[0] + DAY:
        return None
    seats = subscription.quantity
    after = seats + max(3, seats * teller.rng.randint(20, 60) // 100)
    teller.amend(subscription, at, after, "draft" if number % 3 == 2 else "pending")
    renewal = start_renewal(teller, anchor - teller.seconds(20 * HOUR, 60 * HOUR))
    return Planted(
        "renewal_before_amendment",
        customer,
        [("gainsight", "renewal", renewal.gsid)],
        renewal.target,
        "The renewal is in progress while the upgrade's prorations are not invoiced.",
        {"gainsight.gs_opportunity": f"{renewal.gsid} on hold or closed", "stripe.invoiceitems": "all on a finalised invoice"},
    )


def _calm(bill: Bill, anchor: dt.datetime) -> bool:
    """Nothing has touched the bill for a day: its contradictions are long due."""
    moments = [bill.created, *(p.at for p in bill.payments), *(p.erp_at for p in bill.payments if p.erp_at)]
    moments += [c.erp_at or c.at for c in bill.credits] + ([bill.copy.at] if bill.copy else [])
    return max(moments) < anchor - DAY


def _amount(company: Company, teller: Teller, number: int) -> Planted | None:
    """The ERP carries another amount: a line too much, the tax left out, or a credit note that never arrived."""
    customer, anchor = teller.customer, company.anchor
    kind = number % 3
    bill = _entered(company, customer) or _entered_workshop(teller)
    copy, final = bill.copy, bill.finalized
    assert copy is not None
    assert final is not None
    if kind == 2 and not bill.payments:
        at = max(final + 5 * HOUR, copy.at + HOUR, anchor - teller.seconds(30 * HOUR, 6 * DAY))
        credit = teller.credit(bill, bill.total * teller.rng.randint(10, 30) // 100, at, mirrored=False)
        difference, why = credit.amount, "A credit note issued in billing never reached the ERP."
        settled = f"a credit memo over the amount of {credit.id}"
    else:
        share = teller.rng.randint(8, 24)
        copy.extra, copy.extra_text = bill.subtotal * share // 100, "Platform fee, entered twice"
        why = "The ERP's invoice has a line that billing never issued."
        if kind == 1:
            copy.extra, copy.extra_text = (-bill.tax, "no tax") if bill.tax else (-copy.extra, "Discount")
            why = "The ERP's invoice lacks the tax." if bill.tax else "The ERP granted a discount that billing did not."
        difference, settled = abs(copy.extra), f"invoice {copy.id} nets to what billing issued"
    return Planted(
        "invoice_amount_mismatch",
        customer,
        [("stripe", "invoice", bill.id), ("netsuite", "invoice", str(copy.id))],
        difference,
        why,
        {"netsuite.transaction": settled},
    )


def _entered(company: Company, customer: Customer) -> Bill | None:
    """The newest bill that the ERP has as it is, for some days and not too long, and that nothing else is told about."""
    anchor = company.anchor
    for bill in reversed(customer.bills):
        copy, final = bill.copy, bill.finalized
        if copy is None or final is None or bill.voided or bill.uncollectible or bill.credits or not _calm(bill, anchor):
            continue
        if anchor - 150 * DAY < final < anchor - 4 * DAY and not copy.extra and not _named(company, bill):
            return bill
    return None


def _entered_workshop(teller: Teller) -> Bill:
    """A one-off bill of some weeks ago that the ERP has: for a customer that got no bill lately."""
    at = teller.anchor - teller.seconds(6 * DAY, 40 * DAY)
    amount = teller.rng.randint(12, 95) * (10_000 if teller.customer.entity.places else 15_000)
    bill = teller.bill("manual", at, [teller.service("Process workshop", amount, at)], finalized=at + HOUR)
    teller.post(bill)
    return bill


def _named(company: Company, bill: Bill) -> bool:
    ids = {bill.id, str(bill.copy.id) if bill.copy else ""}
    return any(subject[2] in ids for planted in company.planted for subject in planted.subjects)


def _missing(company: Company, teller: Teller, _: int) -> Planted | None:
    """Billing finalised it; the ERP never got it."""
    customer, anchor = teller.customer, company.anchor
    for bill in reversed(customer.bills):
        unpaid = not (bill.payments or bill.credits or bill.voided or bill.uncollectible or _named(company, bill))
        if bill.copy and bill.finalized and unpaid and anchor - 45 * DAY < bill.finalized < anchor - 30 * HOUR:
            bill.copy = None
            break
    else:
        at = anchor - teller.seconds(32 * HOUR, 18 * DAY)
        amount = teller.rng.randint(12, 95) * (10_000 if customer.entity.places else 15_000)
        bill = teller.bill("manual", at, [teller.service("Premium support", amount, at)], finalized=at + HOUR)
    return Planted(
        "invoice_not_posted",
        customer,
        [("stripe", "invoice", bill.id)],
        bill.total,
        "Finalised more than a day ago; no invoice in the ERP names it.",
        {"netsuite.transaction": f"an invoice with external id {bill.id}"},
    )


PLANTS: dict[str, Plant] = {
    "close_on_stale_subscription": _stale_order,
    "invoice_before_contract": _early_invoice,
    "renewal_before_amendment": _renewal_too_early,
    "invoice_amount_mismatch": _amount,
    "invoice_not_posted": _missing,
}
