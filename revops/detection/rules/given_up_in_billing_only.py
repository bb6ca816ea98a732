"""Billing has given an invoice up as uncollectible, and the ERP carries it as open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, erp, example, fact, usd
from revops.detection.rule import Finding, Playbook, Rule, money, stands_for, text, together
from revops.ledger.view import AccountLedger
from revops.matching.receivables import State, receivables
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "given_up_in_billing_only"

FOUND = template(
    "given_up_in_billing_only.found", "Billing has given up {billed}; the ERP carries {amount} of {entered} as still to be paid."
)


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    for both in receivables(ledger):
        if both.state is not State.COMPARABLE or any(text(each, "status") != "uncollectible" for each in both.issued):
            continue
        left = [amount for each in both.posted if (amount := money(each, "amount_remaining")) is not None]
        amount = together(left) if len(left) == len(both.posted) else None
        if amount is None or amount.amount <= 0 or not policies.beyond_tolerance(amount, amount - amount):
            continue
        yield Finding(
            subjects=(*both.issued, *both.posted),
            sentence=FOUND(
                billed=tuple(record.named for record in both.issued),
                entered=tuple(record.named for record in both.posted),
                amount=amount,
            ),
            due_at=max(record.effective_at for record in both.records) + policies.rule(CODE).after,
            amount=amount,
        )


def _billed(status: str = "uncollectible", when: str = "2026-11-10 12:00") -> Stated:
    return billing(fact("invoice", "in_1", at(when), status=status, total=usd("2100.00"), amount_remaining=usd("2100.00")))


def _entered(left: str | None = "2100.00", status: str = "open") -> Stated:
    stated = fact(
        "invoice", "501", at("2026-11-01 12:00"), to="copy_of: billing invoice in_1", status=status, total=usd("2100.00"),
        amount_remaining=usd(left) if left is not None else None,
    )  # fmt: skip
    return erp(stated)


def _found(amount: str = "2100.00", due: str = "2026-11-12 12:00") -> list[Expected]:
    return [Expected(amount, ("billing invoice in_1", "erp invoice 501"), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Given up in billing, open in the ERP",
    sentence="Billing marked an invoice as uncollectible, and the ERP has not written it off.",
    tolerance=stands_for(CODE),
    reads=frozenset({"invoice"}),
    needs=("billing invoice.status", "erp invoice.amount_remaining"),
    playbook=Playbook(
        means="Receivables are overstated by money that nobody collects any more, and its write-off falls into a later period.",
        check=(
            "Was a write-off entered without the customer, so that it closed no invoice?",
            "Is somebody still collecting it, such as an agency? Then it was given up in billing too early.",
            "Write it off in the ERP, within the period in which it was given up.",
        ),
    ),
    posted=True,
    find=find,
    fires_on=(
        example("nothing was written off", _billed(), _entered(), expect=_found()),
        example("a part was written off", _billed(), _entered("600.00"), expect=_found("600.00")),
    ),
    silent_on=(
        example("written off", _billed(), _entered("0.00", "paid")),
        example("still collected in billing", _billed("open"), _entered()),
        example("what remains is not known", _billed(), _entered(None)),
        example(
            "given up yesterday: not yet due",
            _billed(when="2026-11-19 12:00"),
            _entered(),
            expect=_found(due="2026-11-21 12:00"),
        ),
    ),
)
