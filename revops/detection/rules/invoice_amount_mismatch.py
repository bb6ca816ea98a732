"""Billing and the ERP disagree on what an invoice amounts to, net of the credits that each has given on it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace

from revops.detection.examples import Expected, Stated, at, billing, credit_memo, erp, example, invoice
from revops.detection.rule import Difference, Finding, Playbook, Rule, money, rounding, text
from revops.ledger.credits import credited_on, credits_on
from revops.ledger.habits import Habits
from revops.ledger.view import AccountLedger
from revops.matching.receivables import Receivable, State, net, receivables
from revops.money import Money
from revops.money import total as total_of
from revops.policies.policies import Policies
from revops.sentences import Sentence, template

ABOVE = template(
    "invoice_amount_mismatch.above",
    "The ERP carries invoice {entered} at {actual}, billing issued {billed} for {expected}: the ERP is {apart} above billing.",
)
BELOW = template(
    "invoice_amount_mismatch.below",
    "The ERP carries invoice {entered} at {actual}, billing issued {billed} for {expected}: the ERP is {apart} below billing.",
)
OTHER_CURRENCY = template(
    "invoice_amount_mismatch.other_currency",
    "The ERP carries invoice {entered} at {actual}, billing issued {billed} for {expected}: the currencies differ.",
)
TOLERANCE = template("invoice_amount_mismatch.tolerance", "{rounding}, and {grace} after the later change")
NET_IN_BILLING = template("invoice_amount_mismatch.net_in_billing", "Net in billing")
NET_IN_ERP = template("invoice_amount_mismatch.net_in_erp", "Net in the ERP")
COMPARED = (
    ("total", template("invoice_amount_mismatch.total", "Invoice total")),
    ("credited", template("invoice_amount_mismatch.credited", "Credited")),
    ("amount_remaining", template("invoice_amount_mismatch.amount_remaining", "Still to pay")),
)


def _grace(policies: Policies) -> dt.timedelta:
    return policies.process("quote_to_cash").limit("agreement")


def find(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
    for both in receivables(ledger):
        if both.state is not State.COMPARABLE:
            continue
        amounts = _amounts(both, ledger)
        if amounts is None or not policies.beyond_tolerance(*amounts) or _written_off(both, *amounts):
            continue
        if policies.beyond_tolerance(_before_credits(both, amounts[0], ledger), amounts[1]):
            memos = tuple(memo for invoice in both.records for memo in credits_on(invoice, ledger))
            due_at = both.last_change(ledger) + _grace(policies)
            yield replace(_finding(both, *amounts, policies, due_at=due_at), context=memos)


def _amounts(both: Receivable, ledger: AccountLedger) -> tuple[Money, Money] | None:
    """What billing issued and what the ERP carries, net; None when an invoice states no total. Where one is in another
    currency than the first that billing issued, it stands for the ERP's side: currencies do not add up."""
    billed = [net(invoice, ledger) for invoice in both.issued]
    entered = [net(invoice, ledger) for invoice in both.posted]
    known = [amount for amount in (*billed, *entered) if amount is not None]
    if len(known) < len(billed) + len(entered):
        return None
    currency = known[0].currency
    odd = next((amount for amount in known if amount.currency != currency), None)
    expected = total_of((amount for amount in known[: len(billed)] if amount.currency == currency), currency)
    return expected, odd if odd is not None else total_of(known[len(billed) :], currency)


def _before_credits(both: Receivable, net_in_billing: Money, ledger: AccountLedger) -> Money:
    """What billing issued less the credits that the ERP enters by now: those on unpaid invoices come with the payment where the
    company has that habit."""
    habits = [ledger.habits[record.system] for record in both.posted if record.system in ledger.habits]
    if not any(each.credits_with_payment for each in habits):
        return net_in_billing
    waiting = (
        credited_on(invoice, ledger, net_in_billing.currency) for invoice in both.issued if text(invoice, "status") == "open"
    )
    return net_in_billing + total_of(waiting, net_in_billing.currency)


def _written_off(both: Receivable, expected: Money, actual: Money) -> bool:
    """Whether billing has given the rest up, and the ERP has written off no more than that: what is uncollectible is credited in
    the ERP alone, and nothing is wrong."""
    given_up = [invoice for invoice in both.issued if text(invoice, "status") == "uncollectible"]
    rest = [left for invoice in given_up if (left := money(invoice, "amount_remaining")) is not None]
    if not rest or expected.currency != actual.currency or expected < actual:
        return False
    return expected - actual <= total_of(rest, rest[0].currency) if rest[0].currency == expected.currency else False


