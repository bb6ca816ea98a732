"""A month has ended, and a document of it is still a draft."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable

from revops.detection.examples import Expected, Stated, at, billing, erp, example, fact, on, period, usd
from revops.detection.rule import Finding, Playbook, Rule, day, midnight, money, stands_for, text
from revops.ledger.facts import Fact
from revops.ledger.view import AccountLedger
from revops.policies.policies import Policies
from revops.sentences import Word, template

CODE = "draft_past_cut_off"

OPEN_ENDED = frozenset({"draft", "pending_approval"})
FOUND = template(
    "draft_past_cut_off.found", "{document} of {amount} belongs into {period}, which ended on {end}, and is still {status}."
)


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    for role in ("billing", "erp"):
        for document in ledger.of("invoice", role):
            amount = money(document, "total")
            if text(document, "status") not in OPEN_ENDED or amount is None or amount.amount <= 0:
                continue
            dated = day(document, "issued_on") or document.effective_at.date()
            for entity in ledger.entities:
                if entity.books_system != document.system and entity.code != ledger.legal_entity_code:
                    continue
                period = ledger.period_of(entity, dated)
                end = day(period, "end_on") if period is not None else None
                if period is None or end is None or end >= now.date():
                    continue
                yield Finding(
                    subjects=(document,),
                    sentence=FOUND(
                        document=document.named,
                        amount=amount,
                        period=period.named,
                        end=end,
                        status=Word(text(document, "status")),
                    ),
                    due_at=midnight(end) + dt.timedelta(days=1) + policies.rule(CODE).after,
                    amount=amount,
                    context=(period,),
                )
                break


def _draft(role: Callable[[Fact], Stated], when: str = "2026-10-12 12:00", status: str = "draft", total: str = "90.00") -> Stated:
    return role(fact("invoice", "in_1", at(when), status=status, total=usd(total)))


_OCTOBER, _NOVEMBER = erp(period(2026, 10)), erp(period(2026, 11))


def _found(role: str = "billing", due: str = "2026-11-04 00:00") -> list[Expected]:
    return [Expected("90.00", (f"{role} invoice in_1",), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Draft past the cut-off",
    sentence="A document of a month that has ended is still a draft.",
    tolerance=stands_for(CODE),
    reads=frozenset({"invoice", "accounting_period"}),
    needs=("erp accounting_period", "billing invoice"),
    playbook=Playbook(
        means="The month is closed without it, or it is finalised later and stands in the wrong month.",
        check=(
            "Does somebody still work on it? Finalise it, or delete it.",
            "If the month is locked by now: it needs an accrual.",
        ),
    ),
    find=find,
    fires_on=(
        example("a draft of October in billing", _draft(billing), _OCTOBER, _NOVEMBER, expect=_found()),
        example("waits for approval in the ERP", _draft(erp, status="pending_approval"), _OCTOBER, expect=_found("erp")),
        example(
            "dated in October, touched in November",
            erp(fact("invoice", "in_1", at("2026-11-18 12:00"), status="draft", total=usd("90.00"), issued_on=on("2026-10-30"))),
            _OCTOBER,
            _NOVEMBER,
            expect=_found("erp"),
        ),
    ),
    silent_on=(
        example("a draft of this month", _draft(billing, "2026-11-12 12:00"), _OCTOBER, _NOVEMBER),
        example("finalised", _draft(billing, status="open"), _OCTOBER),
        example("worth nothing", _draft(billing, total="0.00"), _OCTOBER),
        example("no periods are kept", _draft(billing)),
        example("the month ended this morning", _draft(billing), _OCTOBER, now=at("2026-11-01 08:00"), expect=_found()),
    ),
)
