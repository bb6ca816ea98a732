"""The order in the ERP runs for another term than the contract."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, crm, erp, example, fact, usd
from revops.detection.rule import Finding, Playbook, Rule, money, stands_for, text
from revops.ledger.view import AccountLedger
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "contract_term_mismatch"

FOUND = template("contract_term_mismatch.found", "{order} runs for {ordered} months, {contract} for {agreed}.")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    for order in ledger.of("sales_order", "erp"):
        ordered = order.fields.get("term_months")
        if not isinstance(ordered, int) or text(order, "status") in ("canceled", "ended"):
            continue
        for contract in ledger.pointed_to(order, "contract"):
            agreed = contract.fields.get("term_months")
            if contract.deleted or not isinstance(agreed, int) or agreed == ordered:
                continue
            yield Finding(
                subjects=(order, contract),
                sentence=FOUND(order=order.named, ordered=ordered, contract=contract.named, agreed=agreed),
                due_at=max(order.effective_at, contract.effective_at) + policies.rule(CODE).after,
                amount=money(order, "total"),
            )


def _order(months: int | None, status: str = "active", when: str = "2026-11-10 12:00") -> Stated:
    return erp(
        fact(
            "sales_order",
            "71",
            at(when),
            to="contract: crm contract 800A",
            status=status,
            term_months=months,
            total=usd("72000.00"),
        )
    )


def _contract(months: int | None, deleted: bool = False) -> Stated:
    return crm(fact("contract", "800A", at("2026-11-01 12:00"), deleted=deleted, number="100", term_months=months))


def _found(due: str = "2026-11-13 12:00") -> list[Expected]:
    return [Expected("72000.00", ("erp sales_order 71", "crm contract 800A"), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Term of the order differs from the contract",
    sentence="The ERP's order and the contract that it names run for different terms.",
    tolerance=stands_for(CODE),
    reads=frozenset({"sales_order", "contract"}),
    needs=("erp sales_order.term_months", "crm contract.term_months"),
    playbook=Playbook(
        means="Revenue is spread over the wrong months, and the renewal is expected at the wrong time.",
        check=(
            "Was the contract amended after the order was entered?",
            "Does the order carry the whole term, or one year of it?",
        ),
    ),
    find=find,
    fires_on=(
        example("two years agreed, three ordered", _order(36), _contract(24), expect=_found()),
        example("one year ordered", _order(12, "pending"), _contract(24), expect=_found()),
    ),
    silent_on=(
        example("equal", _order(24), _contract(24)),
        example("the order states no term", _order(None), _contract(24)),
        example("the contract states no term", _order(24), _contract(None)),
        example("the order is closed", _order(36, "ended"), _contract(24)),
        example("the contract is gone", _order(36), _contract(24, deleted=True)),
        example("entered yesterday", _order(36, when="2026-11-19 12:00"), _contract(24), expect=_found("2026-11-22 12:00")),
    ),
)
