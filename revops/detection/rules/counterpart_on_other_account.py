"""The ERP books an account's invoices on a customer that is another account's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from revops.detection.examples import Expected, Stated, at, billing, elsewhere, erp, example, fact, usd
from revops.detection.rule import Finding, Playbook, Rule, money, stands_for, together
from revops.ledger.facts import Fact
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.matching.groups import matched
from revops.money import Money
from revops.policies.policies import Policies
from revops.reference import Ref
from revops.sentences import template

CODE = "counterpart_on_other_account"

FOUND = template(
    "counterpart_on_other_account.found",
    "The ERP carries {count} of this account's documents, {amount}, on customer {customer} of another account: {entered}.",
)


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    astray: dict[Ref, list[tuple[LedgerRecord, LedgerRecord]]] = {}
    for kind in ("invoice", "payment"):
        for group in matched(ledger, kind).groups:
            for entered in group.of("erp"):
                customer = entered.target("customer")
                mine = [record for record in group.of("billing") if record not in ledger.elsewhere]
                if entered in ledger.elsewhere and entered.account_id is not None and customer is not None and mine:
                    astray.setdefault(customer, []).append((mine[0], entered))
    for customer, pairs in astray.items():
        amounts = [amount for mine, _ in pairs if (amount := money(mine, "total") or money(mine, "amount")) is not None]
        same = [amount for amount in amounts if amount.currency == amounts[0].currency]
        astray_records = tuple(record for _, record in pairs)
        amount = together(same)
        yield Finding(
            subjects=(_whose([mine for mine, _ in pairs], ledger),),
            sentence=FOUND(
                count=len(pairs),
                amount=amount if amount is not None else Money.zero(policies.reporting_currency),
                customer=customer,
                entered=tuple(record.named for record in astray_records[:3]),
            ),
            due_at=min(record.effective_at for record in astray_records) + policies.rule(CODE).after,
            amount=amount,
            context=astray_records[:20],
            subject_note=f"{customer.system} {customer.id}",
        )


def _whose(documents: Sequence[LedgerRecord], ledger: AccountLedger) -> LedgerRecord:
    """The customer whose documents these are; where it has not come, the first of them."""
    first = min(documents, key=lambda record: record.key)
    return next(iter(ledger.pointed_to(first, "customer")), first)


def _billed(id: str = "in_1") -> Stated:
    return billing(fact("invoice", id, status="open", total=usd("90.00")))


def _entered(id: str, copy_of: str, customer: str = "8") -> Fact:
    to = f"customer: erp customer {customer}; copy_of: billing invoice {copy_of}"
    return fact("invoice", id, at("2026-11-16 12:00"), to=to, status="open", total=usd("90.00"))


def _found(amount: str, due: str = "2026-11-17 12:00") -> list[Expected]:
    return [Expected(amount, ("billing invoice in_1",), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Booked on another customer",
    sentence="The ERP carries what belongs to this account on a customer of another account.",
    tolerance=stands_for(CODE),
    reads=frozenset({"invoice", "payment", "customer"}),
    needs=("erp invoice.copy_of",),
    playbook=Playbook(
        means="One customer owes on paper what another one was billed for. Where the ids of two customers were swapped, all "
        "of their documents are on the wrong one: it is one mistake, and one correction.",
        check=(
            "Is the other account the payer, the parent or a reseller of this one? Then link its ERP customer to this one.",
            "Which account does the ERP's customer really belong to? Correct the id that it carries.",
        ),
    ),
    find=find,
    fires_on=(
        example("one invoice", _billed(), elsewhere(erp(_entered("501", "in_1")), account=2), expect=_found("90.00")),
        example(
            "two invoices on one customer: one finding",
            _billed(),
            _billed("in_2"),
            elsewhere(erp(_entered("501", "in_1")), account=2),
            elsewhere(erp(_entered("502", "in_2")), account=2),
            expect=_found("180.00"),
        ),
        example(
            "the customer is named, whatever comes first",
            billing(fact("customer", "cus_1", name="Halden")),
            billing(fact("invoice", "in_1", to="customer: billing customer cus_1", status="open", total=usd("90.00"))),
            elsewhere(erp(_entered("501", "in_1")), account=2),
            expect=[Expected("90.00", ("billing customer cus_1",), due=at("2026-11-17 12:00"))],
        ),
    ),
    silent_on=(
        example("on its own customer", _billed(), erp(_entered("501", "in_1"))),
        example("on a customer that is nobody's yet", _billed(), elsewhere(erp(_entered("501", "in_1")))),
        example("the other account's own", elsewhere(_billed(), account=2), erp(_entered("501", "in_1"))),
    ),
)
