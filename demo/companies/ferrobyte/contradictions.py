"""Ferrobyte's contradictions: each is left open, cured by what proves that it is over, and broken again."""

from __future__ import annotations

import datetime as dt

from demo.companies.billing import Line
from demo.companies.chain import DAY, HOUR, MINUTE, SECOND, Billed, Deal, thing
from demo.companies.draw import full_id
from demo.companies.erp import Document
from demo.companies.ferrobyte.world import Ferrobyte
from demo.companies.situations import Case, Items, State
from demo.companies.stripe_shapes import later

CONTRADICTION: Items[Ferrobyte] = Items()

LEFT_OUT = {
    "2P16": "Billing's test events are refused at the door, and a situation has only what was taken.",
}
"""Not shown, because nothing reads them: the classes and lines of the ERP's invoices (2P8, 2P9, 2P13, 2X6), the CRM's own ERP
number of an account (2P2, 2X18: the ERP's customer and billing's hold the account), its orders (2X11) and yearly amounts of
contracts (2X10, 2X17: the won opportunity holds them), keys of the ERP's payments."""


def _edited(
    w: Ferrobyte, moments: tuple[dt.datetime, dt.datetime, dt.datetime], document: Document, totals: tuple[int, int, int]
) -> None:
    """The document's total from each of these moments on."""
    for at, total in zip(moments, totals, strict=True):
        document.total = total
        w.erp.show(at, document)


def _wrong_total(w: Ferrobyte, billed: Billed, deal: Deal, posted: dt.datetime, wrong: int) -> list[State]:
    """Posted with a wrong total, corrected, and wrong again."""
    right = int(w.billing.objects[billed.invoice]["total"])
    cured, again = posted + 6 * DAY, posted + 9 * DAY
    _edited(w, (cured, again, again + SECOND), billed.document, (right, wrong, wrong))
    case = Case(abs(right - wrong), billed.things(), deal.of.account, "The ERP's invoice is of another amount than billing's.")
    return [
        State("left-open", posted + 3 * DAY, (case,)),
        State("cured", cured + DAY),
        State("broken-again", again + 3 * DAY, (case,)),
    ]


@CONTRADICTION("2X1", connected="2026-08-25T06:00")
def two_erp_customers_of_one_account(w: Ferrobyte) -> list[State]:
    first = w.at("2026-09-01T17:00")
    of = w.customer()
    deal = w.deal(of, first, 190_000)
    w.settle(w.bill(deal, first), first + 12 * DAY)

    def twin(at: dt.datetime) -> str:
        return w.erp.customer(at, of.name.upper(), **w.entity_columns(of.account, str(w.draw.number("customer", 4400)), ""))

    def billed_on(start: dt.datetime, entity: str) -> Document:
        invoice = w.claim(deal, start)
        return w.post(deal, invoice, entity=entity)

    second = twin(later(first, 1) - DAY)
    october = billed_on(later(first, 1), second)
    cured = later(first, 1) + 20 * DAY
    october.entity = of.entity
    w.erp.show(cured, october)
    w.erp.delete_customer(cured + 5 * MINUTE, second)
    third = twin(later(first, 2) - DAY)
    billed_on(later(first, 2), third)

    def case(entity: str) -> Case:
        both = (("netsuite", "customer", of.entity), ("netsuite", "customer", entity))
        return Case(190_000, both, of.account, "Two of the ERP's customers are one account.")

    return [
        State("before-from", later(first, 1) - 2 * HOUR),
        State("left-open", later(first, 1) + 12 * DAY, (case(second),)),
        State("cured", cured + 4 * DAY),
        State("broken-again", later(first, 2) + 12 * DAY, (case(third),)),
    ]


@CONTRADICTION("2X2", days=(0, 1, 2))
def digits_swapped(w: Ferrobyte) -> list[State]:
    at = w.at("2026-11-03T17:05")
    deal, invoice = w.yearly(at, 600_000)
    other = w.deal(w.customer(), w.at("2026-06-02T17:00"), w.draw.cents(50_000, 300_000), by_invoice=False)
    w.run(other, at + 30 * DAY, at + 20 * DAY)
    own, wrong = str(int(deal.number)), str(int(other.number))
    document = w.post(deal, invoice, custbody_ctr_no=wrong)
    posted = at + DAY
    w.erp.show(posted + 5 * DAY, document, custbody_ctr_no=own)
    w.erp.show(posted + 8 * DAY, document, custbody_ctr_no=wrong)
    case = Case(600_000, (thing("invoice", document),), deal.of.account, "Booked under the contract of another customer.")
    return [
        State("left-open", posted + 2 * DAY, (case,)),
        State("cured", posted + 6 * DAY),
        State("broken-again", posted + 11 * DAY, (case,)),
    ]


