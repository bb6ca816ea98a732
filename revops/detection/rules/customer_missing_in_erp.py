"""Billing invoices a customer of whom the ERP knows nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, erp, example, fact, usd
from revops.detection.rule import Finding, Playbook, Rule, money, stands_for, text
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.matching.receivables import ISSUED, unknown_to_erp
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "customer_missing_in_erp"

FOUND = template(
    "customer_missing_in_erp.found", "Billing invoiced {customer} {count} times for {amount}; the ERP has no such customer."
)


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    if not unknown_to_erp(ledger):
        return
    for customer in ledger.of("customer", "billing"):
        issued = [
            (amount, invoice)
            for invoice in ledger.pointing_at(customer, "customer", "invoice")
            if text(invoice, "status") in ISSUED and (amount := money(invoice, "total")) is not None and amount.amount > 0
        ]
        if not issued or len({amount.currency for amount, _ in issued}) != 1:
            continue
        amount = sum((each for each, _ in issued[1:]), issued[0][0])
        first = min(_since(invoice) for _, invoice in issued)
        yield Finding(
            subjects=(customer,),
            sentence=FOUND(customer=customer.named, count=len(issued), amount=amount),
            due_at=first + policies.rule(CODE).after,
            amount=amount,
            context=tuple(invoice for _, invoice in issued[:20]),
        )


def _since(invoice: LedgerRecord) -> dt.datetime:
    finalized = invoice.fields.get("finalized_at")
    return finalized if isinstance(finalized, dt.datetime) else invoice.effective_at


_CUSTOMER = billing(fact("customer", "cus_1", name="Halden"))


def _invoice(id: str, when: str = "2026-11-10 12:00", status: str = "open") -> Stated:
    return billing(
        fact(
            "invoice",
            id,
            at(when),
            to="customer: billing customer cus_1",
            status=status,
            total=usd("90.00"),
            finalized_at=at(when),
        )
    )


def _found(amount: str, due: str = "2026-11-11 12:00") -> list[Expected]:
    return [Expected(amount, ("billing customer cus_1",), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Customer is not in the ERP",
    sentence="Billing invoices a customer whom the ERP does not know.",
    tolerance=stands_for(CODE),
    reads=frozenset({"customer", "invoice"}),
    needs=("billing invoice", "erp customer"),
    expects="erp",
    expects_type="customer",
    playbook=Playbook(
        means="None of their invoices can reach the books: revenue and receivables are missing for the whole customer.",
        check=(
            "Is there a customer in the ERP that is linked to no account? Look at the unlinked customers.",
            "Was the transfer of the customer refused, for a missing field or an unknown subsidiary?",
        ),
    ),
    posted=True,
    find=find,
    fires_on=(
        example("two invoices", _CUSTOMER, _invoice("in_1"), _invoice("in_2", "2026-11-12 12:00"), expect=_found("180.00")),
        example(
            "what is void does not count",
            _CUSTOMER,
            _invoice("in_1"),
            _invoice("in_2"),
            _invoice("in_3", status="void"),
            expect=_found("180.00"),
        ),
    ),
    silent_on=(
        example("the ERP knows them", _CUSTOMER, _invoice("in_1"), _invoice("in_2"), erp(fact("customer", "9", name="Halden"))),
        example("one invoice: it is the invoice that is missing", _CUSTOMER, _invoice("in_1")),
        example("nothing was issued", _CUSTOMER, _invoice("in_1", status="draft"), _invoice("in_2", status="draft")),
        example(
            "invoiced an hour ago",
            _CUSTOMER,
            _invoice("in_1", "2026-11-20 11:00"),
            _invoice("in_2", "2026-11-20 11:30"),
            expect=_found("180.00", "2026-11-21 11:00"),
        ),
    ),
)
