"""The account's statement: what is on it, in which order, on which side, and how the balance runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

from revops.ledger.facts import Value
from revops.ledger.statement import StatementLine, closing_balances, statement_lines
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.money import Money

AT = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
ON = {"invoice": "issued_on", "credit_memo": "issued_on", "payment": "paid_on"}


def usd(amount: str, currency: str = "USD") -> Money:
    return Money(Decimal(amount), currency)


def document(
    object_type: str,
    id: str,
    amount: Money | None,
    on: dt.date | None = None,
    *,
    status: str | None = None,
    system: str = "billing",
    deleted: bool = False,
) -> LedgerRecord:
    fields: Mapping[str, Value] = {
        "number": f"No. {id}", "amount" if object_type == "payment" else "total": amount, ON[object_type]: on, "status": status,
    }  # fmt: skip
    return LedgerRecord(system, f"the {system}", object_type, id, fields, {}, AT, AT, deleted=deleted)


def lines(*records: LedgerRecord) -> list[StatementLine]:
    return statement_lines(AccountLedger(1, "USD", "US", records))


def day(number: int) -> dt.date:
    return dt.date(2026, 11, number)


def test_a_line_says_what_its_document_says() -> None:
    invoice = document("invoice", "in_1", usd("100"), day(3), status="open")
    assert lines(invoice) == [
        StatementLine(
            on=day(3),
            document="No. in_1",
            kind="invoice",
            system="billing",
            role="the billing",
            status="open",
            debit=usd("100"),
            credit=None,
            balance=usd("100"),
            record=invoice,
        )
    ]


def test_invoices_are_debits_and_memos_and_payments_are_credits() -> None:
    found = lines(
        document("payment", "p_1", usd("60"), day(5), status="paid"),
        document("credit_memo", "c_1", usd("15"), day(4), status="applied"),
        document("invoice", "in_1", usd("100"), day(3), status="open"),
    )
    assert [(line.kind, line.debit, line.credit, line.balance) for line in found] == [
        ("invoice", usd("100"), None, usd("100")),
        ("credit_memo", None, usd("15"), usd("85")),
        ("payment", None, usd("60"), usd("25")),
    ]


def test_oldest_first_undated_last_and_of_one_day_the_debits_first() -> None:
    found = lines(
        document("payment", "undated", usd("1")),
        document("payment", "same day", usd("1"), day(2)),
        document("invoice", "undated", usd("1")),
        document("invoice", "b", usd("1"), day(2)),
        document("invoice", "a", usd("1"), day(2)),
        document("invoice", "c", usd("1"), day(2), system="aaa"),
        document("credit_memo", "same day", usd("1"), day(2)),
        document("payment", "first", usd("1"), day(1)),
    )
    assert [(line.kind, line.record.system, line.record.external_id) for line in found] == [
        ("payment", "billing", "first"),
        ("invoice", "aaa", "c"),
        ("invoice", "billing", "a"),
        ("invoice", "billing", "b"),
        ("credit_memo", "billing", "same day"),
        ("payment", "billing", "same day"),
        ("invoice", "billing", "undated"),
        ("payment", "billing", "undated"),
    ]
    assert [line.on for line in found[-2:]] == [None, None]


def test_what_moves_nothing_stands_without_an_amount_and_leaves_the_balance() -> None:
    found = lines(
        document("invoice", "in_1", usd("100"), day(1), status="open"),
        document("invoice", "in_2", usd("40"), day(2), status="void"),
        document("payment", "p_1", usd("30"), day(3), status="failed"),
        document("invoice", "in_3", None, day(4), status="open"),
        document("invoice", "in_4", usd("7"), day(5)),
    )
    assert [(line.status, line.debit, line.credit, line.balance) for line in found] == [
        ("open", usd("100"), None, usd("100")),
        ("void", None, None, None),
        ("failed", None, None, None),
        ("open", None, None, None),
        ("", usd("7"), None, usd("107")),
    ]


def test_each_system_and_currency_has_its_own_balance() -> None:
    found = lines(
        document("invoice", "in_1", usd("100"), day(1)),
        document("invoice", "in_1", usd("100"), day(2), system="erp"),
        document("invoice", "in_2", usd("5", "EUR"), day(3)),
        document("payment", "p_1", usd("30"), day(4)),
        document("payment", "p_2", None, day(5)),
        document("invoice", "gone", usd("1"), day(6), deleted=True),
    )
    assert [line.balance for line in found] == [usd("100"), usd("100"), usd("5", "EUR"), usd("70"), None]
    assert closing_balances(found) == {
        ("billing", "USD"): usd("70"), ("erp", "USD"): usd("100"), ("billing", "EUR"): usd("5", "EUR"),
    }  # fmt: skip
    assert closing_balances([]) == {}
