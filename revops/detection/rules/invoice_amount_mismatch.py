"""Billing and the ERP disagree on what an invoice amounts to, net of the credits that each has given on it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.rule import (
    Difference,
    Example,
    Finding,
    Playbook,
    Rule,
    beyond_tolerance,
    fact,
    money,
    text,
    usd,
)
from revops.ledger.credits import credited_on, credits_on
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.money import Money
from revops.ownership.owners import owner_of
from revops.processes.quote_to_cash import QUOTE_TO_CASH

ISSUED = frozenset({"open", "paid", "uncollectible"})
DEAD_IN_ERP = frozenset({"void", "rejected"})
GRACE = QUOTE_TO_CASH.stage("agreement").limit or dt.timedelta(0)


def net(invoice: LedgerRecord, ledger: AccountLedger) -> Money | None:
    """Total less what was credited on it."""
    total = money(invoice, "total")
    return None if total is None else total - credited_on(invoice, ledger, total.currency)


def find(ledger: AccountLedger, now: dt.datetime) -> Iterable[Finding]:
    posted: dict[str, list[LedgerRecord]] = {}
    for invoice in ledger.of("invoice", "erp"):
        if text(invoice, "status") not in DEAD_IN_ERP and invoice.refs.get("billing_invoice"):
            posted.setdefault(invoice.refs["billing_invoice"], []).append(invoice)
    for billed in ledger.of("invoice", "billing"):
        if text(billed, "status") not in ISSUED:
            continue
        for entered in posted.get(billed.external_id, []):
            expected, actual = net(billed, ledger), net(entered, ledger)
            if expected is not None and actual is not None and beyond_tolerance(expected, actual):
                yield _finding(billed, entered, expected, actual, _last_change(ledger, billed, entered))


def _last_change(ledger: AccountLedger, billed: LedgerRecord, entered: LedgerRecord) -> dt.datetime:
    """When one side last moved: the documents themselves, or a credit given on one of them."""
    credits = [*credits_on(billed, ledger), *credits_on(entered, ledger)]
    return max(record.effective_at for record in (billed, entered, *credits))


def _finding(billed: LedgerRecord, entered: LedgerRecord, expected: Money, actual: Money, changed_at: dt.datetime) -> Finding:
    same = expected.currency == actual.currency
    direction = "above" if same and actual.amount > expected.amount else "below"
    sentence = f"The ERP carries invoice {entered.label} at {actual}, billing issued {billed.label} for {expected}" + (
        f": the ERP is {abs(actual - expected)} {direction} billing." if same else ": the currencies differ."
    )
    fields = [("total", "Invoice total"), ("credited", "Credited"), ("amount_remaining", "Still to pay")]
    return Finding(
        subjects=(billed, entered),
        sentence=sentence,
        due_at=changed_at + GRACE,
        amount=abs(actual - expected) if same else actual,
        differences=tuple(
            Difference(
                name,
                label,
                owner_of("invoice", name),
                tuple((record, record.fields[name]) for record in (billed, entered) if name in record.fields),
            )
            for name, label in fields
        ),
        inputs={"net in billing": str(expected), "net in the ERP": str(actual)},
    )


_NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
_OLD = _NOW - dt.timedelta(days=3)


def _pair(
    billed: str,
    entered: str,
    *,
    billed_credit: str = "0.00",
    entered_credit: str = "0.00",
    at: dt.datetime = _OLD,
    erp_status: str = "open",
    status: str = "open",
) -> tuple[tuple[str, object], ...]:
    return (
        (
            "billing",
            fact("invoice", "in_1", at, number="A-1", status=status, total=usd(billed), credited=usd(billed_credit)),
        ),
        (
            "erp",
            fact(
                "invoice",
                "501",
                at,
                refs={"billing_invoice": "in_1"},
                number="INV-501",
                status=erp_status,
                total=usd(entered),
                credited=usd(entered_credit),
            ),
        ),
    )


def _credit_note(at: dt.datetime) -> tuple[str, object]:
    return ("billing", fact("credit_memo", "cn_1", at, refs={"invoice": "in_1"}, status="applied", total=usd("20.00")))


def _mirrored(amount: str, of: str = "cn_1") -> tuple[str, object]:
    zero, whole = usd("0.00"), usd(amount)
    refs = {"billing_credit_memo": of}
    return ("erp", fact("credit_memo", "90", _OLD, refs=refs, status="open", total=whole, applied=zero, unapplied=whole))


def _example(name: str, facts: object, finds: int = 0, waits: int = 0) -> Example:
    return Example(name, facts, _NOW, finds, waits)  # type: ignore[arg-type]


RULE = Rule(
    code="invoice_amount_mismatch",
    title="Invoice amount differs between billing and ERP",
    severity="high",
    team="finance",
    sentence="An invoice in the ERP is not what billing issued, net of credits on either side.",
    tolerance="0.05 (1 in currencies without decimals), and 4 hours after the later change",
    reads=frozenset({"invoice", "credit_memo"}),
    playbook=Playbook(
        means="The receivable in the ERP is not the amount that the customer was invoiced. Collections, revenue and the aged "
        "receivables report are wrong by the difference until one of the two is corrected.",
        check=(
            "Open both documents: was a line entered twice, a discount missed, a tax rate wrong?",
            "Was a credit note issued in billing that never reached the ERP?",
            "Is the posting period still open in the ERP? Into a closed or locked one nothing can be posted.",
        ),
        fixes=("credit_memo",),
    ),
    find=find,
    fires_on=(
        _example(
            "a memo for another credit is no credit on this invoice",
            (*_pair("100.00", "100.00", billed_credit="20.00"), _credit_note(_OLD), _mirrored("20.00", of="cn_2")),
            finds=1,
        ),
        _example("the ERP carries more than billing issued", _pair("48210.00", "49410.00"), finds=1),
        _example("the ERP carries less", _pair("49410.00", "48210.00"), finds=1),
        _example("billing credited, the ERP did not", _pair("1000.00", "1000.00", billed_credit="200.00"), finds=1),
        _example("six cents are no rounding", _pair("100.00", "100.06"), finds=1),
    ),
    silent_on=(
        _example("equal amounts", _pair("100.00", "100.00")),
        _example("five cents are rounding", _pair("100.00", "100.05")),
        _example("credited in both", _pair("100.00", "120.00", entered_credit="20.00")),
        _example(
            "credited after payment: the ERP's memo mirrors it and cannot be applied",
            (*_pair("100.00", "100.00", billed_credit="20.00", status="paid"), _credit_note(_OLD), _mirrored("20.00")),
        ),
        _example("void in the ERP", _pair("100.00", "170.00", erp_status="void")),
        _example("still a draft in billing", _pair("100.00", "170.00", status="draft")),
        _example(
            "credited an hour ago, not mirrored yet: not yet due",
            (*_pair("100.00", "100.00", billed_credit="20.00"), _credit_note(_NOW - dt.timedelta(hours=1))),
            waits=1,
        ),
        _example("changed an hour ago: not yet due", _pair("100.00", "170.00", at=_NOW - dt.timedelta(hours=1)), waits=1),
    ),
)
