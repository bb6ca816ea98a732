"""Quarrylight's contradictions: each is left open, cured by what proves that it is over, and broken again."""

from __future__ import annotations

import datetime as dt

from demo.companies.billing import Line
from demo.companies.chain import DAY, HOUR, MINUTE, SECOND, Billed, Deal, thing
from demo.companies.erp import Document
from demo.companies.quarrylight.practices import SOLO, self_serve, self_serve_customer, twins
from demo.companies.quarrylight.world import Quarrylight, keyed_after
from demo.companies.situations import Case, Items, State
from demo.companies.stripe_shapes import later

CONTRADICTION: Items[Quarrylight] = Items()

LEFT_OUT = {
    "6X3": "What ties a self-serve buyer to a contract is a card and the domain of an address, and neither is read.",
    "6X10": "Neither billing's refunds nor the ERP's customer refunds are read.",
    "6X11": "Neither billing's refunds nor the ERP's customer refunds are read.",
    "6X12": "Billing's disputes are not read, and the ERP has nothing of it.",
    "6X13": "Billing's disputes are not read, nor the ERP's deposits.",
    "6X18": "Only tax ids of billing's customers tell two firms from a team and its laboratory (6P15): they are not read.",
}
"""Not shown, because nothing reads them: disputes (6P11), refunds (6P16: the credit memos alone are seen), journals but for what
they cover (6P7, 6P9, 6X7 to 6X9, 6X23), addresses, items and departments, the moment at which the ERP's documents were made."""


@CONTRADICTION("6X1", connected="2026-09-20T06:00")
def merge_split_the_ledger(w: Quarrylight) -> list[State]:
    merged, first = w.at("2026-10-05T16:00"), w.at("2026-10-08T15:00")
    loser = w.customer()
    deal = w.deal(w.customer(f"{loser.name} Group"), first, 240_000, by_invoice=False, signed=first - 9 * DAY)
    w.crm.change(merged, loser.account, IsDeleted=True, MasterRecordId=deal.of.account)
    invoice = w.claim(deal, first)
    w.billing.pay(first + HOUR + MINUTE, invoice)
    document = w.post(deal, invoice)
    at = w.posted_at(first + HOUR)
    payment = w.erp.document(at + HOUR, "CustPymt", loser.entity, 240_000, **w.payment_columns(w.draw.stripe("ch")))
    cured = w.at("2026-10-21T16:00")
    payment.entity = deal.of.entity
    w.erp.apply(cured, payment, document, 240_000)
    w.erp.delete_customer(cured + 5 * MINUTE, loser.entity)
    again = cured + 4 * DAY
    twin = w.erp.customer(again, loser.name, externalid="billing@old.example")
    w.erp.unapply(again + MINUTE, payment, document)
    payment.entity = twin
    w.erp.show(again + 2 * MINUTE, payment)
    case = Case(240_000, (thing("invoice", document),), deal.of.account, "The payment lies on the customer of before the merge.")
    return [
        State("before", merged + DAY),
        State("left-open", at + 6 * DAY, (case,)),
        State("cured", cured + 2 * DAY),
        State("broken-again", again + 6 * DAY, (case,)),
    ]


@CONTRADICTION("6X2", days=(0, 1))
def lower_cased_two_owners(w: Quarrylight) -> list[State]:
    at = w.at("2026-11-03T17:00")
    one, other = twins(w)
    wrong = w.customer(account=one)
    right = w.customer(account=other)
    w.billing.change(w.story.connected - 20 * DAY, right.customer, "customer.updated", metadata={"sfid": other[:15].lower()})
    deal = w.deal(right, at - HOUR, 360_000, months=12, signed=w.story.connected - 3 * DAY)
    invoice = w.claim(deal, at - HOUR, finalized=at)
    document = w.post(deal, invoice, entity=wrong.entity)
    keyed = w.posted_at(at)

    def book_on(when: dt.datetime, entity: str, sfid: str) -> None:
        document.entity = entity
        w.erp.show(when, document)
        w.billing.change(when + MINUTE, right.customer, "customer.updated", metadata={"sfid": sfid})

    book_on(keyed + 6 * DAY, right.entity, other)
    book_on(keyed + 9 * DAY, wrong.entity, other[:15].lower())
    case = Case(360_000, (thing("invoice", document),), "", "Keyed on one of two accounts whose ids differ in case alone.")
    return [
        State("left-open", keyed + 4 * DAY, (case,)),
        State("cured", keyed + 7 * DAY),
        State("broken-again", keyed + 13 * DAY, (case,)),
    ]


