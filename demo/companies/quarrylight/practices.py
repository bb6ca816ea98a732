"""Quarrylight's ordinary practices, each through its states: nothing is wrong in any of them."""

from __future__ import annotations

import datetime as dt

from demo.companies.billing import Line
from demo.companies.chain import DAY, HOUR, MINUTE, Billed
from demo.companies.draw import full_id
from demo.companies.quarrylight.world import Quarrylight, keyed_after
from demo.companies.situations import Items, State
from demo.companies.stripe_shapes import later

PRACTICE: Items[Quarrylight] = Items()
SOLO = 3_900
"""The price of a self-serve plan a month."""


@PRACTICE("6P1", connected="2026-09-25T06:00")
def merge(w: Quarrylight) -> list[State]:
    """Billing still names the account that a merge has ended: the one that goes on is meant."""
    first, merged = w.at("2026-10-01T15:00"), w.at("2026-10-14T16:00")
    deal = w.deal(w.customer(), first, w.draw.cents(50_000, 400_000), by_invoice=False, signed=first - 3 * DAY)
    w.bill(deal, first)
    winner = w.crm.account(w.story.connected - 400 * DAY, f"{deal.of.name} Group")
    w.crm.change(merged, deal.of.account, IsDeleted=True, MasterRecordId=winner)
    w.crm.change(merged, winner, Name=deal.of.name)
    for id in (deal.contract, deal.opportunity):
        w.crm.change(merged, id, AccountId=winner)
    w.success.company(merged + DAY, f"{deal.of.name} Group", winner, Arr=deal.cycle * 12 // 100)
    w.success.change(merged + DAY, deal.of.company, Arr=0, RenewalDate=None)
    w.bill(deal, later(first, 1))
    return [
        State("before", merged - HOUR),
        State("merged", merged + 2 * DAY),
        State("billed-after-it", later(first, 1) + 6 * DAY),
    ]


@PRACTICE("6P2")
def undelete(w: Quarrylight) -> list[State]:
    """An account is deleted by mistake and brought back after three days; billing never stopped."""
    deleted, back = w.at("2026-11-02T16:00"), w.at("2026-11-05T16:00")
    deal = w.deal(w.customer(), w.at("2026-06-01T15:00"), w.draw.cents(50_000, 400_000), by_invoice=False)
    w.run(deal, back + 20 * DAY, back + 10 * DAY)
    w.crm.change(deleted, deal.of.account, IsDeleted=True)
    w.crm.change(back, deal.of.account, IsDeleted=False)
    return [State("deleted", deleted + DAY), State("undeleted", back + HOUR), State("later", back + 8 * DAY)]


def _simple(w: Quarrylight, at: str = "2026-11-03T17:00") -> tuple[Billed, dt.datetime]:
    """A yearly invoice that is keyed and paid by card."""
    moment = w.at(at)
    deal, invoice = w.yearly(moment, w.draw.cents(50_000, 900_000))
    return Billed(invoice, w.post(deal, invoice)), moment


@PRACTICE("6P3", days=(0, 1, 2))
def rename(w: Quarrylight) -> list[State]:
    """Three names of one customer, whom ids tie together."""
    billed, at = _simple(w)
    of, long_ago = w.customers[0], w.story.connected - 30 * DAY
    short = of.name.split()[0]
    w.crm.change(long_ago, of.account, Name=f"{short} & Co")
    w.billing.change(long_ago, of.customer, "customer.updated", name=f"{short} and Company Inc")
    w.erp.change_customer(long_ago, of.entity, companyname=short.upper())
    w.settle(billed, at + 9 * DAY)
    return [State("finalized", at + HOUR), State("keyed", at + 3 * DAY), State("paid", at + 13 * DAY)]


@PRACTICE("6P4", days=(0, 1, 2))
def lower_cased_18(w: Quarrylight) -> list[State]:
    """Of 18 characters in small letters, the last three give the case back."""
    billed, at = _simple(w)
    w.settle(billed, at + 9 * DAY)
    return [State("finalized", at + HOUR), State("keyed", at + 3 * DAY), State("paid", at + 13 * DAY)]


def self_serve(w: Quarrylight, month: dt.datetime, buyers: int) -> list[tuple[str, str]]:
    """Customers of the plan solo: no id of the CRM, no contract, a card. Returns their customers and this month's invoices."""
    found = []
    for _ in range(buyers):
        customer = w.billing.customer(w.story.connected - 60 * DAY, w.draw.name(), {})
        subscription = w.billing.subscription(
            later(month, -1), customer, SOLO, start=later(month, -1), by_invoice=False, plan="solo"
        )
        line = Line(SOLO, month, later(month, 1), 1, subscription, text="Solo")
        invoice = w.billing.invoice(month + HOUR, customer, (line,), by_invoice=False)
        w.billing.pay(month + HOUR + MINUTE, invoice)
        found.append((customer, invoice))
    return found


def self_serve_customer(w: Quarrylight) -> str:
    at = w.story.connected - 600 * DAY
    return w.erp.customer(at, "Stripe Self-Serve", externalid="selfserve@quarrylight.example")


@PRACTICE("6P5", connected="2026-10-08T06:00")
def self_serve_outside_the_crm(w: Quarrylight) -> list[State]:
    """Self-serve has no account, and is one invoice a month in the ERP, dated on its last day."""
    month = w.at("2026-10-10T12:00")
    buyers = w.draw.between(8, 12)
    entity = self_serve_customer(w)
    self_serve(w, month, buyers)
    keyed = w.at("2026-11-04T16:00")
    document = w.erp.invoice(keyed, entity, buyers * SOLO, memo="self-serve October")
    document.on = dt.date(2026, 10, 31)
    w.erp.show(keyed + MINUTE, document)
    w.erp.pay(keyed + 20 * MINUTE, document, buyers * SOLO, memo="payouts October")
    return [State("in-the-month", month + 10 * DAY), State("month-over", keyed - 2 * DAY), State("keyed", keyed + 2 * DAY)]


@PRACTICE("6P6", days=(0, 1, 2))
def services_by_hand(w: Quarrylight) -> list[State]:
    """Training is invoiced in the ERP alone."""
    at = w.at("2026-11-04T17:00")
    deal = w.deal(w.customer(), w.at("2026-06-01T15:00"), w.draw.cents(50_000, 400_000), by_invoice=False)
    w.run(deal, at + 20 * DAY, at + 12 * DAY)
    document = w.erp.invoice(at, deal.of.entity, 320_000, memo=f"SOW {w.draw.between(10, 99)}")
    w.erp.pay(at + 9 * DAY, document, 320_000, memo="wire")
    return [State("invoiced", at + 2 * DAY), State("paid", at + 12 * DAY)]


@PRACTICE("6P7", connected="2026-08-25T06:00")
def write_off_by_journal(w: Quarrylight) -> list[State]:
    """Both sides say that the money is lost: billing by a status, the ERP by a journal that covers the invoice."""
    at, lost = w.at("2026-09-02T17:00"), w.at("2026-11-09T17:00")
    deal, invoice = w.yearly(at, 210_000)
    document = w.post(deal, invoice)
    w.billing.give_up(lost, invoice)
    w.erp.cover_by_journal(lost + 3 * HOUR, document, 210_000)
    return [State("open", lost - DAY), State("given-up", lost + HOUR), State("written-off", lost + 3 * DAY)]


@PRACTICE("6P8", connected="2026-08-25T06:00")
def write_off_by_memo(w: Quarrylight) -> list[State]:
    """The same by a credit memo of the item for bad debts."""
    at, lost = w.at("2026-09-02T17:00"), w.at("2026-11-09T17:00")
    deal, invoice = w.yearly(at, 64_000)
    document = w.post(deal, invoice)
    w.billing.give_up(lost, invoice)
    w.erp.credit(lost + 3 * HOUR, document, 64_000, memo="w/o per JT")
    return [State("open", lost - DAY), State("given-up", lost + HOUR), State("written-off", lost + 3 * DAY)]


@PRACTICE("6P9", days=(0, 1))
def bank_fee(w: Quarrylight) -> list[State]:
    """The bank kept 25.00 of a wire: a journal covers them."""
    at = w.at("2026-11-03T17:00")
    deal, invoice = w.yearly(at, 500_000)
    document = w.post(deal, invoice)
    received = at + 8 * DAY
    w.erp.pay(received, document, 497_500, memo="wire")
    w.billing.pay(received + HOUR, invoice, off_stripe=True)
    w.erp.cover_by_journal(received + 2 * HOUR, document, 2_500)
    return [State("keyed", received - DAY), State("received", received + 30 * MINUTE), State("covered", received + 2 * DAY)]


@PRACTICE("6P10", days=(0, 1))
def void_and_replace(w: Quarrylight) -> list[State]:
    """An invoice is void and another stands for it, in both: one claim."""
    at = w.at("2026-11-03T17:00")
    deal, invoice = w.yearly(at, 330_000)
    first = w.post(deal, invoice)
    voided = at + 5 * DAY
    w.billing.void(voided, invoice)
    line = Line(330_000, at - HOUR, later(at - HOUR, 12), 1, deal.subscription)
    second = w.billing.invoice(voided + HOUR, deal.of.customer, (line,), from_invoice=invoice)
    w.erp.void(keyed_after(voided, 1), first)
    w.post(deal, second)
    return [State("keyed", voided - HOUR), State("replaced", voided + 2 * HOUR), State("both-done", voided + 5 * DAY)]


@PRACTICE("6P11", days=(0, 1, 2))
def dispute_open(w: Quarrylight) -> list[State]:
    """The ERP has the memo and the refund of a dispute before its outcome; billing's invoice stays paid."""
    _billed, at = _card(w, 195_000)
    disputed = at + 6 * DAY
    w.erp.document(disputed + 20 * MINUTE, "CustCred", w.customers[0].entity, 195_000, status="B", memo="dispute dp")
    return [State("paid", disputed - HOUR), State("disputed", disputed + DAY), State("weeks-later", disputed + 12 * DAY)]


def _card(w: Quarrylight, cents: int, at: str = "2026-11-03T17:00") -> tuple[Billed, dt.datetime]:
    """A yearly invoice that a card paid at once, keyed and covered."""
    moment = w.at(at)
    deal, invoice = w.yearly(moment, cents, by_invoice=False)
    w.billing.pay(moment + MINUTE, invoice)
    billed = Billed(invoice, w.post(deal, invoice))
    w.receive(billed.document, w.posted_at(moment) + 20 * MINUTE, cents)
    return billed, moment


@PRACTICE("6P12", days=(0, 1))
def keyed_again(w: Quarrylight) -> list[State]:
    """An invoice is deleted and keyed again for another department: one claim."""
    at = w.at("2026-11-03T17:00")
    deal, invoice = w.yearly(at, w.draw.cents(50_000, 900_000))
    first = w.post(deal, invoice)
    deleted = at + 5 * DAY
    w.erp.erase(deleted, first)
    w.post(deal, invoice, deleted + 8 * MINUTE)
    return [State("keyed", deleted - HOUR), State("keyed-again", deleted + DAY)]


@PRACTICE("6P13", connected="2026-10-22T06:00")
def backdated_in_an_open_period(w: Quarrylight) -> list[State]:
    """Keyed in November with a date of October, which is open until the tenth working day."""
    at = w.at("2026-10-30T17:00")
    deal, invoice = w.yearly(at, w.draw.cents(50_000, 900_000))
    keyed = w.at("2026-11-03T18:00")
    w.post(deal, invoice, keyed, on=dt.date(2026, 10, 31))
    return [State("keyed", keyed + DAY), State("closed", w.at("2026-11-17T12:00"))]


@PRACTICE("6P14", connected="2026-11-12T06:00")
def holiday_week(w: Quarrylight) -> list[State]:
    """Nobody keys in the week of Thanksgiving: what was finalized before it is not late after it."""
    at = w.at("2026-11-20T20:00")
    w.yearly(at, w.draw.cents(50_000, 900_000))
    return [State("monday", at + 3 * DAY), State("thursday", at + 6 * DAY), State("saturday", w.at("2026-11-28T11:00"))]


@PRACTICE("6P15", connected="2026-10-20T06:00")
def two_customers_of_billing(w: Quarrylight) -> list[State]:
    """A team and a laboratory of one account pay for themselves, under two contracts."""
    first = w.at("2026-10-22T15:00")
    of = w.customer()
    team = w.deal(of, first, 80_000, by_invoice=False, signed=first - 10 * DAY)
    second = w.billing.customer(w.story.connected - 90 * DAY, f"{of.name} Lab", w.billing_metadata(of.account, of.entity))
    sold = w.contract(of, first, 12, 540_000, signed=first - 10 * DAY)
    w.counts(first - 9 * DAY, of, 15_000, later(first, 12).date() - DAY)
    lab = w.billing.subscription(first, second, 45_000, by_invoice=False)
    for deal in (team, team.beside(sold, second, lab, 45_000)):
        w.bill(deal, first)
    return [State("billed", first + 5 * HOUR), State("keyed", first + 7 * DAY)]


@PRACTICE("6P16", days=(0, 1))
def refund_of_a_mistake(w: Quarrylight) -> list[State]:
    """A charge is refunded and paid again under another invoice: two charges, one refund."""
    _billed, at = _card(w, 48_000)
    of, refunded = w.customers[0], at + 5 * DAY
    w.erp.document(refunded + HOUR, "CustCred", of.entity, 48_000, status="B", memo="refund re")
    line = Line(48_000, at, later(at, 12), text="Charged again")
    invoice = w.billing.invoice(refunded + 2 * HOUR, of.customer, (line,), reason="manual", by_invoice=False)
    w.billing.pay(refunded + 2 * HOUR + MINUTE, invoice)
    keyed = w.posted_at(refunded + 2 * HOUR)
    document = w.erp.invoice(keyed, of.entity, 48_000, memo=f"stripe {invoice}")
    w.receive(document, keyed + 20 * MINUTE, 48_000)
    return [State("paid", refunded - HOUR), State("refunded", refunded + 90 * MINUTE), State("paid-again", refunded + 5 * DAY)]


@PRACTICE("6P17", days=(0, 1))
def payment_entered_again(w: Quarrylight) -> list[State]:
    """A payment is deleted and entered again on the same day."""
    billed, at = _card(w, w.draw.cents(50_000, 900_000))
    payment = next(each for each in w.erp.documents.values() if each.type == "CustPymt")
    deleted = at + 6 * DAY
    w.erp.erase(deleted, payment)
    w.receive(billed.document, deleted + 2 * HOUR, payment.total)
    return [State("paid", deleted - HOUR), State("deleted", deleted + HOUR), State("entered-again", deleted + DAY)]


@PRACTICE("6P18", days=(0, 1))
def three_words_for_won(w: Quarrylight) -> list[State]:
    """Three stages that all are won."""
    at = w.at("2026-11-03T17:00")
    for stage in ("Closed Won", "Closed-Won", "Won - Signed"):
        deal, invoice = w.yearly(at, w.draw.cents(50_000, 900_000))
        w.crm.change(w.story.connected - DAY, deal.opportunity, StageName=stage)
        w.post(deal, invoice)
    return [State("signed", at - 2 * HOUR), State("keyed", at + 3 * DAY)]


def twins(w: Quarrylight) -> tuple[str, str]:
    """Two ids of accounts that are one in small letters."""
    short = w.draw.salesforce("001")[:11] + "HgTr"
    return full_id(short), full_id(short[:11] + "hgTr")
