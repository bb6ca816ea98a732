"""An invoice in the ERP waits for its approval too long, or was rejected."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, erp, example, invoice
from revops.detection.rule import Finding, Playbook, Rule, money, stands_for, together
from revops.ledger.view import AccountLedger
from revops.matching.receivables import State, receivables
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "invoice_not_approved"

WAITS = template("invoice_not_approved.waits", "The ERP's {entered} for {billed} waits for approval: {amount} is not posted.")
REJECTED = template("invoice_not_approved.rejected", "The ERP's {entered} for {billed} was rejected: {amount} is not posted.")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    for both in receivables(ledger):
        if both.state not in (State.UNDECIDED, State.REJECTED):
            continue
        amounts = [amount for record in both.issued if (amount := money(record, "total")) is not None]
        amount = together(amounts)
        if amount is None or amount.amount <= 0:
            continue
        told = REJECTED if both.state is State.REJECTED else WAITS
        yield Finding(
            subjects=(*both.issued, *both.entered),
            sentence=told(
                billed=tuple(record.named for record in both.issued),
                entered=tuple(record.named for record in both.entered),
                amount=amount,
            ),
            due_at=max(record.effective_at for record in both.entered) + policies.rule(CODE).after,
            amount=amount,
        )


_BILLED = billing(invoice("in_1", total="90.00"))


def _entered(status: str, when: str = "2026-11-16 12:00") -> Stated:
    return erp(invoice("501", at(when), status=status, total="90.00", copy_of="in_1"))


def _found(due: str) -> list[Expected]:
    return [Expected("90.00", ("billing invoice in_1", "erp invoice 501"), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Invoice in the ERP is not approved",
    sentence="An invoice that billing issued is not in the ERP's books, because its document there waits or was rejected.",
    tolerance=stands_for(CODE),
    reads=frozenset({"invoice"}),
    needs=("billing invoice", "erp invoice.copy_of"),
    playbook=Playbook(
        means="With approval routing an invoice posts nothing until it is approved, and never when it is rejected: revenue and "
        "receivable are missing although a document is there.",
        check=(
            "Who has to approve it in the ERP, and since when does it wait there?",
            "If it was rejected: is the customer, the amount or the period wrong? Then it must be entered again.",
        ),
    ),
    find=find,
    fires_on=(
        example("waits for four days", _BILLED, _entered("pending_approval"), expect=_found("2026-11-19 12:00")),
        example("rejected", _BILLED, _entered("rejected"), expect=_found("2026-11-19 12:00")),
        example(
            "rejected, paid in billing",
            billing(invoice("in_1", status="paid", total="90.00")),
            _entered("rejected"),
            expect=_found("2026-11-19 12:00"),
        ),
    ),
    silent_on=(
        example("approved", _BILLED, _entered("open")),
        example("rejected, and void in billing", billing(invoice("in_1", status="void", total="90.00")), _entered("rejected")),
        example("rejected, and entered again", _BILLED, _entered("rejected"), erp(invoice("502", total="90.00", copy_of="in_1"))),
        example("nothing in the ERP", _BILLED),
        example(
            "entered yesterday",
            _BILLED,
            _entered("pending_approval", "2026-11-19 12:00"),
            expect=_found("2026-11-22 12:00"),
        ),
    ),
)
