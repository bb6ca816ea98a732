"""The story as NetSuite writes it down, in the columns of its SuiteQL tables: customers, orders, invoices, payments. Pure.

Amounts are decimal text in the transaction's currency. In `transactionline` the main line of an invoice is positive and its
items negative, a credit memo the other way round; the lines of a document sum to nothing. In `transactionaccountingline`
debit is positive.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from demo.rehearsal import catalogue
from demo.rehearsal.erp_reference import RECEIVABLES, UNDEPOSITED, Periods, income_account, reference_documents
from demo.rehearsal.story import Bill, Company, Credit, Customer, Payment, Subscription

Json = dict[str, Any]
Document = tuple[str, Json]

_HOUR = dt.timedelta(hours=1)


def stamp(moment: dt.datetime) -> str:
    """`2026-03-01T10:15:00Z`."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def text(minor: int, places: int) -> str:
    """Whole minor units as decimal text in major units."""
    return f"{Decimal(minor).scaleb(-places):f}"


@dataclass
class Entry:
    """One line: `amount` signed as in transactionline, whole minor units. Entry 0 is the main line."""

    account: int
    amount: int
    item: int | None = None
    quantity: int | None = None
    memo: str = ""
    tax: bool = False
    created_from: int | None = None


@dataclass
class Booked:
    """One NetSuite transaction before it becomes rows."""

    id: int
    type: str
    customer: Customer
    on: dt.datetime
    created: dt.datetime
    modified: dt.datetime
    status: str
    external: str
    entries: list[Entry] = field(default_factory=list)
    header: Json = field(default_factory=dict)
    main: Json = field(default_factory=dict)
    posting: bool = True


_PREFIXES = {"CustInvc": "INV", "CustCred": "CM", "CustPymt": "PYMT", "SalesOrd": "SO"}


def documents(company: Company) -> Iterator[Document]:
    """Reference data first, then customers, then their transactions."""
    periods = Periods(company.anchor)
    yield from reference_documents(periods)
    for customer in company.customers:
        yield from _customer(customer)
    for customer in company.customers:
        for subscription in customer.subscriptions:
            yield from rows(_order(company, customer, subscription), periods)
        for bill in customer.bills:
            if bill.copy is not None:
                yield from _invoice_with_payments(customer, bill, periods)


def rows(booked: Booked, periods: Periods) -> Iterator[Document]:
    """The header, its lines, and for posting documents the ledger's lines."""
    customer, entity, places = booked.customer, booked.customer.entity, booked.customer.entity.places
    prefix = _PREFIXES[booked.type]
    yield "transaction", {
        "id": booked.id, "tranid": f"{prefix}{booked.id}", "transactionnumber": f"{prefix}{booked.id}", "type": booked.type,
        "externalid": booked.external, "status": booked.status, "entity": customer.erp, "currency": entity.currency_id,
        "exchangerate": "1", "trandate": booked.on.date().isoformat(),
        "postingperiod": periods.at(booked.on) if booked.posting else None, "posting": "T" if booked.posting else "F",
        "void": "F", "voided": "F", "isreversal": "F", "foreigntotal": text(booked.entries[0].amount, places),
        "createddate": stamp(booked.created), "lastmodifieddate": stamp(booked.modified), **booked.header,
    }  # fmt: skip
    for number, entry in enumerate(booked.entries):
        main, value = number == 0, text(entry.amount, places)
        quantity = entry.quantity if entry.quantity else None
        yield "transactionline", {
            "transaction": booked.id, "id": number, "linesequencenumber": number, "uniquekey": booked.id * 100 + number,
            "mainline": "T" if main else "F", "taxline": "T" if entry.tax else "F", "iscogs": "F", "entity": customer.erp,
            "subsidiary": entity.subsidiary, "item": entry.item, "quantity": str(-quantity) if quantity else None,
            "rate": f"{Decimal(-entry.amount).scaleb(-places) / quantity:.8f}" if quantity else None,
            "foreignamount": value, "netamount": value, "memo": entry.memo or None, "createdfrom": entry.created_from,
            "debitforeignamount": value if entry.amount > 0 else None,
            "creditforeignamount": text(-entry.amount, places) if entry.amount < 0 else None, "expenseaccount": entry.account,
            "eliminate": "F", "isclosed": "F", "linelastmodifieddate": stamp(booked.modified), **(booked.main if main else {}),
        }  # fmt: skip
        if booked.posting:
            yield "transactionaccountingline", {
                "accountingbook": 1, "transaction": booked.id, "transactionline": number, "account": entry.account,
                "posting": "T", "debit": value if entry.amount > 0 else None,
                "credit": text(-entry.amount, places) if entry.amount < 0 else None, "amount": value, "netamount": value,
                "exchangerate": "1", **(_ledger_state(booked) if main else {}),
            }  # fmt: skip