@CONTRADICTION("2X3", days=(0, 1, 2))
def case_lost(w: Ferrobyte) -> list[State]:
    at = w.at("2026-11-03T17:05")
    short = w.draw.salesforce("001")[:12] + "AbX"
    first = w.customer(account=full_id(short))
    owner = w.customer(account=full_id(short[:12] + "abX"))
    start = at - HOUR
    deal = w.deal(owner, start, 330_000, months=12, signed=w.story.connected - 3 * DAY)
    invoice = w.claim(deal, start, finalized=at)
    document = w.post(deal, invoice, entity=first.entity)

    def book_on(when: dt.datetime, entity: str) -> None:
        document.entity = entity
        w.erp.show(when, document)

    posted = at + DAY
    book_on(posted + 5 * DAY, owner.entity)
    book_on(posted + 8 * DAY, first.entity)
    booked = (thing("invoice", document),)
    case = Case(330_000, booked, owner.account, "Booked on the customer of an account whose id differs in case alone.")
    return [
        State("left-open", posted + 2 * DAY, (case,)),
        State("cured", posted + 6 * DAY),
        State("broken-again", posted + 11 * DAY, (case,)),
    ]


@CONTRADICTION("2X4", days=(0, 1, 2))
def key_pasted_twice(w: Ferrobyte) -> list[State]:
    at = w.at("2026-11-03T17:05")
    of = w.customer()
    start = at - HOUR
    deals = [w.deal(of, start, unit, months=12, signed=w.story.connected - 3 * DAY) for unit in (145_000, 205_000)]
    w.counts(w.story.connected - 2 * DAY, of, 3_500, later(start, 12).date() - DAY)
    one, other = (w.claim(deal, start, finalized=at) for deal in deals)
    w.post(deals[0], one)
    document = w.post(deals[1], other, custbody_bill_key=f"ST|{one}")
    posted = at + DAY
    w.erp.show(posted + 5 * DAY, document, custbody_bill_key=f"ST|{other}")
    w.erp.show(posted + 8 * DAY, document, custbody_bill_key=f"ST|{one}")
    case = Case(205_000, (thing("invoice", document),), of.account, "The key of another invoice was pasted into this one.")
    return [
        State("left-open", posted + 2 * DAY, (case,)),
        State("cured", posted + 6 * DAY),
        State("broken-again", posted + 11 * DAY, (case,)),
    ]


@CONTRADICTION("2X5", days=(0, 1, 2))
def posted_twice_after_a_time_out(w: Ferrobyte) -> list[State]:
    at = w.at("2026-11-03T17:05")
    deal, invoice = w.yearly(at, 770_000)
    own = w.post(deal, invoice)
    posted = w.posted_at(at) + 10 * MINUTE
    copies = [w.post(deal, invoice, posted), w.post(deal, invoice, posted + 9 * DAY)]
    voided = posted + 6 * DAY
    w.erp.void(voided, copies[0])

    def case(copy: Document) -> Case:
        return Case(770_000, (thing("invoice", own), thing("invoice", copy)), deal.of.account, "One invoice is booked twice.")

    return [
        State("left-open", posted + 3 * DAY, (case(copies[0]),)),
        State("cured", voided + DAY),
        State("broken-again", posted + 12 * DAY, (case(copies[1]),)),
    ]


@CONTRADICTION("2X6", connected="2026-10-20T06:00")
def line_of_the_second_contract_lost(w: Ferrobyte) -> list[State]:
    start = w.at("2026-11-02T17:00")
    of = w.customer()
    one, other = (w.deal(of, start, unit, signed=start - 20 * DAY) for unit in (200_000, 180_000))
    w.counts(start - 19 * DAY, of, 45_600, later(start, 12).date() - DAY)
    lines = [Line(each.unit, start, later(start, 1), 1, each.subscription) for each in (one, other)]
    invoice = w.billing.invoice(start + HOUR, of.customer, lines)
    billed = Billed(invoice, w.post(one, invoice, total=200_000))
    return _wrong_total(w, billed, one, start + DAY, 200_000)


