"""A contract names a subscription that has ended, and one that runs names no contract."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, crm, example, fact, on, usd
from revops.detection.rule import Finding, Playbook, Rule, a_month, day, stands_for, text
from revops.ledger.view import AccountLedger
from revops.matching.contracts import contracts_of, without_contract
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "contract_names_ended_subscription"

ENDED = frozenset({"canceled", "ended"})
FOUND = template(
    "contract_names_ended_subscription.found", "{contract} names {ended}, which has ended; {running} runs and names no contract."
)


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    unnamed = without_contract(ledger)
    for contract in ledger.of("contract", "crm"):
        end = day(contract, "end_on")
        if text(contract, "status") != "activated" or (end is not None and end <= now.date()):
            continue
        billing_it = [each for each in ledger.of("subscription", "billing") if contract in contracts_of(each, ledger)]
        if len(unnamed) != 1 or not billing_it or any(text(each, "status") not in ENDED for each in billing_it):
            continue
        running, last = unnamed[0], max(billing_it, key=lambda each: (each.effective_at, each.key))
        yield Finding(
            subjects=(contract, running),
            sentence=FOUND(contract=contract.named, ended=last.named, running=running.named),
            due_at=max(last.effective_at, running.effective_at) + policies.rule(CODE).after,
            amount=a_month(running),
            context=(last,),
        )


def _contract(end: str = "2027-03-31", status: str = "activated", id: str = "800A") -> Stated:
    return crm(fact("contract", id, to="subscription: billing subscription sub_1", status=status, end_on=on(end)))


def _ended(status: str = "canceled", to: str = "") -> Stated:
    return billing(fact("subscription", "sub_1", at("2026-11-03 12:00"), to=to, status=status))


def _running(id: str = "sub_2", to: str = "", when: str = "2026-11-01 12:00") -> Stated:
    return billing(fact("subscription", id, at(when), to=to, status="active", annual_amount=usd("15000.00")))


def _found(due: str = "2026-11-10 12:00") -> list[Expected]:
    return [Expected("1250.00", ("crm contract 800A", "billing subscription sub_2"), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Contract names an ended subscription",
    sentence="A contract names a subscription that has ended, while one that runs for the customer names no contract.",
    tolerance=stands_for(CODE),
    reads=frozenset({"contract", "subscription"}),
    needs=("crm contract", "billing subscription"),
    playbook=Playbook(
        means="The contract looks as if nobody billed it, and the subscription as if nobody had agreed to it. Renewals and "
        "amendments will go to the wrong place.",
        check=(
            "Was the subscription replaced? Then put the new one's id on the contract, and the contract's number on it.",
            "Does the running one bill something else? Then it needs a contract of its own.",
        ),
    ),
    find=find,
    fires_on=(
        example("the subscription was replaced", _contract(), _ended(), _running(), expect=_found()),
        example(
            "the ended one names the contract",
            crm(fact("contract", "800A", status="activated", end_on=on("2027-03-31"))),
            _ended("ended", "contract: crm contract 800A"),
            _running(),
            expect=_found(),
        ),
    ),
    silent_on=(
        example("nothing else runs", _contract(), _ended()),
        example("the other one names a contract", _contract(), _ended(), _running(to="contract: crm contract 800B")),
        example("two others run: nobody can tell which", _contract(), _ended(), _running(), _running("sub_3")),
        example("it has not ended", _contract(), _ended("active"), _running()),
        example("the contract is over", _contract("2026-11-01"), _ended(), _running()),
        example("the contract was never activated", _contract(status="draft"), _ended(), _running()),
        example(
            "since an hour: not yet due",
            _contract(),
            _ended(),
            _running(when="2026-11-20 11:00"),
            expect=_found("2026-11-27 11:00"),
        ),
    ),
)
