"""Customer success plans the renewal for another day than the contract ends."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, crm, customer_success, example, fact, on, usd
from revops.detection.rule import Finding, Playbook, Rule, day, money, stands_for, text
from revops.ledger.view import AccountLedger
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "renewal_date_mismatch"

DAYS = 31
FOUND = template("renewal_date_mismatch.found", "{customer} renews on {planned}; {contract} ends on {end}.")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    ends = {
        contract.key: (end, contract)
        for contract in ledger.of("contract", "crm")
        if text(contract, "status") == "activated" and (end := day(contract, "end_on")) is not None and end >= now.date()
    }
    if not ends:
        return
    for customer in ledger.of("customer", "customer_success"):
        planned = day(customer, "renewal_on")
        if planned is None or any(abs((planned - end).days) <= DAYS for end, _ in ends.values()):
            continue
        end, contract = min(ends.values(), key=lambda line: (line[0], line[1].key))
        yield Finding(
            subjects=(customer, contract),
            sentence=FOUND(customer=customer.named, planned=planned, contract=contract.named, end=end),
            due_at=max(customer.effective_at, contract.effective_at) + policies.rule(CODE).after,
            amount=money(customer, "arr"),
        )


def _planned(day: str, when: str = "2026-11-02 12:00") -> Stated:
    return customer_success(fact("customer", "1P02", at(when), renewal_on=on(day), arr=usd("36000.00")))


def _contract(end: str, status: str = "activated", id: str = "800A") -> Stated:
    return crm(fact("contract", id, at("2026-10-01 12:00"), number=id, status=status, end_on=on(end)))


def _found(due: str = "2026-11-09 12:00", id: str = "800A") -> list[Expected]:
    return [Expected("36000.00", ("customer_success customer 1P02", f"crm contract {id}"), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Renewal date differs from the contract",
    sentence="Customer success plans a renewal for another time than the contract's end.",
    tolerance=stands_for(CODE),
    reads=frozenset({"customer", "contract"}),
    needs=("customer_success customer.renewal_on", "crm contract.end_on"),
    playbook=Playbook(
        means="The renewal is worked too late or too early: the contract may end before anybody talks to the customer.",
        check=(
            "Was the contract extended, and the date not carried over?",
            "Which of several contracts is meant? The earliest end counts.",
        ),
    ),
    find=find,
    fires_on=(
        example("half a year too late", _planned("2027-09-30"), _contract("2027-03-31"), expect=_found()),
        example("too early", _planned("2026-12-31"), _contract("2027-03-31"), expect=_found()),
        example(
            "of two contracts the earlier one is named",
            _planned("2028-12-31"),
            _contract("2027-06-30"),
            _contract("2027-03-31", id="800B"),
            expect=_found(id="800B"),
        ),
    ),
    silent_on=(
        example("the day after the end", _planned("2027-04-01"), _contract("2027-03-31")),
        example("within a month", _planned("2027-03-05"), _contract("2027-03-31")),
        example(
            "one of two contracts ends then", _planned("2027-03-31"), _contract("2027-03-31"), _contract("2027-09-30", id="800B")
        ),
        example("the contract is a draft", _planned("2027-09-30"), _contract("2027-03-31", "draft")),
        example("the contract is over", _planned("2027-09-30"), _contract("2026-10-31")),
        example(
            "moved yesterday",
            _planned("2027-09-30", "2026-11-19 12:00"),
            _contract("2027-03-31"),
            expect=_found("2026-11-26 12:00"),
        ),
    ),
)
