"""The credit memo in detail: how an invoice stands against billing, what each refusal says, what the form offers and suggests."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from revops.errors import Rejected
from revops.ledger.facts import Value
from revops.ledger.view import AccountLedger, Entity, LedgerRecord
from revops.money import Money
from revops.postings.kind import Situation
from revops.postings.kinds.credit_memo import KIND as CREDIT
from revops.postings.kinds.credit_memo import InvoiceBalance, balance_of
from revops.reference import NO_REFS
from revops.sentences import render
from tests.revops.postings.test_kinds import TODAY, billed, entered, inputs, memo, month, record, situation, usd

YEN, ZERO = Money.from_minor(5, "JPY"), usd("0")


def without(invoice: LedgerRecord, *names: str) -> LedgerRecord:
    return replace(invoice, fields={name: value for name, value in invoice.fields.items() if name not in names})


def saying(invoice: LedgerRecord, **fields: Value) -> LedgerRecord:
    return replace(invoice, fields={**invoice.fields, **fields})


def how(invoice: LedgerRecord, *others: LedgerRecord) -> InvoiceBalance | None:
    return balance_of(invoice, situation(invoice, *others).ledger)


def refusal(*records: LedgerRecord, **over: object) -> Rejected:
    """Why the form's usual inputs are not taken."""
    with pytest.raises(Rejected) as refused:
        CREDIT.clean(inputs(**over), situation(*records))
    return refused.value


# --- how an invoice stands -------------------------------------------------------------------------------------------


def test_an_invoice_stands_by_what_its_system_says_is_open() -> None:
    bill = billed()
    assert how(entered(remaining="900.00", credited="100.00"), bill) == InvoiceBalance(
        net=usd("1020.00"), open=usd("900.00"), billed=bill, above=usd("20.00")
    )
    assert how(entered(remaining="-5.00")) == InvoiceBalance(net=usd("1120.00"), open=ZERO, billed=None, above=None)
    assert how(without(entered(), "total")) is None


@pytest.mark.parametrize("remaining", [None, YEN])
def test_where_the_system_does_not_say_what_is_open_it_is_the_total_less_its_credits(remaining: Value) -> None:
    stands = how(saying(entered(credited="100.00"), amount_remaining=remaining))
    assert stands is not None
    assert stands.open == usd("1020.00")


@pytest.mark.parametrize(
    ("credited", "still_open"),
    [("0.00", "1070.00"), ("20.00", "1090.00"), ("50.00", "1120.00"), ("80.00", "1120.00")],
)
def test_only_what_the_invoice_does_not_count_yet_is_taken_off_what_is_open(credited: str, still_open: str) -> None:
    """A memo of 50.00 is applied; the invoice says how much of its credits it has counted in what remains."""
    stands = how(entered(credited=credited), memo("50.00"))
    assert stands is not None
    assert stands.open == usd(still_open)


@pytest.mark.parametrize("credited", [None, YEN])
def test_a_credit_that_the_invoice_does_not_state_in_its_currency_is_not_counted_yet(credited: Value) -> None:
    stands = how(saying(entered(), credited=credited), memo("50.00"))
    assert stands is not None
    assert (stands.net, stands.open) == (usd("1070.00"), usd("1070.00"))


def test_a_draft_of_billing_and_one_without_a_total_are_compared_with_nothing() -> None:
    for bill in (billed(status="draft"), without(billed(), "total"), billed(currency="EUR")):
        stands = how(entered(), bill)
        assert stands is not None
        assert (stands.billed, stands.above, stands.most) == (bill, None, usd("1120.00"))
    void = how(entered(), without(billed(status="void"), "total"))
    assert void is not None
    assert void.above is None


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "code", "words"),
    [
        ((without(entered(), "total"),), "invoice_not_open", "INV-7 is not a posted invoice of the ERP. Choose another one."),
        ((entered(status="draft"),), "invoice_not_open", "INV-7 is not a posted invoice of the ERP. Choose another one."),
        (
            (replace(entered(), refs=NO_REFS),),
            "customer_unknown",
            "The ERP's invoice INV-7 names no customer. Read it again, then compose.",
        ),
        (
            (billed(currency="EUR"), entered()),
            "currency_mixed",
            "INV-7 is in another currency than in billing. Correct the invoice in the ERP.",
        ),
        (
            (billed("1200.00"), entered()),
            "erp_not_above_billing",
            "INV-7 in the ERP is 80.00 USD below billing: a credit memo would not help. Correct the invoice in the ERP.",
        ),
        (
            (billed("1120.00"), entered()),
            "erp_not_above_billing",
            "INV-7 in the ERP is equal to billing: a credit memo would not help. Correct the invoice in the ERP.",
        ),
        (
            (billed(), entered(remaining="0.00")),
            "nothing_open",
            "Nothing is open on INV-7 in the ERP: a credit would be a refund. Decide about the refund in the ERP.",
        ),
    ],
)
def test_a_refusal_says_what_to_do_instead(records: tuple[LedgerRecord, ...], code: str, words: str) -> None:
    refused = refusal(*records)
    assert (refused.code, refused.message, refused.field) == (code, words, "invoice_id")
    assert str(CREDIT.suggest(situation(*records)).why_not) == (
        words if "total" in records[-1].fields else "No invoice of the ERP stands above what billing issued."
    )