@CONTRADICTION("6X4", days=(0, 1))
def digits_swapped(w: Quarrylight) -> list[State]:
    at = w.at("2026-11-03T17:00")
    deal, invoice = w.yearly(at, 1_420_000)
    billed = Billed(invoice, w.post(deal, invoice, total=1_240_000))
    keyed = w.posted_at(at)
    for when, total in ((keyed + 6 * DAY, 1_420_000), (keyed + 9 * DAY, 1_240_000)):
        billed.document.total = total
        w.erp.show(when, billed.document)
    case = Case(180_000, billed.things(), deal.of.account, "Two digits were swapped when it was keyed.")
    return [
        State("left-open", keyed + 4 * DAY, (case,)),
        State("cured", keyed + 7 * DAY),
        State("broken-again", keyed + 13 * DAY, (case,)),
    ]


@CONTRADICTION("6X5", days=(0, 1))
def keyed_twice(w: Quarrylight) -> list[State]:
    at = w.at("2026-11-02T17:00")
    deal, invoice = w.yearly(at, 1_420_000)
    own = w.post(deal, invoice)
    keyed = w.posted_at(at) + DAY
    number = str(w.billing.objects[invoice]["number"])
    copies = [w.post(deal, invoice, when, memo=number, otherrefnum=None) for when in (keyed, keyed + 9 * DAY)]
    w.erp.void(keyed + 6 * DAY, copies[0])

    def case(copy: Document) -> Case:
        return Case(1_420_000, (thing("invoice", own), thing("invoice", copy)), deal.of.account, "One invoice is keyed twice.")

    return [
        State("before", keyed - 2 * HOUR),
        State("left-open", keyed + 4 * DAY, (case(copies[0]),)),
        State("cured", keyed + 7 * DAY),
        State("broken-again", keyed + 13 * DAY, (case(copies[1]),)),
    ]


@CONTRADICTION("6X6", days=(0,))
def never_keyed(w: Quarrylight) -> list[State]:
    at = w.at("2026-11-06T17:00")
    deal, invoice = w.yearly(at, 790_000)
    keyed = at + 7 * DAY
    document = w.post(deal, invoice, keyed)
    w.erp.erase(keyed + 3 * DAY, document)
    case = Case(790_000, (("stripe", "invoice", invoice),), deal.of.account, "Billed, and not keyed.")
    return [
        State("before-from", keyed_after(at, 2)),
        State("left-open", keyed - 4 * HOUR, (case,)),
        State("cured", keyed + DAY),
        State("broken-again", keyed + 8 * DAY, (case,)),
    ]


@CONTRADICTION("6X7", connected="2026-09-20T06:00")
def written_off_and_live(w: Quarrylight) -> list[State]:
    at, lost = w.at("2026-09-24T17:00"), w.at("2026-11-04T17:00")
    deal, invoice = w.yearly(at, 210_000)
    billed = Billed(invoice, w.post(deal, invoice))
    journal = w.erp.cover_by_journal(lost, billed.document, 210_000)
    cured = lost + 7 * DAY
    w.erp.uncover(cured, billed.document, journal)
    w.erp.cover_by_journal(cured + 4 * DAY, billed.document, 210_000)
    case = Case(210_000, billed.things(), deal.of.account, "Written off in the ERP, and billing still collects.")
    return [
        State("before", lost - DAY),
        State("left-open", lost + 5 * DAY, (case,)),
        State("cured", cured + 2 * DAY),
        State("broken-again", cured + 10 * DAY, (case,)),
    ]


@CONTRADICTION("6X8", connected="2026-09-20T06:00")
def recovered(w: Quarrylight) -> list[State]:
    at, lost, paid = w.at("2026-09-24T17:00"), w.at("2026-10-28T17:00"), w.at("2026-11-05T17:00")
    deal, invoice = w.yearly(at, 210_000)
    document = w.post(deal, invoice)
    w.billing.give_up(lost, invoice)
    journal = w.erp.cover_by_journal(lost + HOUR, document, 210_000)
    w.billing.pay(paid, invoice)
    payment = w.erp.document(paid + 20 * MINUTE, "CustPymt", deal.of.entity, 210_000, **w.payment_columns(w.draw.stripe("ch")))
    cured = paid + 8 * DAY
    w.erp.uncover(cured, document, journal)
    w.erp.apply(cured + MINUTE, payment, document, 210_000)
    again = cured + 3 * DAY
    w.erp.unapply(again, payment, document)
    w.erp.cover_by_journal(again + MINUTE, document, 210_000)
    case = Case(210_000, (thing("payment", payment),), deal.of.account, "Paid after all, and the ERP has it still written off.")
    return [
        State("before", paid - DAY),
        State("before-from", paid + DAY),
        State("left-open", paid + 7 * DAY, (case,)),
        State("cured", cured + DAY),
        State("broken-again", again + 6 * DAY, (case,)),
    ]


