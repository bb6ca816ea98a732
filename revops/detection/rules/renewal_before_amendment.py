"""Customer success works a renewal while billing has not finished the amendment that it must start from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, at, billing, customer_success, example, invoice, proration, renewal
from revops.detection.rule import Difference, Finding, Order, Playbook, Rule, money, text
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.money import Money
from revops.policies.policies import ANY, Policies
from revops.policies.process import Prerequisite
from revops.sentences import Param, Sentence, Word, template

FINAL = frozenset({"open", "paid", "uncollectible", "void"})
ORDER = Order("renewal_to_revenue", stage="renewal", needs="amendment")

FOUND = template(
    "renewal_before_amendment.found",
    "Renewal {renewal} is in progress while billing has {parts} of an amendment unfinished ({amounts} not yet invoiced).",
)
GRACE = template("renewal_before_amendment.grace", "{grace} from the moment both are true")
NO_GRACE = template("renewal_before_amendment.no_grace", "none: it counts from the moment both are true")
ONE_PART = template("renewal_before_amendment.one_part", "1 part")
PARTS = template("renewal_before_amendment.parts", "{count} parts")
NO_AMOUNT = template("renewal_before_amendment.no_amount", "amount unknown")
RENEWAL_STAGE = template("renewal_before_amendment.renewal_stage", "Renewal stage")
AMENDMENT = template("renewal_before_amendment.amendment", "Amendment")
UNFINISHED = template("renewal_before_amendment.unfinished", "Unfinished in billing")


def _order(policies: Policies) -> Prerequisite:
    return policies.process(ORDER.process).prerequisite(ORDER.stage, ORDER.needs)


def _tolerance(policies: Policies) -> Sentence:
    grace = _order(policies).grace
    return GRACE(grace=grace) if grace else NO_GRACE()


def unfinished_amendment(ledger: AccountLedger) -> list[LedgerRecord]:
    """What billing still has to finish: prorations on no finalised invoice, and drafts made by a subscription change."""
    invoices = ledger.of("invoice", "billing")
    billed = {(bill.system, item) for bill in invoices if text(bill, "status") in FINAL for item in _items(bill)}
    pending = [
        part
        for part in ledger.of("proration", "billing")
        if part.fields.get("is_proration") and (part.system, part.external_id) not in billed
    ]
    drafts = [
        bill for bill in invoices if text(bill, "status") == "draft" and text(bill, "billing_reason") == "subscription_update"
    ]
    return [*pending, *drafts]


def _items(invoice: LedgerRecord) -> tuple[str, ...]:
    value = invoice.fields.get("proration_items")
    return value if isinstance(value, tuple) else ()


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    open_parts = unfinished_amendment(ledger)
    if not open_parts:
        return
    for worked in ledger.of("renewal", "customer_success"):
        if text(worked, "stage") == "in_progress" and not worked.fields.get("held") and not worked.fields.get("is_closed"):
            yield _finding(worked, open_parts, policies)


def _finding(renewal: LedgerRecord, open_parts: list[LedgerRecord], policies: Policies) -> Finding:
    began = max(renewal.effective_at, min(part.effective_at for part in open_parts))
    amounts = [a for part in open_parts if (a := money(part, "amount") or money(part, "total")) is not None]
    return Finding(
        subjects=(renewal,),
        sentence=FOUND(renewal=renewal.named, parts=_count(open_parts), amounts=_sums(amounts)),
        due_at=began + _order(policies).grace,
        amount=money(renewal, "target_amount"),
        differences=(
            Difference(
                "stage",
                RENEWAL_STAGE,
                policies.owner_for("renewal", "stage", policies.stage_of("renewal", [text(renewal, "stage")])),
                ((renewal, renewal.fields["stage"]),),
            ),
            Difference(
                "status",
                AMENDMENT,
                policies.owner_for("proration", "amount", ANY),
                tuple((part, text(part, "status") or "not_yet_invoiced") for part in open_parts),
            ),
        ),
        context=tuple(open_parts),
        inputs={RENEWAL_STAGE: Word("in_progress"), UNFINISHED: _count(open_parts)},
        order=ORDER,
    )


def _count(parts: list[LedgerRecord]) -> Param:
    return ONE_PART() if len(parts) == 1 else PARTS(count=len(parts))


def _sums(amounts: list[Money]) -> Param:
    sums: dict[str, Money] = {}
    for amount in amounts:
        sums[amount.currency] = sums[amount.currency] + amount if amount.currency in sums else amount
    return tuple(sums.values()) or NO_AMOUNT()


_RENEWAL = customer_success(renewal("1R01", name="Renewal 2027", target="90000.00"))
_PENDING = billing(proration("ii_1", amount="1200.00", subscription="sub_1"))
_FOUND = Expected("90000.00", ("customer_success renewal 1R01",), due=at("2026-11-17 12:00"))

RULE = Rule(
    code="renewal_before_amendment",
    title="Renewal started before the amendment is finalised",
    sentence="A renewal is being worked while the amendment it must start from is unfinished in billing.",
    tolerance=_tolerance,
    reads=frozenset({"renewal", "proration", "invoice"}),
    needs=("billing subscription", "customer_success renewal"),
    playbook=Playbook(
        means="The customer gets a quote that billing will contradict.",
        check=(
            "Which subscription change is pending in billing, and who can finalise it?",
            "Has a renewal quote already gone to the customer?",
            "Is the open invoice of this customer partly unpaid? Then agree with finance before the renewal goes on.",
        ),
        fixes=("hold_renewal",),
    ),
    find=find,
    fires_on=(
        example("proration pending", _RENEWAL, _PENDING, expect=[_FOUND]),
        example(
            "draft of the change",
            _RENEWAL,
            billing(invoice("in_1", status="draft", total="1200.00", reason="subscription_update")),
            expect=[_FOUND],
        ),
        example(
            "on a draft invoice only",
            _RENEWAL,
            _PENDING,
            billing(invoice("in_1", status="draft", total="1200.00", reason="subscription_cycle", items=("ii_1",))),
            expect=[_FOUND],
        ),
        example(
            "one of two parts is invoiced",
            _RENEWAL,
            _PENDING,
            billing(proration("ii_2", amount="5.00")),
            billing(invoice("in_1", total="5.00", items=("ii_2",))),
            expect=[_FOUND],
        ),
        example(
            "the renewal began after the amendment: it counts from then",
            customer_success(renewal("1R01", at("2026-11-19 10:00"), target="90000.00")),
            _PENDING,
            expect=[Expected("90000.00", ("customer_success renewal 1R01",), due=at("2026-11-19 10:00"))],
        ),
        example(
            "the amendment began after the renewal: it counts from its first part",
            _RENEWAL,
            billing(proration("ii_1", at("2026-11-18 10:00"), amount="1200.00")),
            billing(proration("ii_2", at("2026-11-19 10:00"), amount="-300.00")),
            expect=[Expected("90000.00", ("customer_success renewal 1R01",), due=at("2026-11-18 10:00"))],
        ),
        example(
            "a renewal without a target has no amount at risk",
            customer_success(renewal("1R01")),
            _PENDING,
            expect=[Expected(None, ("customer_success renewal 1R01",), due=at("2026-11-17 12:00"))],
        ),
        example(
            "of several renewals the one that is worked",
            customer_success(renewal("1R00", stage="won", closed=True, target="1.00")),
            _RENEWAL,
            _PENDING,
            expect=[_FOUND],
        ),
    ),
    silent_on=(
        example("no amendment", _RENEWAL),
        *(
            example(
                f"amendment on an invoice that is {status}",
                _RENEWAL,
                _PENDING,
                billing(invoice("in_1", status=status, items=("ii_1",))),
            )
            for status in sorted(FINAL)
        ),
        example("renewal not started", customer_success(renewal("1R01", stage="not_started")), _PENDING),
        example("renewal on hold", customer_success(renewal("1R01", stage="on_hold", held=True)), _PENDING),
        example("renewal in progress, held", customer_success(renewal("1R01", held=True)), _PENDING),
        example("renewal in progress, closed", customer_success(renewal("1R01", closed=True)), _PENDING),
        example("renewal won", customer_success(renewal("1R01", stage="won", closed=True)), _PENDING),
        example("proration taken back", _RENEWAL, billing(proration("ii_1", amount="1200.00", deleted=True))),
        example("a pending charge that is no proration", _RENEWAL, billing(proration("ii_1", amount="9.00", is_proration=False))),
        example(
            "ordinary draft", _RENEWAL, billing(invoice("in_1", status="draft", total="1200.00", reason="subscription_cycle"))
        ),
        example("the change is invoiced", _RENEWAL, billing(invoice("in_1", total="1200.00", reason="subscription_update"))),
        example(
            "began this very minute in the future: not yet due",
            customer_success(renewal("1R01", at("2026-11-20 12:01"), target="90000.00")),
            _PENDING,
            expect=[Expected("90000.00", ("customer_success renewal 1R01",), due=at("2026-11-20 12:01"))],
        ),
    ),
)
