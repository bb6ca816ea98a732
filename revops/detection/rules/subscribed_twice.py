"""Billing runs two subscriptions for one contract."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, example, fact, usd
from revops.detection.rule import Finding, Playbook, Rule, money, stands_for, text, together
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.matching.contracts import RUNNING
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "subscribed_twice"

FOUND = template("subscribed_twice.found", "{first} and {again} bill the same contract {contract} with the same items.")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    alike: dict[object, list[LedgerRecord]] = {}
    for subscription in ledger.of("subscription", "billing"):
        items, contract = subscription.fields.get("items"), subscription.target("contract")
        if text(subscription, "status") in RUNNING and items and contract is not None:
            alike.setdefault((subscription.system, contract, items), []).append(subscription)
    for found in alike.values():
        first, *again = sorted(found, key=lambda record: record.key)
        contract = first.target("contract")
        if not again or contract is None:
            continue
        amounts = [amount for record in again if (amount := money(record, "annual_amount")) is not None]
        yield Finding(
            subjects=(first, *again),
            sentence=FOUND(first=first.named, again=tuple(record.named for record in again), contract=contract),
            due_at=max(record.effective_at for record in found) + policies.rule(CODE).after,
            amount=together(amounts) if len(amounts) == len(again) else None,
        )


def _subscription(id: str, contract: str = "100", status: str = "active", items: tuple[str, ...] = ("price_1 x 5",)) -> Stated:
    stated = fact(
        "subscription", id, at("2026-11-10 12:00"), to=f"contract: crm contract {contract}", status=status, items=items,
        annual_amount=usd("1200.00"),
    )  # fmt: skip
    return billing(stated)


def _found(*more: str) -> list[Expected]:
    subjects = ("billing subscription sub_1", "billing subscription sub_2", *more)
    return [Expected(f"{1200 * (1 + len(more))}.00", subjects, due=at("2026-11-11 12:00"))]


RULE = Rule(
    code=CODE,
    title="Subscribed twice",
    sentence="Two subscriptions bill the same thing for one contract.",
    tolerance=stands_for(CODE),
    reads=frozenset({"subscription"}),
    needs=("billing subscription.contract",),
    playbook=Playbook(
        means="The customer is billed twice for the whole term, until somebody notices.",
        check=(
            "Was the subscription replaced, and the old one never cancelled?",
            "Were its invoices paid? They must be credited.",
        ),
    ),
    find=find,
    fires_on=(
        example("two alike", _subscription("sub_1"), _subscription("sub_2"), expect=_found()),
        example(
            "three alike",
            _subscription("sub_1"),
            _subscription("sub_2", status="past_due"),
            _subscription("sub_3"),
            expect=_found("billing subscription sub_3"),
        ),
    ),
    silent_on=(
        example("one", _subscription("sub_1")),
        example("the old one was cancelled", _subscription("sub_1", status="canceled"), _subscription("sub_2")),
        example("other items", _subscription("sub_1"), _subscription("sub_2", items=("price_2 x 1",))),
        example("two contracts", _subscription("sub_1"), _subscription("sub_2", "101")),
    ),
)
