"""The ERP has closed an invoice without money or a credit, and billing goes on asking for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, erp, example, fact, usd
from revops.detection.rule import Finding, Playbook, Rule, money, stands_for, text
from revops.ledger.view import AccountLedger
from revops.matching.receivables import State, closed_otherwise, receivables
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "closed_in_erp_only"

FOUND = template(
    "closed_in_erp_only.found",
    "The ERP has closed {amount} of {entered} without a payment or a credit; billing still asks for it by {billed}.",
)


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    for both in receivables(ledger):
        if both.state is not State.COMPARABLE or len(both.issued) != 1 or text(both.issued[0], "status") != "open":
            continue
        left = money(both.issued[0], "amount_remaining")
        otherwise = closed_otherwise(both, ledger)
        if left is None or otherwise is None or otherwise.currency != left.currency:
            continue
        amount = min(left, otherwise)
        if amount.amount <= 0 or not policies.beyond_tolerance(amount, amount - amount):
            continue
        yield Finding(
            subjects=(*both.issued, *both.posted),
            sentence=FOUND(
                amount=amount,
                entered=tuple(record.named for record in both.posted),
                billed=tuple(record.named for record in both.issued),
            ),
            due_at=max(record.effective_at for record in both.posted) + policies.rule(CODE).after,
            amount=amount,
        )


_PAID = erp(fact("payment", "31", at("2026-11-10 12:00"), to="invoice: erp invoice 501", status="paid", amount=usd("30.00")))


def _billed(left: str = "90.00", status: str = "open") -> Stated:
    return billing(fact("invoice", "in_1", status=status, total=usd("90.00"), amount_remaining=usd(left)))


def _entered(left: str = "0.00", when: str = "2026-11-10 12:00", credited: str = "0.00") -> Stated:
    stated = fact(
        "invoice", "501", at(when), to="copy_of: billing invoice in_1", status="paid", total=usd("90.00"),
        amount_remaining=usd(left), credited=usd(credited),
    )  # fmt: skip
    return erp(stated)


def _found(amount: str, due: str = "2026-11-13 12:00") -> list[Expected]:
    return [Expected(amount, ("billing invoice in_1", "erp invoice 501"), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Closed in the ERP, open in billing",
    sentence="The ERP has closed an invoice by a journal or the like, and billing still collects it.",
    tolerance=stands_for(CODE),
    reads=frozenset({"invoice", "credit_memo", "payment"}),
    needs=("billing invoice.amount_remaining", "erp invoice.amount_remaining"),
    playbook=Playbook(
        means="The ERP has given the money up, as a rule, while billing goes on charging the customer's card and sending "
        "reminders. What comes in then has nothing to be applied to.",
        check=(
            "What closed it in the ERP: a write-off journal, a deposit, an offset against what is owed to the customer?",
            "Written off for good? Then mark the invoice as uncollectible in billing, and end the subscription.",
            "Is the payment simply not read yet? Read the ERP again.",
        ),
    ),
    find=find,
    fires_on=(
        example("written off by a journal", _billed(), _entered(), expect=_found("90.00")),
        example("a third was paid, the rest written off", _billed(), _entered(), _PAID, expect=_found("60.00")),
        example("some was written off", _billed(), _entered("70.00"), expect=_found("20.00")),
        example("billing asks for the rest only", _billed("40.00"), _entered(), expect=_found("40.00")),
    ),
    silent_on=(
        example("paid in both", _billed("0.00", "paid"), _entered()),
        example("given up in both", _billed("90.00", "uncollectible"), _entered()),
        example("open in both", _billed(), _entered("90.00")),
        example("credited in the ERP, which is another contradiction", _billed(), _entered(credited="90.00")),
        example("the ERP does not say what remains", _billed(), erp(fact("invoice", "501", to="copy_of: billing invoice in_1"))),
        example(
            "closed an hour ago: not yet due",
            _billed(),
            _entered(when="2026-11-20 11:00"),
            expect=_found("90.00", "2026-11-23 11:00"),
        ),
    ),
)
