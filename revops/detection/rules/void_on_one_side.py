"""An invoice is void in one system and stands in the other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, erp, example, invoice
from revops.detection.rule import Finding, Playbook, Rule, stands_for, together
from revops.ledger.view import AccountLedger
from revops.matching.receivables import State, net, receivables
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "void_on_one_side"

IN_BILLING = template("void_on_one_side.in_billing", "Billing voided {billed}; the ERP still carries {entered} at {amount}.")
IN_ERP = template(
    "void_on_one_side.in_erp", "The ERP voided {entered}; billing still asks the customer for {amount} by {billed}."
)


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    for both in receivables(ledger):
        if both.state is State.VOID_IN_BILLING:
            told, standing, void = IN_BILLING, both.posted, both.billed
        elif both.state is State.VOID_IN_ERP:
            told, standing, void = IN_ERP, both.issued, both.entered
        else:
            continue
        nets = [amount for record in standing if (amount := net(record, ledger)) is not None]
        amount = together(nets)
        if amount is None or amount.amount <= 0:  # credited in full: nothing stands
            continue
        yield Finding(
            subjects=(*standing, *void),
            sentence=told(
                billed=tuple(record.named for record in both.billed),
                entered=tuple(record.named for record in both.entered),
                amount=amount,
            ),
            due_at=max(record.effective_at for record in void) + policies.rule(CODE).after,
            amount=amount,
        )


def _billed(status: str = "void", when: str = "2026-11-17 12:00") -> Stated:
    return billing(invoice("in_1", at(when), status=status, total="90.00"))


def _entered(status: str = "open", when: str = "2026-11-16 12:00", credited: str = "0.00") -> Stated:
    return erp(invoice("501", at(when), status=status, total="90.00", credited=credited, copy_of="in_1"))


RULE = Rule(
    code=CODE,
    title="Invoice is void on one side",
    sentence="One system withdrew an invoice that the other still carries.",
    tolerance=stands_for(CODE),
    reads=frozenset({"invoice", "credit_memo"}),
    needs=("billing invoice", "erp invoice.copy_of"),
    playbook=Playbook(
        means="One of the two claims something that the other has given up: the receivable, the revenue and the reminders to the "
        "customer disagree by the whole invoice.",
        check=(
            "Why was it voided: by mistake, or was a replacement issued?",
            "Is there a replacement on the other side? Then void this one there too, or credit it.",
            "Is the posting period still open in the ERP? In a closed one a credit memo takes the place of a void.",
        ),
        fixes=("credit_memo",),
    ),
    posted=True,
    find=find,
    fires_on=(
        example(
            "void in billing, open in the ERP",
            _billed(),
            _entered(),
            expect=[Expected("90.00", ("erp invoice 501", "billing invoice in_1"), due=at("2026-11-18 12:00"))],
        ),
        example(
            "void in the ERP, open in billing",
            _billed("open"),
            _entered("void", "2026-11-18 09:00"),
            expect=[Expected("90.00", ("billing invoice in_1", "erp invoice 501"), due=at("2026-11-19 09:00"))],
        ),
        example(
            "void in the ERP, paid in billing",
            _billed("paid"),
            _entered("void"),
            expect=[Expected("90.00", ("billing invoice in_1", "erp invoice 501"), due=at("2026-11-17 12:00"))],
        ),
    ),
    silent_on=(
        example("void in both", _billed(), _entered("void")),
        example("void in billing, credited in full in the ERP", _billed(), _entered(credited="90.00")),
        example("void in billing, rejected in the ERP", _billed(), _entered("rejected")),
        example("voided before it was entered", _billed()),
        example("open in both", _billed("open"), _entered()),
        example(
            "void in the ERP, entered again",
            _billed("open"),
            _entered("void"),
            erp(invoice("502", total="90.00", copy_of="in_1")),
        ),
        example(
            "voided an hour ago",
            _billed(when="2026-11-20 11:00"),
            _entered(),
            expect=[Expected("90.00", ("erp invoice 501", "billing invoice in_1"), due=at("2026-11-21 11:00"))],
        ),
    ),
)
