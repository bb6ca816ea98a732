"""The account's statement: documents and cash in order, with a running balance per system and currency. Pure.

Which types are documents, on which side, with which amount and date, and in which statuses they move nothing, the types declare.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from revops.ledger.object_type import StatementSide
from revops.ledger.types import TYPES
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.money import Money


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
    """All documents, oldest first; undated ones last, of one day the debits first."""
    documents = [record for code in TYPES.documents() for record in ledger.of(code)]
    documents.sort(key=lambda r: (_date(r) or dt.date.max, _side(r).side != "debit", r.object_type, r.system, r.external_id))
    balances: dict[tuple[str, str], Money] = {}
    lines = []
    for record in documents:
        side = _side(record)
        amount = record.fields.get(side.amount)
        status = str(record.fields.get("status") or "")
        moves = amount if isinstance(amount, Money) and status not in side.still else None
        debit = moves if side.side == "debit" else None
        credit = moves if side.side == "credit" else None
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


def _side(record: LedgerRecord) -> StatementSide:
    side = TYPES[record.object_type].statement
    assert side is not None, "only documents stand on a statement"
    return side


def _date(record: LedgerRecord) -> dt.date | None:
    value = record.fields.get(_side(record).on)
    return value if isinstance(value, dt.date) else None
