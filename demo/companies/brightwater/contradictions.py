"""Brightwater's contradictions: each is left open, cured by what proves that it is over, and broken again."""

from __future__ import annotations

import datetime as dt

from demo.companies.billing import Line
from demo.companies.brightwater.world import Brightwater
from demo.companies.chain import DAY, HOUR, MINUTE, SECOND, Billed, Deal, thing
from demo.companies.crm import day_ms
from demo.companies.situations import Case, Items, State
from demo.companies.stripe_shapes import later

CONTRADICTION: Items[Brightwater] = Items()

LEFT_OUT = {
    "1X12": "Both refunds are refunds: neither billing's refunds nor the ERP's customer refunds are read.",
    "1X17": "The dates of service of the ERP stand on the lines of its invoices, and lines are not read.",
}
"""Of what is generated, these parts are not shown, because nothing reads them: charges, payouts, balance transactions and
deposits (1P2, 1P11), refunds (1P5: the credit memo alone is seen), the CRM's orders and their items (1X9, 1X10 and 1X15: the won
opportunity and the ERP's sales order hold the same amount), the lifecycle word of customer success (1X7)."""


@CONTRADICTION("1X1", days=(-1, 0, 1, 2))
def not_posted(w: Brightwater) -> list[State]:
    at = w.at("2026-11-03T14:00")
    deal, invoice = w.yearly(at, 960_000)
    posted = at + 8 * DAY
    document = w.post(deal, invoice, posted)
    w.erp.erase(posted + 4 * DAY, document)
    case = Case(960_000, (("stripe", "invoice", invoice),), deal.of.account, "Billed, and not in the ERP.")
    return [
        State("before-from", at + 55 * MINUTE),
        State("left-open", at + 3 * DAY, (case,)),
        State("cured", posted + DAY),
        State("broken-again", posted + 7 * DAY, (case,)),
    ]


@CONTRADICTION("1X2", days=(0, 1, 2))
def posted_twice(w: Brightwater) -> list[State]:
    at = w.at("2026-11-04T13:00")
    deal, invoice = w.yearly(at, 480_000)

    def typed(when: dt.datetime) -> Billed:
        memo = f"typed {when.month}/{when.day}"
        tranid = f"INV-M{w.draw.between(100, 999)}"
        own = {"memo": memo, "tranid": tranid}
        return Billed(invoice, w.erp.document(when, "CustInvc", deal.of.entity, 480_000, on=w.erp.day(at), **own))

    by_hand = typed(at + 40 * MINUTE)
    own = w.post(deal, invoice, at + 4 * HOUR)
    voided = at + 6 * DAY
    w.erp.void(voided, by_hand.document)
    again = typed(voided + 3 * DAY)

    def case(other: Billed) -> Case:
        both = (thing("invoice", other.document), thing("invoice", own))
        return Case(480_000, both, deal.of.account, "One claim is booked twice.")

    return [
        State("before-from", at + 50 * MINUTE),
        State("left-open", at + 3 * DAY, (case(by_hand),)),
        State("cured", voided + DAY),
        State("broken-again", voided + 5 * DAY, (case(again),)),
    ]


@CONTRADICTION("1X3", days=(0, 1, 2))
def edited_in_the_erp(w: Brightwater) -> list[State]:
    at = w.at("2026-11-02T15:00")
    deal, invoice = w.yearly(at, 1_200_000)
    billed = Billed(invoice, w.post(deal, invoice))
    edited = at + 5 * DAY

    def edit(when: dt.datetime, total: int) -> None:
        billed.document.total = total
        w.erp.show(when, billed.document)

    edit(edited, 1_140_000)
    edit(edited + 6 * DAY, 1_200_000)
    edit(edited + 9 * DAY, 1_140_000)
    case = Case(60_000, billed.things(), deal.of.account, "The ERP's invoice was lowered without billing.")
    return [
        State("before", edited - HOUR),
        State("left-open", edited + 3 * DAY, (case,)),
        State("cured", edited + 7 * DAY),
        State("broken-again", edited + 12 * DAY, (case,)),
    ]


