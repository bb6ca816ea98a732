"""What was credited on an invoice: by its own word, by memos that name it, and by copies of credits given elsewhere."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal

from revops.ledger.credits import applied_on, credited_on, credits_on
from revops.ledger.facts import Value
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.money import Money
from revops.reference import Ref, refs

AT = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


def usd(amount: str, currency: str = "USD") -> Money:
    return Money(Decimal(amount), currency)


def record(object_type: str, id: str, fields: Mapping[str, Value], *, system: str = "erp", **named: Ref) -> LedgerRecord:
    return LedgerRecord(system, system, object_type, id, fields, refs(**named), AT, AT)


def invoice(id: str = "501", credited: Value = None, *, system: str = "erp", **named: Ref) -> LedgerRecord:
    return record("invoice", id, {"credited": credited}, system=system, **named)


def memo(
    id: str,
    total: str,
    *,
    applied: str = "0",
    unapplied: str = "0",
    status: str = "applied",
    currency: str = "USD",
    system: str = "erp",
    deleted: bool = False,
    **named: Ref,
) -> LedgerRecord:
    fields: Mapping[str, Value] = {
        "total": usd(total, currency), "applied": usd(applied, currency), "unapplied": usd(unapplied, currency), "status": status,
    }  # fmt: skip
    return LedgerRecord(system, system, "credit_memo", id, fields, refs(**named), AT, AT, deleted=deleted)


def ledger(*records: LedgerRecord) -> AccountLedger:
    return AccountLedger(1, "USD", "US", records)


THERE, OURS = Ref("billing", "invoice", "in_1"), Ref("erp", "invoice", "501")


def ids(found: list[LedgerRecord]) -> list[str]:
    return [each.external_id for each in found]


def test_memos_that_name_the_invoice_count_in_the_order_of_their_ids() -> None:
    one = invoice()
    there = ledger(
        one, memo("9", "1", invoice=OURS), memo("8", "1", invoice=OURS), memo("7", "1", invoice=Ref("erp", "invoice", "5"))
    )
    assert ids(credits_on(one, there)) == ["8", "9"]


def test_void_and_deleted_memos_and_those_of_another_system_do_not_count() -> None:
    one = invoice()
    there = ledger(
        one,
        memo("1", "1", invoice=OURS, status="void"),
        memo("2", "1", invoice=OURS, deleted=True),
        memo("3", "1", invoice=OURS, system="billing"),
        memo("4", "1", invoice=OURS, status="open"),
        memo("5", "1", change=OURS),
        record("payment", "6", {}, invoice=OURS),
    )
    assert ids(credits_on(one, there)) == ["4"]


def test_a_copy_of_a_credit_given_on_the_original_counts_once_whatever_became_of_the_original_credit() -> None:
    original = invoice("in_1", system="billing")
    copy = invoice(copy_of=THERE)
    given = memo("cn_1", "10", system="billing", invoice=THERE, deleted=True)
    copied = memo("2", "10", copy_of=Ref("billing", "credit_memo", "cn_1"))
    both = memo("3", "10", invoice=OURS, copy_of=Ref("billing", "credit_memo", "cn_1"))
    stranger = memo("4", "10", change=Ref("billing", "credit_memo", "cn_1"))
    other = record("payment", "5", {}, copy_of=Ref("billing", "credit_memo", "cn_1"))
    assert ids(credits_on(copy, ledger(original, copy, given, copied, both, stranger, other))) == ["2", "3"]
    assert ids(credits_on(original, ledger(original, copy, given, copied, both))) == [], "its own credit is deleted"


def test_what_names_the_original_in_another_role_is_no_credit_on_it() -> None:
    copy = invoice(copy_of=THERE)
    change = memo("cn_1", "10", system="billing", change=THERE)
    paid = record("payment", "p_1", {}, system="billing", invoice=THERE)
    through_change = memo("2", "10", copy_of=Ref("billing", "credit_memo", "cn_1"))
    through_payment = memo("3", "10", copy_of=Ref("billing", "payment", "p_1"))
    assert credits_on(copy, ledger(copy, change, paid, through_change, through_payment)) == []


def test_credited_is_what_the_invoice_states_and_what_is_not_applied_to_it() -> None:
    one = invoice(credited=usd("30"))
    there = ledger(one, memo("1", "20", applied="20", invoice=OURS), memo("2", "15", unapplied="15", invoice=OURS))
    assert credited_on(one, there, "USD") == usd("45")


def test_the_memos_count_where_they_are_more_than_the_invoice_knows_yet() -> None:
    one = invoice(credited=usd("0"))
    there = ledger(one, memo("1", "20", applied="20", invoice=OURS), memo("2", "15", applied="15", invoice=OURS))
    assert credited_on(one, there, "USD") == usd("35")
    assert credited_on(one, ledger(one), "USD") == usd("0")


def test_other_currencies_and_what_is_no_money_do_not_count() -> None:
    one = invoice(credited=usd("30", "EUR"))
    there = ledger(one, memo("1", "20", unapplied="20", currency="EUR", invoice=OURS))
    assert credited_on(one, there, "USD") == usd("0")
    assert credited_on(one, there, "EUR") == usd("50", "EUR")
    assert credited_on(invoice(credited="30"), ledger(one), "USD") == usd("0")


def test_applied_is_the_word_of_memos_that_name_the_invoice() -> None:
    one = invoice(copy_of=THERE)
    copied = memo("2", "10", applied="10", copy_of=Ref("billing", "credit_memo", "cn_1"))
    there = ledger(
        one,
        memo("cn_1", "10", system="billing", invoice=THERE),
        copied,
        memo("3", "20", applied="12", invoice=OURS),
        memo("4", "20", applied="5", invoice=OURS),
    )
    assert ids(credits_on(one, there)) == ["2", "3", "4"]
    assert applied_on(one, there, "USD") == usd("17")
    assert applied_on(one, there, "EUR") == usd("0", "EUR")
