"""The recurring revenue that customer success counts is not what billing bills."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, crm, customer_success, example, fact, usd
from revops.detection.rule import Difference, Finding, Playbook, Rule, money, text
from revops.ledger.view import AccountLedger
from revops.matching.contracts import RUNNING, contracts_of
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "arr_mismatch"

FOUND = template("arr_mismatch.found", "{customer} counts {arr} a year; billing bills {billed}: {apart} apart.")


ARR = template("arr_mismatch.arr", "Recurring revenue a year")
TOLERANCE = template("arr_mismatch.tolerance", "One in a hundred, and {after} after the last change")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    running = [each for each in ledger.of("subscription", "billing") if text(each, "status") in RUNNING]
    amounts = [amount for each in running if (amount := money(each, "annual_amount")) is not None]
    if not running or len(amounts) < len(running) or len({amount.currency for amount in amounts}) != 1:
        return  # a price that is not known makes the sum unknown
    billed = sum(amounts[1:], amounts[0])
    agreed = {text(contract, "currency") for each in running for contract in contracts_of(each, ledger)} - {""}
    if agreed - {billed.currency}:
        return  # billed in another currency than was agreed, which is another contradiction
    counted = [(arr, each) for each in ledger.of("customer", "customer_success") if (arr := money(each, "arr")) is not None]
    counting = [(arr, each) for arr, each in counted if arr.amount]  # what counts nothing was merged away, or is a parent
    if counting and all(arr.currency == billed.currency for arr, _ in counting):
        arr = sum((each for each, _ in counting[1:]), counting[0][0])
        customer = counting[0][1]
        apart = abs(arr - billed)
        if not policies.beyond_tolerance(arr, billed) or apart.amount * 100 <= billed.amount:
            return
        yield Finding(
            subjects=(customer, *running),
            sentence=FOUND(customer=customer.named, arr=arr, billed=billed, apart=apart),
            due_at=max(record.effective_at for record in (customer, *running)) + policies.rule(CODE).after,
            amount=apart,
            differences=(
                Difference(
                    "arr",
                    ARR,
                    policies.owner_for("customer", "arr", "*"),
                    ((customer, arr), *((each, each.fields["annual_amount"]) for each in running)),
                ),
            ),
        )


def _counted(arr: str, when: str = "2026-11-10 12:00") -> Stated:
    return customer_success(fact("customer", "1P02", at(when), arr=usd(arr)))


def _billed(id: str = "sub_1", annual: str | None = "36000.00", status: str = "active") -> Stated:
    amount = None if annual is None else usd(annual)
    return billing(fact("subscription", id, at("2026-10-01 12:00"), status=status, annual_amount=amount))


def _found(amount: str, *more: str) -> list[Expected]:
    return [Expected(amount, ("customer_success customer 1P02", "billing subscription sub_1", *more), due=at("2026-11-13 12:00"))]


RULE = Rule(
    code=CODE,
    title="Recurring revenue differs",
    sentence="Customer success counts another recurring revenue than billing bills.",
    tolerance=lambda policies: TOLERANCE(after=policies.rule(CODE).after),
    reads=frozenset({"customer", "contract", "subscription"}),
    needs=("customer_success customer.arr", "billing subscription.annual_amount"),
    playbook=Playbook(
        means="Forecasts, health scores and renewal targets are made from a figure that nobody bills.",
        check=(
            "Has the nightly job that carries the figure over run since the last change?",
            "Does the figure count something that billing does not bill every year?",
        ),
    ),
    find=find,
    fires_on=(
        example("counted too high", _counted("60000.00"), _billed(), expect=_found("24000.00")),
        example("counted too low", _counted("30000.00"), _billed(), expect=_found("6000.00")),
        example(
            "two subscriptions",
            _counted("36000.00"),
            _billed(),
            _billed("sub_2", "12000.00"),
            expect=_found("12000.00", "billing subscription sub_2"),
        ),
    ),
    silent_on=(
        example(
            "billed in another currency than the contract's",
            _counted("60000.00"),
            _billed(),
            crm(fact("contract", "800A", to="subscription: billing subscription sub_1", currency="GBP")),
        ),
        example("equal", _counted("36000.00"), _billed()),
        example("nothing is counted", _counted("0.00"), _billed()),
        example("less than one in a hundred apart", _counted("36300.00"), _billed()),
        example("a price is not known", _counted("60000.00"), _billed(), _billed("sub_2", None)),
        example("nothing runs", _counted("60000.00"), _billed(status="canceled")),
        example(
            "changed last night",
            _counted("60000.00", "2026-11-20 02:00"),
            _billed(),
            expect=[
                Expected("24000.00", ("customer_success customer 1P02", "billing subscription sub_1"), due=at("2026-11-23 02:00"))
            ],
        ),
    ),
)
