"""A deal is won, and there is neither a contract nor anything billed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, crm, example, fact, on, usd
from revops.detection.rule import Finding, Playbook, Rule, day, midnight, money, stands_for, text
from revops.ledger.view import AccountLedger
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "opportunity_won_without_contract"

FOUND = template(
    "opportunity_won_without_contract.found", "{deal} was won on {day} for {amount}; no contract runs and nothing is billed."
)


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    runs = any(text(contract, "status") in ("activated", "in_approval") for contract in ledger.of("contract", "crm"))
    if runs or ledger.of("subscription", "billing") or ledger.of("invoice", "billing"):
        return
    for deal in ledger.of("opportunity", "crm"):
        won, amount = day(deal, "close_on"), money(deal, "amount")
        if deal.fields.get("is_won") is not True or won is None or amount is None or amount.amount <= 0 or won > now.date():
            continue
        yield Finding(
            subjects=(deal,),
            sentence=FOUND(deal=deal.named, day=won, amount=amount),
            due_at=midnight(won) + dt.timedelta(days=1) + policies.rule(CODE).after,
            amount=amount,
        )


def _deal(won: bool = True, closed: str = "2026-10-20", amount: str = "24000.00") -> Stated:
    return crm(fact("opportunity", "006A", name="New business", is_won=won, close_on=on(closed), amount=usd(amount)))


def _found(due: str = "2026-11-04 00:00") -> list[Expected]:
    return [Expected("24000.00", ("crm opportunity 006A",), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Won and never started",
    sentence="A deal is won, and neither a contract nor billing follows.",
    tolerance=stands_for(CODE),
    reads=frozenset({"opportunity", "contract", "subscription", "invoice"}),
    needs=("crm opportunity", "crm contract"),
    expects="billing",
    expects_type="subscription",
    playbook=Playbook(
        means="The customer waits for what they bought, and nobody will bill it.",
        check=(
            "Is the contract being drawn up? Who has it?",
            "Is the deal counted on another account of the same customer?",
        ),
    ),
    find=find,
    fires_on=(
        example("won a month ago", _deal(), expect=_found()),
        example("the contract is a draft", _deal(), crm(fact("contract", "800A", number="1", status="draft")), expect=_found()),
    ),
    silent_on=(
        example("a contract runs", _deal(), crm(fact("contract", "800A", number="1", status="activated"))),
        example("it is billed", _deal(), billing(fact("subscription", "sub_1", status="active"))),
        example("billed once", _deal(), billing(fact("invoice", "in_1", status="paid"))),
        example("lost", _deal(won=False)),
        example("worth nothing", _deal(amount="0.00")),
        example("won last week", _deal(closed="2026-11-13"), expect=_found("2026-11-28 00:00")),
    ),
)
