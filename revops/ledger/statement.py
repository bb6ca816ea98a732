"""The account's statement: documents and cash in order, with a running balance per system and currency. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from revops.ledger.view import AccountLedger, LedgerRecord
from revops.money import Money

DEBITS = {"invoice": "issued_on"}
CREDITS = {"credit_memo": "issued_on", "payment": "paid_on"}
DEAD = frozenset({"draft", "pending_approval", "void", "rejected", "failed", "canceled", "pending"})
"""Statuses that move no receivable: they keep their line, without amounts."""


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One document in one system. Exactly one of `debit` and `credit` is set, neither when the document moves nothing.
    `balance` is the running balance of that system in that currency after this line; `on` is a plain date."""

    on: dt.date | None
    document: str
    kind: str
    system: str
    role: str
    status: str
    debit: Money | None
    credit: Money | None
    balance: Money | None
    record: LedgerRecord


def statement_lines(ledger: AccountLedger) -> list[StatementLine]:
    """All invoices, credit memos and payments, oldest first; undated ones last."""
    documents = [r for r in ledger.records if r.object_type in (*DEBITS, *CREDITS) and not r.deleted]
    documents.sort(key=lambda r: (_date(r) or dt.date.max, r.object_type != "invoice", r.system, r.external_id))
    balances: dict[tuple[str, str], Money] = {}
    lines = []
    for record in documents:
        amount = record.fields.get("total" if record.object_type != "payment" else "amount")
        status = str(record.fields.get("status") or "")
        moves = amount if isinstance(amount, Money) and status not in DEAD else None
        debit = moves if record.object_type in DEBITS else None
        credit = moves if record.object_type in CREDITS else None
        balance = None
        if moves is not None:
            slot = (record.system, moves.currency)
            change = moves if debit is not None else -moves
            balance = balances[slot] = balances.get(slot, Money.zero(moves.currency)) + change
        lines.append(
            StatementLine(
                on=_date(record),
                document=record.label,
                kind=record.object_type,
                system=record.system,
                role=record.role,
                status=status,
                debit=debit,
                credit=credit,
                balance=balance,
                record=record,
            )
        )
    return lines


def closing_balances(lines: list[StatementLine]) -> dict[tuple[str, str], Money]:
    """(system, currency) -> the last running balance."""
    return {(line.system, line.balance.currency): line.balance for line in lines if line.balance is not None}


def _date(record: LedgerRecord) -> dt.date | None:
    value = record.fields.get(DEBITS.get(record.object_type) or CREDITS[record.object_type])
    return value if isinstance(value, dt.date) else None
