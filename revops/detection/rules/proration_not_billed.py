"""A change of a subscription is past its period and on no invoice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, example, fact, usd
from revops.detection.rule import Finding, Playbook, Rule, money, stands_for, text
from revops.ledger.view import AccountLedger
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "proration_not_billed"

FOUND = template("proration_not_billed.found", "{part} of {amount} for the time until {end} is on no invoice of {subscription}.")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    for part in ledger.of("proration", "billing"):
        amount, end = money(part, "amount"), part.fields.get("period_end_at")
        if amount is None or not amount or not isinstance(end, dt.datetime) or part.fields.get("is_proration") is not True:
            continue
        on_invoice = [invoice for invoice in ledger.pointed_to(part, "invoice") if not invoice.deleted]
        if end >= now or (part.targets("invoice") and not any(text(each, "status") == "draft" for each in on_invoice)):
            continue
        subscription = ledger.pointed_to(part, "subscription")
        yield Finding(
            subjects=(part,),
            sentence=FOUND(
                part=part.named, amount=amount, end=end.date(), subscription=tuple(each.named for each in subscription)
            ),
            due_at=end + policies.rule(CODE).after,
            amount=abs(amount),
            context=(*subscription, *on_invoice),
        )


def _part(end: str = "2026-10-10 00:00", invoice: str = "", amount: str = "240.00", proration: bool = True) -> Stated:
    to = "subscription: billing subscription sub_1" + (f"; invoice: billing invoice {invoice}" if invoice else "")
    stated = fact(
        "proration", "ii_1", at("2026-09-15 12:00"), to=to, amount=usd(amount), is_proration=proration, period_end_at=at(end)
    )
    return billing(stated)


_SUBSCRIPTION = billing(fact("subscription", "sub_1", status="active"))


def _found(amount: str = "240.00", due: str = "2026-10-15 00:00") -> list[Expected]:
    return [Expected(amount, ("billing proration ii_1",), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Change of a subscription is not billed",
    sentence="A prorated line is past its period and was never invoiced.",
    tolerance=stands_for(CODE),
    reads=frozenset({"proration", "invoice", "subscription"}),
    needs=("billing proration",),
    playbook=Playbook(
        means="The customer uses what they added and nobody has billed it, or waits for a credit that was promised.",
        check=(
            "Was the subscription cancelled before its next invoice? Then the line must be invoiced by hand.",
            "Is the draft that holds it stuck?",
        ),
    ),
    find=find,
    fires_on=(
        example("on no invoice", _SUBSCRIPTION, _part(), expect=_found()),
        example("a credit that was never given", _SUBSCRIPTION, _part(amount="-80.00"), expect=_found("80.00")),
        example(
            "on a draft",
            _SUBSCRIPTION,
            _part(invoice="in_1"),
            billing(fact("invoice", "in_1", status="draft")),
            expect=_found(),
        ),
    ),
    silent_on=(
        example("invoiced", _SUBSCRIPTION, _part(invoice="in_1"), billing(fact("invoice", "in_1", status="open"))),
        example("on an invoice that has not come yet", _SUBSCRIPTION, _part(invoice="in_1")),
        example("its period runs", _SUBSCRIPTION, _part("2026-12-01 00:00")),
        example("no proration", _SUBSCRIPTION, _part(proration=False)),
        example("ended yesterday", _SUBSCRIPTION, _part("2026-11-19 00:00"), expect=_found(due="2026-11-24 00:00")),
    ),
)
