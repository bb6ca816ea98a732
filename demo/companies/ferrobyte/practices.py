"""Ferrobyte's ordinary practices, each through its states: nothing is wrong in any of them."""

from __future__ import annotations

from demo.companies.billing import Line
from demo.companies.chain import DAY, HOUR, MINUTE, Billed
from demo.companies.ferrobyte.world import Ferrobyte, night
from demo.companies.situations import Items, State
from demo.companies.stripe_shapes import later

PRACTICE: Items[Ferrobyte] = Items()


def _posted(w: Ferrobyte, at: str, cents: int) -> list[State]:
    """A yearly invoice, posted and paid."""
    moment = w.at(at)
    deal, invoice = w.yearly(moment, cents)
    document = w.post(deal, invoice)
    posted = w.posted_at(moment)
    paid = moment + 12 * DAY
    w.settle(Billed(invoice, document), paid)
    return [
        State("finalized", moment + 5 * MINUTE),
        State("posted", posted + DAY),
        State("paid", paid + 4 * DAY),
    ]


@PRACTICE("2P1", days=(0, 1, 2))
def fifteen_against_eighteen(w: Ferrobyte) -> list[State]:
    """One account: 18 characters in the CRM, 15 everywhere else."""
    return _posted(w, "2026-11-03T17:05", w.draw.cents(100_000, 900_000))


@PRACTICE("2P2", days=(0, 1, 2))
def number_and_not_id(w: Ferrobyte) -> list[State]:
    """The number of one of the ERP's customers is the id of another."""
    moment = w.at("2026-11-03T17:05")
    deal, invoice = w.yearly(moment, w.draw.cents(100_000, 900_000))
    w.customer(entity=str(int(deal.of.entity) + 4930), entityid="8801")
    w.post(deal, invoice)
    return [State("finalized", moment + 5 * MINUTE), State("posted", moment + DAY)]


@PRACTICE("2P3", days=(0, 1, 2))
def one_contract_four_spellings(w: Ferrobyte) -> list[State]:
    """24,000.00 a year under four spellings of one number."""
    moment = w.at("2026-11-03T17:05")
    states = _posted(w, "2026-11-03T17:05", 2_400_000)
    return [State("signed", moment - 2 * HOUR), *states]


@PRACTICE("2P4", connected="2026-10-20T06:00")
def blanket_order(w: Ferrobyte) -> list[State]:
    """Twelve invoices of 4,500.00 under one purchase order number, which repeats by design."""
    first, order = w.at("2025-12-01T17:00"), str(4_500_231_000 + w.draw.between(100, 999))
    deal = w.deal(w.customer(), first, 450_000)
    for months in range(12):
        start = later(first, months)
        invoice = w.claim(deal, start)
        billed = Billed(invoice, w.post(deal, invoice, otherrefnum=order))
        w.settle(billed, start + 11 * DAY)
    last = later(first, 11)
    return [State("eleventh", last - DAY), State("twelfth", last + 4 * DAY), State("twelfth-paid", last + 16 * DAY)]


@PRACTICE("2P5", connected="2026-09-20T06:00")
def order_number_as_people_spell_it(w: Ferrobyte) -> list[State]:
    """One purchase order in three spellings."""
    first, order = w.at("2026-09-01T17:00"), str(4_500_231_000 + w.draw.between(100, 999))
    deal = w.deal(w.customer(), first, w.draw.cents(50_000, 400_000))
    for months, spelt in enumerate((f"PO# {order}", f"{order} ", f"{order[:4]}-{order[4:]}")):
        start = later(first, months)
        invoice = w.claim(deal, start)
        w.settle(Billed(invoice, w.post(deal, invoice, otherrefnum=spelt)), start + 9 * DAY)
    return [State("second", later(first, 1) + 4 * DAY), State("third", later(first, 2) + 5 * DAY)]


@PRACTICE("2P6", days=(0,))
def key_of_a_batch(w: Ferrobyte) -> list[State]:
    """External ids that differ only in their ending: of one batch, and of different customers."""
    moment = w.at("2026-11-04T16:40")
    for number in range(1, 4):
        deal, invoice = w.yearly(moment + number * MINUTE, w.draw.cents(50_000, 500_000))
        w.post(deal, invoice, externalid=f"B20261104-0017-{number:02d}")
    return [State("finalized", moment + 10 * MINUTE), State("posted", moment + DAY)]


@PRACTICE("2P7", days=(0, 1, 2))
def numbers_of_their_own(w: Ferrobyte) -> list[State]:
    """The ERP numbers its invoices in a series of its own."""
    return _posted(w, "2026-11-03T18:05", 412_500)


@PRACTICE("2P8", connected="2026-10-20T06:00")
def one_invoice_two_contracts(w: Ferrobyte) -> list[State]:
    """The header of the ERP's invoice names one contract, its lines two."""
    start = w.at("2026-11-02T17:00")
    of = w.customer()
    one, other = (w.deal(of, start, unit, signed=start - 20 * DAY) for unit in (200_000, 180_000))
    w.counts(start - 19 * DAY, of, 45_600, later(start, 12).date() - DAY)
    lines = [Line(each.unit, start, later(start, 1), 1, each.subscription) for each in (one, other)]
    invoice = w.billing.invoice(start + HOUR, of.customer, lines)
    document = w.post(one, invoice)
    w.settle(Billed(invoice, document), start + 10 * DAY)
    return [State("finalized", start + HOUR + 5 * MINUTE), State("posted", start + 2 * DAY), State("paid", start + 14 * DAY)]


