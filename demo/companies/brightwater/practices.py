"""Brightwater's fourteen ordinary practices, each through its states: nothing is wrong in any of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from demo.companies.billing import Line
from demo.companies.brightwater.world import Brightwater
from demo.companies.chain import DAY, HOUR, MINUTE, SECOND, Billed
from demo.companies.crm import day_ms
from demo.companies.situations import Items, State
from demo.companies.stripe_shapes import later

PRACTICE: Items[Brightwater] = Items()


@PRACTICE("1P1", days=(0, 1, 2, 3), connected="2026-10-25T06:00")
def draft_hour(w: Brightwater) -> list[State]:
    """A draft is no claim until it is finalized; then the ERP has it within minutes."""
    begun = w.at("2026-11-01T00:04")
    deal = w.deal(w.customer(), begun - 31 * DAY, 120_000, signed=w.story.connected - 50 * DAY)
    w.settle(w.bill(deal, begun - 31 * DAY), begun - 12 * DAY)
    line = Line(120_000, begun, later(begun, 1), 1, deal.subscription)
    w.billing.renew_period(begun + SECOND, deal.subscription, begun, later(begun, 1))
    invoice = w.billing.draft(begun + 2 * MINUTE, deal.of.customer, (line,))
    w.billing.finalize(begun + HOUR, invoice)
    w.post(deal, invoice)
    return [
        State("draft", begun + 50 * MINUTE),
        State("finalized", begun + HOUR + 2 * MINUTE),
        State("posted", begun + 3 * HOUR),
    ]


@PRACTICE("1P2", days=(-2, 0, 1, 2))
def gross_payment(w: Brightwater) -> list[State]:
    """The customer's payment is booked in full, though the payout is less the fee."""
    at = w.at("2026-11-04T15:00")
    deal, invoice = w.yearly(at, 120_000, by_invoice=False)
    billed = Billed(invoice, w.post(deal, invoice))
    w.settle(billed, at + 30 * MINUTE, booked=at + 48 * MINUTE)
    return [
        State("charged", at + 40 * MINUTE),
        State("booked", at + 3 * HOUR),
        State("paid-out", at + 4 * DAY),
    ]


@PRACTICE("1P3", days=(0, 1, 7))
def bank_debit(w: Brightwater) -> list[State]:
    """A bank debit takes four working days, and the invoice is open in both meanwhile."""
    at = w.at("2026-11-03T14:00")
    deal, invoice = w.yearly(at, 250_000, by_invoice=False)
    billed = Billed(invoice, w.post(deal, invoice))
    done = at + 6 * DAY
    w.settle(billed, done, booked=done + 14 * MINUTE, charge="py")
    return [
        State("processing", at + 3 * DAY),
        State("processing-on-the-fourth-day", done - HOUR),
        State("succeeded", done + 5 * MINUTE),
        State("booked", done + DAY),
    ]


@PRACTICE("1P4", days=(0, 1, 2, 3))
def credit_on_an_open_invoice(w: Brightwater) -> list[State]:
    """The connector books a credit of an open invoice only when that is paid: until then the two differ by it."""
    at = w.at("2026-11-02T15:00")
    deal, invoice = w.yearly(at, 100_000)
    document = w.post(deal, invoice)
    note = w.billing.credit(at + 3 * DAY, invoice, 20_000)
    paid = at + 12 * DAY
    w.billing.pay(paid, invoice)
    w.credit(document, paid + 7 * MINUTE, note, 20_000)
    w.receive(document, paid + 8 * MINUTE, 80_000)
    return [
        State("open", at + 3 * DAY + 2 * HOUR),
        State("open-for-days", paid - DAY),
        State("paid", paid + 2 * HOUR),
    ]


@PRACTICE("1P5", days=(0, 1, 2))
def refund(w: Brightwater) -> list[State]:
    """A refund leaves the invoice paid; the ERP has a credit memo of it that a refund there uses up."""
    at = w.at("2026-11-02T15:00")
    deal, invoice = w.yearly(at, 90_000, by_invoice=False)
    billed = Billed(invoice, w.post(deal, invoice))
    w.settle(billed, at + 20 * MINUTE, booked=at + 36 * MINUTE)
    refunded = at + 5 * DAY
    id = w.draw.stripe("re")
    key = id if w.draw.happens(50) else None
    w.erp.document(refunded + 9 * MINUTE, "CustCred", deal.of.entity, 30_000, status="B", externalid=key, memo=f"Stripe: {id}")
    return [
        State("paid", refunded - HOUR),
        State("refunded", refunded + 4 * MINUTE),
        State("booked", refunded + DAY),
    ]


