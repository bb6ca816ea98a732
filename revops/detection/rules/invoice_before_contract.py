"""The ERP holds an invoice whose contract is not activated in the CRM."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from revops.detection.rule import Difference, Example, Finding, Playbook, Rule, fact, money, text, usd
from revops.ledger.reference import Ref, refs
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.ownership.owners import owner_of
from revops.processes.quote_to_cash import QUOTE_TO_CASH

DEAD = frozenset({"void", "rejected"})
ORDER = QUOTE_TO_CASH.prerequisite("posting", "contract")


def find(ledger: AccountLedger, now: dt.datetime) -> Iterable[Finding]:
    for invoice in ledger.of("invoice", "erp"):
        named = invoice.target("contract")
        if named is None or text(invoice, "status") in DEAD:
            continue
        contract = _live(ledger.find(named))
        if contract is not None and text(contract, "status") == "activated":
            continue
        number = named.id
        state = text(contract, "status").replace("_", " ") if contract is not None else "unknown"
        yield Finding(
            subjects=(invoice,),
            sentence=f"The ERP has invoice {invoice.label} for contract {number}, which is {state} in the CRM.",
            due_at=invoice.effective_at + ORDER.grace,
            amount=money(invoice, "total"),
            differences=(
                Difference(
                    "status",
                    "Contract status",
                    owner_of("contract", "status"),
                    ((contract, contract.fields.get("status")),) if contract is not None else (),
                ),
                Difference(
                    "contract",
                    "Contract named",
                    owner_of("contract", "number"),
                    ((invoice, number), *(((contract, text(contract, "number")),) if contract is not None else ())),
                ),
                Difference("total", "Invoice total", owner_of("invoice", "total"), ((invoice, invoice.fields.get("total")),)),
            ),
            context=(contract,) if contract is not None else (),
            inputs={"contract": number, "in the CRM": state, "order": ORDER.why},
        )


def _live(record: LedgerRecord | None) -> LedgerRecord | None:
    return None if record is None or record.deleted else record


_NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
_OLD = _NOW - dt.timedelta(days=2)


def _invoice(at: dt.datetime = _OLD, *, contract: str = "C-00000007", status: str = "open") -> tuple[str, object]:
    named = refs(contract=Ref.numbered("crm", "contract", contract) if contract else None)
    return ("erp", fact("invoice", "501", at, refs=named, number="INV-501", status=status, total=usd("7000.00")))


def _contract(status: str, number: str = "C-00000007", deleted: bool = False) -> tuple[str, object]:
    return ("crm", fact("contract", "8005e000000AbCdAAK", _OLD, number=number, status=status, deleted=deleted))


def _example(name: str, *facts: object, finds: int = 0, waits: int = 0) -> Example:
    return Example(name, facts, _NOW, finds, waits)  # type: ignore[arg-type]


RULE = Rule(
    code="invoice_before_contract",
    title="Invoice in the ERP before its contract",
    severity="high",
    team="finance",
    sentence="The ERP received an invoice before the contract it belongs to is activated in the CRM.",
    tolerance="2 hours after the invoice appeared",
    expects="crm",
    expects_type="contract",
    reads=frozenset({"invoice", "contract"}),
    playbook=Playbook(
        means=ORDER.why + " Until then its terms, dates and revenue schedule rest on nothing that was agreed.",
        check=(
            "Is the contract still in approval in the CRM, and with whom?",
            "Does the invoice name the right contract?",
            "Should the invoice wait as pending in the ERP until the contract is activated?",
        ),
    ),
    find=find,
    fires_on=(
        _example("contract unknown", _invoice(), finds=1),
        _example("contract a draft", _invoice(), _contract("draft"), finds=1),
        _example("contract in approval", _contract("in_approval"), _invoice(), finds=1),
        _example("another contract is activated", _invoice(), _contract("activated", "C-00000008"), finds=1),
        _example("contract deleted", _invoice(), _contract("activated", deleted=True), finds=1),
    ),
    silent_on=(
        _example("contract activated", _invoice(), _contract("activated")),
        _example("contract known only afterwards", _contract("activated"), _invoice()),
        _example("one-off invoice", _invoice(contract="")),
        _example("void", _invoice(status="void")),
        _example("an hour old: not yet due", _invoice(_NOW - dt.timedelta(hours=1)), waits=1),
    ),
)
