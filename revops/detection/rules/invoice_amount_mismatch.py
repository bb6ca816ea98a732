"""Billing and the ERP disagree on what an invoice amounts to, net of the credits that each has given on it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
from revops.ledger.reference import Ref, refs
from revops.ledger.view import AccountLedger, LedgerRecord, latest
from revops.money import Money
from revops.money import total as total_of
from revops.ownership.owners import owner_of
from revops.processes.quote_to_cash import QUOTE_TO_CASH

ISSUED = frozenset({"open", "paid", "uncollectible"})
DEAD_IN_ERP = frozenset({"void", "rejected"})
GRACE = QUOTE_TO_CASH.stage("agreement").limit or dt.timedelta(0)


def net(invoice: LedgerRecord, ledger: AccountLedger) -> Money | None:
    """Total less what was credited on it."""
    total = money(invoice, "total")
    return None if total is None else total - credited_on(invoice, ledger, total.currency)


@dataclass(frozen=True, slots=True)
class Group:
    """The same receivable on both sides: what billing issued, and the invoices of one ERP that carry it. Mostly one of each;
    an ERP may enter one invoice as several, or several as one."""

    billed: tuple[LedgerRecord, ...]
    entered: tuple[LedgerRecord, ...]


def groups(ledger: AccountLedger) -> Iterable[Group]:
    """Every group whose billing invoices are all issued, each once for each ERP that carries it. A void one adds nothing."""
    seen: set[tuple[str, str, str]] = set()
    for first in ledger.of("invoice", "erp"):
        if first.key in seen or text(first, "status") in DEAD_IN_ERP:
            continue
        billed: dict[tuple[str, str, str], LedgerRecord] = {}
        entered, reached = {first.key: first}, [first]
        while reached:
            for twin in ledger.twins(reached.pop(), "billing"):
                if twin.key not in billed:
                    billed[twin.key] = twin
                    carried = [copy for copy in ledger.twins(twin, "erp") if copy.system == first.system]
                    new = [copy for copy in carried if copy.key not in entered and text(copy, "status") not in DEAD_IN_ERP]
                    entered |= {copy.key: copy for copy in new}
                    reached += new
        seen.update(entered)
        issued = tuple(invoice for _, invoice in sorted(billed.items()) if text(invoice, "status") in ISSUED)
        if issued and all(text(invoice, "status") in ISSUED | {"void"} for invoice in billed.values()):
            yield Group(issued, tuple(invoice for _, invoice in sorted(entered.items())))


def find(ledger: AccountLedger, now: dt.datetime) -> Iterable[Finding]:
    for group in groups(ledger):
        amounts = _amounts(group, ledger)
        if amounts is not None and beyond_tolerance(*amounts):
            yield _finding(group, *amounts, _last_change(ledger, group))


def _amounts(group: Group, ledger: AccountLedger) -> tuple[Money, Money] | None:
    """What billing issued and what the ERP carries, net; None when an invoice states no total. Where one is in another
    currency than the first that billing issued, it stands for the ERP's side: currencies do not add up."""
    billed = [net(invoice, ledger) for invoice in group.billed]
    entered = [net(invoice, ledger) for invoice in group.entered]
    known = [amount for amount in (*billed, *entered) if amount is not None]
    if len(known) < len(billed) + len(entered):
        return None
    currency = known[0].currency
    odd = next((amount for amount in known if amount.currency != currency), None)
    expected = total_of((amount for amount in known[: len(billed)] if amount.currency == currency), currency)
    return expected, odd if odd is not None else total_of(known[len(billed) :], currency)


def _last_change(ledger: AccountLedger, group: Group) -> dt.datetime:
    """When one side last moved: the documents themselves, or a credit given on one of them."""
    invoices = (*group.billed, *group.entered)
    return latest([*invoices, *(memo for invoice in invoices for memo in credits_on(invoice, ledger))])


def _finding(group: Group, expected: Money, actual: Money, changed_at: dt.datetime) -> Finding:
    same = expected.currency == actual.currency
    direction = "above" if same and actual.amount > expected.amount else "below"
    billed, entered = _labels(group.billed), _labels(group.entered)
    sentence = f"The ERP carries invoice {entered} at {actual}, billing issued {billed} for {expected}" + (
        f": the ERP is {abs(actual - expected)} {direction} billing." if same else ": the currencies differ."
    )
    fields = [("total", "Invoice total"), ("credited", "Credited"), ("amount_remaining", "Still to pay")]
    records = (*group.billed, *group.entered)
    return Finding(
        subjects=records,
        sentence=sentence,
        due_at=changed_at + GRACE,
        amount=abs(actual - expected) if same else actual,
        differences=tuple(
            Difference(
                name,
                label,
                owner_of("invoice", name),
                tuple((record, record.fields[name]) for record in records if name in record.fields),
            )
            for name, label in fields
        ),
        inputs={"net in billing": str(expected), "net in the ERP": str(actual)},
    )


def _labels(invoices: Sequence[LedgerRecord]) -> str:
    return " and ".join(invoice.label for invoice in invoices)


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
                refs=refs(copy_of=Ref("billing", "invoice", "in_1")),
                number="INV-501",
                status=erp_status,
                total=usd(entered),
                credited=usd(entered_credit),
            ),
        ),
    )


def _split(billed: str, *entered: str) -> tuple[tuple[str, object], ...]:
    """One invoice of billing that the ERP entered as several."""
    copy = refs(copy_of=Ref("billing", "invoice", "in_1"))
    return (
        ("billing", fact("invoice", "in_1", _OLD, number="A-1", status="open", total=usd(billed))),
        *(
            ("erp", fact("invoice", f"50{number}", _OLD, refs=copy, status="open", total=usd(part)))
            for number, part in enumerate(entered)
        ),
    )


def _joined(entered: str, *billed: str) -> tuple[tuple[str, object], ...]:
    """Several invoices of billing that the ERP entered as one."""
    copies = refs(copy_of=[Ref("billing", "invoice", f"in_{number}") for number in range(len(billed))])
    return (
        ("erp", fact("invoice", "501", _OLD, refs=copies, status="open", total=usd(entered))),
        *(
            ("billing", fact("invoice", f"in_{number}", _OLD, status="open", total=usd(part)))
            for number, part in enumerate(billed)
        ),
    )


def _credit_note(at: dt.datetime) -> tuple[str, object]:
    on = refs(invoice=Ref("billing", "invoice", "in_1"))
    return ("billing", fact("credit_memo", "cn_1", at, refs=on, status="applied", total=usd("20.00")))


def _mirrored(amount: str, of: str = "cn_1") -> tuple[str, object]:
    zero, whole = usd("0.00"), usd(amount)
    copy = refs(copy_of=Ref("billing", "credit_memo", of))
    return ("erp", fact("credit_memo", "90", _OLD, refs=copy, status="open", total=whole, applied=zero, unapplied=whole))


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
        _example("entered as two invoices of 60 and 50: one finding", _split("100.00", "60.00", "50.00"), finds=1),
        _example("two invoices entered as one, too high", _joined("110.00", "60.00", "40.00"), finds=1),
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
        _example("entered as two invoices of 60 and 40", _split("100.00", "60.00", "40.00")),
        _example("two invoices entered as one", _joined("100.00", "60.00", "40.00")),
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