@PRACTICE("1P6", connected="2026-10-10T06:00")
def upgrade_billed_next_cycle(w: Brightwater) -> list[State]:
    """More seats in the middle of a month: the next invoice has the prorated lines, and only its own line is the contract."""
    first, change, cycle = w.at("2026-10-01T12:00"), w.at("2026-10-16T12:00"), w.at("2026-11-01T12:00")
    deal = w.deal(w.customer(), first - 92 * DAY, 10_000, quantity=10, signed=first - 100 * DAY)
    w.settle(w.bill(deal, first), first + 6 * DAY)
    w.crm.change(change - DAY, deal.contract, EndDate=(change.date() - DAY).isoformat())
    number, _contract, won = w.contract(deal.of, change, 12, 1_800_000, signed=change - DAY, kind="Existing Business")
    w.counts(change - DAY, deal.of, 18_000, later(change, 12).date() - DAY)
    w.billing.reprice(change, deal.subscription, quantity=15)
    told = {"salesforce_contract_number": number, "salesforce_opportunity_id": won}
    w.billing.change(change + 5 * SECOND, deal.subscription, "customer.subscription.updated", metadata=told)
    lines = []
    for amount, text in ((-51_613, "Unused time on 10 seats"), (77_419, "Remaining time on 15 seats")):
        line = Line(amount, change, cycle, 1, deal.subscription, proration=True, text=text)
        lines.append(replace(line, item=w.billing.pending(change, deal.of.customer, line)))
    deal.quantity = 15
    invoice = w.claim(deal, cycle, extra=tuple(lines))
    assert w.billing.objects[invoice]["total"] == 175_806
    w.post(deal, invoice)
    return [
        State("upgraded", change + 3 * DAY),
        State("before-the-cycle", cycle - 2 * HOUR),
        State("billed", cycle + HOUR + 2 * MINUTE),
        State("posted", cycle + 2 * DAY),
    ]


@PRACTICE("1P7", days=(0, 1, 2))
def total_annual_and_gross(w: Brightwater) -> list[State]:
    """Three years in the CRM, one year in billing, with tax in the ERP, net of it in customer success: four right numbers."""
    at = w.at("2026-11-03T16:00")
    start = at - HOUR
    deal = w.deal(w.customer(), start, 3_600_000, months=12, term=36, signed=w.story.connected - 2 * DAY)
    invoice = w.claim(deal, start, finalized=at, tax=297_000)
    document = w.post(deal, invoice)
    w.settle(Billed(invoice, document), at + 14 * DAY)
    return [
        State("signed", start - 2 * HOUR),
        State("billed", at + 2 * MINUTE),
        State("posted", at + 5 * DAY),
        State("paid", at + 16 * DAY),
    ]


@PRACTICE("1P8", connected="2026-10-20T06:00")
def date_pushed_by_a_locked_period(w: Brightwater) -> list[State]:
    """Finalized during an outage, posted when the month was locked: dated into the next one, and nothing is lost."""
    finalized = w.at("2026-10-29T23:58")
    deal, invoice = w.yearly(finalized, w.draw.cents(80_000, 600_000))
    synced = w.at("2026-11-06T15:00")
    memo = f"Stripe: {invoice} (original date {finalized:%Y-%m-%d})"
    w.post(deal, invoice, synced, on=synced.date(), memo=memo)
    return [
        State("in-the-outage", finalized + 40 * MINUTE),
        State("posted", synced + 2 * HOUR),
        State("weeks-later", synced + 16 * DAY),
    ]


@PRACTICE("1P9", connected="2026-10-20T06:00")
def zone_edge(w: Brightwater) -> list[State]:
    """Finalized in November by the clock of the world, and in October where the books are kept."""
    finalized = w.at("2026-11-01T02:10")
    deal, invoice = w.yearly(finalized, w.draw.cents(80_000, 600_000))
    document = w.post(deal, invoice)
    assert document.on == dt.date(2026, 10, 31)
    return [
        State("finalized", finalized + 2 * MINUTE),
        State("posted", finalized + 2 * DAY),
        State("closed", finalized + 9 * DAY),
    ]