@CONTRADICTION("1X4", days=(-1, 0, 1))
def paid_and_open_in_the_erp(w: Brightwater) -> list[State]:
    paid = w.at("2026-11-05T09:12")
    deal, invoice = w.yearly(paid - DAY, 720_000)
    billed = Billed(invoice, w.post(deal, invoice))
    w.billing.pay(paid, invoice)
    booked = paid + 6 * DAY
    payment = w.receive(billed.document, booked, 720_000)
    w.erp.unapply(booked + 3 * DAY, payment, billed.document)
    case = Case(720_000, billed.things(), deal.of.account, "Paid in billing, open in the ERP.")
    return [
        State("before-from", paid + 50 * MINUTE),
        State("left-open", paid + 3 * DAY, (case,)),
        State("cured", booked + DAY),
        State("broken-again", booked + 6 * DAY, (case,)),
    ]


@CONTRADICTION("1X5", days=(0, 1, 2))
def payment_on_another_customer(w: Brightwater) -> list[State]:
    at = w.at("2026-11-03T15:00")
    (payer, own), (other, foreign) = w.yearly(at, 150_000), w.yearly(at + 5 * MINUTE, 150_000)
    owed, settled = w.post(payer, own), w.post(other, foreign)
    paid = at + 2 * DAY
    w.billing.pay(paid, own)
    payment = w.receive(settled, paid + 9 * MINUTE, 150_000)
    moved = paid + 6 * DAY

    def move(when: dt.datetime, to: Deal, frm: Billed, onto: Billed) -> None:
        w.erp.unapply(when, payment, frm.document)
        payment.entity = to.of.entity
        w.erp.apply(when + SECOND, payment, onto.document, 150_000)

    move(moved, payer, Billed(foreign, settled), Billed(own, owed))
    move(moved + 3 * DAY, other, Billed(own, owed), Billed(foreign, settled))
    case = Case(150_000, (thing("payment", payment),), "", "The payment of one customer settles the invoice of another.")
    return [
        State("before", paid - HOUR),
        State("left-open", paid + 3 * DAY, (case,)),
        State("cured", moved + DAY),
        State("broken-again", moved + 6 * DAY, (case,)),
    ]


@CONTRADICTION("1X6", connected="2026-10-18T06:00")
def won_and_never_billed(w: Brightwater) -> list[State]:
    signed, start = w.at("2026-10-20T15:00"), w.at("2026-11-01T14:00")
    of = w.customer()
    number, contract, won = w.contract(of, start, 12, 2_400_000, signed=signed)
    w.counts(signed, of, 24_000, later(start, 12).date() - DAY)
    begun = w.at("2026-11-16T10:00")
    subscription = w.subscribe(of, begun, number, won, 200_000)
    deal = Deal(of, number, contract, won, subscription, 200_000, 1, 1, by_invoice=True)
    line = Line(200_000, start, later(start, 1), 1, subscription)
    invoice = w.billing.invoice(begun + HOUR, of.customer, (line,))
    document = w.post(deal, invoice)
    broken = begun + 4 * DAY
    w.billing.cancel(broken, deal.subscription)
    w.billing.void(broken + MINUTE, invoice)
    w.erp.void(broken + 10 * MINUTE, document)
    case = Case(200_000, (("salesforce", "contract", contract),), of.account, "Won, in force, and nothing bills it.")
    return [
        State("before-from", w.at("2026-11-06T12:00")),
        State("left-open", w.at("2026-11-13T12:00"), (case,)),
        State("cured", begun + DAY),
        State("broken-again", broken + 6 * DAY, (case,)),
    ]


@CONTRADICTION("1X7", connected="2026-09-20T06:00")
def billed_after_the_end(w: Brightwater) -> list[State]:
    end = w.at("2026-10-01T14:00")
    deal = w.deal(w.customer(), later(end, -12), 130_000)
    w.settle(w.bill(deal, later(end, -1)), end - 18 * DAY)
    w.crm.opportunity(
        end - 40 * DAY, deal.of.account, None, 15_600, dt.date(2026, 9, 25), stage="Closed Lost", won=False, kind="Renewal"
    )
    w.success.change(w.success_at(end), deal.of.company, Arr=0, RenewalDate=None)
    bills = [w.bill(deal, end), w.bill(deal, later(end, 1))]
    cured = w.at("2026-11-18T16:00")
    w.billing.cancel(cured, deal.subscription)
    for billed in bills:
        note = w.billing.credit(cured + 5 * MINUTE, billed.invoice, 130_000)
        w.credit(billed.document, cured + 12 * MINUTE, note, 130_000)
    again = cured + 3 * DAY
    wrong = w.subscribe(deal.of, again, deal.number, deal.opportunity, 130_000)
    later_deal = Deal(deal.of, deal.number, deal.contract, deal.opportunity, wrong, 130_000, 1, 1, by_invoice=True)
    w.bill(later_deal, again)

    def case(cents: int, subscription: str) -> Case:
        both = (("salesforce", "contract", deal.contract), ("stripe", "subscription", subscription))
        return Case(cents, both, deal.of.account, "Billed after the contract has ended.")

    return [
        State("before-from", end - 15 * HOUR),
        State("left-open", w.at("2026-11-16T12:00"), (case(260_000, deal.subscription),)),
        State("cured", cured + DAY),
        State("broken-again", again + 4 * DAY, (case(130_000, wrong),)),
    ]


