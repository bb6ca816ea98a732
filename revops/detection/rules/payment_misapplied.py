"""The ERP has applied a payment to another invoice than the one that it paid."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, elsewhere, erp, example, fact, usd
from revops.detection.rule import Finding, Playbook, Rule, money, stands_for, text
from revops.ledger.view import AccountLedger
from revops.matching.receivables import misapplied
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "payment_misapplied"

FOUND = template(
    "payment_misapplied.found",
    "The customer paid {billed} with {amount}; the ERP applied that payment, {entered}, to {applied}, which it did not pay.",
)


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    for payment in ledger.of("payment", "billing"):
        amount = money(payment, "amount")
        if text(payment, "status") != "paid" or amount is None or amount.amount <= 0:
            continue
        for entered in misapplied(payment, ledger):
            yield Finding(
                subjects=(entered,),
                sentence=FOUND(
                    billed=tuple(record.named for record in ledger.pointed_to(payment, "invoice")),
                    amount=amount,
                    entered=entered.named,
                    applied=entered.targets("invoice"),
                ),
                due_at=entered.effective_at + policies.rule(CODE).after,
                amount=amount,
                context=(payment, *ledger.pointed_to(payment, "invoice")),
            )


_BILLED = billing(fact("invoice", "in_1", status="paid", total=usd("1500.00")))
_ENTERED = erp(fact("invoice", "501", to="copy_of: billing invoice in_1", status="open", total=usd("1500.00")))


def _paid(status: str = "paid") -> Stated:
    return billing(fact("payment", "pi_1", to="invoice: billing invoice in_1", status=status, amount=usd("1500.00")))


def _received(to: str, when: str = "2026-11-16 12:00") -> Stated:
    to = f"copy_of: billing payment pi_1{to and '; invoice: ' + to}"
    return erp(fact("payment", "31", at(when), to=to, status="paid", amount=usd("1500.00")))


def _found(due: str = "2026-11-17 12:00") -> list[Expected]:
    return [Expected("1500.00", ("erp payment 31",), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Payment applied to another invoice",
    sentence="A payment stands in the ERP against another invoice than the one that the customer paid with it.",
    tolerance=stands_for(CODE),
    reads=frozenset({"invoice", "payment"}),
    needs=("erp payment.copy_of", "erp payment.invoice", "erp invoice.copy_of"),
    playbook=Playbook(
        means="One invoice looks unpaid, and its customer will be reminded; another one looks paid with somebody else's money.",
        check=(
            "Does the payment stand on the right customer in the ERP? If not, that comes first.",
            "Move the application to the invoice that was paid.",
        ),
    ),
    find=find,
    fires_on=(
        example("to another invoice", _BILLED, _ENTERED, _paid(), _received("erp invoice 777"), expect=_found()),
        example(
            "of another customer", _BILLED, _ENTERED, _paid(), elsewhere(_received("erp invoice 777"), account=2), expect=_found()
        ),
    ),
    silent_on=(
        example("to the right one", _BILLED, _ENTERED, _paid(), _received("erp invoice 501")),
        example("to the right one and another", _BILLED, _ENTERED, _paid(), _received("erp invoice 501, erp invoice 777")),
        example("to nothing yet, which is another contradiction", _BILLED, _ENTERED, _paid(), _received("")),
        example("the invoice is not in the ERP", _BILLED, _paid(), _received("erp invoice 777")),
        example("the payment failed", _BILLED, _ENTERED, _paid("failed"), _received("erp invoice 777")),
        example(
            "applied an hour ago: not yet due",
            _BILLED,
            _ENTERED,
            _paid(),
            _received("erp invoice 777", "2026-11-20 11:00"),
            expect=_found("2026-11-21 11:00"),
        ),
    ),
)
