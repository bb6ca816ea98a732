"""One payment of billing is entered in the ERP more than once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, erp, example, fact, usd
from revops.detection.rule import Finding, Playbook, Rule, money, stands_for
from revops.ledger.view import AccountLedger
from revops.matching.groups import matched
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "payment_entered_twice"

DEAD = frozenset({"failed", "canceled", "void"})
FOUND = template("payment_entered_twice.found", "{again} repeats {first} of {amount} in the ERP: one payment is booked twice.")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    for group in matched(ledger, "payment").groups:
        for paid in group.of("billing"):
            amount = money(paid, "amount")
            full = [
                entered
                for entered in group.of("erp")
                if money(entered, "amount") == amount and entered.fields.get("status") not in DEAD
            ]
            if amount is None or amount.amount <= 0 or len(full) < 2 or len(group.of("billing")) > 1:
                continue
            first, again = full[0], full[1:]
            yield Finding(
                subjects=tuple(full),
                sentence=FOUND(first=first.named, again=tuple(record.named for record in again), amount=amount),
                due_at=max(record.effective_at for record in again) + policies.rule(CODE).after,
                amount=sum((amount for _ in again[1:]), amount),
                context=(paid,),
            )


_PAID = billing(fact("payment", "pi_1", status="paid", amount=usd("90.00")))


def _entered(id: str, amount: str = "90.00", status: str = "paid", when: str = "2026-11-17 12:00") -> Stated:
    return erp(fact("payment", id, at(when), to="copy_of: billing payment pi_1", status=status, amount=usd(amount)))


def _found(due: str = "2026-11-17 16:00") -> list[Expected]:
    return [Expected("90.00", ("erp payment 31", "erp payment 32"), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Payment entered twice in the ERP",
    sentence="The ERP has booked one payment more than once.",
    tolerance=stands_for(CODE),
    reads=frozenset({"payment"}),
    needs=("erp payment.copy_of", "billing payment"),
    playbook=Playbook(
        means="The customer seems to have paid more than they did: another invoice may be closed with money that never came.",
        check=(
            "Did the transfer of payments run twice after a time-out?",
            "Void the repeated payment and look at what it was applied to.",
        ),
    ),
    find=find,
    fires_on=(
        example("two of the whole amount", _PAID, _entered("31"), _entered("32"), expect=_found()),
        example(
            "the second one came later",
            _PAID,
            _entered("31"),
            _entered("32", when="2026-11-18 08:00"),
            expect=_found("2026-11-18 12:00"),
        ),
    ),
    silent_on=(
        example("entered once", _PAID, _entered("31")),
        example("the second one failed", _PAID, _entered("31"), _entered("32", status="failed")),
        example("entered in two parts", _PAID, _entered("31", "40.00"), _entered("32", "50.00")),
        example(
            "two payments of the same amount",
            _PAID,
            _entered("31"),
            billing(fact("payment", "pi_2", status="paid", amount=usd("90.00"))),
        ),
    ),
)
