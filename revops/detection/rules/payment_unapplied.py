"""Money has arrived in the ERP and pays nothing, while an invoice is open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, erp, example, fact, usd
from revops.detection.rule import Finding, Playbook, Rule, money, stands_for, text
from revops.ledger.view import AccountLedger
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "payment_unapplied"

FOUND = template("payment_unapplied.found", "{payment} of {amount} is applied to no invoice; {open} is still open.")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    for payment in ledger.of("payment", "erp"):
        amount = money(payment, "amount")
        if amount is None or amount.amount <= 0 or text(payment, "status") != "paid" or payment.targets("invoice"):
            continue
        waiting = [
            invoice
            for invoice in ledger.of("invoice", "erp")
            if invoice.system == payment.system
            and text(invoice, "status") == "open"
            and (left := money(invoice, "amount_remaining")) is not None
            and left.currency == amount.currency
            and left.amount > 0
        ]
        if not waiting:
            continue
        yield Finding(
            subjects=(payment,),
            sentence=FOUND(payment=payment.named, amount=amount, open=tuple(invoice.named for invoice in waiting[:3])),
            due_at=payment.effective_at + policies.rule(CODE).after,
            amount=amount,
            context=tuple(waiting[:3]),
        )


def _paid(to: str = "", status: str = "paid", when: str = "2026-11-10 12:00") -> Stated:
    return erp(fact("payment", "31", at(when), to=to, status=status, amount=usd("90.00"), number="PYMT31"))


def _open(left: str = "90.00", status: str = "open") -> Stated:
    return erp(fact("invoice", "501", status=status, total=usd("90.00"), amount_remaining=usd(left)))


def _found(due: str = "2026-11-15 12:00") -> list[Expected]:
    return [Expected("90.00", ("erp payment 31",), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Payment is applied to nothing",
    sentence="A payment stands in the ERP beside an open invoice and pays neither it nor another.",
    tolerance=stands_for(CODE),
    reads=frozenset({"invoice", "payment"}),
    needs=("erp payment",),
    playbook=Playbook(
        means="The customer has paid and is reminded all the same: the money lies on the account and closes no invoice.",
        check=(
            "What did the customer write on the transfer? Apply the payment to that invoice.",
            "Is it a deposit for something that is not invoiced yet? Then say so on the case.",
        ),
    ),
    find=find,
    fires_on=(
        example("money on the account, an invoice is open", _paid(), _open(), expect=_found()),
        example("more is open than was paid", _paid(), _open("500.00"), expect=_found()),
    ),
    silent_on=(
        example("applied", _paid("invoice: erp invoice 501"), _open("0.00", "paid")),
        example("nothing is open", _paid(), _open("0.00", "paid")),
        example("a payment that failed", _paid(status="failed"), _open()),
        example("it came yesterday", _paid(when="2026-11-19 12:00"), _open(), expect=_found("2026-11-24 12:00")),
    ),
)