def test_a_deleted_invoice_is_offered_nowhere() -> None:
    gone = replace(entered(), deleted=True)
    assert refusal(billed(), gone).code == "choice_unknown"
    assert CREDIT.options(situation(billed(), gone)) == {"invoice_id": []}


@pytest.mark.parametrize(
    ("records", "over", "code", "words"),
    [
        (
            (billed(), entered(remaining="80.00")),
            {"amount": "80.01"},
            "above_open",
            "Only 80.00 USD is open on INV-7. Enter at most 80.00 USD.",
        ),
        (
            (billed(), entered(remaining="500.00")),
            {"amount": "500.01"},
            "above_open",
            "Only 500.00 USD is open on INV-7. Enter at most 120.00 USD.",
        ),
        (
            (billed(), entered()),
            {"amount": "120.01"},
            "above_difference",
            "The ERP is 120.00 USD above billing; a larger credit would put it below. Enter at most 120.00 USD.",
        ),
    ],
)
def test_an_amount_that_is_too_large_is_told_how_much_it_may_be(
    records: tuple[LedgerRecord, ...], over: dict[str, object], code: str, words: str
) -> None:
    refused = refusal(*records, **over)
    assert (refused.code, refused.message, refused.field) == (code, words, "amount")


def on(day: str, *periods: LedgerRecord) -> Rejected:
    ledger = AccountLedger(1, "USD", "US", (*periods, billed(), entered()), entities=situation().ledger.entities)
    with pytest.raises(Rejected) as refused:
        CREDIT.clean(inputs(on=day), Situation(ledger, frozenset(), TODAY))
    return refused.value


def test_a_day_that_cannot_be_is_told_which_can() -> None:
    refused = [
        on("2026-11-21", month()), on("2026-11-01", month()), on("2026-11-20", month(10)), on("2026-11-20", month(closed=True)),
    ]  # fmt: skip
    assert [(each.code, each.field, each.message) for each in refused] == [
        ("date_in_future", "on", "Choose a day not after 2026-11-20."),
        ("date_before_invoice", "on", "The invoice is of 2026-11-02; choose that day or a later one."),
        (
            "period_unknown",
            "on",
            "The ERP has stated no accounting period for 2026-11-20. Choose another day or read the periods again.",
        ),
        ("period_closed", "on", "Nov 2026 is closed in the ERP. Choose a day in an open period."),
    ]
    assert CREDIT.clean(inputs(on="2026-11-02"), situation(billed(), entered()))["on"] == "2026-11-02", "the invoice's own day"
    undated = without(entered(), "issued_on")
    assert CREDIT.clean(inputs(on="2026-11-01"), situation(billed(), undated))["on"] == "2026-11-01"


def test_an_erp_whose_books_no_legal_entity_keeps_has_no_period() -> None:
    here = situation(billed(), entered())
    nobodys = replace(here, ledger=replace(here.ledger, entities=(Entity("US", "USD", "another-erp"),)))
    with pytest.raises(Rejected) as refused:
        CREDIT.clean(inputs(), nobodys)
    assert refused.value.code == "period_unknown"
    assert CREDIT.suggest(nobodys).inputs["amount"] == "120.00"


# --- what the form offers --------------------------------------------------------------------------------------------