@CONTRADICTION("1X8", connected="2026-10-05T06:00")
def cancelled_by_dunning(w: Brightwater) -> list[State]:
    start, ended = w.at("2026-10-01T14:00"), w.at("2026-10-14T18:00")
    deal = w.deal(w.customer(), later(start, -6), 150_000)
    for months in (-2, -1):
        w.settle(w.bill(deal, later(start, months)), later(start, months) + 11 * DAY)
    w.bill(deal, start)
    w.billing.cancel(ended, deal.subscription, "payment_failed")
    new = w.at("2026-11-05T15:00")
    subscription = w.subscribe(deal.of, new, deal.number, deal.opportunity, 150_000)
    fresh = Deal(deal.of, deal.number, deal.contract, deal.opportunity, subscription, 150_000, 1, 1, by_invoice=True)
    w.bill(fresh, new)
    again = new + 13 * DAY
    w.billing.cancel(again, subscription, "payment_failed")

    def case(dead: str) -> Case:
        both = (("salesforce", "contract", deal.contract), ("stripe", "subscription", dead))
        return Case(150_000, both, deal.of.account, "In force in the CRM, cancelled in billing.")

    return [
        State("before-from", ended + HOUR),
        State("left-open", ended + 14 * DAY, (case(deal.subscription),)),
        State("cured", new + 2 * DAY),
        State("broken-again", again + 8 * DAY, (case(subscription),)),
    ]


@CONTRADICTION("1X9", connected="2026-08-20T06:00")
def price_differs(w: Brightwater) -> list[State]:
    deal, first = _underpriced(w)
    for months in range(3):
        w.settle(w.bill(deal, later(first, months)), later(first, months) + 10 * DAY)
    case = _about(deal, 60_000, "Billed below the contract's price for three months.")
    return [State("before-from", first - 2 * DAY), State("left-open", later(first, 2) + 18 * DAY, (case,))]


@CONTRADICTION("1X9", connected="2026-08-20T06:00")
def price_mended_and_wrong_again(w: Brightwater) -> list[State]:
    deal, first = _underpriced(w)
    for months in range(2):
        w.settle(w.bill(deal, later(first, months)), later(first, months) + 10 * DAY)
    mended = later(first, 1) + 14 * DAY
    w.billing.reprice(mended, deal.subscription, unit=200_000)
    line = Line(40_000, first, later(first, 2), 1, deal.subscription, text="Back-billing of two months", item=w.draw.stripe("ii"))
    invoice = w.billing.invoice(mended + HOUR, deal.of.customer, (line,), reason="manual")
    w.settle(Billed(invoice, w.post(deal, invoice)), mended + 5 * DAY)
    w.billing.reprice(later(first, 2) - 3 * DAY, deal.subscription, unit=180_000)
    w.bill(deal, later(first, 2))
    case = _about(deal, 20_000, "Billed below the contract's price again.")
    return [State("cured", mended + 8 * DAY), State("broken-again", later(first, 2) + 12 * DAY, (case,))]


def _underpriced(w: Brightwater) -> tuple[Deal, dt.datetime]:
    """A contract of 2,000.00 a month that is billed at 1,800.00 from September on."""
    first = w.at("2026-09-01T14:00")
    deal = w.deal(w.customer(), later(first, -6), 200_000)
    w.settle(w.bill(deal, later(first, -1)), first - 15 * DAY)
    w.billing.reprice(first - MINUTE, deal.subscription, unit=180_000)
    deal.unit = 180_000
    return deal, first


def _about(deal: Deal, cents: int, what: str) -> Case:
    return Case(cents, (("stripe", "subscription", deal.subscription),), deal.of.account, what)


