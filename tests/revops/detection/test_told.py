"""What a finding tells people: its sentence, who says what, whose word counts, what it was computed from, which order is broken.

Amount, subjects and due time of every finding are in the rules' examples.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from revops.detection.examples import (
    Stated,
    at,
    billing,
    contract,
    credit_memo,
    crm,
    customer,
    customer_success,
    erp,
    example,
    invoice,
    ledger_of,
    period,
    proration,
    renewal,
    sales_order,
    subscription,
)
from revops.detection.registry import RULES
from revops.detection.rule import Finding
from revops.ledger.facts import Value
from revops.ledger.view import AccountLedger, Entity, LedgerRecord
from revops.money import Money
from revops.policies.in_force import policies_in_force
from revops.policies.policies import Ownership, Policies
from revops.reference import Ref, refs
from revops.sentences import TEXTS, render

POLICIES = policies_in_force()
NOW = at("2026-11-20 12:00")


def staged(object_type: str, *stages: tuple[str, Literal["crm", "customer_success", "billing", "erp"], str]) -> Policies:
    """The policies, but that an object is at a stage by its status and belongs to another role there: (stage, owner, status)."""
    lines = tuple(
        Ownership.model_validate({"object": object_type, "field": "*", "stage": stage, "owner": owner, "why": "It does."})
        for stage, owner, _ in stages
    )
    table = POLICIES.ownership.model_copy(update={"lines": (*lines, *POLICIES.ownership.lines)})
    known = {**POLICIES.stages, object_type: {stage: (status,) for stage, _, status in stages}}
    return POLICIES.model_copy(update={"stages": known, "ownership": table})


def owned(**owners: str) -> Policies:
    """The policies, but that each of these fields, written `<object type>__<field>`, belongs to that role."""
    lines = tuple(
        Ownership.model_validate({"object": object_type, "field": field, "stage": "*", "owner": owner, "why": "It does."})
        for (object_type, _, field), owner in ((name.partition("__"), owner) for name, owner in owners.items())
    )
    table = POLICIES.ownership.model_copy(update={"lines": (*lines, *POLICIES.ownership.lines)})
    return POLICIES.model_copy(update={"ownership": table})


def find(code: str, *stated: Stated, policies: Policies = POLICIES) -> list[Finding]:
    return list(RULES[code].find(ledger_of(example("here", *stated)), policies, NOW))


def one(code: str, *stated: Stated, policies: Policies = POLICIES) -> Finding:
    (finding,) = find(code, *stated, policies=policies)
    return finding


def keys(records: Iterable[LedgerRecord]) -> list[str]:
    return [f"{record.system} {record.external_id}" for record in records]


def subjects(found: Iterable[Finding]) -> list[list[str]]:
    return [keys(finding.subjects) for finding in found]


@dataclass(frozen=True)
class Told:
    """A difference in words: its field, its label, the owner, and who says what."""

    field: str
    label: str
    owner: str
    values: dict[str, str]


def differences(finding: Finding) -> list[Told]:
    return [
        Told(
            each.field,
            TEXTS[each.label.code],
            each.owner,
            {f"{record.system} {record.external_id}": str(value) for record, value in each.values},
        )
        for each in finding.differences
    ]


def owners(finding: Finding) -> list[str]:
    return [each.owner for each in finding.differences]


def inputs(finding: Finding) -> dict[str, str]:
    return {TEXTS[name.code]: render(value) for name, value in finding.inputs.items()}


def order(finding: Finding) -> tuple[str, str, str] | None:
    broken = finding.order
    return None if broken is None else (broken.process, broken.stage, broken.needs)


# --- invoice_before_contract -------------------------------------------------------------------------------------------------

NAMING = erp(invoice("501", number="INV-501", total="7000.00", contract="C-7"))
DRAFT = crm(contract(number="C-7", status="draft"))


def test_an_invoice_before_its_contract_tells_what_the_crm_says_of_the_contract() -> None:
    found = one("invoice_before_contract", NAMING, DRAFT)
    assert str(found.sentence) == "The ERP has invoice INV-501 for contract C-7, which is draft in the CRM."
    assert differences(found) == [
        Told("status", "Contract status", "crm", {"crm 800A": "draft"}),
        Told("contract", "Contract named", "crm", {"erp 501": "C-7", "crm 800A": "C-7"}),
        Told("total", "Invoice total", "billing", {"erp 501": "7000.00 USD"}),
    ]
    assert keys(found.context) == ["crm 800A"]
    assert inputs(found) == {"Contract": "C-7", "In the CRM": "draft"}
    assert order(found) == ("quote_to_cash", "posting", "contract")


def test_of_a_contract_that_the_crm_does_not_know_only_the_invoice_speaks() -> None:
    found = one("invoice_before_contract", NAMING)
    assert str(found.sentence) == "The ERP has invoice INV-501 for contract C-7, which is unknown in the CRM."
    assert [(told.field, told.values) for told in differences(found)] == [
        ("status", {}),
        ("contract", {"erp 501": "C-7"}),
        ("total", {"erp 501": "7000.00 USD"}),
    ]
    assert found.context == ()
    assert inputs(found) == {"Contract": "C-7", "In the CRM": "unknown"}


def test_whose_word_counts_on_a_contract_and_its_invoice_depends_on_their_stages() -> None:
    by_contract = staged("contract", ("drafted", "customer_success", "draft"))
    assert owners(one("invoice_before_contract", NAMING, DRAFT, policies=by_contract)) == [
        "customer_success", "customer_success", "billing",
    ]  # fmt: skip
    assert owners(one("invoice_before_contract", NAMING, policies=by_contract)) == ["crm", "crm", "billing"]
    by_invoice = staged("invoice", ("issued", "customer_success", "open"))
    assert owners(one("invoice_before_contract", NAMING, DRAFT, policies=by_invoice)) == ["crm", "crm", "customer_success"]


def test_an_invoice_before_its_contract_is_one_of_the_erp_and_none_hides_the_next() -> None:
    void = erp(invoice("400", total="1.00", contract="C-7", status="void"))
    assert subjects(find("invoice_before_contract", void, crm(invoice("9", total="5.00", contract="C-7")), NAMING)) == [
        ["erp 501"]
    ]


def test_the_time_that_an_invoice_may_be_ahead_of_its_contract_is_said() -> None:
    assert str(RULES["invoice_before_contract"].tolerance(POLICIES)) == "2 hours after the invoice appeared"


# --- invoice_not_posted ------------------------------------------------------------------------------------------------------

FINALISED = at("2026-11-17 12:00")


def unposted(status: str = "open") -> Stated:
    return billing(invoice("in_1", number="A-1", total="900.00", finalized_at=FINALISED, status=status))


def test_an_invoice_that_is_not_posted_tells_what_billing_says_of_it() -> None:
    found = one("invoice_not_posted", unposted())
    assert str(found.sentence) == (
        "Billing finalised invoice A-1 for 900.00 USD on 2026-11-17 12:00 UTC; the ERP has no invoice for it."
    )
    assert differences(found) == [
        Told("total", "Invoice total", "billing", {"billing in_1": "900.00 USD"}),
        Told("status", "Status", "billing", {"billing in_1": "open"}),
    ], "billing did not say when it was issued"
    assert inputs(found) == {"Finalised": "2026-11-17 12:00 UTC", "Limit": "24 hours"}
    assert order(found) is None
    assert str(RULES["invoice_not_posted"].tolerance(POLICIES)) == "24 hours after finalisation"


def test_whose_word_counts_on_an_invoice_that_is_not_posted_depends_on_its_stage() -> None:
    policies = staged("invoice", ("issued", "crm", "open"))
    assert owners(one("invoice_not_posted", unposted(), policies=policies)) == ["crm", "crm"]
    assert owners(one("invoice_not_posted", unposted(status="paid"), policies=policies)) == ["billing", "billing"]


def test_only_an_invoice_of_billing_can_be_missing_in_the_erp_and_none_hides_the_next() -> None:
    silent = billing(invoice("in_0", finalized_at=FINALISED))
    penny = billing(invoice("in_2", total="0.01", finalized_at=FINALISED))
    known = erp(customer("9", legal_entity="US"))
    found = find("invoice_not_posted", crm(invoice("9", total="5.00", finalized_at=FINALISED)), silent, known, unposted(), penny)
    assert subjects(found) == [["billing in_1"], ["billing in_2"]]


# --- invoice_amount_mismatch -------------------------------------------------------------------------------------------------


def billed(id: str = "in_1", total: str = "1000.00", *, credited: str | None = None, status: str = "open") -> Stated:
    return billing(invoice(id, number=f"A-{id}", total=total, credited=credited, status=status))


def entered(
    id: str = "501", total: str | Money = "1120.00", of: str | tuple[str, ...] = "in_1", *, status: str = "open"
) -> Stated:
    return erp(invoice(id, number=f"INV-{id}", total=total, copy_of=of, status=status))


def test_an_amount_that_differs_is_told_with_both_documents_and_by_how_much() -> None:
    found = one("invoice_amount_mismatch", billed(credited="100.00"), entered())
    assert str(found.sentence) == (
        "The ERP carries invoice INV-501 at 1120.00 USD, billing issued A-in_1 for 900.00 USD: "
        "the ERP is 220.00 USD above billing."
    )
    assert differences(found) == [
        Told("total", "Invoice total", "billing", {"billing in_1": "1000.00 USD", "erp 501": "1120.00 USD"}),
        Told("credited", "Credited", "billing", {"billing in_1": "100.00 USD"}),
        Told("amount_remaining", "Still to pay", "erp", {}),
    ]
    assert inputs(found) == {"Net in billing": "900.00 USD", "Net in the ERP": "1120.00 USD"}
    assert order(found) is None


def test_an_erp_that_carries_less_or_another_currency_is_told_as_such() -> None:
    below = one("invoice_amount_mismatch", billed(), entered(total="940.00"))
    assert str(below.sentence) == (
        "The ERP carries invoice INV-501 at 940.00 USD, billing issued A-in_1 for 1000.00 USD: "
        "the ERP is 60.00 USD below billing."
    )
    other = one("invoice_amount_mismatch", billed(), entered(total=Money(Decimal(900), "JPY")))
    assert str(other.sentence) == (
        "The ERP carries invoice INV-501 at 900 JPY, billing issued A-in_1 for 1000.00 USD: the currencies differ."
    )
    assert inputs(other) == {"Net in billing": "1000.00 USD", "Net in the ERP": "900 JPY"}


def test_whose_word_counts_on_an_amount_depends_on_the_furthest_stage_of_the_documents() -> None:
    policies = staged("invoice", ("issued", "crm", "open"), ("settled", "customer_success", "paid"))
    here = billed(), entered()
    assert owners(one("invoice_amount_mismatch", *here, policies=policies)) == ["crm"] * 3
    paid = billed(), entered(status="paid")
    assert owners(one("invoice_amount_mismatch", *paid, policies=policies)) == ["customer_success"] * 3
    assert owners(one("invoice_amount_mismatch", billed(status="paid"), entered(), policies=policies)) == ["customer_success"] * 3


def test_the_tolerance_of_an_amount_says_rounding_and_time() -> None:
    assert str(RULES["invoice_amount_mismatch"].tolerance(POLICIES)) == (
        "0.05 (1 in currencies without decimals), and 4 hours after the later change"
    )


def test_a_copy_that_somebody_else_keeps_is_none_of_the_erps() -> None:
    assert find("invoice_amount_mismatch", billed(), crm(invoice("9", total="5.00", copy_of="in_1"))) == []
    both = find("invoice_amount_mismatch", billed(), crm(invoice("9", total="5.00", copy_of="in_1")), entered())
    assert subjects(both) == [["billing in_1", "erp 501"]]


def test_a_dead_copy_adds_nothing_and_does_not_hide_the_next() -> None:
    for status in ("void", "rejected"):
        found = find(
            "invoice_amount_mismatch",
            entered("500", status=status),
            billed(),
            entered("501"),
            entered("502", "7.00", status=status),
        )
        assert subjects(found) == [["billing in_1", "erp 501"]]


def test_a_group_that_was_judged_does_not_hide_the_next() -> None:
    found = find(
        "invoice_amount_mismatch",
        billed(),
        entered("501", "60.00"),
        entered("502", "50.00"),
        billed("in_2"),
        entered("503", "7.00", "in_2"),
    )
    assert subjects(found) == [["billing in_1", "erp 501", "erp 502"], ["billing in_2", "erp 503"]]


def test_a_void_invoice_adds_nothing_and_a_draft_keeps_its_whole_group_back() -> None:
    both = entered("501", "1500.00", ("in_1", "in_2"))
    assert subjects(find("invoice_amount_mismatch", billed(), billed("in_2", "400.00", status="void"), both)) == [
        ["billing in_1", "erp 501"]
    ]
    assert find("invoice_amount_mismatch", billed(), billed("in_2", "400.00", status="draft"), both) == []


def test_documents_that_hang_together_through_others_are_one_group() -> None:
    """From the first ERP invoice everything is reached, by way of what the other side has: nothing may be left out."""
    bills = [billed(f"in_{number}", "100.00") for number in (1, 2, 3, 4)]
    chain = [
        entered("501", "10.00", ("in_1", "in_2")),
        entered("502", "10.00", ("in_1", "in_4")),
        entered("503", "10.00", ("in_2", "in_3")),
        entered("504", "10.00", ("in_3",)),
    ]
    found = one("invoice_amount_mismatch", *bills, *chain)
    assert keys(found.subjects) == [
        "billing in_1", "billing in_2", "billing in_3", "billing in_4", "erp 501", "erp 502", "erp 503", "erp 504",
    ]  # fmt: skip
    assert found.amount == Money(Decimal(360), "USD")
    assert "INV-501, INV-502, INV-503, INV-504" in str(found.sentence)
    assert "A-in_1, A-in_2, A-in_3, A-in_4" in str(found.sentence)


def test_one_amount_in_another_currency_stands_for_the_erps_side() -> None:
    found = one(
        "invoice_amount_mismatch",
        billed(total="100.00"),
        entered("501", "60.00"),
        entered("502", Money(Decimal(40), "EUR")),
    )
    assert (found.amount, inputs(found)["Net in billing"]) == (Money(Decimal(40), "EUR"), "100.00 USD")
    bills = billed("in_1", "100.00"), billing(invoice("in_2", total=Money(Decimal(50), "EUR")))
    found = one("invoice_amount_mismatch", *bills, entered("501", "100.00", ("in_1", "in_2")))
    assert inputs(found) == {"Net in billing": "100.00 USD", "Net in the ERP": "50.00 EUR"}


def test_an_amount_counts_from_the_last_credit_on_either_side() -> None:
    old = at("2026-11-10 08:00")
    here = (
        billing(invoice("in_1", old, total="100.00", credited="0.00")),
        erp(invoice("501", old, total="170.00", copy_of="in_1")),
    )
    later = billing(credit_memo("cn_1", at("2026-11-12 08:00"), total="20.00", unapplied="20.00", invoice="in_1"))
    assert one("invoice_amount_mismatch", *here, later).due_at == at("2026-11-12 12:00")


# --- renewal_before_amendment ------------------------------------------------------------------------------------------------

WORKED = customer_success(renewal("1R01", name="Renewal 2027", target="90000.00"))


def pending(id: str, amount: str | Money | None, hour: int = 9) -> Stated:
    return billing(proration(id, at(f"2026-11-18 {hour:02}:00"), amount=amount))


def test_a_renewal_before_its_amendment_tells_what_billing_has_not_finished() -> None:
    found = one("renewal_before_amendment", WORKED, pending("ii_1", "1200.00"))
    assert str(found.sentence) == (
        "Renewal Renewal 2027 is in progress while billing has 1 part of an amendment unfinished (1200.00 USD not yet invoiced)."
    )
    assert differences(found) == [
        Told("stage", "Renewal stage", "customer_success", {"customer_success 1R01": "in_progress"}),
        Told("status", "Amendment", "billing", {"billing ii_1": "not_yet_invoiced"}),
    ]
    assert keys(found.context) == ["billing ii_1"]
    assert inputs(found) == {"Renewal stage": "in progress", "Unfinished in billing": "1 part"}
    assert order(found) == ("renewal_to_revenue", "renewal", "amendment")


def test_what_is_unfinished_is_summed_in_each_currency() -> None:
    draft = billing(invoice("in_1", status="draft", total="30.00", reason="subscription_update"))
    found = one(
        "renewal_before_amendment", WORKED, pending("ii_1", "1200.00"), pending("ii_2", "-200.00"),
        pending("ii_3", Money(Decimal(7), "EUR")), pending("ii_4", None), draft,
    )  # fmt: skip
    assert "5 parts of an amendment unfinished (1030.00 USD, 7.00 EUR not yet invoiced)" in str(found.sentence)
    assert inputs(found)["Unfinished in billing"] == "5 parts"
    assert differences(found)[1].values["billing in_1"] == "draft"
    assert keys(found.context) == ["billing ii_1", "billing ii_2", "billing ii_3", "billing ii_4", "billing in_1"]
    unknown = one("renewal_before_amendment", WORKED, pending("ii_4", None))
    assert "(amount unknown not yet invoiced)" in str(unknown.sentence)


def test_whose_word_counts_on_a_renewal_depends_on_its_stage() -> None:
    policies = staged("renewal", ("worked", "crm", "in_progress"))
    assert owners(one("renewal_before_amendment", WORKED, pending("ii_1", "1.00"), policies=policies)) == ["crm", "billing"]
    table = staged("proration", ("any", "crm", "not_yet_invoiced"))
    assert owners(one("renewal_before_amendment", WORKED, pending("ii_1", "1.00"), policies=table)) == [
        "customer_success", "billing",
    ]  # fmt: skip


def test_a_renewal_is_customer_successes_and_an_amendment_billings() -> None:
    part = pending("ii_1", "1200.00")
    assert find("renewal_before_amendment", crm(renewal("1R01", target="90000.00")), part) == []
    assert find("renewal_before_amendment", WORKED, erp(proration("ii_1", amount="1200.00"))) == []
    elsewhere = erp(invoice("7", status="draft", total="5.00", reason="subscription_update"))
    assert find("renewal_before_amendment", WORKED, elsewhere) == []
    billed_elsewhere = erp(invoice("7", total="5.00", items=("ii_1",)))
    assert subjects(find("renewal_before_amendment", WORKED, part, billed_elsewhere)) == [["customer_success 1R01"]]


def test_the_time_that_a_renewal_may_be_ahead_of_its_amendment_is_said() -> None:
    rule = RULES["renewal_before_amendment"]
    assert str(rule.tolerance(POLICIES)) == "none: it counts from the moment both are true"
    process = POLICIES.process("renewal_to_revenue")
    (needed,) = process.prerequisites
    lenient = process.model_copy(update={"prerequisites": (needed.model_copy(update={"grace": dt.timedelta(hours=3)}),)})
    policies = POLICIES.model_copy(update={"processes": {**POLICIES.processes, "renewal_to_revenue": lenient}})
    assert str(rule.tolerance(policies)) == "3 hours from the moment both are true"
    assert one("renewal_before_amendment", WORKED, pending("ii_1", "1.00"), policies=policies).due_at == at("2026-11-18 12:00")


# --- close_on_stale_subscription ---------------------------------------------------------------------------------------------

OCTOBER = at("2026-10-14 09:00")


def changed(id: str = "sub_1", annual: str | None = "60000.00", when: dt.datetime = OCTOBER, status: str = "active") -> Stated:
    return billing(subscription(id, when, annual=annual, status=status, changed_at=when))


def ordered(id: str = "77", annual: str | Money | None = "48000.00", subscription: str = "sub_1") -> Stated:
    return erp(sales_order(id, at("2026-01-05 00:00"), annual=annual, subscription=subscription))


def month(number: int, lock: str = "") -> Stated:
    return erp(period(2026, number, at("2026-11-19 00:00"), lock=lock))


def test_a_closing_period_is_told_with_the_subscription_and_both_amounts() -> None:
    found = one("close_on_stale_subscription", changed(), ordered(), month(10, "closed"))
    assert str(found.sentence) == (
        "Billing changed subscription sub_1 to 60000.00 USD a year on 2026-10-14; the ERP still carries 48000.00 USD a year, "
        "and period 2026-10 is being closed."
    )
    assert differences(found) == [
        Told("annual_amount", "Recurring amount a year", "billing", {"billing sub_1": "60000.00 USD", "erp 77": "48000.00 USD"}),
        Told("changed_at", "Last changed", "billing", {"billing sub_1": str(OCTOBER), "erp 77": "2026-01-05 00:00:00+00:00"}),
    ]
    assert keys(found.context) == ["erp 202610"]
    assert inputs(found) == {"In billing": "60000.00 USD", "In the ERP": "48000.00 USD"}
    assert order(found) == ("period_close", "lock", "subscriptions_current")
    assert str(RULES["close_on_stale_subscription"].tolerance(POLICIES)) == "0.05 (1 in currencies without decimals)"


def test_the_grace_of_a_closing_period_is_given() -> None:
    process = POLICIES.process("period_close")
    (needed,) = process.prerequisites
    lenient = process.model_copy(update={"prerequisites": (needed.model_copy(update={"grace": dt.timedelta(hours=3)}),)})
    policies = POLICIES.model_copy(update={"processes": {**POLICIES.processes, "period_close": lenient}})
    found = one("close_on_stale_subscription", changed(), ordered(), month(10, "closed"), policies=policies)
    assert found.due_at == at("2026-11-19 03:00")


def test_a_period_that_is_still_open_is_told_as_such() -> None:
    found = one("close_on_stale_subscription", changed(), ordered(), month(10))
    assert str(found.sentence) == (
        "Billing changed subscription sub_1 to 60000.00 USD a year on 2026-10-14; the ERP still carries 48000.00 USD a year, "
        "and the period is still open."
    )
    assert found.context == ()


def test_whose_word_counts_on_a_subscription_depends_on_its_stage() -> None:
    policies = staged("subscription", ("late", "crm", "past_due"))
    late = one("close_on_stale_subscription", changed(status="past_due"), ordered(), month(10, "closed"), policies=policies)
    assert owners(late) == ["crm", "crm"]
    usual = one("close_on_stale_subscription", changed(), ordered(), month(10, "closed"), policies=policies)
    assert owners(usual) == ["billing", "billing"]


def test_no_subscription_hides_the_next() -> None:
    locked, here = month(10, "closed"), [ordered(), ordered("78", subscription="sub_2")]
    for first in (changed(status="canceled"), changed(annual=None), changed(annual="48000.00")):
        found = find("close_on_stale_subscription", first, changed("sub_2"), *here, locked)
        assert subjects(found) == [["billing sub_2", "erp 78"]]


def test_a_subscription_is_billings_and_its_order_the_erps() -> None:
    locked = month(10, "closed")
    by_the_crm = crm(subscription("sub_1", OCTOBER, annual="60000.00", changed_at=OCTOBER))
    ledger = ledger_of(example("here", by_the_crm, ordered(), locked))
    named = refs(subscription=Ref("crm", "subscription", "sub_1"))
    pointing = tuple(replace(each, refs=named) if each.object_type == "sales_order" else each for each in ledger.records)
    assert list(RULES["close_on_stale_subscription"].find(replace(ledger, records=pointing), POLICIES, NOW)) == []
    assert (
        find("close_on_stale_subscription", changed(), crm(sales_order("9", annual="5.00", subscription="sub_1")), locked) == []
    )


def test_orders_of_one_erp_carry_the_subscription_together_in_the_order_of_their_ids() -> None:
    found = one(
        "close_on_stale_subscription", changed(), ordered("79", "8000.00"), ordered("77", "40000.00"), month(10, "closed")
    )
    assert keys(found.subjects) == ["billing sub_1", "erp 77", "erp 79"]
    assert found.amount == Money(Decimal(12000), "USD")
    silent = ordered("79", None)
    assert find("close_on_stale_subscription", changed(), ordered(), silent, month(10, "closed")) == []
    euros = ordered("79", Money(Decimal(8000), "EUR"))
    assert find("close_on_stale_subscription", changed(), ordered(), euros, month(10, "closed")) == []


def two_erps(stale: str, other: str) -> AccountLedger:
    """The subscription's orders in two ERPs; each keeps the books of an entity of its own, the second's period is not locked."""
    ledger = ledger_of(example("here", changed(), ordered("77", stale), ordered("78", other), month(10, "closed")))
    moved = tuple(replace(record, system="erp-b") if record.external_id == "78" else record for record in ledger.records)
    return replace(ledger, records=moved, entities=(Entity("US", "USD", "erp"), Entity("DE", "EUR", "erp-b")))


def test_each_erp_is_judged_by_its_own_orders_and_its_own_periods() -> None:
    rule = RULES["close_on_stale_subscription"]
    ledger = two_erps("48000.00", "48000.00")
    assert subjects(rule.find(ledger, POLICIES, NOW)) == [["billing sub_1", "erp 77"]], "erp-b has stated no period"
    assert subjects(rule.find(two_erps("60000.00", "1.00"), POLICIES, NOW)) == []
    theirs = next(record for record in ledger.records if record.object_type == "accounting_period")
    both = replace(ledger, records=(*ledger.records, replace(theirs, system="erp-b")))
    assert subjects(rule.find(both, POLICIES, NOW)) == [["billing sub_1", "erp 77"], ["billing sub_1", "erp-b 78"]]
    current = two_erps("60000.00", "1.00")
    second = replace(current, records=(*current.records, replace(theirs, system="erp-b")))
    assert subjects(rule.find(second, POLICIES, NOW)) == [["billing sub_1", "erp-b 78"]], "a copy that is current hides no other"
    nobodys = replace(both, entities=(Entity("DE", "EUR", "erp-b"),))
    assert subjects(rule.find(nobodys, POLICIES, NOW)) == [["billing sub_1", "erp-b 78"]], "an ERP without books does not hide it"


def test_only_what_points_to_a_subscription_as_its_own_counts() -> None:
    """A record may name a subscription in another role, and other records than orders and prorations may name it."""
    ledger = ledger_of(example("here", changed(), ordered(), month(10, "closed")))
    named = refs(subscription=Ref("billing", "subscription", "sub_1"))
    other_role = refs(replaces=Ref("billing", "subscription", "sub_1"))
    (order_row,) = [record for record in ledger.records if record.object_type == "sales_order"]
    fields: dict[str, Value] = {
        "is_proration": True,
        "period_start_at": at("2026-11-01 00:00"),
        "annual_amount": Money(Decimal(5), "USD"),
    }
    strangers = (
        replace(order_row, external_id="78", refs=other_role, fields=fields),
        replace(order_row, object_type="invoice", external_id="79", refs=named, fields=fields),
        replace(
            order_row,
            object_type="proration",
            system="billing",
            role="billing",
            external_id="ii_9",
            refs=other_role,
            fields=fields,
        ),
    )
    found = list(RULES["close_on_stale_subscription"].find(replace(ledger, records=(*ledger.records, *strangers)), POLICIES, NOW))
    assert subjects(found) == [["billing sub_1", "erp 77"]]
    assert inputs(found[0]) == {"In billing": "60000.00 USD", "In the ERP": "48000.00 USD"}
    assert found[0].due_at == at("2026-11-19 00:00"), "October's lock: it changed in October"


def test_the_period_of_a_change_reaches_from_its_first_day_to_its_last() -> None:
    for day in ("2026-11-01 00:00", "2026-11-30 23:59"):
        found = one("close_on_stale_subscription", changed(when=at(day)), ordered(), month(10), month(11))
        assert found.due_at == at("2026-12-01 00:00"), day
    early = one("close_on_stale_subscription", changed(when=at("2026-11-01 00:00")), ordered(), month(11, "ar_locked"), month(12))
    assert early.due_at == at("2026-11-19 00:00")


def test_a_later_lock_counts_once_its_period_is_over() -> None:
    """October was left open and November is locked: from midnight after its last day on."""
    ledger = ledger_of(example("here", changed(), ordered(), month(10), month(11, "closed")))
    rule = RULES["close_on_stale_subscription"]
    over = at("2026-12-01 00:00")
    (before,) = rule.find(ledger, POLICIES, over - dt.timedelta(minutes=1))
    assert (before.context, before.due_at) == ((), over + dt.timedelta(days=1, minutes=-1))
    (after,) = rule.find(ledger, POLICIES, over)
    assert (keys(after.context), after.due_at) == (["erp 202611"], at("2026-11-19 00:00"))


# --- every rule --------------------------------------------------------------------------------------------------------------


def test_whose_word_counts_is_asked_field_by_field() -> None:
    contracts = owned(contract__status="erp", contract__number="customer_success", invoice__total="crm")
    assert owners(one("invoice_before_contract", NAMING, DRAFT, policies=contracts)) == ["erp", "customer_success", "crm"]
    posted = owned(invoice__total="crm", invoice__status="erp")
    assert owners(one("invoice_not_posted", unposted(), policies=posted)) == ["crm", "erp"]
    amounts = owned(invoice__total="crm", invoice__credited="customer_success", invoice__amount_remaining="billing")
    assert owners(one("invoice_amount_mismatch", billed(), entered(), policies=amounts)) == ["crm", "customer_success", "billing"]
    renewals = owned(renewal__stage="billing", proration__amount="erp")
    assert owners(one("renewal_before_amendment", WORKED, pending("ii_1", "1.00"), policies=renewals)) == ["billing", "erp"]
    changes = owned(subscription__annual_amount="crm", subscription__changed_at="erp")
    stale = one("close_on_stale_subscription", changed(), ordered(), month(10, "closed"), policies=changes)
    assert owners(stale) == ["crm", "erp"]
