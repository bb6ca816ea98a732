"""The ERP keeps one customer twice, and has documents on both."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, crm, erp, example, fact, usd
from revops.detection.rule import Finding, Playbook, Rule, money, stands_for, text, together
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.policies.policies import Policies
from revops.sentences import template

CODE = "customer_entered_twice"

FOUND = template(
    "customer_entered_twice.found",
    "The ERP's customers {first} and {again} are both {customer} of the CRM; {documents} stand on the later one.",
)
PARENT = " : "
"""Stands in the name of a customer that is a part of another one."""


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    alike: dict[object, list[LedgerRecord]] = {}
    for customer in ledger.of("customer", "erp"):
        whose = _in_crm(customer, ledger)
        if whose is not None and PARENT not in text(customer, "name"):
            books = (customer.system, text(customer, "legal_entity"), text(customer, "currency"))
            alike.setdefault((*books, whose.key), []).append(customer)
    for found in alike.values():
        used = sorted((customer for customer in found if _documents(customer, ledger)), key=lambda each: _since(each, ledger))
        for first, again in itertools.pairwise(used):
            documents = _documents(again, ledger)
            amounts = [amount for record in documents if (amount := money(record, "total")) is not None]
            yield Finding(
                subjects=(first, again),
                sentence=FOUND(
                    first=first.named,
                    again=again.named,
                    customer=tuple(record.named for record in ledger.pointed_to(again, "same_as") if record.role == "crm"),
                    documents=tuple(record.named for record in documents[:3]),
                ),
                due_at=_since(again, ledger) + policies.rule(CODE).after,
                amount=together(amounts),
                context=tuple(documents[:20]),
            )


def _in_crm(customer: LedgerRecord, ledger: AccountLedger) -> LedgerRecord | None:
    """The CRM's customer that it says it is; where that was merged into another one, the other one."""
    for record in ledger.pointed_to(customer, "same_as"):
        if record.role == "crm":
            return next(iter(ledger.pointed_to(record, "merged_into")), record)
    return None


def _documents(customer: LedgerRecord, ledger: AccountLedger) -> list[LedgerRecord]:
    """The invoices that stand on it."""
    dead = {"void", "rejected", "draft", "pending_approval"}
    found = ledger.pointing_at(customer, "customer", "invoice")
    return sorted((each for each in found if text(each, "status") not in dead), key=lambda each: each.key)


def _since(customer: LedgerRecord, ledger: AccountLedger) -> dt.datetime:
    return min(record.effective_at for record in _documents(customer, ledger))


def _customer(id: str, same_as: str = "A1", *, name: str = "Acme", legal_entity: str = "US", currency: str = "USD") -> Stated:
    to = f"same_as: crm customer {same_as}"
    return erp(fact("customer", id, to=to, name=name, legal_entity=legal_entity, currency=currency))


def _invoice(id: str, customer: str, when: str, status: str = "open") -> Stated:
    return erp(fact("invoice", id, at(when), to=f"customer: erp customer {customer}", status=status, total=usd("1900.00")))


_CRM = crm(fact("customer", "A1"))
_SEPTEMBER = _invoice("501", "5512", "2026-11-01 12:00")
_OCTOBER = _invoice("502", "6120", "2026-11-16 12:00")

_VOID = _invoice("502", "6120", "2026-11-16 12:00", "void")


def _found(due: str = "2026-11-17 12:00", amount: str = "1900.00") -> list[Expected]:
    return [Expected(amount, ("erp customer 5512", "erp customer 6120"), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Customer entered twice in the ERP",
    sentence="Two customers of the ERP are one customer of the CRM, and both have invoices.",
    tolerance=stands_for(CODE),
    reads=frozenset({"customer", "invoice"}),
    needs=("erp customer.same_as", "erp invoice.customer"),
    playbook=Playbook(
        means="The customer's statement and its aged receivables are split in two: payments are applied on one side while "
        "invoices stay open on the other, and credit limits see half of it.",
        check=(
            "Which of the two is used by the integration? Look for its id in billing and in the CRM.",
            "Are they parts of one group, invoiced apart on purpose? Then each belongs to a customer of its own in the CRM.",
            "Merge them in the ERP, or move the invoices, and make the other one inactive.",
        ),
    ),
    find=find,
    fires_on=(
        example("both have an invoice", _CRM, _customer("5512"), _customer("6120"), _SEPTEMBER, _OCTOBER, expect=_found()),
        example(
            "the one refers to a customer that was merged into that of the other",
            _CRM,
            crm(fact("customer", "A0", to="merged_into: crm customer A1", deleted=True)),
            _customer("5512"),
            _customer("6120", "A0"),
            _SEPTEMBER,
            _OCTOBER,
            expect=_found(),
        ),
        example(
            "two invoices on the later one",
            _CRM,
            _customer("5512"),
            _customer("6120"),
            _SEPTEMBER,
            _OCTOBER,
            _invoice("503", "6120", "2026-11-18 12:00", "paid"),
            expect=_found(amount="3800.00"),
        ),
    ),
    silent_on=(
        example("nothing stands on the other", _CRM, _customer("5512"), _customer("6120"), _SEPTEMBER),
        example(
            "its invoice is void",
            _CRM,
            _customer("5512"),
            _customer("6120"),
            _SEPTEMBER,
            _invoice("502", "6120", "2026-11-16 12:00", "void"),
        ),
        example("another customer of the CRM", _CRM, _customer("5512"), _customer("6120", "A2"), _SEPTEMBER, _OCTOBER),
        example("another legal entity", _CRM, _customer("5512"), _customer("6120", legal_entity="DE"), _SEPTEMBER, _OCTOBER),
        example("another currency", _CRM, _customer("5512"), _customer("6120", currency="EUR"), _SEPTEMBER, _OCTOBER),
        example("a part of the other", _CRM, _customer("5512"), _customer("6120", name="Acme : Site 2"), _SEPTEMBER, _OCTOBER),
        example(
            "its first invoice came an hour ago: not yet due",
            _CRM,
            _customer("5512"),
            _customer("6120"),
            _SEPTEMBER,
            _invoice("502", "6120", "2026-11-20 11:00"),
            expect=_found("2026-11-21 11:00"),
        ),
    ),
)