def _finding(both: Receivable, expected: Money, actual: Money, policies: Policies, *, due_at: dt.datetime) -> Finding:
    same = expected.currency == actual.currency
    records = (*both.issued, *both.posted)
    stage = policies.stage_of("invoice", [text(record, "status") for record in records])
    return Finding(
        subjects=records,
        sentence=_sentence(both, expected, actual),
        due_at=due_at,
        amount=abs(actual - expected) if same else actual,
        differences=tuple(
            Difference(
                name,
                label,
                policies.owner_for("invoice", name, stage),
                tuple((record, record.fields[name]) for record in records if name in record.fields),
            )
            for name, label in COMPARED
        ),
        inputs={NET_IN_BILLING: expected, NET_IN_ERP: actual},
    )


def _sentence(both: Receivable, expected: Money, actual: Money) -> Sentence:
    billed, entered = (tuple(invoice.named for invoice in side) for side in (both.issued, both.posted))
    if expected.currency != actual.currency:
        return OTHER_CURRENCY(entered=entered, actual=actual, billed=billed, expected=expected)
    told = ABOVE if expected < actual else BELOW
    return told(entered=entered, actual=actual, billed=billed, expected=expected, apart=abs(actual - expected))


def _billed(total: str, when: str = "2026-11-17 12:00", *, credited: str = "0.00", status: str = "open") -> Stated:
    return billing(invoice("in_1", at(when), number="A-1", status=status, total=total, credited=credited))


def _entered(total: str, when: str = "2026-11-17 12:00", *, credited: str = "0.00", status: str = "open") -> Stated:
    return erp(invoice("501", at(when), number="INV-501", status=status, total=total, credited=credited, copy_of="in_1"))


def _found(amount: str, due: str = "2026-11-17 16:00", currency: str = "USD") -> list[Expected]:
    return [Expected(amount, ("billing invoice in_1", "erp invoice 501"), due=at(due), currency=currency)]


def _credit_note(when: str = "2026-11-17 12:00") -> Stated:
    return billing(credit_memo("cn_1", at(when), total="20.00", invoice="in_1"))


def _mirrored(of: str = "cn_1", when: str = "2026-11-17 12:00", status: str = "open") -> Stated:
    """The ERP's copy of a credit that billing gave, applied to nothing yet."""
    return erp(credit_memo("90", at(when), total="20.00", status=status, applied="0.00", unapplied="20.00", copy_of=of))