def _ledger_state(booked: Booked) -> Json:
    pairs = (("amountpaid", "foreignamountpaid"), ("amountunpaid", "foreignamountunpaid"))
    return {name: booked.main[source] for name, source in pairs if source in booked.main}


def _customer(customer: Customer) -> Iterator[Document]:
    created = customer.joined + dt.timedelta(minutes=40)
    yield "customer", {
        "id": customer.erp, "entityid": f"CUST{customer.erp:05d}", "companyname": customer.name, "altname": customer.name,
        "email": f"billing@c{customer.number:04d}.example", "isperson": "F", "isinactive": "F",
        "currency": customer.entity.currency_id, "subsidiary": customer.entity.subsidiary, "terms": 1,
        "receivablesaccount": RECEIVABLES, "externalid": customer.crm, "creditholdoverride": "AUTO", "oncredithold": "F",
        "datecreated": stamp(created), "lastmodifieddate": stamp(max(created, customer.changed())),
    }  # fmt: skip
    yield "customersubsidiaryrelationship", {
        "id": customer.erp, "entity": customer.erp, "subsidiary": customer.entity.subsidiary, "isprimarysub": "T",
    }  # fmt: skip


def _order(company: Company, customer: Customer, subscription: Subscription) -> Booked:
    """The ERP's copy of a subscription: its total is the recurring amount a year, without tax."""
    order, seats = subscription.order, subscription.seats(company.anchor)
    annual = subscription.annual(company.anchor) if order.annual is None else order.annual
    touched = order.touched
    if subscription.ended is not None:
        touched = max(touched, min(subscription.ended + 4 * _HOUR, company.anchor - _HOUR / 60))
    entries = [
        Entry(RECEIVABLES, annual),
        Entry(
            income_account(subscription.plan.item), -annual, subscription.plan.item, seats, f"{subscription.plan.label}, a year"
        ),
    ]
    end = subscription.period(company.anchor)[1]
    return Booked(
        order.id, "SalesOrd", customer, subscription.started, order.created, touched, "H" if subscription.ended else "F",
        subscription.id, entries,
        {"otherrefnum": subscription.contract.number, "startdate": subscription.started.date().isoformat(),
         "enddate": end.date().isoformat(), "memo": f"{subscription.plan.label}, {subscription.rhythm.name}"},
        posting=False,
    )  # fmt: skip


