"""Money has arrived in the ERP and pays nothing, while an invoice is open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, erp, example, fact, usd
from revops.detection.rule import Finding, Playbook, Rule, money, stands_for, text
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.matching.receivables import State, closed_otherwise, payments_of, receivables
from revops.money import Money
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "payment_unapplied"

FOUND = template("payment_unapplied.found", "{payment} of {amount} is applied to no invoice; {invoices} is still open.")
CLOSED = template(
    "payment_unapplied.closed",
    "{payment} of {amount} is applied to no invoice; {invoices}, which the customer has paid, was closed without money.",
)


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    for payment in ledger.of("payment", "erp"):
        amount = money(payment, "amount")
        if amount is None or amount.amount <= 0 or text(payment, "status") != "paid" or payment.targets("invoice"):
            continue
        waiting = _waiting(payment, amount, ledger)
        closed = [] if waiting else _closed_without(payment, amount, ledger)
        if any(_is_told_elsewhere(invoice, amount, ledger) for invoice in waiting):
            continue
        if waiting or closed:
            told = FOUND if waiting else CLOSED
            named = tuple(invoice.named for invoice in (waiting or closed)[:3])
            yield Finding(
                subjects=(payment,),
                sentence=told(payment=payment.named, amount=amount, invoices=named),
                due_at=payment.effective_at + policies.rule(CODE).after,
                amount=amount,
                context=tuple((waiting or closed)[:3]),
            )


def _waiting(payment: LedgerRecord, amount: Money, ledger: AccountLedger) -> list[LedgerRecord]:
    """The open invoices that it could pay."""
    return [
        invoice
        for invoice in ledger.of("invoice", "erp")
        if invoice.system == payment.system
        and text(invoice, "status") == "open"
        and (left := money(invoice, "amount_remaining")) is not None
        and left.currency == amount.currency
        and left.amount > 0
    ]


def _closed_without(payment: LedgerRecord, amount: Money, ledger: AccountLedger) -> list[LedgerRecord]:
    """The invoices that are paid in billing, and that the ERP has closed to that amount with something else than money."""
    return [
        invoice
        for both in receivables(ledger)
        if both.state is State.COMPARABLE
        and all(text(billed, "status") == "paid" for billed in both.issued)
        and closed_otherwise(both, ledger) == amount
        for invoice in both.posted
        if invoice.system == payment.system
    ]


def _is_told_elsewhere(invoice: LedgerRecord, amount: Money, ledger: AccountLedger) -> bool:
    """Whether billing was paid for that very invoice: then it is the invoice whose payment is not in the ERP."""
    originals = ledger.pointed_to(invoice, "copy_of")
    settled = bool(originals) and all(text(billed, "status") == "paid" for billed in originals)
    return settled and money(invoice, "amount_remaining") == amount and bool(payments_of(originals, ledger))


def _paid(to: str = "", status: str = "paid", when: str = "2026-11-10 12:00") -> Stated:
    return erp(fact("payment", "31", at(when), to=to, status=status, amount=usd("90.00"), number="PYMT31"))


def _open(left: str = "90.00", status: str = "open") -> Stated:
    return erp(fact("invoice", "501", status=status, total=usd("90.00"), amount_remaining=usd(left)))


_SETTLED = billing(fact("invoice", "in_1", status="paid", total=usd("90.00"), amount_remaining=usd("0.00")))
_PAID_IN_BILLING = billing(fact("payment", "pi_1", to="invoice: billing invoice in_1", status="paid", amount=usd("90.00")))


def _written_off(left: str, status: str, total: str = "90.00") -> Stated:
    copy = "copy_of: billing invoice in_1"
    return erp(fact("invoice", "501", to=copy, status=status, total=usd(total), amount_remaining=usd(left)))


def _found(due: str = "2026-11-15 12:00") -> list[Expected]:
    return [Expected("90.00", ("erp payment 31",), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Payment is applied to nothing",
    sentence="A payment stands in the ERP beside an open invoice and pays neither it nor another.",
    tolerance=stands_for(CODE),
    reads=frozenset({"invoice", "credit_memo", "payment"}),
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
        example("written off before it was paid", _paid(), _SETTLED, _written_off("0.00", "paid"), expect=_found()),
    ),
    silent_on=(
        example("applied", _paid("invoice: erp invoice 501"), _open("0.00", "paid")),
        example("nothing is open", _paid(), _open("0.00", "paid")),
        example(
            "billing was paid for that very invoice, which is another contradiction",
            _paid(),
            _SETTLED,
            _PAID_IN_BILLING,
            _written_off("90.00", "open"),
        ),
        example("written off to another amount", _paid(), _SETTLED, _written_off("0.00", "paid", total="40.00")),
        example("a payment that failed", _paid(status="failed"), _open()),
        example("it came yesterday", _paid(when="2026-11-19 12:00"), _open(), expect=_found("2026-11-24 12:00")),
    ),
)
