"""Billing has invoiced the same period of a subscription twice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from itertools import pairwise

from revops.detection.examples import Expected, Stated, at, billing, example, fact, on, usd
from revops.detection.rule import Finding, Playbook, Rule, day, money, stands_for, text
from revops.ledger.view import AccountLedger
from revops.matching.receivables import ISSUED, net
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "invoiced_twice"

DAYS = 6
FOUND = template("invoiced_twice.found", "{again} repeats {first} of {subscription}: {amount} a second time within {days} days.")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    for subscription in ledger.of("subscription", "billing"):
        billed = sorted(
            (
                (issued, invoice)
                for invoice in ledger.pointing_at(subscription, "subscription", "invoice")
                if text(invoice, "status") in ISSUED
                and text(invoice, "billing_reason") == "subscription_cycle"
                and (issued := day(invoice, "issued_on")) is not None
            ),
            key=lambda line: (line[0], line[1].key),
        )
        for (before, first), (after, again) in pairwise(billed):
            amount = net(again, ledger)
            if amount is None or amount.amount <= 0 or money(first, "total") != money(again, "total"):
                continue
            days = (after - before).days
            if days > DAYS:
                continue
            yield Finding(
                subjects=(first, again),
                sentence=FOUND(again=again.named, first=first.named, subscription=subscription.named, amount=amount, days=days),
                due_at=again.effective_at + policies.rule(CODE).after,
                amount=amount,
            )


_SUBSCRIPTION = billing(fact("subscription", "sub_1", status="active"))


def _cycle(id: str, day: str, total: str = "500.00", *, status: str = "open", credited: str = "0.00", why: str = "") -> Stated:
    stated = fact(
        "invoice", id, at("2026-11-05 12:00"), to="subscription: billing subscription sub_1", status=status, total=usd(total),
        billing_reason=why or "subscription_cycle", issued_on=on(day), credited=usd(credited),
    )  # fmt: skip
    return billing(stated)


def _found(amount: str = "500.00") -> list[Expected]:
    return [Expected(amount, ("billing invoice in_1", "billing invoice in_2"), due=at("2026-11-06 12:00"))]


RULE = Rule(
    code=CODE,
    title="Period invoiced twice",
    sentence="Billing asks the customer twice for the same period.",
    tolerance=stands_for(CODE),
    reads=frozenset({"invoice", "subscription", "credit_memo"}),
    needs=("billing invoice.subscription",),
    playbook=Playbook(
        means="The customer is asked for money that they do not owe, and revenue is counted twice.",
        check=(
            "Was the billing day moved? Then one of the two should have been prorated.",
            "Void or credit the second one.",
        ),
        fixes=("credit_memo",),
    ),
    find=find,
    fires_on=(
        example("two on one day", _SUBSCRIPTION, _cycle("in_1", "2026-11-01"), _cycle("in_2", "2026-11-01"), expect=_found()),
        example(
            "paid, and again a day later",
            _SUBSCRIPTION,
            _cycle("in_1", "2026-11-01", status="paid"),
            _cycle("in_2", "2026-11-02"),
            expect=_found(),
        ),
        example(
            "credited in part",
            _SUBSCRIPTION,
            _cycle("in_1", "2026-11-01"),
            _cycle("in_2", "2026-11-01", credited="200.00"),
            expect=_found("300.00"),
        ),
    ),
    silent_on=(
        example("a month apart", _SUBSCRIPTION, _cycle("in_1", "2026-10-01"), _cycle("in_2", "2026-11-01")),
        example("a week apart: billed weekly", _SUBSCRIPTION, _cycle("in_1", "2026-11-01"), _cycle("in_2", "2026-11-08")),
        example("another amount", _SUBSCRIPTION, _cycle("in_1", "2026-11-01"), _cycle("in_2", "2026-11-01", "40.00")),
        example("voided", _SUBSCRIPTION, _cycle("in_1", "2026-11-01"), _cycle("in_2", "2026-11-01", status="void")),
        example("credited in full", _SUBSCRIPTION, _cycle("in_1", "2026-11-01"), _cycle("in_2", "2026-11-01", credited="500.00")),
        example(
            "an amendment",
            _SUBSCRIPTION,
            _cycle("in_1", "2026-11-01"),
            _cycle("in_2", "2026-11-01", why="subscription_update"),
        ),
    ),
)