@PRACTICE("1P10", days=(0, 1, 2))
def wire(w: Brightwater) -> list[State]:
    """A wire is booked in the ERP first; billing is told on the next day, and has no charge of it."""
    at = w.at("2026-11-03T15:00")
    deal, invoice = w.yearly(at, 4_800_000)
    document = w.post(deal, invoice)
    received = at + 7 * DAY
    w.erp.pay(received, document, 4_800_000, memo=f"WIRE {w.draw.between(1000, 1999)}")
    w.billing.pay(received + 21 * HOUR, invoice, off_stripe=True)
    return [
        State("open", received - DAY),
        State("received", received + 5 * HOUR),
        State("told", received + 2 * DAY),
    ]


@PRACTICE("1P11", days=(0, 1, 2))
def foreign_currency(w: Brightwater) -> list[State]:
    """An invoice in pounds is the same in both; what the payout is worth in dollars is the deposit's affair."""
    at = w.at("2026-11-03T11:00")
    deal, invoice = w.yearly(at, 100_000, by_invoice=False, currency="GBP")
    billed = Billed(invoice, w.post(deal, invoice))
    w.settle(billed, at + 25 * MINUTE, booked=at + 40 * MINUTE)
    return [State("open", at + 22 * MINUTE), State("paid", at + 5 * DAY)]


@PRACTICE("1P12", connected="2026-10-12T06:00")
def renewal_seam(w: Brightwater) -> list[State]:
    """One contract ends, the next begins, and the subscription goes on: it names the old one until a job of the first morning."""
    seam = w.at("2026-11-01T04:02")
    deal = w.deal(w.customer(), seam - 365 * DAY, w.draw.cents(30_000, 400_000), by_invoice=False)
    w.bill(deal, later(seam, -1))
    signed = seam - 9 * DAY
    number, _contract, won = w.contract(deal.of, seam, 12, deal.cycle * 12, signed=signed, kind="Renewal")
    w.success.change(w.success_at(signed), deal.of.company, RenewalDate=day_ms(later(seam, 12).date() - DAY))
    w.bill(deal, seam)
    told = {"salesforce_contract_number": number, "salesforce_opportunity_id": won}
    job = seam + 2 * HOUR
    w.billing.change(job, deal.subscription, "customer.subscription.updated", metadata=told)
    return [
        State("signed", seam - 3 * DAY),
        State("at-the-seam", seam + 80 * MINUTE),
        State("after-the-job", job + 12 * HOUR),
        State("weeks-later", seam + 20 * DAY),
    ]


@PRACTICE("1P13", days=(0, 1, 2))
def one_night_behind(w: Brightwater) -> list[State]:
    """A downgrade of the afternoon stands in customer success on the next morning."""
    change = w.at("2026-11-10T20:20")
    start = change - 102 * DAY
    deal = w.deal(w.customer(), start, 500_000, by_invoice=False, signed=start - 5 * DAY)
    w.run(deal, change, change)
    w.crm.change(change, deal.contract, EndDate=(change.date() - DAY).isoformat())
    number, _contract, won = w.contract(deal.of, change, 12, 3_600_000, signed=change, kind="Existing Business")
    w.billing.reprice(change + 6 * MINUTE, deal.subscription, unit=300_000)
    told = {"salesforce_contract_number": number, "salesforce_opportunity_id": won}
    w.billing.change(change + 7 * MINUTE, deal.subscription, "customer.subscription.updated", metadata=told)
    job = w.success_at(change)
    w.success.change(job, deal.of.company, Arr=36_000, RenewalDate=day_ms(later(change, 12).date() - DAY))
    return [
        State("before", change - 2 * HOUR),
        State("downgraded", change + 5 * HOUR),
        State("after-the-job", job + 6 * HOUR),
    ]


@PRACTICE("1P14", days=(0, 1, 2, 3))
def stamp_without_change(w: Brightwater) -> list[State]:
    """A picklist is relabelled: every account has a new stamp, and no value is another."""
    relabelled = w.at("2026-11-09T17:00")
    w.run(w.deal(w.customer(), w.at("2026-08-01T08:00"), w.draw.cents(30_000, 200_000)), relabelled, relabelled + 5 * DAY)
    for each in w.customers:
        w.crm.change(relabelled, each.account)
    return [State("before", relabelled - HOUR), State("relabelled", relabelled + 2 * HOUR), State("next-day", relabelled + DAY)]
