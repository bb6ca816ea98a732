"""Customer success works a renewal while billing has not finished the amendment that it must start from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.rule import Difference, Example, Finding, Playbook, Rule, fact, money, text, usd
from revops.ledger.reference import Ref, refs
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.money import Money
from revops.ownership.owners import owner_of
from revops.processes.renewal_to_revenue import RENEWAL_TO_REVENUE

FINAL = frozenset({"open", "paid", "uncollectible", "void"})
ORDER = RENEWAL_TO_REVENUE.prerequisite("renewal", "amendment")


def unfinished_amendment(ledger: AccountLedger) -> list[LedgerRecord]:
    """What billing still has to finish: prorations on no finalised invoice, and drafts made by a subscription change."""
    invoices = ledger.of("invoice", "billing")
    billed = {(invoice.system, item) for invoice in invoices if text(invoice, "status") in FINAL for item in _items(invoice)}
    pending = [
        proration
        for proration in ledger.of("proration", "billing")
        if proration.fields.get("is_proration") and (proration.system, proration.external_id) not in billed
    ]
    drafts = [
        invoice
        for invoice in invoices
        if text(invoice, "status") == "draft" and text(invoice, "billing_reason") == "subscription_update"
    ]
    return [*pending, *drafts]


def _items(invoice: LedgerRecord) -> tuple[str, ...]:
    value = invoice.fields.get("proration_items")
    return value if isinstance(value, tuple) else ()


def find(ledger: AccountLedger, now: dt.datetime) -> Iterable[Finding]:
    open_parts = unfinished_amendment(ledger)
    if not open_parts:
        return
    for renewal in ledger.of("renewal", "customer_success"):
        if text(renewal, "stage") != "in_progress" or renewal.fields.get("held") or renewal.fields.get("is_closed"):
            continue
        began = max(renewal.effective_at, min(part.effective_at for part in open_parts))
        amounts = [a for part in open_parts if (a := money(part, "amount") or money(part, "total")) is not None]
        yield Finding(
            subjects=(renewal,),
            sentence=f"Renewal {renewal.label} is in progress while billing has {_count(open_parts)} of an amendment "
            f"unfinished ({_sum(amounts)} not yet invoiced).",
            due_at=began + ORDER.grace,
            amount=money(renewal, "target_amount"),
            differences=(
                Difference("stage", "Renewal stage", owner_of("renewal", "stage"), ((renewal, renewal.fields["stage"]),)),
                Difference(
                    "status",
                    "Amendment",
                    owner_of("proration", "amount"),
                    tuple((part, text(part, "status") or "not yet invoiced") for part in open_parts),
                ),
            ),
            context=tuple(open_parts),
            inputs={"renewal stage": "in progress", "unfinished in billing": _count(open_parts), "order": ORDER.why},
        )


def _count(parts: list[LedgerRecord]) -> str:
    return "1 part" if len(parts) == 1 else f"{len(parts)} parts"


def _sum(amounts: list[Money]) -> str:
    sums: dict[str, Money] = {}
    for amount in amounts:
        sums[amount.currency] = sums[amount.currency] + amount if amount.currency in sums else amount
    return ", ".join(str(value) for value in sums.values()) or "amount unknown"


_NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
_OLD = _NOW - dt.timedelta(days=2)


def _renewal(stage: str = "in_progress", held: bool = False) -> tuple[str, object]:
    return (
        "customer_success",
        fact(
            "renewal",
            "1R01",
            _OLD,
            name="Renewal 2027",
            stage=stage,
            held=held,
            is_closed=False,
            target_amount=usd("90000.00"),
        ),
    )


def _proration(deleted: bool = False) -> tuple[str, object]:
    return (
        "billing",
        fact(
            "proration",
            "ii_1",
            _OLD,
            refs=refs(subscription=Ref("billing", "subscription", "sub_1")),
            amount=usd("1200.00"),
            is_proration=True,
            deleted=deleted,
        ),
    )


def _invoice(status: str, *items: str, reason: str = "subscription_cycle") -> tuple[str, object]:
    return (
        "billing",
        fact("invoice", "in_1", _OLD, status=status, total=usd("1200.00"), billing_reason=reason, proration_items=items),
    )


def _example(name: str, *facts: object, finds: int = 0, waits: int = 0) -> Example:
    return Example(name, facts, _NOW, finds, waits)  # type: ignore[arg-type]


RULE = Rule(
    code="renewal_before_amendment",
    title="Renewal started before the amendment is finalised",
    severity="critical",
    team="customer_success",
    sentence="A renewal is being worked while the amendment it must start from is unfinished in billing.",
    tolerance="none: it counts from the moment both are true",
    reads=frozenset({"renewal", "proration", "invoice"}),
    playbook=Playbook(
        means=ORDER.why + " The customer gets a quote that billing will contradict.",
        check=(
            "Which subscription change is pending in billing, and who can finalise it?",
            "Has a renewal quote already gone to the customer?",
            "Is the open invoice of this customer partly unpaid? Then agree with finance before the renewal goes on.",
        ),
        fixes=("hold_renewal",),
    ),
    find=find,
    fires_on=(
        _example("proration pending", _renewal(), _proration(), finds=1),
        _example("draft of the change", _renewal(), _invoice("draft", reason="subscription_update"), finds=1),
        _example("on a draft invoice only", _renewal(), _proration(), _invoice("draft", "ii_1"), finds=1),
    ),
    silent_on=(
        _example("no amendment", _renewal()),
        _example("amendment invoiced", _renewal(), _proration(), _invoice("open", "ii_1")),
        _example("renewal not started", _renewal("not_started"), _proration()),
        _example("renewal on hold", _renewal("on_hold", held=True), _proration()),
        _example("renewal won", _renewal("won"), _proration()),
        _example("proration taken back", _renewal(), _proration(deleted=True)),
        _example("ordinary draft", _renewal(), _invoice("draft")),
    ),
)