RULE = Rule(
    code="invoice_amount_mismatch",
    title="Invoice amount differs between billing and ERP",
    sentence="An invoice in the ERP is not what billing issued, net of credits on either side.",
    tolerance=lambda policies: TOLERANCE(rounding=rounding(policies), grace=_grace(policies)),
    reads=frozenset({"invoice", "credit_memo"}),
    needs=("billing invoice", "erp invoice.copy_of"),
    playbook=Playbook(
        means="The receivable in the ERP is not the amount that the customer was invoiced. Collections, revenue and the aged "
        "receivables report are wrong by the difference until one of the two is corrected.",
        check=(
            "Open both documents: was a line entered twice, a discount missed, a tax rate wrong?",
            "Was a credit note issued in billing that never reached the ERP?",
            "Is the posting period still open in the ERP? Into a closed or locked one nothing can be posted.",
        ),
        fixes=("credit_memo",),
    ),
    posted=True,
    find=find,
    fires_on=(
        example(
            "paid since, and the credit did not come with the payment",
            _billed("1000.00", credited="200.00", status="paid"),
            _entered("1000.00"),
            habits=Habits(credits_with_payment=True),
            expect=_found("200.00"),
        ),
        example(
            "a memo for another credit is no credit on this invoice",
            _billed("100.00", credited="20.00"),
            _entered("100.00"),
            _credit_note(),
            _mirrored(of="cn_2"),
            expect=_found("20.00"),
        ),
        example(
            "a memo that was voided is no credit",
            _billed("100.00", credited="20.00"),
            _entered("100.00"),
            _credit_note(),
            _mirrored(status="void"),
            expect=_found("20.00"),
        ),
        example("the ERP carries more than billing issued", _billed("48210.00"), _entered("49410.00"), expect=_found("1200.00")),
        example("the ERP carries less", _billed("49410.00"), _entered("48210.00"), expect=_found("1200.00")),
        example(
            "billing credited, the ERP did not",
            _billed("1000.00", credited="200.00"),
            _entered("1000.00"),
            expect=_found("200.00"),
        ),
        example(
            "paid in billing, given up in the ERP: both count",
            _billed("1000.00", status="paid"),
            _entered("900.00", status="uncollectible"),
            expect=_found("100.00"),
        ),
        example("six cents are no rounding", _billed("100.00"), _entered("100.06"), expect=_found("0.06")),
        example("six cents less are no rounding", _billed("100.06"), _entered("100.00"), expect=_found("0.06")),
        example(
            "two yen are no rounding",
            billing(invoice("in_1", at("2026-11-17 12:00"), total=Money.from_minor(1000, "JPY"))),
            erp(invoice("501", at("2026-11-17 12:00"), total=Money.from_minor(1002, "JPY"), copy_of="in_1")),
            expect=_found("2", currency="JPY"),
        ),
        example(
            "other currencies: what the ERP carries is at risk",
            _billed("100.00"),
            erp(invoice("501", at("2026-11-17 12:00"), total=Money.from_minor(100, "JPY"), copy_of="in_1")),
            expect=_found("100", currency="JPY"),
        ),
        example(
            "the four hours count from the later change, here the ERP's",
            _billed("100.00"),
            _entered("170.00", "2026-11-20 08:00"),
            expect=_found("70.00", "2026-11-20 12:00"),
        ),
        example(
            "the four hours count from the later change, here billing's",
            _billed("100.00", "2026-11-20 07:00"),
            _entered("170.00"),
            expect=_found("70.00", "2026-11-20 11:00"),
        ),
        example(
            "entered as two invoices of 60 and 50: one finding",
            _billed("100.00"),
            _entered("60.00"),
            erp(invoice("502", at("2026-11-17 12:00"), total="50.00", copy_of="in_1")),
            expect=[
                Expected("10.00", ("billing invoice in_1", "erp invoice 501", "erp invoice 502"), due=at("2026-11-17 16:00"))
            ],
        ),
        example(
            "two invoices entered as one, too high",
            _billed("60.00"),
            billing(invoice("in_2", at("2026-11-17 12:00"), total="40.00")),
            erp(invoice("501", at("2026-11-17 12:00"), total="110.00", copy_of=("in_1", "in_2"))),
            expect=[
                Expected("10.00", ("billing invoice in_1", "billing invoice in_2", "erp invoice 501"), due=at("2026-11-17 16:00"))
            ],
        ),
        example(
            "a draft does not hide the next invoice",
            billing(invoice("in_0", status="draft", total="1.00")),
            _billed("100.00"),
            erp(invoice("500", total="3.00", copy_of="in_0")),
            _entered("170.00"),
            expect=_found("70.00"),
        ),
    ),
    silent_on=(
        example(
            "credited on an unpaid invoice, where credits come with the payment",
            _billed("1000.00", credited="200.00"),
            _entered("1000.00"),
            habits=Habits(credits_with_payment=True),
        ),
        example(
            "entered at once all the same",
            _billed("1000.00", credited="200.00"),
            _entered("1000.00", credited="200.00"),
            habits=Habits(credits_with_payment=True),
        ),
        example("equal amounts", _billed("100.00"), _entered("100.00")),
        example("five cents are rounding", _billed("100.00"), _entered("100.05")),
        example("five cents less are rounding", _billed("100.05"), _entered("100.00")),
        example(
            "one yen is rounding",
            billing(invoice("in_1", total=Money.from_minor(1000, "JPY"))),
            erp(invoice("501", total=Money.from_minor(1001, "JPY"), copy_of="in_1")),
        ),
        example("credited in both", _billed("100.00"), _entered("120.00", credited="20.00")),
        example(
            "credited after payment: the ERP's memo mirrors it and cannot be applied",
            _billed("100.00", credited="20.00", status="paid"),
            _entered("100.00"),
            _credit_note(),
            _mirrored(),
        ),
        example(
            "entered as two invoices of 60 and 40",
            _billed("100.00"),
            _entered("60.00"),
            erp(invoice("502", total="40.00", copy_of="in_1")),
        ),
        example(
            "two invoices entered as one",
            _billed("60.00"),
            billing(invoice("in_2", total="40.00")),
            erp(invoice("501", total="100.00", copy_of=("in_1", "in_2"))),
        ),
        example("void in the ERP", _billed("100.00"), _entered("170.00", status="void")),
        example("rejected in the ERP", _billed("100.00"), _entered("170.00", status="rejected")),
        example("still a draft in billing", _billed("100.00", status="draft"), _entered("170.00")),
        example("not in the ERP", _billed("100.00"), erp(invoice("501", total="170.00"))),
        example("no total in the ERP", _billed("100.00"), erp(invoice("501", copy_of="in_1"))),
        example("no total in billing", billing(invoice("in_1")), _entered("170.00")),
        example(
            "credited an hour ago, not mirrored yet: not yet due",
            _billed("100.00", credited="20.00"),
            _entered("100.00"),
            _credit_note("2026-11-20 11:00"),
            expect=_found("20.00", "2026-11-20 15:00"),
        ),
        example(
            "a credit entered in the ERP an hour ago: not yet due",
            _billed("100.00", credited="50.00"),
            _entered("100.00"),
            _credit_note(),
            _mirrored(when="2026-11-20 11:00"),
            expect=_found("30.00", "2026-11-20 15:00"),
        ),
        example(
            "changed an hour ago: not yet due",
            _billed("100.00", "2026-11-20 11:00"),
            _entered("170.00"),
            expect=_found("70.00", "2026-11-20 15:00"),
        ),
    ),
)