def _invoice_with_payments(customer: Customer, bill: Bill, periods: Periods) -> Iterator[Document]:
    copy, places = bill.copy, customer.entity.places
    assert copy is not None
    assert bill.finalized is not None
    entries = invoice_entries(bill)
    total = entries[0].amount
    remaining, modified = total, max(copy.at, copy.touched or copy.at)
    applied: list[tuple[Payment | Credit, int]] = []
    incoming: list[Payment | Credit] = [*bill.payments, *bill.credits]
    for one in sorted((o for o in incoming if o.erp_at), key=lambda o: o.erp_at or o.at):
        used = min(one.amount, remaining)
        remaining -= used
        modified = max(modified, one.erp_at or modified)
        applied.append((one, used))
    status = "A" if remaining else "B"
    voided = bill.voided is not None
    if bill.voided is not None:
        modified, status, remaining = bill.voided + 2 * _HOUR, "V", 0
        entries = [Entry(e.account, 0, e.item, None, e.memo, e.tax) for e in entries]
    state = {"foreignamountpaid": text(entries[0].amount - remaining, places), "foreignamountunpaid": text(remaining, places)}
    header = {
        "otherrefnum": copy.contract_number, "duedate": bill.due.date().isoformat(),
        "terms": {14: 2, 45: 3}.get(bill.days_due, 1),
        "approvalstatus": 2, "closedate": modified.date().isoformat() if status == "B" else None, "memo": bill.note or None,
        "void": "T" if voided else "F", "voided": "T" if voided else "F", **state,
    }  # fmt: skip
    yield from rows(
        Booked(copy.id, "CustInvc", customer, bill.finalized, copy.at, modified, status, bill.id, entries, header, state), periods
    )
    for one, used in applied:
        yield from rows(_payer(customer, bill, one, used), periods)
        if used:
            yield "nexttransactionlinelink", {
                "previousdoc": copy.id, "previousline": 0, "previoustype": "CustInvc", "nextdoc": one.erp_id, "nextline": 0,
                "nexttype": "CustPymt" if isinstance(one, Payment) else "CustCred", "linktype": "Payment",
                "foreignamount": text(used, places), "lastmodifieddate": stamp(one.erp_at or one.at),
            }  # fmt: skip


def invoice_entries(bill: Bill) -> list[Entry]:
    """The ERP's lines of a bill: as billing issued it, and then what the ERP has of its own."""
    assert bill.copy is not None
    extra, why = bill.copy.extra, bill.copy.extra_text
    entries = []
    for line in bill.lines:
        item = _item_of(line.kind, line.price)
        entries.append(Entry(income_account(item), -line.amount, item, line.quantity or 1, line.text))
    tax = bill.tax
    if why == "Rounding":
        entries[0].amount -= extra
    elif why == "no tax":
        tax = 0
    elif extra:
        entries.append(Entry(income_account(catalogue.SERVICE_ITEM), -extra, catalogue.SERVICE_ITEM, 1, why))
    if tax:
        entries.append(Entry(catalogue.TAX_ITEM, -tax, None, None, "Tax", tax=True))
    total = -sum(entry.amount for entry in entries)
    return [Entry(RECEIVABLES, total), *entries]


def _item_of(kind: str, price: catalogue.Price | None) -> int:
    if kind == "metered":
        return catalogue.USAGE_ITEM
    if price is not None:
        return price.netsuite_item
    return catalogue.SERVICE_ITEM


def _payer(customer: Customer, bill: Bill, one: Payment | Credit, used: int) -> Booked:
    assert one.erp_id is not None
    assert one.erp_at is not None
    assert bill.copy is not None
    places = customer.entity.places
    state = {"foreignpaymentamountused": text(used, places), "foreignpaymentamountunused": text(one.amount - used, places)}
    if isinstance(one, Payment):
        entries = [Entry(UNDEPOSITED, one.amount), Entry(RECEIVABLES, -one.amount)]
        return Booked(
            one.erp_id, "CustPymt", customer, one.at, one.erp_at, one.erp_at, "C", one.intent, entries, dict(state), state
        )
    item = catalogue.SERVICE_ITEM
    entries = [
        Entry(RECEIVABLES, -one.amount, created_from=bill.copy.id),
        Entry(income_account(item), one.amount, item, 1, "Service credit"),
    ]
    status = "B" if used == one.amount else "A"
    header = {"otherrefnum": bill.copy.contract_number, **state}
    return Booked(one.erp_id, "CustCred", customer, one.at, one.erp_at, one.erp_at, status, one.id, entries, header, state)