@PRACTICE("2P9", connected="2026-10-20T06:00")
def lines_grouped(w: Ferrobyte) -> list[State]:
    """Twelve lines in billing, three in the ERP, one total."""
    start = w.at("2026-11-02T17:00")
    deal = w.deal(w.customer(), start, 384_550, signed=start - 20 * DAY)
    end = later(start, 1)
    lines = [Line(32_000, start, end, 1, deal.subscription, text=f"Line {number}") for number in range(1, 12)]
    lines.append(Line(384_550 - 11 * 32_000, start, end, 1, deal.subscription, text="Line 12"))
    invoice = w.billing.invoice(start + HOUR, deal.of.customer, lines)
    w.post(deal, invoice)
    return [State("finalized", start + HOUR + 5 * MINUTE), State("posted", start + 2 * DAY)]


@PRACTICE("2P10", days=(0, 1, 2))
def discount_as_a_line(w: Ferrobyte) -> list[State]:
    """A discount in billing, a line of its own in the ERP, one total."""
    moment = w.at("2026-11-03T17:05")
    deal = w.deal(w.customer(), w.at("2026-06-02T17:00"), w.draw.cents(50_000, 300_000), by_invoice=False)
    w.run(deal, moment, moment)
    line = Line(450_000, moment - HOUR, moment + 30 * DAY, text="Onboarding")
    invoice = w.billing.invoice(moment, deal.of.customer, (line,), discount=45_000, reason="manual")
    w.post(deal, invoice)
    return [State("finalized", moment + 5 * MINUTE), State("posted", moment + DAY)]


@PRACTICE("2P11", connected="2026-10-28T06:00")
def week_end(w: Ferrobyte) -> list[State]:
    """Finalized after Friday's last batch, posted with Monday's first, and dated on Friday."""
    finalized = w.at("2026-11-07T06:50")
    deal, invoice = w.yearly(finalized, w.draw.cents(80_000, 700_000))
    w.post(deal, invoice)
    return [
        State("on-saturday", finalized + 14 * HOUR),
        State("on-sunday", finalized + 40 * HOUR),
        State("on-monday", finalized + 60 * HOUR),
    ]


@PRACTICE("2P12", days=(0, 1))
def erp_first(w: Ferrobyte) -> list[State]:
    """A wire is booked in the ERP in the afternoon; a script tells billing at night."""
    at = w.at("2026-11-03T17:05")
    deal, invoice = w.yearly(at, 1_620_000)
    document = w.post(deal, invoice)
    received = w.at("2026-11-10T21:00")
    w.erp.pay(received, document, 1_620_000, memo=f"WF {w.draw.between(80000, 89999)}")
    w.billing.pay(night(received), invoice, off_stripe=True)
    return [
        State("open", received - DAY),
        State("received", received + 6 * HOUR),
        State("told", night(received) + 12 * HOUR),
    ]


@PRACTICE("2P13", days=(0, 1, 2))
def hardware(w: Ferrobyte) -> list[State]:
    """Gateways are sold from the ERP alone: no document of billing is due."""
    at = w.at("2026-11-05T18:00")
    deal = w.deal(w.customer(), w.at("2026-06-02T17:00"), w.draw.cents(50_000, 300_000), by_invoice=False)
    w.run(deal, at + 20 * DAY, at + 12 * DAY)
    invoice = w.erp.invoice(at, deal.of.entity, 298_000, memo="Gateways", externalid=None)
    w.erp.pay(at + 9 * DAY, invoice, 298_000, memo=f"WF {w.draw.between(80000, 89999)}")
    return [State("invoiced", at + 2 * DAY), State("paid", at + 12 * DAY)]


@PRACTICE("2P14", days=(0, 1, 2))
def old_agreement(w: Ferrobyte) -> list[State]:
    """A contract from before 2022 has a number that billing does not hold."""
    at = w.at("2026-11-03T17:05")
    deal, invoice = w.yearly(at, w.draw.cents(100_000, 900_000), number="")
    w.post(deal, invoice, custbody_ctr_no=f"FB/2019/{w.draw.between(100, 999):04d}")
    return [State("finalized", at + 5 * MINUTE), State("posted", at + 2 * DAY)]


@PRACTICE("2P15", days=(0, 1, 2))
def stale_second_integrator(w: Ferrobyte) -> list[State]:
    """Keys of the integrator that is dead name an account that was merged in 2023."""
    at = w.at("2026-11-03T17:05")
    deal, invoice = w.yearly(at, w.draw.cents(100_000, 900_000))
    long_ago = w.story.connected - 650 * DAY
    merged = w.crm.account(long_ago, f"{deal.of.name} (old)")
    w.crm.change(long_ago + DAY, merged, IsDeleted=True, MasterRecordId=deal.of.account)
    w.billing.synced(long_ago + 2 * DAY, deal.of.customer, sfdc_acct=merged, crm_contract="C0001")
    w.post(deal, invoice)
    return [State("finalized", at + 5 * MINUTE), State("posted", at + 2 * DAY)]