@CONTRADICTION("2X7", days=(0, 1))
def not_posted_on_a_weekday(w: Ferrobyte) -> list[State]:
    at = w.at("2026-11-04T16:05")
    deal, invoice = w.yearly(at, 515_000)
    posted = at + 6 * DAY
    document = w.post(deal, invoice, posted)
    w.erp.erase(posted + 3 * DAY, document)
    case = Case(515_000, (("stripe", "invoice", invoice),), deal.of.account, "Billed, and two batches have left it out.")
    return [
        State("before-from", at + 70 * MINUTE),
        State("left-open", at + 2 * DAY, (case,)),
        State("cured", posted + DAY),
        State("broken-again", posted + 6 * DAY, (case,)),
    ]


@CONTRADICTION("2X8", days=(0, 1, 2))
def tax_twice(w: Ferrobyte) -> list[State]:
    at = w.at("2026-11-03T17:05")
    start = at - HOUR
    deal = w.deal(w.customer(), start, 500_000, months=12, signed=w.story.connected - 3 * DAY)
    invoice = w.claim(deal, start, finalized=at, tax=41_250)
    billed = Billed(invoice, w.post(deal, invoice, total=585_903))
    return _wrong_total(w, billed, deal, at + DAY, 585_903)


@CONTRADICTION("2X9", days=(0, 1, 2))
def discount_lost(w: Ferrobyte) -> list[State]:
    at = w.at("2026-11-03T17:05")
    deal = w.deal(w.customer(), w.at("2026-06-02T17:00"), w.draw.cents(50_000, 300_000), by_invoice=False)
    w.run(deal, at + 30 * DAY, at + 20 * DAY)
    line = Line(450_000, at - HOUR, at + 30 * DAY, text="Onboarding")
    invoice = w.billing.invoice(at, deal.of.customer, (line,), discount=45_000, reason="manual")
    billed = Billed(invoice, w.post(deal, invoice, total=450_000))
    return _wrong_total(w, billed, deal, at + DAY, 450_000)


def _about(deal: Deal, cents: int, what: str) -> Case:
    return Case(cents, (("stripe", "subscription", deal.subscription),), deal.of.account, what)


@CONTRADICTION("2X10", connected="2026-07-20T06:00")
def price(w: Ferrobyte) -> list[State]:
    deal, first = _underpriced(w, 4)
    case = _about(deal, 160_000, "Billed below the contract's price for four months.")
    return [State("before-from", first - 2 * DAY), State("left-open", w.at("2026-11-14T12:00"), (case,))]


@CONTRADICTION("2X10", connected="2026-07-20T06:00")
def price_mended_and_wrong_again(w: Ferrobyte) -> list[State]:
    deal, first = _underpriced(w, 3)
    cured = later(first, 2) + 14 * DAY
    w.billing.reprice(cured, deal.subscription, unit=250_000)
    line = Line(120_000, first, later(first, 3), 1, deal.subscription, text="Three months", item=w.draw.stripe("ii"))
    invoice = w.billing.invoice(cured + HOUR, deal.of.customer, (line,), reason="manual")
    w.post(deal, invoice)
    w.billing.reprice(later(first, 3) - DAY, deal.subscription, unit=210_000)
    w.bill(deal, later(first, 3))
    case = _about(deal, 40_000, "Billed below the contract's price again.")
    return [State("cured", cured + 4 * DAY), State("broken-again", later(first, 3) + 10 * DAY, (case,))]


def _underpriced(w: Ferrobyte, cycles: int) -> tuple[Deal, dt.datetime]:
    """A contract of 30,000.00 a year that is billed at 2,100.00 a month from August on."""
    first = w.at("2026-08-01T17:00")
    deal = w.deal(w.customer(), later(first, -6), 250_000)
    w.billing.reprice(first - MINUTE, deal.subscription, unit=210_000)
    deal.unit = 210_000
    for months in range(cycles):
        w.settle(w.bill(deal, later(first, months)), later(first, months) + 10 * DAY)
    return deal, first


@CONTRADICTION("2X11", connected="2026-09-20T06:00")
def seats(w: Ferrobyte) -> list[State]:
    start = w.at("2026-10-01T17:00")
    deal = w.deal(w.customer(), start, 2_000, quantity=150, booked=240_000)
    bills = [w.bill(deal, later(start, months)) for months in range(2)]
    case = _about(deal, 60_000, "More seats are billed than were sold.")
    cured = w.at("2026-11-17T17:00")
    w.billing.reprice(cured, deal.subscription, quantity=120)
    for billed in bills:
        note = w.billing.credit(cured + 5 * MINUTE, billed.invoice, 60_000)
        w.credit(billed.document, w.posted_at(cured + 5 * MINUTE), note, 60_000)
    w.billing.reprice(cured + 3 * DAY, deal.subscription, quantity=150)
    return [
        State("before-from", start - 2 * DAY),
        State("left-open", w.at("2026-11-14T12:00"), (case,)),
        State("cured", cured + 2 * DAY),
        State("broken-again", cured + 6 * DAY, (case,)),
    ]