@CONTRADICTION("6X9", connected="2026-09-20T06:00")
def journal_without_entity(w: Quarrylight) -> list[State]:
    at, lost = w.at("2026-09-24T17:00"), w.at("2026-11-04T17:00")
    deal, invoice = w.yearly(at, 210_000)
    billed = Billed(invoice, w.post(deal, invoice))
    w.billing.give_up(lost, invoice)
    cured = lost + 8 * DAY
    journal = w.erp.cover_by_journal(cured, billed.document, 210_000)
    w.erp.uncover(cured + 3 * DAY, billed.document, journal)
    case = Case(210_000, billed.things(), deal.of.account, "Given up in billing; the ERP's journal leaves the invoice open.")
    return [
        State("before", lost - DAY),
        State("left-open", lost + 7 * DAY, (case,)),
        State("cured", cured + DAY),
        State("broken-again", cured + 12 * DAY, (case,)),
    ]


@CONTRADICTION("6X14", connected="2026-10-05T06:00")
def void_without_replacement(w: Quarrylight) -> list[State]:
    at, voided = w.at("2026-10-08T17:00"), w.at("2026-10-20T17:00")
    deal, invoice = w.yearly(at, 330_000)
    line = Line(330_000, at - HOUR, later(at - HOUR, 12), 1, deal.subscription)

    def withdraw(when: dt.datetime, claim: str, document: Document) -> None:
        w.billing.void(when, claim)
        w.erp.void(keyed_after(when, 1), document)

    withdraw(voided, invoice, w.post(deal, invoice))
    reissued = w.at("2026-11-04T17:00")
    second = w.billing.invoice(reissued, deal.of.customer, (line,), from_invoice=invoice)
    withdraw(reissued + 5 * DAY, second, w.post(deal, second))

    def case(claim: str) -> Case:
        return Case(330_000, (("stripe", "invoice", claim),), deal.of.account, "Void, and nothing stands for it.")

    return [
        State("before-from", voided + 5 * DAY),
        State("left-open", voided + 12 * DAY, (case(invoice),)),
        State("cured", reissued + 3 * DAY),
        State("broken-again", reissued + 19 * DAY, (case(second),)),
    ]


@CONTRADICTION("6X15", days=(0, 1))
def both_open_in_the_erp(w: Quarrylight) -> list[State]:
    at = w.at("2026-11-02T17:00")
    deal, invoice = w.yearly(at, 330_000)
    first = Billed(invoice, w.post(deal, invoice))
    voided = at + 4 * DAY
    w.billing.void(voided, invoice)
    line = Line(330_000, at - HOUR, later(at - HOUR, 12), 1, deal.subscription)
    second = w.billing.invoice(voided + HOUR, deal.of.customer, (line,), from_invoice=invoice)
    w.post(deal, second)
    cured = voided + 8 * DAY
    w.erp.void(cured, first.document)
    again = Billed(invoice, w.post(deal, invoice, cured + 3 * DAY))

    def case(billed: Billed) -> Case:
        return Case(330_000, billed.things(), deal.of.account, "Void in billing, open in the ERP beside what replaced it.")

    return [
        State("before", voided - HOUR),
        State("left-open", voided + 6 * DAY, (case(first),)),
        State("cured", cured + DAY),
        State("broken-again", cured + 9 * DAY, (case(again),)),
    ]


