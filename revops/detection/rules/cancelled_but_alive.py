"""Billing has ended a subscription, and another system goes on as if it had not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, crm, erp, example, fact, on, usd
from revops.detection.rule import Finding, Playbook, Rule, a_month, day, stands_for, text
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.matching.contracts import without_contract
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "cancelled_but_alive"

ENDED = frozenset({"canceled", "ended"})
FOUND = template(
    "cancelled_but_alive.found", "Billing ended {subscription}; {alive} goes on, {amount} a month are sold and not billed."
)
UNPRICED = template("cancelled_but_alive.unpriced", "Billing ended {subscription}; {alive} goes on.")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    if without_contract(ledger):
        return  # what runs may be what has taken its place, which is another contradiction
    live = [each for each in ledger.of("subscription", "billing") if text(each, "status") not in ENDED]
    for ended in ledger.of("subscription", "billing"):
        if text(ended, "status") not in ENDED:
            continue
        alive = _alive(ended, ledger, now)
        replaced = any(other.targets("contract") == ended.targets("contract") for other in live)
        again = any(
            other.key != ended.key
            and text(other, "status") in ENDED
            and other.targets("contract") == ended.targets("contract")
            and (other.effective_at, other.key) > (ended.effective_at, ended.key)
            for other in ledger.of("subscription", "billing")
        )
        if not alive or replaced or again:
            continue
        amount = a_month(ended)
        names = tuple(record.named for record in alive)
        yield Finding(
            subjects=(ended, *alive),
            sentence=FOUND(subscription=ended.named, alive=names, amount=amount)
            if amount is not None
            else UNPRICED(subscription=ended.named, alive=names),
            due_at=ended.effective_at + policies.rule(CODE).after,
            amount=amount,
        )


def _alive(ended: LedgerRecord, ledger: AccountLedger, now: dt.datetime) -> list[LedgerRecord]:
    """What goes on: the contract that the subscription names, whose end had not come, and the orders that carry it."""
    contracts = [
        contract
        for contract in ledger.pointed_to(ended, "contract")
        if not contract.deleted
        and text(contract, "status") == "activated"
        and (end := day(contract, "end_on")) is not None
        and end > max(now.date(), ended.effective_at.date())
    ]
    orders = [order for order in ledger.pointing_at(ended, "subscription", "sales_order") if text(order, "status") == "active"]
    return sorted((*contracts, *orders), key=lambda record: record.key)


def _ended(status: str = "canceled", when: str = "2026-11-03 12:00", id: str = "sub_1", annual: str = "1200.00") -> Stated:
    return billing(fact("subscription", id, at(when), to="contract: crm contract 800A", status=status, annual_amount=usd(annual)))


def _contract(end: str = "2027-03-31", status: str = "activated") -> Stated:
    return crm(fact("contract", "800A", number="100", status=status, end_on=on(end)))


def _order(status: str = "active") -> Stated:
    return erp(fact("sales_order", "71", to="subscription: billing subscription sub_1", status=status))


def _found(*alive: str, due: str = "2026-11-10 12:00", amount: str | None = "100.00") -> list[Expected]:
    return [Expected(amount, ("billing subscription sub_1", *alive), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Cancelled in billing, alive elsewhere",
    sentence="Billing ended a subscription whose contract or order goes on.",
    tolerance=stands_for(CODE),
    reads=frozenset({"subscription", "contract", "sales_order"}),
    needs=("billing subscription", "crm contract"),
    playbook=Playbook(
        means="Either the customer has left and the forecast still counts them, or they are served and nobody bills it.",
        check=(
            "Did the customer cancel, or did failed payments end the subscription?",
            "Is the product still switched on for them?",
            "Start the subscription again, or end the contract and the order.",
        ),
    ),
    find=find,
    fires_on=(
        example("the contract runs on", _ended(), _contract(), expect=_found("crm contract 800A")),
        example("the order runs on", _ended(), _order(), expect=_found("erp sales_order 71")),
        example("both run on", _ended("ended"), _contract(), _order(), expect=_found("crm contract 800A", "erp sales_order 71")),
        example(
            "cancelled, started again and cancelled again: the last one counts",
            _ended(when="2026-10-03 12:00", id="sub_0"),
            _ended(),
            _contract(),
            expect=_found("crm contract 800A"),
        ),
        example("no price is known", _ended(annual="0.00"), _contract(), expect=_found("crm contract 800A", amount=None)),
    ),
    silent_on=(
        example("the contract has ended too", _ended(), _contract("2026-11-03")),
        example("the contract was never activated", _ended(), _contract(status="draft")),
        example("the order is closed", _ended(), _order("ended")),
        example("another subscription bills the contract", _ended(), _ended("active", id="sub_2"), _contract()),
        example("still running", _ended("active"), _contract()),
        example(
            "another one runs and names no contract",
            _ended(),
            _contract(),
            billing(fact("subscription", "sub_2", status="active")),
        ),
        example(
            "cancelled yesterday",
            _ended(when="2026-11-19 12:00"),
            _contract(),
            expect=_found("crm contract 800A", due="2026-11-26 12:00"),
        ),
    ),
)
