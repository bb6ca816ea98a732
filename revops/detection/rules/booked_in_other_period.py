"""The ERP has booked an invoice into another accounting period than billing issued it in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, erp, example, fact, on, period, usd
from revops.detection.rule import Finding, Playbook, Rule, day, money, stands_for
from revops.ledger.view import AccountLedger
from revops.matching.receivables import State, receivables
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "booked_in_other_period"

LOCKS = ("ar_locked", "all_locked", "closed")
FOUND = template(
    "booked_in_other_period.found",
    "Billing issued {billed} on {issued}; the ERP booked {entered} of {amount} on {booked}, although {period} was open.",
)


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    for both in receivables(ledger):
        if both.state is not State.COMPARABLE or len(both.issued) != 1 or len(both.posted) != 1:
            continue
        billed, entered = both.issued[0], both.posted[0]
        issued, booked, amount = day(billed, "issued_on"), day(entered, "issued_on"), money(entered, "total")
        entity = ledger.entity_of(entered)
        if issued is None or booked is None or entity is None or amount is None or abs((booked - issued).days) <= 1:
            continue  # a day is the difference of two time zones
        belongs, stands = ledger.period_of(entity, issued), ledger.period_of(entity, booked)
        if belongs is None or stands is None or belongs.key == stands.key:
            continue
        if any(belongs.fields.get(lock) for lock in LOCKS):  # into a locked period nothing can be posted any more
            continue
        yield Finding(
            subjects=(billed, entered),
            sentence=FOUND(
                billed=billed.named, issued=issued, entered=entered.named, amount=amount, booked=booked, period=belongs.named
            ),
            due_at=entered.effective_at + policies.rule(CODE).after,
            amount=amount,
            context=(belongs, stands),
        )


def _billed(day: str = "2026-10-29") -> Stated:
    return billing(fact("invoice", "in_1", number="A-1", status="open", total=usd("90.00"), issued_on=on(day)))


def _entered(day: str, when: str = "2026-11-16 12:00") -> Stated:
    return erp(
        fact(
            "invoice", "501", at(when), to="copy_of: billing invoice in_1", number="INV-501", status="open", total=usd("90.00"),
            issued_on=on(day),
        )
    )  # fmt: skip


_OPEN, _NEXT = erp(period(2026, 10)), erp(period(2026, 11))


def _found(due: str = "2026-11-17 12:00") -> list[Expected]:
    return [Expected("90.00", ("billing invoice in_1", "erp invoice 501"), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Booked into another period",
    sentence="The ERP dates an invoice into another accounting period than billing, although the right one was open.",
    tolerance=stands_for(CODE),
    reads=frozenset({"invoice", "accounting_period"}),
    needs=("erp accounting_period", "erp invoice.copy_of"),
    playbook=Playbook(
        means="The revenue and the receivable of one month stand in another; the month is closed without them.",
        check=(
            "Who dated it, and why? A document that came late belongs into its own period while that is open.",
            "Date it back before the period is closed, or have the cut-off corrected by a journal.",
        ),
    ),
    find=find,
    fires_on=(
        example("October's invoice in November", _billed(), _entered("2026-11-16"), _OPEN, _NEXT, expect=_found()),
        example("November's in October", _billed("2026-11-03"), _entered("2026-10-30"), _OPEN, _NEXT, expect=_found()),
    ),
    silent_on=(
        example("in the same month", _billed(), _entered("2026-10-31"), _OPEN, _NEXT),
        example("a day apart, over the end of the month", _billed("2026-11-01"), _entered("2026-10-31"), _OPEN, _NEXT),
        example("October was locked", _billed(), _entered("2026-11-06"), erp(period(2026, 10, lock="ar_locked")), _NEXT),
        example("the ERP keeps no periods", _billed(), _entered("2026-11-16")),
        example(
            "entered an hour ago",
            _billed(),
            _entered("2026-11-16", "2026-11-20 11:00"),
            _OPEN,
            _NEXT,
            expect=_found("2026-11-21 11:00"),
        ),
    ),
)