@CONTRADICTION("6X16", connected="2026-11-05T06:00")
def backdated_into_a_closed_quarter(w: Quarrylight) -> list[State]:
    at = w.at("2026-11-09T17:00")
    deal, invoice = w.yearly(at, 2_200_000)
    keyed = at + DAY
    w.erp.period(keyed - HOUR, "2026-09")
    document = w.post(deal, invoice, keyed, on=dt.date(2026, 9, 30))
    w.erp.period(keyed + HOUR, "2026-09", locked=True, closed=True)
    cured = keyed + 7 * DAY

    def date(when: dt.datetime, day: dt.date) -> None:
        document.on = day
        w.erp.show(when, document)

    date(cured, dt.date(2026, 11, 10))
    date(cured + 3 * DAY, dt.date(2026, 9, 30))
    case = Case(2_200_000, (thing("invoice", document),), deal.of.account, "Dated into a quarter that was closed.")
    return [
        State("before", at + 2 * HOUR),
        State("left-open", keyed + 4 * DAY, (case,)),
        State("cured", cured + DAY),
        State("broken-again", cured + 7 * DAY, (case,)),
    ]


@CONTRADICTION("6X17", connected="2026-09-20T06:00")
def duplicate_account(w: Quarrylight) -> list[State]:
    first = w.at("2026-10-06T15:00")
    old = w.customer()

    def twin(at: dt.datetime) -> str:
        account = w.crm.account(at, f"{old.name} (new)")
        w.success.company(at + HOUR, f"{old.name} (new)", account, Arr=28_800)
        return account

    def move(at: dt.datetime, account: str) -> None:
        for id in (contract, won):
            w.crm.change(at, id, AccountId=account)

    signed = first - 5 * DAY
    number, contract, won = w.contract(old, first, 12, 2_880_000, signed=signed)
    dup = twin(signed)
    move(signed + MINUTE, dup)
    subscription = w.subscribe(old, first, number, won, 240_000)
    deal = Deal(old, number, contract, won, subscription, 240_000, 1, 1, by_invoice=True)
    w.settle(w.bill(deal, first), first + 9 * DAY)
    cured = w.at("2026-10-23T16:00")
    w.crm.change(cured, dup, IsDeleted=True, MasterRecordId=old.account)
    move(cured + SECOND, old.account)
    w.counts(cured + HOUR, old, 28_800, later(first, 12).date() - DAY)
    again = cured + 4 * DAY
    move(again, twin(again - MINUTE))
    w.counts(again, old, 0, None)
    case = Case(240_000, (("stripe", "subscription", subscription),), "", "Sold to one account, billed on its double.")
    return [
        State("before-from", first - HOUR),
        State("left-open", first + 14 * DAY, (case,)),
        State("cured", cured + 2 * DAY),
        State("broken-again", again + 5 * DAY, (case,)),
    ]


@CONTRADICTION("6X19", connected="2026-10-05T06:00")
def deleted_and_billed(w: Quarrylight) -> list[State]:
    first, deleted = w.at("2026-10-06T15:00"), w.at("2026-10-12T16:00")
    deal = w.deal(w.customer(), first, 45_000, by_invoice=False, signed=first - 9 * DAY)
    w.bill(deal, first)
    w.bill(deal, later(first, 1))
    w.crm.change(deleted, deal.of.account, IsDeleted=True)
    cured = w.at("2026-11-03T16:00")
    w.crm.change(cured, deal.of.account, IsDeleted=False)
    again = cured + 3 * DAY
    w.crm.change(again, deal.of.account, IsDeleted=True)
    case = Case(45_000, (("stripe", "subscription", deal.subscription),), "", "The account is deleted, and billing goes on.")
    return [
        State("before-from", deleted + 12 * DAY),
        State("left-open", deleted + 18 * DAY, (case,)),
        State("cured", cured + DAY),
        State("broken-again", again + 18 * DAY, (case,)),
    ]


@CONTRADICTION("6X20", days=(0, 1))
def payment_deleted(w: Quarrylight) -> list[State]:
    at, deleted = w.at("2026-10-29T17:00"), w.at("2026-11-06T17:00")
    deal, invoice = w.yearly(at, 440_000, by_invoice=False)
    w.billing.pay(at + MINUTE, invoice)
    billed = Billed(invoice, w.post(deal, invoice))
    payment = w.receive(billed.document, w.posted_at(at) + 20 * MINUTE, 440_000)
    w.erp.erase(deleted, payment)
    cured = deleted + 6 * DAY
    entered = w.receive(billed.document, cured, 440_000)
    w.erp.erase(cured + 3 * DAY, entered)
    case = Case(440_000, billed.things(), deal.of.account, "The payment is deleted in the ERP, and the money was not returned.")
    return [
        State("before", deleted - HOUR),
        State("left-open", deleted + 5 * DAY, (case,)),
        State("cured", cured + DAY),
        State("broken-again", cured + 9 * DAY, (case,)),
    ]