@CONTRADICTION("2X12", connected="2026-10-01T06:00")
def paid_in_the_erp_dunned_in_billing(w: Ferrobyte) -> list[State]:
    at, received = w.at("2026-10-05T17:05"), w.at("2026-10-20T18:00")
    deal, invoice = w.yearly(at, 990_000)
    billed = Billed(invoice, w.post(deal, invoice))
    w.erp.pay(received, billed.document, 990_000, memo=f"WF {w.draw.between(80000, 89999)}")
    w.billing.change(at + 30 * DAY, deal.subscription, "customer.subscription.updated", status="past_due")
    told = at + 38 * DAY
    w.billing.pay(told, invoice, off_stripe=True)
    w.billing.change(told + MINUTE, deal.subscription, "customer.subscription.updated", status="active")
    line = Line(990_000, told, later(told, 12), text="Second site")
    another = w.billing.invoice(told + 2 * HOUR, deal.of.customer, (line,), reason="manual")
    second = Billed(another, w.post(deal, another))
    w.erp.pay(told + 4 * DAY, second.document, 990_000, memo=f"WF {w.draw.between(80000, 89999)}")

    def case(one: Billed) -> Case:
        return Case(990_000, one.things(), deal.of.account, "Paid in the ERP, and billing duns for it.")

    return [
        State("before-from", received + 6 * HOUR),
        State("left-open", at + 31 * DAY, (case(billed),)),
        State("cured", told + DAY),
        State("broken-again", told + 8 * DAY, (case(second),)),
    ]


@CONTRADICTION("2X13", days=(0, 1))
def paid_by_card_open_in_the_erp(w: Ferrobyte) -> list[State]:
    at = w.at("2026-11-03T17:05")
    deal, invoice = w.yearly(at, 88_000, by_invoice=False)
    w.billing.pay(at + MINUTE, invoice)
    billed = Billed(invoice, w.post(deal, invoice))
    booked = at + 6 * DAY
    payment = w.receive(billed.document, booked, 88_000)
    w.erp.unapply(booked + 3 * DAY, payment, billed.document)
    case = Case(88_000, billed.things(), deal.of.account, "Paid by card, open in the ERP.")
    return [
        State("before-from", at + 50 * MINUTE),
        State("left-open", at + 3 * DAY, (case,)),
        State("cured", booked + DAY),
        State("broken-again", booked + 6 * DAY, (case,)),
    ]


@CONTRADICTION("2X14", days=(0, 1, 2))
def void_in_the_erp_only(w: Ferrobyte) -> list[State]:
    at = w.at("2026-11-02T17:05")
    deal, invoice = w.yearly(at, 264_000)
    first = Billed(invoice, w.post(deal, invoice))
    voided = at + 4 * DAY
    w.erp.void(voided, first.document)
    cured = voided + 5 * DAY
    second = Billed(invoice, w.post(deal, invoice, cured))
    w.erp.void(cured + 3 * DAY, second.document)

    def case(billed: Billed) -> Case:
        return Case(264_000, billed.things(), deal.of.account, "Void in the ERP, and billing still collects.")

    return [
        State("before", voided - HOUR),
        State("left-open", voided + 3 * DAY, (case(first),)),
        State("cured", cured + DAY),
        State("broken-again", cured + 6 * DAY, (case(second),)),
    ]


@CONTRADICTION("2X15", connected="2026-09-25T06:00")
def live_contract_nothing_billed(w: Ferrobyte) -> list[State]:
    signed, start = w.at("2026-09-28T17:00"), w.at("2026-10-01T17:00")
    of = w.customer()
    number, contract, won = w.contract(of, start, 12, 1_800_000, signed=signed)
    w.counts(signed, of, 18_000, later(start, 12).date() - DAY)
    begun = w.at("2026-11-05T17:00")
    subscription = w.subscribe(of, begun, number, won, 150_000)
    w.when_subscribed(begun + 2 * MINUTE, contract, subscription)
    deal = Deal(of, number, contract, won, subscription, 150_000, 1, 1, by_invoice=True)
    line = Line(300_000, start, later(start, 2), 1, subscription)
    invoice = w.billing.invoice(begun + 2 * HOUR, of.customer, (line,))
    document = w.post(deal, invoice)
    broken = begun + 6 * DAY
    w.billing.cancel(broken, subscription)
    w.billing.void(broken + MINUTE, invoice)
    w.erp.void(broken + HOUR, document)
    w.crm.change(broken + 2 * HOUR, contract, Billing_Sub_Id__c=None)
    case = Case(150_000, (("salesforce", "contract", contract),), of.account, "A live contract that nothing bills.")
    return [
        State("before-from", w.at("2026-10-12T12:00")),
        State("left-open", w.at("2026-10-28T12:00"), (case,)),
        State("cured", begun + 3 * DAY),
        State("broken-again", broken + 15 * DAY, (case,)),
    ]


