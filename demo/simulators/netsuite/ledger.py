"""Lines and general-ledger entries of one transaction.

Signs follow NetSuite's tables: in `transactionline` the main line of an invoice is positive and its item lines are
negative, a credit memo is the other way round; in `transactionaccountingline` debit is positive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from demo.simulators.netsuite import bodies, tables
from demo.simulators.netsuite.documents import RecordType, amount
from demo.simulators.netsuite.errors import refuse_content
from demo.simulators.store import Store
from demo.simulators.vendor import Json

BOOK = 1
"""The primary accounting book."""
RECEIVABLES, UNDEPOSITED, REVENUE, TAXES = 119, 122, 400, 220
"""Accounts used where neither body, customer nor item names one."""
ADJUSTMENT_ITEM = 9001


@dataclass
class Draft:
    """A transaction about to be booked: header, body of the call, item or journal lines, and where it comes from."""

    kind: RecordType
    row: Json
    body: Json
    lines: list[Json]
    subsidiary: int
    source: Json | None


class Ledger:
    """Turns a draft into entries and writes them. Entry 0 is the main line; ledger lines always balance."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.tax_percent = Decimal(0)
        """Added by the account to every item line that was entered, as a tax line of its own."""

    def sales_entries(self, draft: Draft, places: int) -> tuple[list[Json], Decimal]:
        """Entry 0 is the main line; `amount` is signed as in transactionline, `side` as in the ledger (debit > 0)."""
        kind, row, body, lines, source = draft.kind, draft.row, draft.body, draft.lines, draft.source
        kept = (source or {}).get("mainaccount")
        receivable = self._account(body, "arAcct" if kind.code == "CustPymt" else "account")
        receivable = receivable or (None if kind.code == "CustPymt" else kept) or self._receivable(row)
        if kind.code == "CustPymt":
            if body.get("payment") is None and not row.get("foreigntotal"):
                raise refuse_content("Please enter value(s) for: Payment Amount", "payment")
            total = bodies.money(body.get("payment", row.get("foreigntotal")), "payment", places)
            if total <= 0:
                raise refuse_content("The payment amount must be positive.", "payment", "USER_ERROR")
            bank = self._account(body, "account") or kept or UNDEPOSITED
            return [{"account": bank, "amount": total, "side": total},
                    {"account": receivable, "amount": -total, "side": -total}], total  # fmt: skip
        if not lines:
            raise refuse_content("Please enter at least one line item for this transaction.", "item", "USER_ERROR")
        sign = 1 if kind.code == "CustCred" else -1
        entries: list[Json] = []
        total = Decimal(0)
        for line in lines:
            value = bodies.money(line["amount"], "item.amount", places)
            total += value
            item = self.store.get("item", str(line["item"])) or {}
            income = line.get("account") or item.get("incomeaccount") or REVENUE
            entries.append(line | {"account": income, "amount": sign * value, "side": sign * value})
        tax = (total * self.tax_percent / 100).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
        if tax and not any(line.get("taxline") == "T" for line in lines):
            entries.append({"account": TAXES, "taxline": "T", "amount": sign * tax, "side": sign * tax})
            total += tax
        if total < 0:
            raise refuse_content("The total of this transaction must not be negative.", "item", "USER_ERROR")
        created_from = None
        if body.get("createdFrom") is not None:
            created_from = bodies.reference(self.store, "transaction", body["createdFrom"], "createdFrom")
        elif source is not None:
            created_from = source.get("createdfrom") if source["id"] == row["id"] else source["id"]
        main = {"account": receivable, "amount": -sign * total, "side": -sign * total, "createdfrom": created_from}
        return [main, *entries], total

    def journal_entries(self, lines: list[Json], places: int) -> list[Json]:
        """Entries of a journal. Raises Halt unless debits equal credits."""
        entries = []
        for line in lines:
            debit = bodies.money(line["debit"], "line.debit", places)
            credit = bodies.money(line["credit"], "line.credit", places)
            entries.append({**line, "amount": debit - credit, "side": debit - credit, "debit": debit, "credit": credit})
        if len(entries) < 2 or sum((entry["side"] for entry in entries), Decimal(0)) != 0:
            raise refuse_content("Transaction was not in balance: debits must equal credits.", "line", "USER_ERROR")
        return entries

    def _account(self, body: Json, field: str) -> int | None:
        if body.get(field) is None:
            return None
        return bodies.reference(self.store, "account", body[field], field)

    def _receivable(self, row: Json) -> int:
        customer = self.store.get("customer", str(row.get("entity"))) or {}
        return int(customer.get("receivablesaccount") or RECEIVABLES)

    def write_lines(self, row: Json, entries: list[Json], subsidiary: int) -> None:
        """The rows of `transactionline`."""
        for number, entry in enumerate(entries):
            main = number == 0
            state = {name: row.get(name) for name in ("foreignamountpaid", "foreignamountunpaid",
                     "foreignpaymentamountused", "foreignpaymentamountunused")} if main else {}  # fmt: skip
            value = entry["amount"]
            self._put("transactionline", {
                "transaction": row["id"], "id": number, "linesequencenumber": number,
                "uniquekey": self.store.next_number("uniquekey", 500_000_000),
                "mainline": "T" if main else "F", "taxline": entry.get("taxline", "F"), "iscogs": "F", "subsidiary": subsidiary,
                "entity": entry.get("entity") or row.get("entity"), "item": entry.get("item"),
                "quantity": entry.get("quantity"), "rate": entry.get("rate"), "foreignamount": value,
                "netamount": value, "createdfrom": entry.get("createdfrom"), "memo": entry.get("memo"),
                "debitforeignamount": value if entry["side"] > 0 else None,
                "creditforeignamount": -value if entry["side"] < 0 else None,
                **{field: entry.get(field) for field in ("location", "class", "department")},
                "expenseaccount": entry["account"], "eliminate": "F", "linelastmodifieddate": row["lastmodifieddate"],
                **state,
            })  # fmt: skip

    def write_accounting(self, row: Json, entries: list[Json], places: int) -> None:
        """The primary book's lines, in base currency with `places` decimals."""
        rate = amount(row["exchangerate"])
        unit = Decimal(1).scaleb(-places)
        booked = [(entry["side"] * rate).quantize(unit, ROUND_HALF_UP) for entry in entries]
        booked[-1] -= sum(booked, Decimal(0))  # the last line carries the rounding, so that the ledger balances
        for number, (entry, value) in enumerate(zip(entries, booked, strict=True)):
            state: Mapping[str, Any] = {}
            if number == 0 and row["type"] == "CustInvc":
                state = {"amountpaid": (amount(row["foreignamountpaid"]) * rate).quantize(unit),
                         "amountunpaid": (amount(row["foreignamountunpaid"]) * rate).quantize(unit)}  # fmt: skip
            self._put("transactionaccountingline", {
                "accountingbook": BOOK, "transaction": row["id"], "transactionline": number, "account": entry["account"],
                "posting": row["posting"], "debit": value if value > 0 else None,
                "credit": -value if value < 0 else None, "amount": value, "netamount": value, "exchangerate": rate,
                **state,
            })  # fmt: skip

    def _put(self, table: str, row: Json) -> None:
        self.store.put(table, tables.row_of(table, row))
