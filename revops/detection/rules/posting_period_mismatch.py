"""A document of the ERP stands in a posting period that does not contain its date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, erp, example, fact, on, period, usd
from revops.detection.rule import Finding, Playbook, Rule, day, money, stands_for, text
from revops.ledger.view import AccountLedger
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "posting_period_mismatch"

DEAD = frozenset({"void", "rejected", "draft"})
FOUND = template("posting_period_mismatch.found", "{document} of {amount} is dated {day} and posted into {period}.")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    spans = {(each.system, each.external_id): each for each in ledger.of("accounting_period", "erp")}
    for kind in ("invoice", "credit_memo"):
        for document in ledger.of(kind, "erp"):
            period = spans.get((document.system, text(document, "posting_period")))
            dated, amount = day(document, "issued_on"), money(document, "total")
            if period is None or dated is None or amount is None or text(document, "status") in DEAD:
                continue
            start, end = day(period, "start_on"), day(period, "end_on")
            if start is None or end is None or start <= dated <= end:
                continue
            yield Finding(
                subjects=(document,),
                sentence=FOUND(document=document.named, amount=amount, day=dated, period=period.named),
                due_at=document.effective_at + policies.rule(CODE).after,
                amount=amount,
                context=(period,),
            )


def _document(kind: str, day: str, period: str = "202610", status: str = "open", when: str = "2026-11-16 12:00") -> Stated:
    return erp(fact(kind, "501", at(when), status=status, total=usd("90.00"), issued_on=on(day), posting_period=period))


_OCTOBER = erp(period(2026, 10))


def _found(kind: str = "invoice", due: str = "2026-11-17 12:00") -> list[Expected]:
    return [Expected("90.00", (f"erp {kind} 501",), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Date and posting period differ",
    sentence="A document is dated in one period and posted into another.",
    tolerance=stands_for(CODE),
    reads=frozenset({"invoice", "credit_memo", "accounting_period"}),
    needs=("erp invoice.posting_period", "erp accounting_period"),
    playbook=Playbook(
        means="The aged receivables follow the date and the books follow the period: the two will not agree at the close.",
        check=(
            "Was the period changed by hand, and by whom?",
            "Is it a correction that belongs into the later period? Then its date belongs there too.",
        ),
    ),
    find=find,
    fires_on=(
        example("dated in November, posted into October", _document("invoice", "2026-11-04"), _OCTOBER, expect=_found()),
        example("a credit memo", _document("credit_memo", "2026-09-30"), _OCTOBER, expect=_found("credit_memo")),
    ),
    silent_on=(
        example("dated in the period", _document("invoice", "2026-10-31"), _OCTOBER),
        example("void", _document("invoice", "2026-11-04", status="void"), _OCTOBER),
        example("the period is not known", _document("invoice", "2026-11-04", "202608"), _OCTOBER),
        example(
            "an hour ago",
            _document("invoice", "2026-11-04", when="2026-11-20 11:00"),
            _OCTOBER,
            expect=_found(due="2026-11-21 11:00"),
        ),
    ),
)
