"""The changes: what they declare, how they are stored and read back, and which records prove them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revops.errors import Rejected
from revops.ledger.facts import Value
from revops.money import Money
from revops.postings.changes import (
    CHANGES,
    Change,
    CreateCreditMemo,
    HoldRenewal,
    Line,
    OurKey,
    ReleaseRenewal,
    debits,
    read_change,
    register,
    unbalanced,
)
from revops.reference import Ref

DAY = dt.date(2026, 11, 20)


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def ref(object_type: str, key: str, system: str = "erp") -> Ref:
    return Ref(system, object_type, key)


def memo(amount: str = "120.00", period: Ref | None = None) -> CreateCreditMemo:
    return CreateCreditMemo(ref("invoice", "7"), ref("customer", "50"), usd(amount), DAY, "Discount missed", period)


texts = st.text(min_size=1, max_size=20).filter(lambda text: "\x00" not in text)
amounts = st.builds(Money.from_minor, st.integers(min_value=1, max_value=10**12), st.sampled_from(["USD", "EUR", "JPY", "KWD"]))
memos = st.builds(
    lambda system, invoice, customer, period, entity, amount, on, words: CreateCreditMemo(
        ref("invoice", invoice, system), ref("customer", customer, system), amount, on, words,
        ref("accounting_period", period, system) if period else None, ref("legal_entity", entity, system) if entity else None,
    ),
    texts, texts, texts, st.none() | texts, st.none() | texts, amounts, st.dates(), st.text(max_size=20),
)  # fmt: skip
renewals = st.builds(
    lambda change, key, reason, stage: change(ref("renewal", key, "cs"), reason, stage),
    st.sampled_from([HoldRenewal, ReleaseRenewal]), texts, st.text(max_size=20), st.text(max_size=10),
)  # fmt: skip


@given(memos | renewals)
def test_what_is_stored_is_read_back_the_same(change: Change) -> None:
    stored = json.loads(json.dumps(change.as_json()))
    assert stored["change"] == change.code
    assert read_change(stored) == change
    assert type(read_change(stored)) is type(change)
    assert read_change(stored).as_json() == change.as_json()


@given(memos | renewals)
def test_debits_equal_credits_in_every_currency(change: Change) -> None:
    assert unbalanced(change.lines) == []
    sums: dict[str, int] = {}
    for line in change.lines:
        signed = line.amount.minor if line.side == "debit" else -line.amount.minor
        sums[line.amount.currency] = sums.get(line.amount.currency, 0) + signed
    assert set(sums.values()) <= {0}


@given(memos)
def test_a_credit_memo_lowers_the_receivable_by_its_amount(change: CreateCreditMemo) -> None:
    assert debits(change.lines) == {change.amount.currency: change.amount}
    assert [(line.account, line.side) for line in change.lines] == [("contra_revenue", "debit"), ("receivable", "credit")]


def test_lines_that_differ_are_named_by_their_currency() -> None:
    lines = [
        Line("receivable", "debit", usd("2.00")), Line("receivable", "credit", usd("1.00")),
        Line("receivable", "debit", Money(Decimal("5.00"), "EUR")), Line("receivable", "credit", Money(Decimal("5.00"), "EUR")),
        Line("receivable", "credit", Money(Decimal(7), "JPY")),
    ]  # fmt: skip
    assert unbalanced(lines) == ["JPY", "USD"]
    assert debits(lines) == {"USD": usd("2.00"), "EUR": Money(Decimal("5.00"), "EUR")}


@pytest.mark.parametrize("amount", ["0.00", "-1.00"])
def test_a_line_and_a_credit_memo_have_an_amount_above_zero(amount: str) -> None:
    with pytest.raises(Rejected):
        Line("receivable", "debit", usd(amount))
    with pytest.raises(Rejected):
        memo(amount)


def test_a_line_names_an_account_that_exists() -> None:
    with pytest.raises(Rejected, match="account of the ledger"):
        Line("cash box", "debit", usd("1.00"))


STORED: Mapping[str, object] = memo(period=ref("accounting_period", "11")).as_json()


@pytest.mark.parametrize(
    "over",
    [
        {"change": "create_debit_memo"}, {"change": "hold_renewal"}, {"change": None}, {"change": ["create_credit_memo"]},
        {"on": "2026-02-30"}, {"on": "20261120"}, {"on": None}, {"on": 20261120},
        {"amount": {"amount": 120, "currency": "USD"}}, {"amount": {"amount": "120.00"}}, {"amount": "120.00"}, {"amount": None},
        {"invoice": "7"}, {"invoice": None}, {"invoice": {"system": "erp", "object_type": "invoice"}},
        {"invoice": {"system": "erp", "object_type": "invoice", "id": 7}},
        {"invoice": {"system": "erp", "object_type": "invoice", "id": "7", "version": "1"}},
        {"customer": {"system": "other", "object_type": "customer", "id": "50"}},
        {"customer": {"system": "erp", "object_type": "invoice", "id": "50"}},
        {"period": {"system": "erp", "object_type": "invoice", "id": "11"}},
        {"legal_entity": {"system": "other", "object_type": "legal_entity", "id": "2"}},
        {"memo": None}, {"memo": 5}, {"reason": "no such field"},
    ],
)  # fmt: skip
def test_any_other_form_is_refused(over: dict[str, object]) -> None:
    with pytest.raises(Rejected):
        read_change({**STORED, **over})


@pytest.mark.parametrize("name", [*STORED])
def test_a_missing_field_is_refused(name: str) -> None:
    with pytest.raises(Rejected, match="cannot be read"):
        read_change({key: value for key, value in STORED.items() if key != name})


@pytest.mark.parametrize("stored", [None, [], "create_credit_memo", 1])
def test_what_is_no_object_is_no_change(stored: object) -> None:
    with pytest.raises(Rejected, match="cannot be read"):
        read_change(stored)


def test_the_period_may_be_left_to_the_system() -> None:
    assert read_change(memo().as_json()) == memo()
    assert memo().refs() == (ref("invoice", "7"), ref("customer", "50"))
    assert memo(period=ref("accounting_period", "11")).refs()[-1] == ref("accounting_period", "11")


def test_a_code_is_given_once() -> None:
    with pytest.raises(ValueError, match="already"):
        register(CreateCreditMemo)
    assert {change.code for change in CHANGES.values()} == set(CHANGES)


@pytest.mark.parametrize("change", [memo(), HoldRenewal(ref("renewal", "1"), "x", "in_progress")])
def test_each_says_what_it_touches_and_where_its_proof_is(change: Change) -> None:
    assert change.touches
    assert {touched.system for touched in change.touches} == {change.system} == {"erp"}
    assert change.evidence == OurKey("credit_memo" if isinstance(change, CreateCreditMemo) else "renewal", "change")


@pytest.mark.parametrize(
    ("values", "customer", "code"),
    [
        ({"total": usd("120.00"), "status": "applied"}, "50", ""),
        ({"total": usd("120.01"), "status": "applied"}, "50", "amount"),
        ({"total": Money.parse("120.00", "EUR"), "status": "applied"}, "50", "amount"),
        ({"total": usd("120.00"), "status": "applied"}, "51", "customer"),
        ({"total": usd("120.00"), "status": "void"}, "50", "void"),
        ({"status": "applied"}, "50", "amount"),
    ],
)  # fmt: skip
def test_i39_only_an_equal_record_is_evidence(values: dict[str, Value], customer: str, code: str) -> None:
    found = memo().mismatch(values, {"customer": (ref("customer", customer),)})
    assert (found.code if found is not None else "") == code


@pytest.mark.parametrize(
    ("applied", "invoices", "code"),
    [
        ("120.00", ["7"], ""),
        ("120.00", ["8", "7"], ""),
        ("120.00", ["8"], "invoice"),
        ("0.00", [], "applied"),
        ("119.99", ["7"], "applied"),
        (None, ["8"], "invoice"),
        (None, [], ""),
    ],
)
def test_i39_a_memo_that_is_not_applied_to_the_invoice_is_no_evidence(
    applied: str | None, invoices: list[str], code: str
) -> None:
    """A system that states neither is believed by the amount and the customer."""
    values: dict[str, Value] = {"total": usd("120.00"), "status": "open", "applied": usd(applied) if applied else None}
    refs = {"customer": (ref("customer", "50"),), "invoice": tuple(ref("invoice", id) for id in invoices)}
    found = memo().mismatch(values, refs)
    assert (found.code if found is not None else "") == code


@pytest.mark.parametrize(("held", "fits"), [(True, True), (False, False), (None, False)])
def test_evidence_of_a_hold_is_a_held_renewal(held: bool | None, fits: bool) -> None:
    hold, release = (change(ref("renewal", "1"), "x", "y") for change in (HoldRenewal, ReleaseRenewal))
    assert (hold.mismatch({"held": held}, {}) is None) is fits
    assert (release.mismatch({"held": held}, {}) is None) is not fits
