"""The ERP was paid and billing still asks the customer for the money."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, erp, example, fact, usd
from revops.detection.rule import Finding, Playbook, Rule, money, stands_for, text
from revops.ledger.view import AccountLedger, latest
from revops.matching.receivables import State, net, paid, payments_of, pays_another, receivables
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "payment_not_in_billing"

FOUND = template(
    "payment_not_in_billing.found", "The ERP has the money for {entered}; billing still asks for {amount} by {billed}."
)


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    for both in receivables(ledger):
        if both.state is not State.COMPARABLE or len(both.issued) != 1:
            continue
        billed = both.issued[0]
        left = money(billed, "amount_remaining")
        there = [money(invoice, "amount_remaining") for invoice in both.posted]
        if text(billed, "status") != "open" or left is None or not policies.beyond_tolerance(left, left - left):
            continue
        rest = [amount for amount in there if amount is not None and amount.currency == left.currency]
        if len(rest) < len(there):
            continue
        nets = [amount for invoice in both.records if (amount := net(invoice, ledger)) is not None]
        if len(nets) != len(both.records) or len({amount.currency for amount in nets}) != 1:
            continue
        credited = sum(nets[: len(both.billed)], left - left) - sum(nets[len(both.billed) :], left - left)
        came = left - sum(rest, left - left) - (credited if credited.amount > 0 else left - left)
        payments = [each for each in payments_of(both.posted, ledger) if not pays_another(each, both.issued, ledger)]
        came = min(came, paid(payments, left.currency))
        if came.amount <= 0 or not policies.beyond_tolerance(came, left - left):
            continue
        yield Finding(
            subjects=(billed, *both.posted),
            sentence=FOUND(billed=billed.named, entered=tuple(record.named for record in both.posted), amount=came),
            due_at=latest([*both.posted, *payments]) + policies.rule(CODE).after,
            amount=came,
        )


_PAID = erp(fact("payment", "31", at("2026-11-16 12:00"), to="invoice: erp invoice 501", status="paid", amount=usd("90.00")))


_PAYS_ANOTHER = billing(fact("payment", "pi_9", to="invoice: billing invoice in_9", status="paid", amount=usd("90.00")))


def _billed(left: str = "90.00", status: str = "open") -> Stated:
    return billing(fact("invoice", "in_1", status=status, total=usd("90.00"), amount_remaining=usd(left)))


def _entered(left: str = "0.00", status: str = "paid", when: str = "2026-11-16 12:00", credited: str = "0.00") -> Stated:
    stated = fact(
        "invoice", "501", at(when), to="copy_of: billing invoice in_1", status=status, total=usd("90.00"),
        amount_remaining=usd(left), credited=usd(credited),
    )  # fmt: skip
    return erp(stated)


def _found(amount: str, due: str = "2026-11-17 12:00") -> list[Expected]:
    return [Expected(amount, ("billing invoice in_1", "erp invoice 501"), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Payment is not in billing",
    sentence="The ERP has received the money, and billing still asks the customer for it.",
    tolerance=stands_for(CODE),
    reads=frozenset({"invoice", "credit_memo", "payment"}),
    needs=("erp payment.invoice", "erp invoice.copy_of"),
    playbook=Playbook(
        means="A customer who has paid is reminded, and their subscription may be stopped for a debt that does not exist.",
        check=(
            "Did the money come by bank transfer? Mark the invoice as paid outside of billing.",
            "Was it applied to the right invoice in the ERP?",
        ),
    ),
    find=find,
    fires_on=(
        example("paid in the ERP, open in billing", _billed(), _PAID, _entered(), expect=_found("90.00")),
        example("paid in part in the ERP", _billed(), _PAID, _entered("60.00", "open"), expect=_found("30.00")),
    ),
    silent_on=(
        example(
            "what was received paid another invoice, which is another contradiction",
            _billed(),
            _PAYS_ANOTHER,
            erp(
                fact(
                    "payment",
                    "31",
                    to="copy_of: billing payment pi_9; invoice: erp invoice 501",
                    status="paid",
                    amount=usd("90.00"),
                )
            ),
            _entered(),
        ),
        example("open in both", _billed(), _PAID, _entered("90.00", "open")),
        example("closed in the ERP, and no payment is known", _billed(), _entered()),
        example("paid in both", _billed("0.00", "paid"), _PAID, _entered()),
        example("credited in the ERP, not paid", _billed(), _PAID, _entered("60.00", "open", credited="30.00")),
        example("given up in billing", _billed("90.00", "uncollectible"), _PAID, _entered()),
        example(
            "paid an hour ago", _billed(), _PAID, _entered(when="2026-11-20 11:00"), expect=_found("90.00", "2026-11-21 11:00")
        ),
    ),
)
