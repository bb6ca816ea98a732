"""The kinds of change: what they suggest, what they refuse, what they would send."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revops.errors import Rejected
from revops.ledger.facts import Fact, Value
from revops.ledger.view import AccountLedger, Entity, LedgerRecord
from revops.money import Money
from revops.postings.changes import CreateCreditMemo, HoldRenewal, ReleaseRenewal
from revops.postings.kind import Situation
from revops.postings.kinds import KINDS, kind_of, kinds_for, register, unregister
from revops.postings.kinds.credit_memo import KIND as CREDIT
from revops.postings.kinds.hold_renewal import KIND as HOLD
from revops.postings.kinds.release_renewal import KIND as RELEASE
from revops.reference import Ref
from tests.pointing import pointing

TODAY = dt.date(2026, 11, 20)
ENTITY = Entity("US", "USD", "erp")
AT = dt.datetime(2026, 11, 18, 9, tzinfo=dt.UTC)


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def record(role: str, kind: str, key: str, refs: dict[str, str] | None = None, **fields: Value) -> LedgerRecord:
    said = Fact(kind, key, AT.isoformat(), AT, fields, pointing(kind, refs))
    return LedgerRecord(role, role, kind, key, said.fields, said.refs, AT, AT, said.version)


def billed(total: str = "1000.00", credited: str = "0.00", currency: str = "USD", status: str = "open") -> LedgerRecord:
    return record(
        "billing", "invoice", "in_1", number="A-1", status=status, total=Money.parse(total, currency),
        credited=Money.parse(credited, currency),
    )  # fmt: skip


def entered(total: str = "1120.00", remaining: str = "1120.00", credited: str = "0.00", **more: Value) -> LedgerRecord:
    refs = {"customer": "erp:50", "copy_of": "billing:in_1"}
    fields: dict[str, Value] = {
        "number": "INV-7", "status": "open", "total": usd(total), "credited": usd(credited), "amount_remaining": usd(remaining),
        "issued_on": dt.date(2026, 11, 2), **more,
    }  # fmt: skip
    return record("erp", "invoice", "7", refs, **fields)


def memo(amount: str, status: str = "applied") -> LedgerRecord:
    refs = {"invoice": "erp:7", "customer": "erp:50"}
    return record("erp", "credit_memo", "90", refs, status=status, total=usd(amount), applied=usd(amount))


def month(number: int = 11, **flags: bool) -> LedgerRecord:
    start = dt.date(2026, number, 1)
    end = (start + dt.timedelta(days=32)).replace(day=1) - dt.timedelta(days=1)
    locks: dict[str, Any] = {"ar_locked": False, "all_locked": False, "closed": False, **flags}
    return record("erp", "accounting_period", f"{number}", name=f"{start:%b %Y}", start_on=start, end_on=end, **locks)


def quarter() -> LedgerRecord:
    return record("erp", "accounting_period", "q4", name="Q4 2026", start_on=dt.date(2026, 10, 1), end_on=dt.date(2026, 12, 31))


def situation(*records: LedgerRecord) -> Situation:
    ledger = AccountLedger(1, "USD", "US", (month(), *records), entities=(ENTITY,))
    return Situation(ledger, frozenset(r.key for r in records if r.object_type in ("invoice", "renewal")), TODAY)


def inputs(amount: object = "120.00", **over: object) -> dict[str, object]:
    return {"invoice_id": "7", "amount": amount, "on": "2026-11-20", "memo": "Discount missed", **over}


# --- credit memo -----------------------------------------------------------------------------------------------------


def test_credit_memo_suggests_what_the_erp_carries_above_billing() -> None:
    suggestion = CREDIT.suggest(situation(billed(), entered()))
    assert suggestion.why_not is None
    assert suggestion.inputs == {
        "invoice_id": "7", "amount": "120.00", "on": "2026-11-20", "memo": "Correction to billing invoice A-1",
    }  # fmt: skip
    assert "120.00 USD above billing" in str(suggestion.notes[0])


def test_credits_on_both_sides_are_taken_off_first() -> None:
    suggestion = CREDIT.suggest(situation(billed("1000.00", credited="200.00"), entered("1120.00", credited="100.00")))
    assert suggestion.inputs["amount"] == "220.00"


def test_credit_memo_never_exceeds_what_is_open_and_says_so() -> None:
    suggestion = CREDIT.suggest(situation(billed(), entered(remaining="80.00")))
    assert suggestion.inputs["amount"] == "80.00"
    assert any("40.00 USD would remain" in str(note) for note in suggestion.notes)
    with pytest.raises(Rejected, match=r"Only 80\.00 USD is open") as refused:
        CREDIT.clean(inputs("80.01"), situation(billed(), entered(remaining="80.00")))
    assert refused.value.field == "amount"


def test_a_memo_that_the_invoice_does_not_show_yet_counts_as_credited() -> None:
    """Our memo may be read before the invoice is: a second one must not be made of the same difference."""
    assert "equal to billing" in str(CREDIT.suggest(situation(billed(), entered(), memo("120.00"))).why_not)
    assert CREDIT.suggest(situation(billed(), entered(), memo("50.00"))).inputs["amount"] == "70.00"
    assert CREDIT.suggest(situation(billed(), entered(), memo("50.00", status="void"))).inputs["amount"] == "120.00"


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ((billed("1200.00"), entered("1120.00")), "erp_not_above_billing"),
        ((billed("1120.00"), entered("1120.00")), "erp_not_above_billing"),
        ((billed("1000.00", currency="EUR"), entered()), "currency_mixed"),
        ((billed(), entered(remaining="0.00")), "nothing_open"),
        ((billed(), entered(status="void")), "invoice_not_open"),
        ((billed(), entered(status="pending_approval")), "invoice_not_open"),
    ],
)  # fmt: skip
def test_no_credit_memo_where_it_would_not_help(records: tuple[LedgerRecord, ...], code: str) -> None:
    assert CREDIT.suggest(situation(*records)).why_not is not None
    with pytest.raises(Rejected) as refused:
        CREDIT.clean(inputs(), situation(*records))
    assert (refused.value.code, refused.value.field) == (code, "invoice_id")
    assert refused.value.message.endswith(".")


def test_a_void_billing_invoice_is_worth_nothing() -> None:
    assert CREDIT.suggest(situation(billed(status="void"), entered())).inputs["amount"] == "1120.00"


@pytest.mark.parametrize(
    ("over", "code", "field"),
    [
        ({"amount": "120.01"}, "above_difference", "amount"),
        ({"amount": "0.00"}, "amount_not_positive", "amount"),
        ({"amount": "-5.00"}, "amount_not_positive", "amount"),
        ({"amount": "1e2"}, "amount_invalid", "amount"),
        ({"amount": "12.345"}, "amount_decimals", "amount"),
        ({"amount": 120}, "amount_invalid", "amount"),
        ({"amount": 1.5}, "amount_invalid", "amount"),
        ({"amount": {"amount": "5.00", "currency": "EUR"}}, "currency_mixed", "amount"),
        ({"invoice_id": "8"}, "choice_unknown", "invoice_id"),
        ({"invoice_id": None}, "input_invalid", "invoice_id"),
        ({"on": "2026-11-21"}, "date_in_future", "on"),
        ({"on": "2026-11-01"}, "date_before_invoice", "on"),
        ({"on": "20/11/2026"}, "date_invalid", "on"),
        ({"on": "20261120"}, "date_invalid", "on"),
        ({"memo": " "}, "input_missing", "memo"),
        ({"memo": "x" * 201}, "input_too_long", "memo"),
        ({"memo": "a\u202eb"}, "input_invalid", "memo"),
    ],
)  # fmt: skip
def test_each_wrong_input_names_its_field(over: dict[str, object], code: str, field: str) -> None:
    with pytest.raises(Rejected) as refused:
        CREDIT.clean(inputs(**over), situation(billed(), entered()))
    assert (refused.value.code, refused.value.field) == (code, field)


@pytest.mark.parametrize(
    ("flag", "words"), [("closed", "closed"), ("all_locked", "locked"), ("ar_locked", "locked for receivables")]
)
def test_i22_a_closed_or_locked_period_is_refused(flag: str, words: str) -> None:
    ledger = AccountLedger(1, "USD", "US", (month(**{flag: True}), billed(), entered()), entities=(ENTITY,))
    here = Situation(ledger, frozenset(), TODAY)
    with pytest.raises(Rejected, match=f"Nov 2026 is {words} in the ERP"):
        CREDIT.clean(inputs(), here)
    assert any(f"Nov 2026 is {words} in the ERP" in str(note) for note in CREDIT.suggest(here).notes)


def test_the_month_is_posted_into_and_not_the_quarter_around_it() -> None:
    ledger = AccountLedger(1, "USD", "US", (month(), quarter(), billed(), entered()), entities=(ENTITY,))
    assert CREDIT.clean(inputs(), Situation(ledger, frozenset(), TODAY))["posting_period"] == "11"


def test_a_day_without_a_period_is_refused() -> None:
    ledger = AccountLedger(1, "USD", "US", (month(10), billed(), entered()), entities=(ENTITY,))
    with pytest.raises(Rejected) as refused:
        CREDIT.clean(inputs(), Situation(ledger, frozenset(), TODAY))
    assert refused.value.code == "period_unknown"


def test_a_credit_memo_is_one_change() -> None:
    here = situation(billed(), entered())
    clean = CREDIT.clean(inputs({"amount": "120.00", "currency": "USD"}), here)
    (change,) = CREDIT.changes(clean, here.ledger)
    assert change == CreateCreditMemo(
        invoice=Ref("erp", "invoice", "7"), customer=Ref("erp", "customer", "50"), amount=usd("120.00"), on=TODAY,
        memo="Discount missed", period=Ref("erp", "accounting_period", "11"),
    )  # fmt: skip
    assert change.touches == (Ref("erp", "invoice", "7"),)
    assert {r.object_type for r in CREDIT.facts(clean, here.ledger)} == {"invoice", "accounting_period"}
    assert CREDIT.reversal(clean, [change]) is None
    assert "Void" in CREDIT.undone_by


def test_a_credit_memo_is_of_the_legal_entity_that_its_invoice_names() -> None:
    named = replace(entered(), refs={**entered().refs, "legal_entity": (Ref("erp", "legal_entity", "2"),)})
    here = situation(billed(), named)
    (change,) = CREDIT.changes(CREDIT.clean(inputs({"amount": "120.00", "currency": "USD"}), here), here.ledger)
    assert isinstance(change, CreateCreditMemo)
    assert change.legal_entity == Ref("erp", "legal_entity", "2")


cents = st.integers(min_value=1, max_value=10**9)


@given(total=cents, issued=cents, remaining=cents, memos=st.integers(min_value=0, max_value=10**9))
def test_a_suggestion_is_accepted_and_never_above_what_fits(total: int, issued: int, remaining: int, memos: int) -> None:
    def text(minor: int) -> str:
        return f"{Money.from_minor(minor, 'USD').amount:f}"

    records = [billed(text(issued)), entered(text(total), text(remaining)), memo(text(memos))]
    here = situation(*records)
    suggestion = CREDIT.suggest(here)
    if suggestion.why_not:
        assert total - memos <= issued or remaining - memos <= 0
        return
    amount = Money.parse(suggestion.inputs["amount"], "USD").minor
    assert 0 < amount <= min(total - memos - issued, remaining - memos)
    assert CREDIT.clean(dict(suggestion.inputs), here)["amount"] == {"amount": suggestion.inputs["amount"], "currency": "USD"}
    with pytest.raises(Rejected):
        CREDIT.clean({**suggestion.inputs, "amount": text(amount + 1)}, here)


# --- renewals --------------------------------------------------------------------------------------------------------


def renewal(stage: str = "in_progress", held: bool = False, closed: bool = False) -> LedgerRecord:
    return record(
        "customer_success", "renewal", "1P01", name="Renewal 2027", stage=stage, held=held, is_closed=closed,
        target_amount=usd("5000.00"),
    )  # fmt: skip


def test_hold_and_release_are_each_others_way_back() -> None:
    here = situation(renewal())
    suggestion = HOLD.suggest(here)
    clean = HOLD.clean(dict(suggestion.inputs), here)
    changes = HOLD.changes(clean, here.ledger)
    wanted = Ref("customer_success", "renewal", "1P01")
    assert changes == [HoldRenewal(wanted, str(clean["hold_reason"]), "in_progress")]
    assert changes[0].lines == ()
    back = HOLD.reversal(clean, changes)
    assert back is not None
    held = situation(renewal("on_hold", held=True))
    undone = KINDS[back.kind].clean(dict(back.inputs), held)
    (release,) = RELEASE.changes(undone, held.ledger)
    assert release == ReleaseRenewal(wanted, back.inputs["release_reason"], "on_hold")
    assert release.touches == changes[0].touches == (wanted,)


@pytest.mark.parametrize(
    "record", [renewal("on_hold", held=True), renewal("won", closed=True), renewal("not_started"), renewal("lost", closed=True)]
)
def test_only_a_renewal_in_progress_is_held(record: LedgerRecord) -> None:
    here = situation(record)
    assert HOLD.suggest(here).why_not
    with pytest.raises(Rejected) as refused:
        HOLD.clean({"renewal_id": "1P01", "hold_reason": "x"}, here)
    assert (refused.value.code, refused.value.field) == ("renewal_stage", "renewal_id")


def test_only_a_held_renewal_is_released() -> None:
    with pytest.raises(Rejected):
        RELEASE.clean({"renewal_id": "1P01", "release_reason": "x"}, situation(renewal()))
    assert "on hold" in str(RELEASE.suggest(situation(renewal())).why_not)


def test_the_facts_of_a_hold_are_the_renewal_and_what_billing_has_not_finished() -> None:
    pending = record("billing", "proration", "ii_1", is_proration=True, amount=usd("10.00"))
    draft = record("billing", "invoice", "in_9", status="draft", billing_reason="subscription_update")
    other = record("billing", "invoice", "in_8", status="draft", billing_reason="subscription_cycle")
    here = situation(renewal(), pending, draft, other)
    clean = HOLD.clean({"renewal_id": "1P01", "hold_reason": "x"}, here)
    assert {r.external_id for r in HOLD.facts(clean, here.ledger)} == {"1P01", "ii_1", "in_9"}


# --- all kinds -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_every_kind_explains_itself(kind: object) -> None:
    declared = KINDS[kind.code]  # type: ignore[attr-defined]
    assert declared.explains.endswith(".")
    assert declared.undone_by.endswith(".")
    assert declared.maker_roles <= {"cs_analyst", "finance_analyst"}
    choices = declared.options(situation(billed(), entered(), renewal()))
    assert {f.name for f in declared.fields if f.kind == "choice"} == set(choices)
    assert all(choices.values())


def test_kinds_are_found_by_rule_and_by_code() -> None:
    assert [kind.code for kind in kinds_for("invoice_amount_mismatch")] == ["credit_memo"]
    assert [kind.code for kind in kinds_for("renewal_before_amendment")] == ["hold_renewal"]
    assert kind_of("credit_memo") is CREDIT
    with pytest.raises(Rejected) as refused:
        kind_of("journal")
    assert (refused.value.code, refused.value.field) == ("kind_unknown", "kind")
    assert refused.value.message == (
        "Unknown kind of change 'journal'. Choose one of credit_memo, hold_renewal, release_renewal."
    )


def test_a_kind_is_added_once_and_taken_away_again() -> None:
    with pytest.raises(ValueError, match=r"^there is a kind of change called credit_memo already$"):
        register(CREDIT)
    other = replace(CREDIT, code="debit_memo")
    register(other)
    try:
        assert kind_of("debit_memo") is other
    finally:
        unregister("debit_memo")
    with pytest.raises(KeyError):
        unregister("debit_memo")
    assert "debit_memo" not in KINDS