@CONTRADICTION("1X10", connected="2026-09-20T06:00")
def seats_differ(w: Brightwater) -> list[State]:
    start = w.at("2026-10-01T14:00")
    deal = w.deal(w.customer(), start, 3_000, quantity=40, booked=150_000)
    for months in range(2):
        w.settle(w.bill(deal, later(start, months)), later(start, months) + 9 * DAY)
    case = _about(deal, 30_000, "Fewer seats are billed than were sold.")
    mended = w.at("2026-11-19T15:00")
    w.billing.reprice(mended, deal.subscription, quantity=50)
    line = Line(60_000, start, later(start, 2), 1, deal.subscription, text="Ten seats of two months", item=w.draw.stripe("ii"))
    invoice = w.billing.invoice(mended + HOUR, deal.of.customer, (line,), reason="manual")
    w.settle(Billed(invoice, w.post(deal, invoice)), mended + 2 * DAY)
    w.billing.reprice(mended + 4 * DAY, deal.subscription, quantity=40)
    return [
        State("before-from", start - 2 * DAY),
        State("left-open", w.at("2026-11-16T12:00"), (case,)),
        State("cured", mended + 3 * DAY),
        State("broken-again", mended + 7 * DAY, (case,)),
    ]


@CONTRADICTION("1X11", days=(0, 1, 2))
def credit_note_absent(w: Brightwater) -> list[State]:
    noted = w.at("2026-11-09T15:00")
    deal, invoice = w.yearly(noted - 6 * DAY, w.draw.cents(100_000, 400_000), by_invoice=False)
    billed = Billed(invoice, w.post(deal, invoice))
    w.settle(billed, noted - 6 * DAY + 20 * MINUTE)
    note = w.billing.credit(noted, invoice, 50_000)
    posted = noted + 6 * DAY
    memo = w.erp.document(
        posted, "CustCred", deal.of.entity, 50_000, externalid=note, memo=f"Stripe: {note}", createdfrom=billed.document.id
    )
    w.erp.erase(posted + 3 * DAY, memo)
    case = Case(50_000, (("stripe", "credit_memo", note),), deal.of.account, "A credit note of a paid invoice is not in the ERP.")
    return [
        State("before-from", noted + 50 * MINUTE),
        State("left-open", noted + 3 * DAY, (case,)),
        State("cured", posted + DAY),
        State("broken-again", posted + 6 * DAY, (case,)),
    ]


@CONTRADICTION("1X13", days=(0, 1, 2))
def void_not_mirrored(w: Brightwater) -> list[State]:
    voided = w.at("2026-11-02T16:00")
    deal, invoice = w.yearly(voided - 3 * DAY, 300_000)
    billed = Billed(invoice, w.post(deal, invoice))
    w.billing.void(voided, invoice)
    w.billing.cancel(voided + MINUTE, deal.subscription)
    _end_of_contract(w, deal, voided)
    cured = voided + 7 * DAY
    memo = w.erp.credit(cured, billed.document, 300_000, memo="void of billing")
    w.erp.erase(cured + 4 * DAY, memo)
    case = Case(300_000, billed.things(), deal.of.account, "Void in billing, open in the ERP.")
    return [
        State("before-from", voided + 50 * MINUTE),
        State("left-open", voided + 3 * DAY, (case,)),
        State("cured", cured + DAY),
        State("broken-again", cured + 8 * DAY, (case,)),
    ]


def _end_of_contract(w: Brightwater, deal: Deal, at: dt.datetime) -> None:
    """The contract is over in the CRM and in customer success, too."""
    w.crm.change(at + 5 * MINUTE, deal.contract, EndDate=at.date().isoformat())
    w.success.change(w.success_at(at), deal.of.company, Arr=0, RenewalDate=None)


