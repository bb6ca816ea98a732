"""Billing goes on after the contract has ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, crm, example, fact, on, usd
from revops.detection.rule import Finding, Playbook, Rule, day, midnight, money, stands_for, text, together
from revops.ledger.view import AccountLedger
from revops.matching.contracts import RUNNING
from revops.matching.receivables import ISSUED
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "billed_after_contract_end"

FOUND = template(
    "billed_after_contract_end.found",
    "Contract {contract} ended on {end} and no other follows; billing invoiced {invoices} since, {amount}.",
)


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    contracts = ledger.of("contract", "crm")
    for subscription in ledger.of("subscription", "billing"):
        named = [each for each in ledger.pointed_to(subscription, "contract") if not each.deleted]
        end = day(named[0], "end_on") if len(named) == 1 else None
        if text(subscription, "status") not in RUNNING or end is None or end >= now.date():
            continue
        follows = any(
            other.key != named[0].key
            and text(other, "status") in ("activated", "in_approval")
            and ((until := day(other, "end_on")) is None or until > end)
            for other in contracts
        )
        since = [
            invoice
            for invoice in ledger.pointing_at(subscription, "subscription", "invoice")
            if text(invoice, "status") in ISSUED and (issued := day(invoice, "issued_on")) is not None and issued > end
        ]
        amounts = [amount for invoice in since if (amount := money(invoice, "total")) is not None]
        amount = together(amounts)
        if follows or amount is None or amount.amount <= 0:
            continue
        yield Finding(
            subjects=(subscription, named[0]),
            sentence=FOUND(contract=named[0].named, end=end, invoices=tuple(each.named for each in since), amount=amount),
            due_at=midnight(end) + dt.timedelta(days=1) + policies.rule(CODE).after,
            amount=amount,
            context=tuple(since),
        )


def _contract(id: str = "800A", end: str = "2026-09-30", status: str = "activated") -> Stated:
    return crm(fact("contract", id, number=id, status=status, end_on=on(end)))


def _subscription(status: str = "active") -> Stated:
    return billing(fact("subscription", "sub_1", to="contract: crm contract 800A", status=status))


def _invoice(id: str, day: str, status: str = "open") -> Stated:
    to = "subscription: billing subscription sub_1"
    return billing(fact("invoice", id, to=to, status=status, total=usd("1300.00"), issued_on=on(day)))


def _found(amount: str) -> list[Expected]:
    return [Expected(amount, ("billing subscription sub_1", "crm contract 800A"), due=at("2026-10-31 00:00"))]


RULE = Rule(
    code=CODE,
    title="Billed after the end of the contract",
    sentence="A subscription bills on although its contract has ended and none follows.",
    tolerance=stands_for(CODE),
    reads=frozenset({"subscription", "contract", "invoice"}),
    needs=("billing subscription.contract", "crm contract.end_on"),
    playbook=Playbook(
        means="The customer is billed for something that they did not renew; they will ask for the money back.",
        check=(
            "Was the renewal lost? Then cancel the subscription and credit what was billed since.",
            "Was the renewal agreed and the contract not entered? Then enter it.",
        ),
        fixes=("credit_memo",),
    ),
    find=find,
    fires_on=(
        example(
            "two months billed on",
            _contract(),
            _subscription(),
            _invoice("in_1", "2026-10-01"),
            _invoice("in_2", "2026-11-01", "paid"),
            expect=_found("2600.00"),
        ),
        example(
            "billed once; what was billed before the end does not count",
            _contract(),
            _subscription("past_due"),
            _invoice("in_0", "2026-09-01"),
            _invoice("in_1", "2026-10-01"),
            expect=_found("1300.00"),
        ),
    ),
    silent_on=(
        example("the contract runs", _contract(end="2027-09-30"), _subscription(), _invoice("in_1", "2026-10-01")),
        example(
            "a renewal follows", _contract(), _contract("800B", "2027-09-30"), _subscription(), _invoice("in_1", "2026-10-01")
        ),
        example(
            "the renewal is being approved",
            _contract(),
            _contract("800B", "2027-09-30", "in_approval"),
            _subscription(),
            _invoice("in_1", "2026-10-01"),
        ),
        example("cancelled", _contract(), _subscription("canceled"), _invoice("in_1", "2026-10-01")),
        example("nothing was billed since", _contract(), _subscription(), _invoice("in_1", "2026-09-01")),
        example("voided", _contract(), _subscription(), _invoice("in_1", "2026-10-01", "void")),
        example(
            "ended last week",
            _contract(end="2026-11-13"),
            _subscription(),
            _invoice("in_1", "2026-11-14"),
            expect=[Expected("1300.00", ("billing subscription sub_1", "crm contract 800A"), due=at("2026-12-14 00:00"))],
        ),
    ),
)
