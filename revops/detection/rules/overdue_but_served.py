"""An invoice is long overdue, and the subscription goes on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, example, fact, on, usd
from revops.detection.rule import Finding, Playbook, Rule, day, midnight, money, stands_for, text
from revops.ledger.view import AccountLedger
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "overdue_but_served"

SERVED = frozenset({"active", "trialing"})
FOUND = template("overdue_but_served.found", "{invoice} is due since {due}: {amount} are open, and {subscription} goes on.")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    served = [each for each in ledger.of("subscription", "billing") if text(each, "status") in SERVED]
    if not served:
        return
    for invoice in ledger.of("invoice", "billing"):
        due, left = day(invoice, "due_on"), money(invoice, "amount_remaining")
        if text(invoice, "status") != "open" or due is None or left is None or left.amount <= 0:
            continue
        own = [each for each in ledger.pointed_to(invoice, "subscription") if each in served] or served
        yield Finding(
            subjects=(invoice,),
            sentence=FOUND(invoice=invoice.named, due=due, amount=left, subscription=tuple(each.named for each in own)),
            due_at=midnight(due) + dt.timedelta(days=1) + policies.rule(CODE).after,
            amount=left,
            context=tuple(own),
        )


def _invoice(due: str = "2026-08-01", left: str = "900.00", status: str = "open") -> Stated:
    return billing(
        fact("invoice", "in_1", number="A-1", status=status, total=usd("900.00"), amount_remaining=usd(left), due_on=on(due))
    )


def _subscription(status: str = "active") -> Stated:
    return billing(fact("subscription", "sub_1", status=status))


def _found(amount: str, due: str) -> list[Expected]:
    return [Expected(amount, ("billing invoice in_1",), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Long overdue and still served",
    sentence="A customer uses what they have not paid for a long time.",
    tolerance=stands_for(CODE),
    reads=frozenset({"invoice", "subscription"}),
    needs=("billing invoice.due_on", "billing subscription"),
    playbook=Playbook(
        means="The debt grows every month, and nobody has decided whether the service goes on.",
        check=(
            "Is the invoice disputed? Then say so on the case and put it aside until it is settled.",
            "Has customer success spoken to the customer? Agree on a date, or have the service stopped.",
        ),
    ),
    find=find,
    fires_on=(
        example("three months overdue", _invoice(), _subscription(), expect=_found("900.00", "2026-09-30 00:00")),
        example("paid in part", _invoice(left="100.00"), _subscription("trialing"), expect=_found("100.00", "2026-09-30 00:00")),
    ),
    silent_on=(
        example("paid", _invoice(left="0.00", status="paid"), _subscription()),
        example("the service was stopped", _invoice(), _subscription("unpaid")),
        example("given up", _invoice(status="uncollectible"), _subscription()),
        example("due last week", _invoice("2026-11-13"), _subscription(), expect=_found("900.00", "2027-01-12 00:00")),
    ),
)