@CONTRADICTION("1X14", connected="2026-09-20T06:00")
def wrong_link(w: Brightwater) -> list[State]:
    first = w.at("2026-10-01T14:00")
    labs, lamps = w.customer("Norden Labs"), w.customer("Nordic Lamps")
    w.run(w.deal(lamps, later(first, -5), w.draw.cents(40_000, 90_000)), later(first, 2), later(first, 2))
    deal = w.deal(labs, first, 225_000)

    def link(when: dt.datetime, entity: str) -> None:
        w.billing.synced(when, labs.customer, netsuite_customer_id=entity)

    link(first - 4 * DAY, lamps.entity)
    documents = []
    for months in range(2):
        start = later(first, months)
        invoice = w.claim(deal, start)
        documents.append(w.post(deal, invoice, entity=lamps.entity))

    def move(when: dt.datetime, entity: str) -> None:
        link(when, entity)
        for document in documents:
            document.entity = entity
            w.erp.show(when + 3 * MINUTE, document)

    cured = w.at("2026-11-17T15:00")
    move(cured, labs.entity)
    move(cured + 3 * DAY, lamps.entity)
    linked = (("stripe", "customer", labs.customer),)
    case = Case(450_000, linked, labs.account, "Billing's customer is linked to the ERP's customer of another account.")
    return [
        State("before-from", first - DAY),
        State("left-open", w.at("2026-11-14T12:00"), (case,)),
        State("cured", cured + DAY),
        State("broken-again", cured + 6 * DAY, (case,)),
    ]


@CONTRADICTION("1X15", days=(0, 1, 2))
def currency(w: Brightwater) -> list[State]:
    at = w.at("2026-11-03T15:00")
    start = at - HOUR
    of = w.customer(currency="GBP")
    number, contract, won = w.contract(of, start, 12, 1_000_000, signed=w.story.connected - 2 * DAY)
    w.success.change(
        w.success_at(w.story.connected - 2 * DAY), of.company, Arr=12_700, RenewalDate=day_ms(later(start, 12).date() - DAY)
    )

    def bill(when: dt.datetime, code: str) -> tuple[Deal, Billed]:
        subscription = w.subscribe(of, when, number, won, 1_000_000, months=12, currency=code)
        deal = Deal(of, number, contract, won, subscription, 1_000_000, 1, 12, by_invoice=True)
        invoice = w.claim(deal, when, finalized=when + HOUR)
        return deal, Billed(invoice, w.post(deal, invoice))

    def withdraw(when: dt.datetime, deal: Deal, billed: Billed) -> None:
        w.billing.cancel(when, deal.subscription)
        w.billing.void(when + MINUTE, billed.invoice)
        w.erp.void(when + 9 * MINUTE, billed.document)

    wrong = bill(start, "USD")
    cured = at + 6 * DAY
    withdraw(cured, *wrong)
    right = bill(cured + 10 * MINUTE, "GBP")
    again = cured + 4 * DAY
    withdraw(again, *right)
    worse = bill(again + 10 * MINUTE, "USD")

    def case(billed: Billed) -> Case:
        return Case(1_000_000, (("stripe", "invoice", billed.invoice),), of.account, "Billed in another currency than sold.")

    return [
        State("before", start - 2 * HOUR),
        State("left-open", at + 3 * DAY, (case(wrong[1]),)),
        State("cured", cured + DAY),
        State("broken-again", again + 3 * DAY, (case(worse[1]),)),
    ]


@CONTRADICTION("1X16", connected="2026-09-20T06:00")
def customer_success_is_stale(w: Brightwater) -> list[State]:
    change = w.at("2026-10-01T15:00")
    start = change - 365 * DAY
    deal = w.deal(w.customer(), start, 500_000, by_invoice=False)
    w.bill(deal, later(start, 11))
    number, _contract, won = w.contract(deal.of, change, 12, 3_600_000, signed=change - 2 * DAY, kind="Renewal")
    renewal = day_ms(later(change, 12).date() - DAY)
    w.billing.reprice(change, deal.subscription, unit=300_000)
    told = {"salesforce_contract_number": number, "salesforce_opportunity_id": won}
    w.billing.change(change + SECOND, deal.subscription, "customer.subscription.updated", metadata=told)
    deal.unit = 300_000
    for months in range(2):
        w.bill(deal, later(change, months) + 5 * MINUTE)
    company = deal.of.company
    w.success.change(w.success_at(change + 13 * DAY), company, RenewalDate=renewal)
    cured = w.success_at(w.at("2026-11-16T12:00"))
    w.success.change(cured, company, Arr=36_000)
    w.success.change(cured + 3 * DAY, company, Arr=60_000)
    case = Case(2_400_000, (("gainsight", "customer", company),), deal.of.account, "Customer success counts what is no more.")
    return [
        State("before-from", w.success_at(change) + 5 * HOUR),
        State("left-open", w.at("2026-11-14T12:00"), (case,)),
        State("cured", cured + DAY),
        State("broken-again", cured + 7 * DAY, (case,)),
    ]
