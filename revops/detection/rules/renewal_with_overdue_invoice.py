"""A renewal is being worked while an invoice of the customer is overdue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, customer_success, example, fact, on, usd
from revops.detection.rule import Finding, Playbook, Rule, day, midnight, money, stands_for, text
from revops.ledger.view import AccountLedger
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "renewal_with_overdue_invoice"

FOUND = template("renewal_with_overdue_invoice.found", "{renewal} is being worked while {amount} are overdue by {invoices}.")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    overdue = [
        (due, left, invoice)
        for invoice in ledger.of("invoice", "billing")
        if text(invoice, "status") == "open"
        and (due := day(invoice, "due_on")) is not None
        and due < now.date()
        and (left := money(invoice, "amount_remaining")) is not None
        and left.amount > 0
    ]
    if not overdue:
        return
    first = min(due for due, _, _ in overdue)
    currency = overdue[0][1].currency
    same = [(left, invoice) for _, left, invoice in overdue if left.currency == currency]
    amount = sum((left for left, _ in same[1:]), same[0][0])
    for renewal in ledger.of("renewal", "customer_success"):
        if text(renewal, "stage") != "in_progress" or renewal.fields.get("held"):
            continue
        yield Finding(
            subjects=(renewal,),
            sentence=FOUND(renewal=renewal.named, amount=amount, invoices=tuple(invoice.named for _, invoice in same[:5])),
            due_at=midnight(first) + dt.timedelta(days=1) + policies.rule(CODE).after,
            amount=amount,
            context=tuple(invoice for _, _, invoice in overdue),
        )


def _invoice(due: str = "2026-09-01", left: str = "900.00", status: str = "open", id: str = "in_1") -> Stated:
    return billing(fact("invoice", id, number=id, status=status, total=usd("900.00"), amount_remaining=usd(left), due_on=on(due)))


def _renewal(stage: str = "in_progress", held: bool = False) -> Stated:
    return customer_success(fact("renewal", "1R01", name="Renewal 2027", stage=stage, held=held))


def _found(amount: str, due: str = "2026-10-17 00:00") -> list[Expected]:
    return [Expected(amount, ("customer_success renewal 1R01",), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Renewal with an overdue invoice",
    sentence="A renewal is being worked with a customer who has not paid.",
    tolerance=stands_for(CODE),
    reads=frozenset({"invoice", "renewal"}),
    needs=("customer_success renewal", "billing invoice.due_on"),
    playbook=Playbook(
        means="Whoever talks to the customer about the next year should know that this one is not paid.",
        check=(
            "Does customer success know of the open invoice, and does collections know of the renewal?",
            "Is it a dispute? What is promised in the renewal may settle it.",
        ),
    ),
    find=find,
    fires_on=(
        example("overdue for two months", _invoice(), _renewal(), expect=_found("900.00")),
        example("two invoices", _invoice(), _invoice("2026-10-01", "100.00", id="in_2"), _renewal(), expect=_found("1000.00")),
    ),
    silent_on=(
        example("paid", _invoice(left="0.00", status="paid"), _renewal()),
        example("nobody works it", _invoice(), _renewal("not_started")),
        example("it is held", _invoice(), _renewal(held=True)),
        example("due next week", _invoice("2026-11-27"), _renewal()),
        example("overdue for a week", _invoice("2026-11-13"), _renewal(), expect=_found("900.00", "2026-12-29 00:00")),
    ),
)
