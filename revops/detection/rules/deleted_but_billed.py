"""The CRM's account was deleted, and billing goes on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, crm, example, fact, usd
from revops.detection.rule import Finding, Playbook, Rule, a_month, stands_for, text
from revops.ledger.view import AccountLedger
from revops.policies.policies import Policies
from revops.sentences import Param, template

CODE = "deleted_but_billed"

LIVE = frozenset({"active", "past_due", "trialing", "unpaid"})
FOUND = template(
    "deleted_but_billed.found", "The CRM deleted {customer} on {since}; billing goes on with {subscription}, {amount} a month."
)
UNPRICED = template("deleted_but_billed.unpriced", "The CRM deleted {customer} on {since}; billing goes on with {subscription}.")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    customers = ledger.of("customer", "crm", deleted=True)
    if not customers or any(not each.deleted or each.targets("merged_into") for each in customers):
        return  # somebody is left to answer for it
    gone = max(customers, key=lambda each: (each.effective_at, each.key))
    for subscription in ledger.of("subscription", "billing"):
        if text(subscription, "status") not in LIVE:
            continue
        amount = a_month(subscription)
        told: dict[str, Param] = {"customer": gone.named, "since": gone.effective_at, "subscription": subscription.named}
        yield Finding(
            subjects=(subscription,),
            sentence=UNPRICED(**told) if amount is None else FOUND(**told, amount=amount),
            due_at=gone.effective_at + policies.rule(CODE).after,
            amount=amount,
            context=(gone,),
        )


def _customer(id: str = "A1", when: str = "2026-11-01 12:00", **more: str) -> Stated:
    return crm(fact("customer", id, at(when), deleted=True, **more))


def _subscription(status: str = "active", annual: str = "5400.00") -> Stated:
    return billing(fact("subscription", "sub_1", status=status, annual_amount=usd(annual)))


def _found(due: str = "2026-11-16 12:00", amount: str | None = "450.00") -> list[Expected]:
    return [Expected(amount, ("billing subscription sub_1",), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Deleted in the CRM, billed on",
    sentence="An account was deleted in the CRM, is past the recycle bin, and its subscription runs on.",
    tolerance=stands_for(CODE),
    reads=frozenset({"customer", "subscription"}),
    needs=("crm customer", "billing subscription"),
    playbook=Playbook(
        means="Nobody in sales or customer success sees this customer any more. The renewal will not be worked, and a customer "
        "who has left may be invoiced.",
        check=(
            "Was it deleted by mistake? It can be undeleted for fifteen days; after that it must be made again and linked.",
            "Has the customer left? Then end the subscription in billing.",
            "Was it merged by hand into another account? Then link billing's customer to that one.",
        ),
    ),
    find=find,
    fires_on=(
        example("deleted, and the subscription is active", _customer(), _subscription(), expect=_found()),
        example(
            "both of its records are deleted",
            _customer(),
            _customer("A2", "2026-11-02 12:00"),
            _subscription(),
            expect=_found("2026-11-17 12:00"),
        ),
        example("the price is not known", _customer(), _subscription(annual="0.00"), expect=_found(amount=None)),
    ),
    silent_on=(
        example("the subscription ended", _customer(), _subscription("canceled")),
        example("another record of the CRM is left", _customer(), crm(fact("customer", "A2")), _subscription()),
        example(
            "merged into another",
            crm(fact("customer", "A1", at("2026-11-01 12:00"), to="merged_into: crm customer A2", deleted=True)),
            _subscription(),
        ),
        example("it never was in the CRM", _subscription()),
        example(
            "deleted ten days ago: not yet due",
            _customer(when="2026-11-10 12:00"),
            _subscription(),
            expect=_found("2026-11-25 12:00"),
        ),
    ),
)
