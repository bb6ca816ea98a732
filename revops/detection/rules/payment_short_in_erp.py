"""The ERP has received less than the customer paid by billing's word, and closed the rest without money."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, erp, example, fact, usd
from revops.detection.rule import Finding, Playbook, Rule, money, text
from revops.ledger.view import AccountLedger
from revops.matching.receivables import State, closed_otherwise, payments_of, receivables
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "payment_short_in_erp"

FOUND = template(
    "payment_short_in_erp.found",
    "{entered} is closed in the ERP with {amount} that nobody paid, more than a bank takes; in billing {billed} is paid.",
)
FEES = template(
    "payment_short_in_erp.fees", "{fee}, or 1 % where no fee is declared for the currency, and {after} until it counts"
)


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    for both in receivables(ledger):
        if both.state is not State.COMPARABLE or any(text(invoice, "status") != "paid" for invoice in both.issued):
            continue
        payments, amount = payments_of(both.posted, ledger), closed_otherwise(both, ledger)
        whole = [total for invoice in both.posted if (total := money(invoice, "total")) is not None]
        if not payments or amount is None or len(whole) < len(both.posted) or amount.amount <= 0:
            continue
        if amount <= policies.fee_for(sum(whole[1:], whole[0])):
            continue
        yield Finding(
            subjects=both.posted,
            sentence=FOUND(
                entered=tuple(record.named for record in both.posted),
                amount=amount,
                billed=tuple(record.named for record in both.issued),
            ),
            due_at=max(record.effective_at for record in both.posted) + policies.rule(CODE).after,
            amount=amount,
            context=(*both.issued, *payments),
        )


def _billed(status: str = "paid") -> Stated:
    return billing(fact("invoice", "in_1", status=status, total=usd("5000.00"), amount_remaining=usd("0.00")))


def _entered(left: str = "0.00", when: str = "2026-11-16 12:00", credited: str = "0.00") -> Stated:
    stated = fact(
        "invoice", "501", at(when), to="copy_of: billing invoice in_1", status="paid", total=usd("5000.00"),
        amount_remaining=usd(left), credited=usd(credited),
    )  # fmt: skip
    return erp(stated)


def _received(amount: str) -> Stated:
    return erp(fact("payment", "31", at("2026-11-16 11:00"), to="invoice: erp invoice 501", status="paid", amount=usd(amount)))


def _found(amount: str, due: str = "2026-11-18 12:00") -> list[Expected]:
    return [Expected(amount, ("erp invoice 501",), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Received less than was paid",
    sentence="The ERP received less than the customer paid, and more than a bank's fee was closed without money.",
    tolerance=lambda policies: FEES(fee=policies.fees[0], after=policies.rule(CODE).after),
    reads=frozenset({"invoice", "credit_memo", "payment"}),
    needs=("erp payment.invoice", "erp invoice.amount_remaining"),
    playbook=Playbook(
        means="Somebody put the rest to bank charges or wrote it off so that the invoice closes. The customer still owes it, or "
        "the payer's bank kept more than it should.",
        check=(
            "What do the bank's papers say was sent, and what came in?",
            "Who agreed to the rest? Above the fee of a transfer somebody has to.",
        ),
    ),
    find=find,
    fires_on=(
        example("120 of 5,000 put to bank charges", _billed(), _entered(), _received("4880.00"), expect=_found("120.00")),
        example("31 are more than the fee of 30", _billed(), _entered(), _received("4969.00"), expect=_found("31.00")),
    ),
    silent_on=(
        example("a fee of 25", _billed(), _entered(), _received("4975.00")),
        example("all of it came", _billed(), _entered(), _received("5000.00")),
        example("the rest is still open", _billed(), _entered("120.00"), _received("4880.00")),
        example("the rest was credited", _billed(), _entered(credited="120.00"), _received("4880.00")),
        example("closed without any payment: deposits are booked as journals", _billed(), _entered()),
        example("open in billing, which is another contradiction", _billed("open"), _entered(), _received("4880.00")),
        example(
            "closed an hour ago: not yet due",
            _billed(),
            _entered(when="2026-11-20 11:00"),
            _received("4880.00"),
            expect=_found("120.00", "2026-11-22 11:00"),
        ),
    ),
)
