"""The ERP carries one invoice of billing in full more than once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, erp, example, fact, invoice, on, usd
from revops.detection.rule import Finding, Playbook, Rule, day, money, stands_for, text, together
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.matching.groups import matched
from revops.matching.receivables import State, net, receivables
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "invoice_entered_twice"
WEEK = 7
DEAD = frozenset({"void", "rejected", "draft"})

FOUND = template(
    "invoice_entered_twice.found", "The ERP carries {billed} more than once: {again} repeats {first}, {amount} too much."
)


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    strangers = [each for each in ledger.of("invoice", "erp") if len(matched(ledger, "invoice").group_of(each).records) == 1]
    for both in receivables(ledger):
        if both.state is State.DOUBLED:
            again = both.doubled
            whole = again[0].fields["total"]
            first = next(each for each in both.posted if each not in again and each.fields.get("total") == whole)
        elif both.state is State.COMPARABLE and len(both.posted) == 1:
            first = both.posted[0]
            again = tuple(each for each in strangers if _repeats(each, first))
        else:
            continue
        repeated = [amount for record in again if (amount := net(record, ledger)) is not None]
        amount = together(repeated)
        if amount is None or amount.amount <= 0:
            continue
        yield Finding(
            subjects=(*both.issued, first, *again),
            sentence=FOUND(
                billed=tuple(record.named for record in both.issued),
                first=first.named,
                again=tuple(record.named for record in again),
                amount=amount,
            ),
            due_at=max(record.effective_at for record in again) + policies.rule(CODE).after,
            amount=amount,
        )


def _repeats(stranger: LedgerRecord, first: LedgerRecord) -> bool:
    """Whether a document that refers to nothing is the same claim: the ERP's own, of the same customer, amount and week."""
    mine, other = day(stranger, "issued_on"), day(first, "issued_on")
    if mine is None or other is None or abs((mine - other).days) > WEEK or text(stranger, "status") in DEAD:
        return False
    same = [stranger.system, stranger.target("customer"), money(stranger, "total")]
    return same == [first.system, first.target("customer"), money(first, "total")]


_BILLED = billing(invoice("in_1", number="A-1", total="90.00"))
_FIRST = erp(invoice("501", at("2026-11-16 12:00"), number="INV-501", total="90.00", copy_of="in_1"))


def _second(total: str = "90.00", status: str = "open", credited: str = "0.00") -> Stated:
    return erp(
        invoice("502", at("2026-11-17 12:00"), number="INV-502", status=status, total=total, credited=credited, copy_of="in_1")
    )


def _found() -> list[Expected]:
    subjects = ("billing invoice in_1", "erp invoice 501", "erp invoice 502")
    return [Expected("90.00", subjects, due=at("2026-11-17 16:00"))]


def _typed(id: str, day: str, copy_of: str = "", customer: str = "9") -> Stated:
    to = f"customer: erp customer {customer}" + (f"; copy_of: billing invoice {copy_of}" if copy_of else "")
    return erp(fact("invoice", id, at("2026-11-17 12:00"), to=to, status="open", total=usd("90.00"), issued_on=on(day)))


RULE = Rule(
    code=CODE,
    title="Invoice entered twice in the ERP",
    sentence="One claim on the customer is booked more than once.",
    tolerance=stands_for(CODE),
    reads=frozenset({"invoice", "credit_memo"}),
    needs=("billing invoice", "erp invoice.copy_of"),
    playbook=Playbook(
        means="Receivable and revenue are too high by a whole invoice, and the customer is reminded of something that is paid.",
        check=(
            "Which of the documents was typed by hand? It mostly has no reference to billing.",
            "Void the repeated one while its period is open; otherwise credit it.",
        ),
        fixes=("credit_memo",),
    ),
    find=find,
    fires_on=(
        example("two documents of the whole amount", _BILLED, _FIRST, _second(), expect=_found()),
        example("the second is paid already", _BILLED, _FIRST, _second(status="paid"), expect=_found()),
        example(
            "typed by hand in the same week, without a reference",
            _BILLED,
            _typed("501", "2026-11-04", "in_1"),
            _typed("502", "2026-11-05"),
            expect=_found(),
        ),
    ),
    silent_on=(
        example("the same amount a month later", _BILLED, _typed("501", "2026-10-04", "in_1"), _typed("502", "2026-11-04")),
        example("another customer's", _BILLED, _typed("501", "2026-11-04", "in_1"), _typed("502", "2026-11-05", customer="8")),
        example("entered once", _BILLED, _FIRST),
        example("the second is void", _BILLED, _FIRST, _second(status="void")),
        example("the second is credited in full", _BILLED, _FIRST, _second(credited="90.00")),
        example(
            "entered in two parts",
            billing(invoice("in_1", total="180.00")),
            _FIRST,
            _second(),
        ),
        example("void in billing", billing(invoice("in_1", status="void", total="90.00")), _FIRST, _second()),
    ),
)
