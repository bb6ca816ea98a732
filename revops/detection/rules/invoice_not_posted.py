"""An invoice that billing has finalised is not in the ERP."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, at, billing, customer, erp, example, invoice
from revops.detection.rule import Difference, Finding, Playbook, Rule, money, text
from revops.ledger.habits import BUSINESS_DAYS, MONTH_END, Habits
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.matching.receivables import State, receivables, unknown_to_erp
from revops.policies.policies import Policies
from revops.sentences import template

FOUND = template(
    "invoice_not_posted.found", "Billing finalised invoice {invoice} for {total} on {since}; the ERP has no invoice for it."
)
DELETED = template(
    "invoice_not_posted.deleted",
    "Billing finalised invoice {invoice} for {total} on {since}; the ERP had {copy} for it, which was deleted.",
)
TOLERANCE = template("invoice_not_posted.tolerance", "{grace} after finalisation")
FINALISED = template("invoice_not_posted.finalised", "Finalised")
LIMIT = template("invoice_not_posted.limit", "Limit")
COMPARED = (
    ("total", template("invoice_not_posted.total", "Invoice total")),
    ("status", template("invoice_not_posted.status", "Status")),
    ("issued_on", template("invoice_not_posted.issued_on", "Issued on")),
)


def _limit(policies: Policies) -> dt.timedelta:
    return policies.process("quote_to_cash").limit("posting")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    if unknown_to_erp(ledger):
        return  # the customer is what is missing
    for both in receivables(ledger):
        if both.state is State.NOT_ENTERED and not both.unclear:
            for billed in both.issued:
                yield from _missing(billed, ledger, policies)


def _missing(billed: LedgerRecord, ledger: AccountLedger, policies: Policies) -> Iterable[Finding]:
    total = money(billed, "total")
    if total is None or total.amount <= 0:
        return
    finalized = billed.fields.get("finalized_at")
    since = finalized if isinstance(finalized, dt.datetime) else billed.effective_at
    stage = policies.stage_of("invoice", [text(billed, "status")])
    gone = tuple(copy for copy in ledger.pointing_at(billed, "copy_of", "invoice", deleted=True) if copy.deleted)
    told = DELETED if gone else FOUND
    yield Finding(
        subjects=(billed,),
        sentence=told(invoice=billed.named, total=total, since=since, **({"copy": gone[0].named} if gone else {})),
        due_at=since + _limit(policies),
        amount=total,
        context=gone,
        differences=tuple(
            Difference(name, label, policies.owner_for("invoice", name, stage), ((billed, billed.fields[name]),))
            for name, label in COMPARED
            if name in billed.fields
        ),
        inputs={FINALISED: since, LIMIT: _limit(policies)},
    )


def _found(due: str, total: str = "900.00") -> list[Expected]:
    return [Expected(total, ("billing invoice in_1",), due=at(due))]


_FINALISED = at("2026-11-17 12:00")
_BILLED = billing(invoice("in_1", number="A-1", total="900.00", finalized_at=_FINALISED))

RULE = Rule(
    code="invoice_not_posted",
    title="Finalised invoice is not in the ERP",
    sentence="Billing finalised an invoice and the ERP has not received it in time.",
    tolerance=lambda policies: TOLERANCE(grace=_limit(policies)),
    expects="erp",
    expects_type="invoice",
    reads=frozenset({"invoice", "customer"}),
    needs=("billing invoice", "erp invoice"),
    playbook=Playbook(
        means="The customer has the invoice, the ledger has no receivable: revenue is late and a payment will find nothing to "
        "be applied to.",
        check=(
            "Did the transfer to the ERP fail? Look for a dead letter or a refused posting of this invoice.",
            "Is the customer or the item missing in the ERP?",
            "Is the posting period closed in the ERP?",
        ),
    ),
    posted=True,
    find=find,
    fires_on=(
        example("finalised three days ago, nothing in the ERP", _BILLED, expect=_found("2026-11-18 12:00")),
        example(
            "changed since: the day counts from the finalisation",
            billing(invoice("in_1", at("2026-11-20 11:00"), total="900.00", finalized_at=_FINALISED)),
            expect=_found("2026-11-18 12:00"),
        ),
        example(
            "billing does not say when: the day counts from the invoice's own time",
            billing(invoice("in_1", at("2026-11-19 12:00"), total="900.00")),
            expect=_found("2026-11-20 12:00"),
        ),
        example(
            "paid but never posted",
            billing(invoice("in_1", status="paid", total="900.00", finalized_at=_FINALISED)),
            expect=_found("2026-11-18 12:00"),
        ),
        example(
            "given up as uncollectible, never posted",
            billing(invoice("in_1", status="uncollectible", total="0.01", finalized_at=_FINALISED)),
            expect=_found("2026-11-18 12:00", "0.01"),
        ),
        example(
            "the ERP's copy was deleted",
            _BILLED,
            erp(invoice("501", copy_of="in_1", total="900.00", deleted=True)),
            expect=_found("2026-11-18 12:00"),
        ),
        example(
            "another invoice was posted",
            billing(invoice("in_2", total="900.00", finalized_at=_FINALISED)),
            erp(customer("9", legal_entity="US")),
            erp(invoice("501", copy_of="in_2", total="900.00")),
            _BILLED,
            expect=_found("2026-11-18 12:00"),
        ),
        example(
            "an invoice of zero does not hide the next",
            billing(invoice("in_0", total="0.00", finalized_at=_FINALISED)),
            erp(customer("9", legal_entity="US")),
            _BILLED,
            expect=_found("2026-11-18 12:00"),
        ),
    ),
    silent_on=(
        example(
            "finalised on Friday night, where documents are entered on business days",
            billing(invoice("in_1", total="900.00", finalized_at=at("2026-11-14 07:00"))),
            now=at("2026-11-16 23:00"),
            habits=Habits(BUSINESS_DAYS),
            expect=_found("2026-11-17 00:00"),
        ),
        example(
            "finalised on the tenth, where documents are entered at the end of the month",
            billing(invoice("in_1", total="900.00", finalized_at=at("2026-11-10 07:00"))),
            habits=Habits(MONTH_END),
            expect=_found("2026-12-01 00:00"),
        ),
        example(
            "the ERP knows nothing of the customer",
            _BILLED,
            billing(invoice("in_2", total="50.00", finalized_at=_FINALISED)),
        ),
        example("posted", _BILLED, erp(invoice("501", copy_of="in_1", total="900.00"))),
        example("posted before billing told us", erp(invoice("501", copy_of="in_1", total="900.00")), _BILLED),
        example("a draft", billing(invoice("in_1", status="draft", total="900.00"))),
        example("voided before it was posted", billing(invoice("in_1", status="void", total="900.00"))),
        example("an invoice of zero", billing(invoice("in_1", total="0.00", finalized_at=_FINALISED))),
        example("a negative invoice", billing(invoice("in_1", total="-5.00", finalized_at=_FINALISED))),
        example("no total stated", billing(invoice("in_1", finalized_at=_FINALISED))),
        example(
            "finalised 3 hours ago: not yet due",
            billing(invoice("in_1", total="900.00", finalized_at=at("2026-11-20 09:00"))),
            expect=_found("2026-11-21 09:00"),
        ),
    ),
)
