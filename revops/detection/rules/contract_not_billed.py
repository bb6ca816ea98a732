"""A contract runs, and billing knows nothing of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, crm, example, fact, on, usd
from revops.detection.rule import Finding, Playbook, Rule, day, midnight, money, stands_for, text
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.money import Money
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "contract_not_billed"

RUNNING = frozenset({"active", "past_due", "trialing", "paused", "unpaid"})
FOUND = template(
    "contract_not_billed.found",
    "Contract {contract} runs since {start}; billing has no subscription for the customer, and no invoice.",
)


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    if any(text(subscription, "status") in RUNNING for subscription in ledger.of("subscription", "billing")):
        return  # one that names another contract, or none, may bill this one too
    for contract in ledger.of("contract", "crm"):
        start, end = day(contract, "start_on"), day(contract, "end_on")
        if text(contract, "status") != "activated" or start is None or start > now.date() or (end and end < now.date()):
            continue
        if any(_may_bill(invoice, contract, start, ledger) for invoice in ledger.of("invoice", "billing")):
            continue
        sold = ledger.pointing_at(contract, "contract", "opportunity")
        amounts = [amount for deal in sold if deal.fields.get("is_won") and (amount := money(deal, "amount")) is not None]
        yield Finding(
            subjects=(contract,),
            sentence=FOUND(contract=contract.named, start=start),
            due_at=max(midnight(start), contract.effective_at) + policies.rule(CODE).after,
            amount=_a_month(amounts[0], contract) if len(amounts) == 1 else None,
            context=tuple(sold),
        )


def _a_month(sold: Money, contract: LedgerRecord) -> Money:
    """What was sold, for one month of the contract's term; all of it where the term is not stated."""
    months = contract.fields.get("term_months")
    return Money.half_up(sold.amount / months, sold.currency) if isinstance(months, int) and months > 0 else sold


def _may_bill(invoice: LedgerRecord, contract: LedgerRecord, start: dt.date, ledger: AccountLedger) -> bool:
    """Whether an invoice names the contract, or was issued since it runs: billing may go on naming the contract before."""
    if text(invoice, "status") == "void":
        return False
    named = ledger.pointed_to(invoice, "contract")
    issued = day(invoice, "issued_on") or invoice.effective_at.date()
    return any(each.key == contract.key for each in named) or issued >= start


def _contract(
    start: str = "2026-10-01", status: str = "activated", end: str = "2027-09-30", when: str = "2026-10-01 09:00"
) -> Stated:
    return crm(fact("contract", "800A", at(when), number="100", status=status, start_on=on(start), end_on=on(end)))


_SOLD = crm(fact("opportunity", "006A", to="contract: crm contract 800A", is_won=True, amount=usd("24000.00")))


def _found(amount: str | None, due: str = "2026-10-15 09:00") -> list[Expected]:
    return [Expected(amount, ("crm contract 800A",), due=at(due))]


def _subscription(to: str = "contract: crm contract 800A", status: str = "active") -> Stated:
    return billing(fact("subscription", "sub_1", to=to, status=status))


RULE = Rule(
    code=CODE,
    title="Contract is not billed",
    sentence="A contract is activated and has started, and billing has nothing for it.",
    tolerance=stands_for(CODE),
    reads=frozenset({"contract", "subscription", "invoice", "opportunity"}),
    needs=("crm contract", "billing customer"),
    expects="billing",
    expects_type="subscription",
    playbook=Playbook(
        means="The customer was sold something and does not pay for it: revenue is lost every month until somebody notices.",
        check=(
            "Was the subscription made without the contract's number? Then enter the number in billing.",
            "Is the start of billing agreed for later? Then the contract's start date is wrong.",
        ),
    ),
    find=find,
    fires_on=(
        example("won, activated, nothing billed", _contract(), _SOLD, expect=_found("24000.00")),
        example("the amount is not known", _contract(), expect=_found(None)),
        example(
            "a contract of a year: a month is lost at a time",
            crm(
                fact(
                    "contract",
                    "800A",
                    at("2026-10-01 09:00"),
                    number="100",
                    status="activated",
                    start_on=on("2026-10-01"),
                    end_on=on("2027-09-30"),
                    term_months=12,
                )
            ),
            _SOLD,
            expect=_found("2000.00"),
        ),
        example("its subscription was cancelled", _contract(), _subscription(status="canceled"), expect=_found(None)),
        example(
            "billed before it began",
            _contract(),
            billing(fact("invoice", "in_1", status="paid", issued_on=on("2026-09-15"))),
            expect=_found(None),
        ),
    ),
    silent_on=(
        example("billed by a subscription", _contract(), _subscription()),
        example(
            "billed by an invoice", _contract(), billing(fact("invoice", "in_1", to="contract: crm contract 800A", status="open"))
        ),
        example(
            "an invoice since that names the contract before",
            _contract(),
            billing(fact("invoice", "in_1", to="contract: crm contract 800B", status="paid", issued_on=on("2026-10-05"))),
            crm(fact("contract", "800B", number="99", status="draft")),
        ),
        example("a draft", _contract(status="draft")),
        example("it starts next month", _contract(start="2026-12-01")),
        example("it is over", _contract(end="2026-11-01")),
        example("a subscription that names no contract", _contract(), _subscription("")),
        example("one that names the contract before", _contract(), _subscription("contract: crm contract 800B")),
        example(
            "an invoice that names none", _contract(), billing(fact("invoice", "in_1", status="open", issued_on=on("2026-10-05")))
        ),
        example("started a week ago", _contract("2026-11-13", when="2026-11-13 09:00"), expect=_found(None, "2026-11-27 09:00")),
    ),
)
