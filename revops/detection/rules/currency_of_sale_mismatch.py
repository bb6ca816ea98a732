"""Billing invoices in another currency than was agreed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, crm, example, fact, usd
from revops.detection.rule import Difference, Finding, Playbook, Rule, money, stands_for, text
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.matching.contracts import contracts_of
from revops.matching.receivables import ISSUED
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "currency_of_sale_mismatch"

CURRENCY = template("currency_of_sale_mismatch.currency", "Currency")
FOUND = template("currency_of_sale_mismatch.found", "{contract} was agreed in {agreed}; billing invoiced {amount} by {invoice}.")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    for invoice in ledger.of("invoice", "billing"):
        total = money(invoice, "total")
        if text(invoice, "status") not in ISSUED or total is None or total.amount <= 0:
            continue
        agreed = _agreed(invoice, ledger)
        if agreed is None or text(agreed, "currency") in ("", total.currency):
            continue
        yield Finding(
            subjects=(invoice, agreed),
            sentence=FOUND(contract=agreed.named, agreed=text(agreed, "currency"), amount=total, invoice=invoice.named),
            due_at=invoice.effective_at + policies.rule(CODE).after,
            amount=total,
            differences=(
                Difference(
                    "currency",
                    CURRENCY,
                    policies.owner_for("contract", "currency", "*"),
                    ((agreed, text(agreed, "currency")), (invoice, total.currency)),
                ),
            ),
        )


def _agreed(invoice: LedgerRecord, ledger: AccountLedger) -> LedgerRecord | None:
    """The contract that the invoice names, or its subscription; None where there is not exactly one."""
    named = ledger.pointed_to(invoice, "contract")
    for subscription in ledger.pointed_to(invoice, "subscription"):
        named += contracts_of(subscription, ledger)
    found = {each.key: each for each in named if not each.deleted}
    return next(iter(found.values())) if len(found) == 1 else None


def _contract(currency: str | None = "GBP", id: str = "800A") -> Stated:
    return crm(fact("contract", id, number=id, status="activated", currency=currency))


def _invoice(to: str = "contract: crm contract 800A", status: str = "open") -> Stated:
    return billing(fact("invoice", "in_1", at("2026-11-16 12:00"), to=to, status=status, total=usd("10000.00")))


_SUBSCRIPTION = billing(fact("subscription", "sub_1", to="contract: crm contract 800A", status="active"))
_OF_IT = "subscription: billing subscription sub_1"


def _found() -> list[Expected]:
    return [Expected("10000.00", ("billing invoice in_1", "crm contract 800A"), due=at("2026-11-16 16:00"))]


RULE = Rule(
    code=CODE,
    title="Billed in another currency than agreed",
    sentence="An invoice is in another currency than the contract.",
    tolerance=stands_for(CODE),
    reads=frozenset({"invoice", "contract", "subscription"}),
    needs=("crm contract.currency", "billing invoice"),
    playbook=Playbook(
        means="The customer is asked for another amount than was agreed: the same figure in another currency is another price.",
        check=(
            "Which currency does the signed contract name?",
            "Void or credit the invoice, and issue it anew in the right currency.",
        ),
        fixes=("credit_memo",),
    ),
    find=find,
    fires_on=(
        example("the invoice names the contract", _contract(), _invoice(), expect=_found()),
        example("its subscription does", _contract(), _SUBSCRIPTION, _invoice(_OF_IT, "paid"), expect=_found()),
    ),
    silent_on=(
        example("the same currency", _contract("USD"), _invoice()),
        example("the contract states none", _contract(None), _invoice()),
        example(
            "two contracts are named",
            _contract(),
            _contract("EUR", "800B"),
            _SUBSCRIPTION,
            _invoice(f"{_OF_IT}; contract: crm contract 800B"),
        ),
        example("void", _contract(), _invoice(status="void")),
        example("no contract is named", _contract(), _invoice("")),
    ),
)