@CONTRADICTION("6X21", connected="2026-10-08T06:00")
def counted_twice(w: Quarrylight) -> list[State]:
    month, keyed = w.at("2026-10-10T12:00"), w.at("2026-11-04T16:00")
    entity = self_serve_customer(w)
    bought = self_serve(w, month, 16)
    own = []
    for customer, invoice in bought[:12]:
        name = str(w.billing.objects[customer]["name"])
        alone = w.erp.customer(month + DAY, name, externalid=customer)
        document = w.erp.invoice(month + 2 * DAY, alone, SOLO, memo=f"stripe {invoice}")
        own.append(document)
        w.receive(document, month + 2 * DAY + 20 * MINUTE, SOLO)
    monthly = w.erp.invoice(keyed, entity, 16 * SOLO, memo="self-serve October")
    monthly.on = dt.date(2026, 10, 31)

    def total(when: dt.datetime, cents: int) -> None:
        monthly.total = cents
        w.erp.show(when, monthly)

    cured = keyed + 7 * DAY
    total(keyed + MINUTE, 16 * SOLO)
    total(cured, 4 * SOLO)
    total(cured + 3 * DAY, 16 * SOLO)
    case = Case(12 * SOLO, (thing("invoice", monthly),), "", "Twelve buyers are in the month's invoice and have their own.")
    return [
        State("before-from", keyed - HOUR),
        State("left-open", keyed + 5 * DAY, (case,)),
        State("cured", cured + DAY),
        State("broken-again", cured + 8 * DAY, (case,)),
    ]


@CONTRADICTION("6X22", connected="2026-08-28T06:00")
def erp_merge_broke_the_link(w: Quarrylight) -> list[State]:
    first = w.at("2026-09-02T15:00")
    deal = w.deal(w.customer(), first, 15_000, by_invoice=False, signed=first - 9 * DAY)
    source, of = deal.of.entity, deal.of
    survivor = w.erp.customer(first - 3 * DAY, of.name, externalid="billing@survivor.example")
    w.erp.delete_customer(first - DAY, source)
    documents = []
    for months in range(3):
        invoice = w.claim(deal, later(first, months))
        w.billing.pay(later(first, months) + HOUR + MINUTE, invoice)
        documents.append(w.post(deal, invoice, entity=survivor))
    cured = w.at("2026-11-16T16:00")
    w.billing.synced(cured, of.customer, netsuite_customer_id=survivor)
    payments = [w.receive(document, cured + HOUR, 15_000) for document in documents]
    again = cured + 3 * DAY
    w.billing.synced(again, of.customer, netsuite_customer_id=source)
    for payment in payments:
        w.erp.erase(again + HOUR, payment)
    case = Case(45_000, (("stripe", "customer", of.customer),), of.account, "Payments fail: the ERP's customer is merged away.")
    return [
        State("left-open", later(first, 2) + 9 * DAY, (case,)),
        State("cured", cured + DAY),
        State("broken-again", again + 6 * DAY, (case,)),
    ]


@CONTRADICTION("6X23", days=(0, 1))
def fee_too_large(w: Quarrylight) -> list[State]:
    at = w.at("2026-11-02T17:00")
    deal, invoice = w.yearly(at, 500_000)
    document = w.post(deal, invoice)
    received = at + 7 * DAY
    w.erp.pay(received, document, 488_000, memo="wire")
    w.billing.pay(received + HOUR, invoice, off_stripe=True)
    journal = w.erp.cover_by_journal(received + 2 * HOUR, document, 12_000)
    cured = received + 6 * DAY
    w.erp.uncover(cured, document, journal)
    rest = w.erp.pay(cured + MINUTE, document, 12_000, memo="wire, remainder")
    w.erp.erase(cured + 3 * DAY, rest)
    w.erp.cover_by_journal(cured + 3 * DAY + MINUTE, document, 12_000)
    case = Case(12_000, (thing("invoice", document),), deal.of.account, "More was put to bank charges than a bank takes.")
    return [
        State("before", received - DAY),
        State("left-open", received + 4 * DAY, (case,)),
        State("cured", cured + DAY),
        State("broken-again", cured + 7 * DAY, (case,)),
    ]