def other(id: str, role: str = "erp", **fields: Value) -> LedgerRecord:
    """An invoice that billing has no word on."""
    said: dict[str, Value] = {"number": f"INV-{id}", "status": "open", **fields}
    return record(role, "invoice", id, {"customer": f"{role}:50"}, **said)


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ((billed(), entered(remaining="500.00")), "INV-7: 1120.00 USD net, 500.00 USD open, 120.00 USD above billing"),
        ((billed("1119.99"), entered()), "INV-7: 1120.00 USD net, 1120.00 USD open, 0.01 USD above billing"),
        ((billed("1120.00"), entered(remaining="500.00")), "INV-7: 1120.00 USD net, 500.00 USD open"),
        ((billed("1200.00"), entered()), "INV-7: 1120.00 USD net, 1120.00 USD open"),
        ((entered(),), "INV-7: 1120.00 USD net, 1120.00 USD open"),
        ((without(entered(), "total"),), "INV-7"),
    ],
)
def test_an_option_tells_how_the_invoice_stands(records: tuple[LedgerRecord, ...], told: str) -> None:
    (option,) = CREDIT.options(situation(*records, other("9", "crm", total=usd("1.00"))))["invoice_id"]
    assert (option.value, render(option.label)) == ("7", told)


def test_a_suggestion_tells_how_it_was_computed() -> None:
    notes = CREDIT.suggest(situation(billed(), entered(remaining="80.00"))).notes
    assert [str(note) for note in notes] == [
        "The ERP carries INV-7 at 1120.00 USD net, 120.00 USD above billing.",
        "Only 80.00 USD is still open on it: 40.00 USD would remain and need a refund decision in the ERP.",
    ]
    enough = CREDIT.suggest(situation(billed(), entered(remaining="120.00"))).notes
    assert len(enough) == 1, "all of the difference is open"


def test_a_suggestion_is_made_of_the_first_invoice_that_can_be_credited() -> None:
    dead, plain = other("5", total=usd("9.00"), status="void"), other("6", total=usd("9.00"))
    silent, theirs = other("4"), other("3", "crm", total=usd("9.00"))
    found = CREDIT.suggest(situation(theirs, silent, dead, billed(), entered()))
    assert found.inputs["invoice_id"] == "7"
    alone = CREDIT.suggest(situation(plain)).inputs
    assert (alone["amount"], alone["memo"]) == ("9.00", "Correction to billing invoice INV-6")
    here = situation(plain, billed(), entered())
    nobodys = replace(here, concerns=frozenset())
    assert CREDIT.suggest(nobodys).inputs["invoice_id"] == "7", "without a case only what stands above billing"
    nothing = CREDIT.suggest(Situation(situation().ledger, frozenset(), TODAY))
    assert str(nothing.why_not) == "No invoice of the ERP stands above what billing issued."
    long = CREDIT.suggest(situation(saying(plain, number="X" * 300)))
    assert len(long.inputs["memo"]) == 200


def test_one_cent_above_billing_can_be_credited() -> None:
    here = situation(billed("1119.99"), entered(remaining="0.01"))
    assert CREDIT.suggest(here).inputs["amount"] == "0.01"
    assert CREDIT.clean(inputs("0.01"), here)["amount"] == {"amount": "0.01", "currency": "USD"}


# --- what it becomes -------------------------------------------------------------------------------------------------


def test_clean_inputs_name_everything_that_is_sent_and_shown() -> None:
    assert CREDIT.clean(inputs(), situation(billed(), entered(), other("8", "crm"))) == {
        "invoice_id": "7", "system": "erp", "customer_id": "50", "legal_entity_id": "",
        "amount": {"amount": "120.00", "currency": "USD"}, "on": "2026-11-20", "posting_period": "11",
        "period_name": "Nov 2026", "memo": "Discount missed",
    }  # fmt: skip
    assert refusal(billed(), entered(), other("8", "crm", total=usd("9.00")), invoice_id="8").code == "choice_unknown"


def test_the_facts_are_the_invoice_on_both_sides_its_memos_and_its_period() -> None:
    here = situation(billed(), entered(), memo("50.00"), other("8", total=usd("9.00")))
    clean = CREDIT.clean(inputs("70.00"), here)
    assert [each.external_id for each in CREDIT.facts(clean, here.ledger)] == ["7", "in_1", "90", "11"]
    alone = situation(entered())
    assert [each.external_id for each in CREDIT.facts(clean, alone.ledger)] == ["7", "11"]
    later = replace(alone.ledger, records=tuple(each for each in alone.ledger.records if each.object_type == "invoice"))
    assert [each.external_id for each in CREDIT.facts(clean, later)] == ["7"], "its period is gone"
    assert CREDIT.facts(clean, situation().ledger) == [], "the invoice is gone"
    assert CREDIT.facts({**clean, "on": dt.date(2026, 10, 1).isoformat()}, alone.ledger)[-1].external_id == "7"
