"""Billing was paid and the ERP still carries the invoice as open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, erp, example, fact, usd
from revops.detection.rule import Finding, Playbook, Rule, money, stands_for
from revops.ledger.view import AccountLedger, latest
from revops.matching.receivables import State, misapplied, net, paid, payments_of, receivables
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "payment_not_in_erp"

FOUND = template("payment_not_in_erp.found", "The customer paid {billed}; the ERP still asks for {amount} by {entered}.")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    for both in receivables(ledger):
        if both.state is not State.COMPARABLE or any(invoice.fields.get("status") == "uncollectible" for invoice in both.issued):
            continue
        here = [money(invoice, "amount_remaining") for invoice in both.issued]
        there = [money(invoice, "amount_remaining") for invoice in both.posted]
        left = [amount for amount in (*here, *there) if amount is not None]
        if len(left) < len(here) + len(there) or len({amount.currency for amount in left}) != 1:
            continue
        nothing = left[0] - left[0]
        billed, entered = sum(left[: len(here)], nothing), sum(left[len(here) :], nothing)
        nets = [net(invoice, ledger) for invoice in (*both.issued, *both.posted)]
        known = [amount for amount in nets if amount is not None]
        apart = sum(known[len(here) :], nothing) - sum(known[: len(here)], nothing) if len(known) == len(nets) else nothing
        payments = payments_of(both.issued, ledger)
        if any(misapplied(payment, ledger) for payment in payments):
            continue  # it is in the ERP, on another invoice
        missing = min(entered - billed - (apart if apart.amount > 0 else nothing), paid(payments, nothing.currency))
        if missing.amount <= 0 or not policies.beyond_tolerance(missing, nothing):
            continue
        yield Finding(
            subjects=(*both.issued, *both.posted),
            sentence=FOUND(
                billed=tuple(record.named for record in both.issued),
                entered=tuple(record.named for record in both.posted),
                amount=missing,
            ),
            due_at=latest([*both.issued, *both.posted, *payments]) + policies.rule(CODE).after,
            amount=missing,
        )


_PAID = billing(
    fact("payment", "pi_1", at("2026-11-16 12:00"), to="invoice: billing invoice in_1", status="paid", amount=usd("90.00"))
)


def _billed(left: str = "0.00", status: str = "paid", when: str = "2026-11-16 12:00", credited: str = "0.00") -> Stated:
    stated = fact(
        "invoice", "in_1", at(when), status=status, total=usd("90.00"), amount_remaining=usd(left), credited=usd(credited)
    )
    return billing(stated)


def _entered(left: str = "90.00", total: str = "90.00", status: str = "open") -> Stated:
    copy = "copy_of: billing invoice in_1"
    return erp(
        fact("invoice", "501", at("2026-11-16 12:00"), to=copy, status=status, total=usd(total), amount_remaining=usd(left))
    )


def _found(amount: str, due: str = "2026-11-17 12:00") -> list[Expected]:
    return [Expected(amount, ("billing invoice in_1", "erp invoice 501"), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Payment is not in the ERP",
    sentence="Billing was paid, and the ERP has not applied the money.",
    tolerance=stands_for(CODE),
    reads=frozenset({"invoice", "credit_memo", "payment"}),
    needs=("billing payment", "erp invoice.copy_of"),
    playbook=Playbook(
        means="The receivable stays open although the customer paid: they are reminded, and the aged receivables are too high.",
        check=(
            "Was the payment entered on another customer, or left unapplied?",
            "Was it paid by a bank transfer that billing knows and the ERP does not?",
            "Did the transfer of payments to the ERP fail?",
        ),
    ),
    posted=True,
    find=find,
    fires_on=(
        example("paid in billing, open in the ERP", _billed(), _PAID, _entered(), expect=_found("90.00")),
        example("paid in part", _billed("40.00", "open"), _PAID, _entered(), expect=_found("50.00")),
        example(
            "what the ERP carries too much is not a payment",
            _billed(),
            _PAID,
            _entered("100.00", "100.00"),
            expect=_found("90.00"),
        ),
    ),
    silent_on=(
        example(
            "the ERP has applied the payment to another invoice, which is another contradiction",
            _billed(),
            _PAID,
            _entered(),
            erp(fact("payment", "31", to="copy_of: billing payment pi_1; invoice: erp invoice 777", status="paid")),
        ),
        example("paid in both", _billed(), _PAID, _entered("0.00", status="paid")),
        example("closed in billing, and no payment is known", _billed(), _entered()),
        example("open in both", _billed("90.00", "open"), _PAID, _entered()),
        example("credited in billing, not paid", _billed("70.00", "open", credited="20.00"), _entered()),
        example("given up in billing", _billed("0.00", "uncollectible"), _PAID, _entered()),
        example("the ERP does not say what is left", _billed(), erp(fact("invoice", "501", to="copy_of: billing invoice in_1"))),
        example(
            "paid yesterday",
            _billed("40.00", "open"),
            billing(
                fact(
                    "payment",
                    "pi_1",
                    at("2026-11-20 10:00"),
                    to="invoice: billing invoice in_1",
                    status="paid",
                    amount=usd("50.00"),
                )
            ),
            _entered(),
            expect=_found("50.00", "2026-11-21 10:00"),
        ),
        example(
            "paid an hour ago", _billed(when="2026-11-20 11:00"), _PAID, _entered(), expect=_found("90.00", "2026-11-21 11:00")
        ),
    ),
)
