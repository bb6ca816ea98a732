"""A renewal is past its day and still open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, customer_success, example, fact, on, usd
from revops.detection.rule import Finding, Playbook, Rule, day, midnight, money, stands_for, text
from revops.ledger.view import AccountLedger
from revops.policies.policies import Policies
from revops.sentences import Word, template

CODE = "renewal_overdue"

FOUND = template("renewal_overdue.found", "{renewal} was to close on {day} and is still {stage}.")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    for renewal in ledger.of("renewal", "customer_success"):
        closes, stage = day(renewal, "close_on"), text(renewal, "stage")
        if closes is None or renewal.fields.get("is_closed") is not False or closes >= now.date():
            continue
        yield Finding(
            subjects=(renewal,),
            sentence=FOUND(renewal=renewal.named, day=closes, stage=Word(stage)),
            due_at=midnight(closes) + dt.timedelta(days=1) + policies.rule(CODE).after,
            amount=money(renewal, "target_amount"),
        )


def _renewal(closes: str = "2026-10-01", stage: str = "in_progress", closed: bool | None = False) -> Stated:
    return customer_success(
        fact("renewal", "1R01", name="Renewal", stage=stage, is_closed=closed, close_on=on(closes), target_amount=usd("500.00"))
    )


def _found(due: str = "2026-11-01 00:00") -> list[Expected]:
    return [Expected("500.00", ("customer_success renewal 1R01",), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Renewal is overdue",
    sentence="A renewal is past its closing day, and nobody has said how it ended.",
    tolerance=stands_for(CODE),
    reads=frozenset({"renewal"}),
    needs=("customer_success renewal.close_on",),
    playbook=Playbook(
        means="The customer goes on without a contract, or has left and is still counted.",
        check=(
            "What did the customer say? Close the renewal as won or lost, or move its day.",
            "Does billing go on? Then somebody has decided already.",
        ),
    ),
    find=find,
    fires_on=(
        example("seven weeks over", _renewal(), expect=_found()),
        example("never started", _renewal(stage="not_started"), expect=_found()),
        example("on hold", _renewal(stage="on_hold"), expect=_found()),
    ),
    silent_on=(
        example("won", _renewal(stage="won", closed=True)),
        example("closes today", _renewal("2026-11-20")),
        example("it is not known whether it is closed", _renewal(closed=None)),
        example("two weeks over", _renewal("2026-11-06"), expect=_found("2026-12-07 00:00")),
    ),
)
