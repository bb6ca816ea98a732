"""A system that does not own a customer's field states another value than the one that does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, Stated, at, billing, crm, erp, example, fact, usd
from revops.detection.rule import Difference, Finding, Playbook, Rule, money, stands_for, text
from revops.ledger.view import AccountLedger
from revops.policies.policies import Policies
from revops.sentences import Word, template

CODE = "customer_field_mismatch"

FIELDS = {
    "currency": template("customer_field_mismatch.currency", "Currency"),
    "legal_entity": template("customer_field_mismatch.legal_entity", "Legal entity"),
}
"""Names are left out: a customer's legal name in the books is rarely the account's name in the CRM."""
FOUND = template("customer_field_mismatch.found", "{customer} has {said} as {field}; {owner}, whose word counts, has {owned}.")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    customers = ledger.of("customer")
    for name, label in FIELDS.items():
        role = policies.owner_for("customer", name, "*")
        owned = {value for each in customers if each.role == role and (value := text(each, name))}
        if len(owned) != 1:
            continue
        owner = next(each for each in customers if each.role == role and text(each, name))
        for other in customers:
            said = text(other, name)
            if other.role == role or not said or said in owned or (name == "currency" and other.role != "billing"):
                continue  # an ERP keeps a customer in its first currency, and invoices in others
            yield Finding(
                subjects=(other, owner),
                sentence=FOUND(customer=other.named, said=said, field=Word(name), owner=owner.named, owned=text(owner, name)),
                due_at=max(other.effective_at, owner.effective_at) + policies.rule(CODE).after,
                amount=money(other, "balance"),
                differences=(Difference(name, label, role, ((owner, text(owner, name)), (other, said))),),
                subject_note=name,
            )


def _owner(currency: str = "USD", entity: str = "US", when: str = "2026-11-01 12:00") -> Stated:
    return crm(fact("customer", "001A", at(when), name="Halden", currency=currency, legal_entity=entity))


def _books(entity: str, when: str = "2026-11-05 12:00") -> Stated:
    return erp(fact("customer", "9", at(when), name="Halden Inc.", legal_entity=entity, balance=usd("500.00")))


def _found(system: str, amount: str | None, due: str = "2026-11-12 12:00") -> list[Expected]:
    return [Expected(amount, (system, "crm customer 001A"), due=at(due))]


RULE = Rule(
    code=CODE,
    title="Customer differs from its owner's word",
    sentence="A system has changed what another one owns of a customer.",
    tolerance=stands_for(CODE),
    reads=frozenset({"customer"}),
    needs=("crm customer.legal_entity", "erp customer.legal_entity"),
    playbook=Playbook(
        means="Documents are made in the wrong currency or in the wrong company's books, and each must be made again.",
        check=(
            "Which value is right? Correct the system that does not own the field, or ask for another owner.",
            "Which documents were made with the wrong value?",
        ),
    ),
    find=find,
    fires_on=(
        example("kept in another company's books", _owner(), _books("DE"), expect=_found("erp customer 9", "500.00")),
        example(
            "billed in another currency",
            _owner(),
            billing(fact("customer", "cus_1", at("2026-11-05 12:00"), currency="EUR")),
            expect=_found("billing customer cus_1", None),
        ),
    ),
    silent_on=(
        example("equal", _owner(), _books("US")),
        example("names differ", _owner(), erp(fact("customer", "9", name="Halden International Holdings"))),
        example("the ERP's first currency", _owner("EUR"), erp(fact("customer", "9", currency="USD", legal_entity="US"))),
        example("nobody said which company", crm(fact("customer", "001A", name="Halden")), _books("DE")),
        example("two accounts of the CRM disagree", _owner(), crm(fact("customer", "001B", legal_entity="DE")), _books("DE")),
        example(
            "moved yesterday",
            _owner(when="2026-11-19 12:00"),
            _books("DE"),
            expect=_found("erp customer 9", "500.00", "2026-11-26 12:00"),
        ),
    ),
)
