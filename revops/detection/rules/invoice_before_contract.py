"""The ERP holds an invoice whose contract is not activated in the CRM."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.examples import Expected, at, billing, contract, crm, elsewhere, erp, example, fact, invoice
from revops.detection.rule import Difference, Finding, Order, Playbook, Rule, money, text
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.policies.policies import Policies
from revops.policies.process import Prerequisite
from revops.reference import Ref
from revops.sentences import Word, template

DEAD = frozenset({"void", "rejected"})
ORDER = Order("quote_to_cash", stage="posting", needs="contract")

FOUND = template(
    "invoice_before_contract.found", "The ERP has invoice {invoice} for contract {contract}, which is {state} in the CRM."
)
TOLERANCE = template("invoice_before_contract.tolerance", "{grace} after the invoice appeared")
CONTRACT_STATUS = template("invoice_before_contract.contract_status", "Contract status")
CONTRACT_NAMED = template("invoice_before_contract.contract_named", "Contract named")
INVOICE_TOTAL = template("invoice_before_contract.invoice_total", "Invoice total")
CONTRACT = template("invoice_before_contract.contract", "Contract")
IN_THE_CRM = template("invoice_before_contract.in_the_crm", "In the CRM")


def _order(policies: Policies) -> Prerequisite:
    return policies.process(ORDER.process).prerequisite(ORDER.stage, ORDER.needs)


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    for entered in ledger.of("invoice", "erp"):
        named = entered.target("contract")
        if named is None or text(entered, "status") in DEAD or _is_another_accounts(entered, ledger):
            continue
        agreed = _live(ledger.find(named))
        if agreed is None or text(agreed, "status") != "activated":
            yield _finding(entered, named, agreed, policies)


def _is_another_accounts(entered: LedgerRecord, ledger: AccountLedger) -> bool:
    """Whether what the invoice is a copy of stands on another account: then it does not belong here, nor does its contract."""
    originals = ledger.pointed_to(entered, "copy_of")
    return bool(originals) and all(original in ledger.elsewhere for original in originals)


def _live(record: LedgerRecord | None) -> LedgerRecord | None:
    return None if record is None or record.deleted else record


def _finding(invoice: LedgerRecord, named: Ref, contract: LedgerRecord | None, policies: Policies) -> Finding:
    state = Word(text(contract, "status") if contract is not None else "unknown")
    status = policies.stage_of("contract", [text(contract, "status")] if contract is not None else [])
    stage = policies.stage_of("invoice", [text(invoice, "status")])
    return Finding(
        subjects=(invoice,),
        sentence=FOUND(invoice=invoice.named, contract=named, state=state),
        due_at=invoice.effective_at + _order(policies).grace,
        amount=money(invoice, "total"),
        differences=(
            Difference(
                "status",
                CONTRACT_STATUS,
                policies.owner_for("contract", "status", status),
                ((contract, contract.fields.get("status")),) if contract is not None else (),
            ),
            Difference(
                "contract",
                CONTRACT_NAMED,
                policies.owner_for("contract", "number", status),
                ((invoice, named.id), *(((contract, text(contract, "number")),) if contract is not None else ())),
            ),
            Difference(
                "total",
                INVOICE_TOTAL,
                policies.owner_for("invoice", "total", stage),
                ((invoice, invoice.fields.get("total")),),
            ),
        ),
        context=(contract,) if contract is not None else (),
        inputs={CONTRACT: named, IN_THE_CRM: state},
        order=ORDER,
    )


_FOUND = Expected("7000.00", ("erp invoice 501",), due=at("2026-11-17 14:00"))
_INVOICE = erp(invoice("501", number="INV-501", total="7000.00", contract="C-7"))

RULE = Rule(
    code="invoice_before_contract",
    title="Invoice in the ERP before its contract",
    sentence="The ERP received an invoice before the contract it belongs to is activated in the CRM.",
    tolerance=lambda policies: TOLERANCE(grace=_order(policies).grace),
    expects="crm",
    expects_type="contract",
    reads=frozenset({"invoice", "contract"}),
    needs=("erp invoice.contract", "crm contract"),
    playbook=Playbook(
        means="Until the contract is activated, the invoice's terms, dates and revenue schedule rest on nothing that was agreed.",
        check=(
            "Is the contract still in approval in the CRM, and with whom?",
            "Does the invoice name the right contract?",
            "Should the invoice wait as pending in the ERP until the contract is activated?",
        ),
    ),
    find=find,
    fires_on=(
        example("contract unknown", _INVOICE, expect=[_FOUND]),
        example("contract a draft", _INVOICE, crm(contract(number="C-7", status="draft")), expect=[_FOUND]),
        example("contract in approval", crm(contract(number="C-7", status="in_approval")), _INVOICE, expect=[_FOUND]),
        example("another contract is activated", _INVOICE, crm(contract(number="C-8")), expect=[_FOUND]),
        example("contract deleted", _INVOICE, crm(contract(number="C-7", deleted=True)), expect=[_FOUND]),
        example(
            "one of two invoices names a contract that is not activated",
            erp(invoice("502", total="10.00", contract="C-8")),
            _INVOICE,
            crm(contract(number="C-8")),
            expect=[_FOUND],
        ),
        example(
            "the two hours are over this minute",
            erp(invoice("501", at("2026-11-20 10:00"), total="7000.00", contract="C-7")),
            expect=[Expected("7000.00", ("erp invoice 501",), due=at("2026-11-20 12:00"))],
        ),
    ),
    silent_on=(
        example(
            "what it is a copy of is another account's",
            elsewhere(billing(fact("invoice", "in_1", status="open")), account=2),
            erp(fact("invoice", "501", to="copy_of: billing invoice in_1; contract: crm contract C-7", status="open")),
        ),
        example("contract activated", _INVOICE, crm(contract(number="C-7"))),
        example("contract known only afterwards", crm(contract(number="C-7")), _INVOICE),
        example("one-off invoice", erp(invoice("501", total="7000.00"))),
        example("void", erp(invoice("501", total="7000.00", contract="C-7", status="void"))),
        example("rejected", erp(invoice("501", total="7000.00", contract="C-7", status="rejected"))),
        example(
            "an hour old: not yet due",
            erp(invoice("501", at("2026-11-20 11:00"), total="7000.00", contract="C-7")),
            expect=[Expected("7000.00", ("erp invoice 501",), due=at("2026-11-20 13:00"))],
        ),
    ),
)
