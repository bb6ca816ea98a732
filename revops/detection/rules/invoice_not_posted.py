"""An invoice that billing has finalised is not in the ERP."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.rule import Difference, Example, Finding, Playbook, Rule, fact, money, text, usd
from revops.ledger.reference import Ref, refs
from revops.ledger.view import AccountLedger
from revops.ownership.owners import owner_of
from revops.processes.quote_to_cash import QUOTE_TO_CASH

ISSUED = frozenset({"open", "paid", "uncollectible"})
LIMIT = QUOTE_TO_CASH.stage("posting").limit or dt.timedelta(0)


def find(ledger: AccountLedger, now: dt.datetime) -> Iterable[Finding]:
    for billed in ledger.of("invoice", "billing"):
        total = money(billed, "total")
        if text(billed, "status") not in ISSUED or total is None or total.amount <= 0 or ledger.twins(billed, "erp"):
            continue
        finalized = billed.fields.get("finalized_at")
        since = finalized if isinstance(finalized, dt.datetime) else billed.effective_at
        yield Finding(
            subjects=(billed,),
            sentence=f"Billing finalised invoice {billed.label} for {total} on {since:%Y-%m-%d %H:%M} UTC; the ERP has no "
            "invoice for it.",
            due_at=since + LIMIT,
            amount=total,
            differences=tuple(
                Difference(name, label, owner_of("invoice", name), ((billed, billed.fields[name]),))
                for name, label in (("total", "Invoice total"), ("status", "Status"), ("issued_on", "Issued on"))
                if name in billed.fields
            ),
            inputs={"finalised": f"{since:%Y-%m-%d %H:%M} UTC", "limit": f"{LIMIT.total_seconds() / 3600:.0f} hours"},
        )


_NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


def _invoice(hours_ago: int, total: str = "900.00", status: str = "open") -> tuple[str, object]:
    at = _NOW - dt.timedelta(hours=hours_ago)
    return ("billing", fact("invoice", "in_1", at, number="A-1", status=status, total=usd(total), finalized_at=at))


def _entered(deleted: bool = False) -> tuple[str, object]:
    return (
        "erp",
        fact("invoice", "501", _NOW, refs=refs(copy_of=Ref("billing", "invoice", "in_1")), deleted=deleted, total=usd("900.00")),
    )


def _example(name: str, *facts: object, finds: int = 0, waits: int = 0) -> Example:
    return Example(name, facts, _NOW, finds, waits)  # type: ignore[arg-type]


RULE = Rule(
    code="invoice_not_posted",
    title="Finalised invoice is not in the ERP",
    severity="high",
    team="finance",
    sentence="Billing finalised an invoice and the ERP has not received it in time.",
    tolerance="24 hours after finalisation",
    expects="erp",
    expects_type="invoice",
    reads=frozenset({"invoice"}),
    playbook=Playbook(
        means="The customer has the invoice, the ledger has no receivable: revenue is late and a payment will find nothing to "
        "be applied to.",
        check=(
            "Did the transfer to the ERP fail? Look for a dead letter or a refused posting of this invoice.",
            "Is the customer or the item missing in the ERP?",
            "Is the posting period closed in the ERP?",
        ),
    ),
    find=find,
    fires_on=(
        _example("finalised 26 hours ago, nothing in the ERP", _invoice(26), finds=1),
        _example("paid but never posted", _invoice(100, status="paid"), finds=1),
        _example("the ERP's copy was deleted", _invoice(100), _entered(deleted=True), finds=1),
    ),
    silent_on=(
        _example("posted", _invoice(100), _entered()),
        _example("posted before billing told us", _entered(), _invoice(100)),
        _example("a draft", _invoice(100, status="draft")),
        _example("voided before it was posted", _invoice(100, status="void")),
        _example("an invoice of zero", _invoice(100, total="0.00")),
        _example("finalised 3 hours ago: not yet due", _invoice(3), waits=1),
    ),
)