@CONTRADICTION("2X16", connected="2026-06-20T06:00")
def link_to_a_cancelled_subscription(w: Ferrobyte) -> list[State]:
    seam = w.at("2026-07-01T17:00")
    of = w.customer()
    deal = w.deal(of, later(seam, -6), 125_000, by_invoice=False)
    old = deal.subscription
    w.billing.cancel(seam - DAY, old)
    deal.subscription = w.billing.subscription(seam, of.customer, 125_000, metadata={}, by_invoice=False)
    for months in range(2):
        invoice = w.claim(deal, later(seam, months))
        w.billing.pay(later(seam, months) + HOUR + MINUTE, invoice)
        document = w.post(deal, invoice, custbody_ctr_no=None)
        w.receive(document, w.posted_at(later(seam, months) + HOUR) + 20 * MINUTE, 125_000)

    def link(at: dt.datetime, subscription: str, metadata: dict[str, str]) -> None:
        w.crm.change(at, deal.contract, Billing_Sub_Id__c=subscription)
        w.billing.change(at + MINUTE, deal.subscription, "customer.subscription.updated", metadata=metadata)

    cured = later(seam, 1) + 12 * DAY
    link(cured, deal.subscription, w.subscription_metadata(deal.number, deal.opportunity))
    link(cured + 4 * DAY, old, {})
    both = (("salesforce", "contract", deal.contract), ("stripe", "subscription", deal.subscription))
    case = Case(125_000, both, of.account, "The contract names a dead subscription, the live one names no contract.")
    return [
        State("left-open", later(seam, 1) + 8 * DAY, (case,)),
        State("cured", cured + 2 * DAY),
        State("broken-again", cured + 8 * DAY, (case,)),
    ]


@CONTRADICTION("2X17", connected="2026-08-20T06:00")
def customer_success_reads_the_wrong_field(w: Ferrobyte) -> list[State]:
    change = w.at("2026-09-01T17:00")
    of = w.customer()
    deal = w.deal(of, later(change, -12), 500_000, by_invoice=False)
    number, contract, won = w.contract(of, change, 12, 4_200_000, signed=change - 3 * DAY, kind="Renewal")
    w.billing.reprice(change, deal.subscription, unit=350_000)
    metadata = w.subscription_metadata(number, won)
    w.billing.change(change + SECOND, deal.subscription, "customer.subscription.updated", metadata=metadata)
    w.when_subscribed(change + MINUTE, contract, deal.subscription)
    deal.unit, deal.number, deal.contract = 350_000, number, contract
    w.bill(deal, change + 5 * MINUTE)
    renewal, cured = later(change, 12).date() - DAY, change + 18 * DAY
    w.counts(change, of, 60_000, renewal)
    w.counts(cured, of, 42_000, renewal)
    w.counts(cured + 3 * DAY, of, 60_000, renewal)
    case = Case(1_800_000, (("gainsight", "customer", of.company),), of.account, "Customer success counts the amount of before.")
    return [
        State("before-from", change + 10 * HOUR),
        State("left-open", change + 14 * DAY, (case,)),
        State("cured", cured + 2 * DAY),
        State("broken-again", cured + 9 * DAY, (case,)),
    ]


@CONTRADICTION("2X18", days=(0, 1, 2))
def number_of_another_firm(w: Ferrobyte) -> list[State]:
    at = w.at("2026-11-03T17:05")
    first = w.customer()
    deal, invoice = w.yearly(at, 230_000)
    document = w.post(deal, invoice, entity=first.entity)

    def book_on(when: dt.datetime, entity: str) -> None:
        document.entity = entity
        w.erp.show(when, document)

    posted = at + DAY
    book_on(posted + 5 * DAY, deal.of.entity)
    book_on(posted + 8 * DAY, first.entity)
    case = Case(230_000, (thing("invoice", document),), deal.of.account, "Booked on the customer of another account.")
    return [
        State("left-open", posted + 2 * DAY, (case,)),
        State("cured", posted + 6 * DAY),
        State("broken-again", posted + 11 * DAY, (case,)),
    ]
