"""A credit memo in the ERP on an invoice that stands above what billing issued.

The amount is what the ERP carries (net of credits) minus what billing issued (net of credits), and never more than what is
still open on the ERP's invoice: a credit beyond that would be a refund, which this change does not make. When the ERP stands
below billing there is nothing to credit. Source: the receivable in the ERP follows the invoice that billing issued.
"""

# ruff: noqa: ARG002 - a kind fulfils the whole contract
from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from revops.errors import Rejected
from revops.ledger.credits import applied_on, credited_on, credits_on
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.money import Money
from revops.postings.changes import Change, CreateCreditMemo
from revops.postings.kind import (
    FollowUp,
    FormField,
    Option,
    Situation,
    Suggestion,
    chosen,
    date_input,
    money_input,
    money_of,
    text_input,
    text_of,
)
from revops.reference import Ref
from revops.sentences import Param, Sentence, template

INVOICE = FormField("invoice_id", "ERP invoice", "choice", "The invoice in the ERP that the credit is applied to.")
AMOUNT = FormField("amount", "Amount", "money", "In the invoice's currency, such as 120.00.")
ON = FormField("on", "Date of the credit memo", "date", "Decides the accounting period. Not in the future.")
MEMO = FormField("memo", "Memo", "text", "Shown on the credit memo in the ERP.", length_max=200)

NOT_OPEN = template("credit_memo.not_open", "{invoice} is not a posted invoice of the ERP. Choose another one.")
NO_CUSTOMER = template("credit_memo.no_customer", "The ERP's invoice {invoice} names no customer. Read it again, then compose.")
OTHER_CURRENCY = template(
    "credit_memo.other_currency", "{invoice} is in another currency than in billing. Correct the invoice in the ERP."
)
BELOW = template(
    "credit_memo.below",
    "{invoice} in the ERP is {below} below billing: a credit memo would not help. Correct the invoice in the ERP.",
)
EQUAL = template(
    "credit_memo.equal",
    "{invoice} in the ERP is equal to billing: a credit memo would not help. Correct the invoice in the ERP.",
)
NOTHING_OPEN = template(
    "credit_memo.nothing_open",
    "Nothing is open on {invoice} in the ERP: a credit would be a refund. Decide about the refund in the ERP.",
)
NONE_ABOVE = template("credit_memo.none_above", "No invoice of the ERP stands above what billing issued.")
ABOVE_OPEN = template("credit_memo.above_open", "Only {open} is open on {invoice}. Enter at most {most}.")
ABOVE_DIFFERENCE = template(
    "credit_memo.above_difference",
    "The ERP is {above} above billing; a larger credit would put it below. Enter at most {most}.",
)
OPTION = template("credit_memo.option", "{invoice}: {net} net, {open} open")
OPTION_ABOVE = template("credit_memo.option_above", "{invoice}: {net} net, {open} open, {above} above billing")
CARRIED = template("credit_memo.carried", "The ERP carries {invoice} at {net} net, {above} above billing.")
REST_REMAINS = template(
    "credit_memo.rest_remains",
    "Only {open} is still open on it: {rest} would remain and need a refund decision in the ERP.",
)
PERIOD_SHUT = template("credit_memo.period_shut", "{period} is {shut} in the ERP. Choose a day in an open period.")
CLOSED = template("period.closed", "closed")
LOCKED = template("period.locked", "locked")
AR_LOCKED = template("period.ar_locked", "locked for receivables")

DEAD = frozenset({"void", "rejected", "draft", "pending_approval"})


@dataclass(frozen=True, slots=True)
class InvoiceBalance:
    """How one ERP invoice stands against billing. `above` is ERP net minus billing net, None without a comparable twin."""

    net: Money
    open: Money
    billed: LedgerRecord | None
    above: Money | None

    @property
    def most(self) -> Money:
        """The largest credit that may be composed."""
        return self.open if self.above is None or self.open <= self.above else self.above


def balance_of(invoice: LedgerRecord, ledger: AccountLedger) -> InvoiceBalance | None:
    """Read an ERP invoice against its billing twin; None when the ERP states no total."""
    total = money_of(invoice, "total")
    if total is None:
        return None
    zero = Money.zero(total.currency)
    said = money_of(invoice, "credited")
    stated = said if said is not None and said.currency == total.currency else zero
    credited = credited_on(invoice, ledger, total.currency)
    applied = applied_on(invoice, ledger, total.currency)
    unseen = applied - stated if stated < applied else zero
    remaining = money_of(invoice, "amount_remaining")
    still_open = (remaining if remaining is not None and remaining.currency == total.currency else total - credited) - unseen
    still_open = still_open if zero < still_open else zero
    billed = _billed(invoice, ledger)
    above = None
    if billed is not None and (issued := _net(billed, ledger)) is not None and issued.currency == total.currency:
        above = total - credited - issued
    return InvoiceBalance(total - credited, still_open, billed, above)


def _billed(invoice: LedgerRecord, ledger: AccountLedger) -> LedgerRecord | None:
    return ledger.twin(invoice, "billing")


def _net(billed: LedgerRecord, ledger: AccountLedger) -> Money | None:
    total = money_of(billed, "total")
    if total is None or text_of(billed, "status") == "draft":
        return None
    if text_of(billed, "status") == "void":
        return Money.zero(total.currency)
    return total - credited_on(billed, ledger, total.currency)


def period_of(day: dt.date, invoice: LedgerRecord, ledger: AccountLedger) -> LedgerRecord | None:
    """The accounting period that contains the day, in the books of the invoice's legal entity."""
    entity = ledger.entity_of(invoice)
    return None if entity is None else ledger.period_of(entity, day)


def _refusal(invoice: LedgerRecord, ledger: AccountLedger) -> tuple[str, Sentence] | None:
    """Why no credit memo is composed on this invoice: the code of the refusal, and what to do instead. None when one may be."""
    state = balance_of(invoice, ledger)
    if invoice.deleted or state is None or text_of(invoice, "status") in DEAD:
        return "invoice_not_open", NOT_OPEN(invoice=invoice.named)
    if invoice.target("customer") is None:
        return "customer_unknown", NO_CUSTOMER(invoice=invoice.named)
    if state.billed is not None and state.above is None:
        return "currency_mixed", OTHER_CURRENCY(invoice=invoice.named)
    if state.above is not None and state.above.amount <= 0:
        said = BELOW(invoice=invoice.named, below=-state.above) if state.above else EQUAL(invoice=invoice.named)
        return "erp_not_above_billing", said
    if state.open.amount <= 0:
        return "nothing_open", NOTHING_OPEN(invoice=invoice.named)
    return None


@dataclass(frozen=True, slots=True)
class CreditMemo:
    """The kind. `code` and the other plain attributes are those of the contract."""

    code: str = "credit_memo"
    label: str = "Credit memo in the ERP"
    explains: str = (
        "Creates one credit memo in the ERP and applies it to the invoice, so that the receivable is what billing issued."
    )
    role: str = "erp"
    rules: tuple[str, ...] = ("invoice_amount_mismatch",)
    maker_roles: frozenset[str] = frozenset({"finance_analyst"})
    fields: tuple[FormField, ...] = (INVOICE, AMOUNT, ON, MEMO)
    undone_by: str = (
        "Void the credit memo in the ERP: the invoice is open again by its amount. This product composes no void yet; a person "
        "with the right to do so does it in the ERP, and the ledger shows it."
    )

    def options(self, situation: Situation) -> Mapping[str, list[Option]]:
        invoices = situation.concerned("invoice", "erp")
        return {INVOICE.name: [Option(record.external_id, _option(record, situation.ledger)) for record in invoices]}

    def suggest(self, situation: Situation) -> Suggestion:
        why_not = NONE_ABOVE()
        for invoice in situation.concerned("invoice", "erp"):
            state = balance_of(invoice, situation.ledger)
            if state is None or (state.above is None and not situation.concerns):
                continue
            refusal = _refusal(invoice, situation.ledger)
            if refusal is None:
                return _suggestion(invoice, state, situation)
            _, why_not = refusal
        return Suggestion(why_not=why_not)

    def clean(self, raw: Mapping[str, object], situation: Situation) -> dict[str, object]:
        ledger = situation.ledger
        invoice = chosen(raw, INVOICE, ledger.of("invoice", "erp"))
        refusal = _refusal(invoice, ledger)
        if refusal is not None:
            code, why_not = refusal
            raise Rejected(code, why_not, field=INVOICE.name)
        state = balance_of(invoice, ledger)
        assert state is not None, "an invoice without a total was refused above"
        amount = money_input(raw, AMOUNT, state.net.currency)
        if state.open < amount:
            said = ABOVE_OPEN(open=state.open, invoice=invoice.named, most=state.most)
            raise Rejected("above_open", said, field=AMOUNT.name)
        if state.above is not None and state.above < amount:
            said = ABOVE_DIFFERENCE(above=state.above, most=state.most)
            raise Rejected("above_difference", said, field=AMOUNT.name)
        day = date_input(raw, ON)
        period = _open_period(day, invoice, situation)
        return {
            INVOICE.name: invoice.external_id,
            "system": invoice.system,
            "customer_id": invoice.targets("customer")[0].id,
            "legal_entity_id": next((entity.id for entity in invoice.targets("legal_entity")), ""),
            AMOUNT.name: amount.as_json(),
            ON.name: day.isoformat(),
            "posting_period": period.external_id,
            "period_name": period.label,
            MEMO.name: text_input(raw, MEMO),
        }

    def changes(self, inputs: Mapping[str, object], ledger: AccountLedger) -> list[Change]:
        system, entity = str(inputs["system"]), str(inputs["legal_entity_id"])
        return [
            CreateCreditMemo(
                invoice=Ref(system, "invoice", str(inputs[INVOICE.name])),
                customer=Ref(system, "customer", str(inputs["customer_id"])),
                amount=Money.from_json(inputs[AMOUNT.name]),
                on=dt.date.fromisoformat(str(inputs[ON.name])),
                memo=str(inputs[MEMO.name]),
                period=Ref(system, "accounting_period", str(inputs["posting_period"])),
                legal_entity=Ref(system, "legal_entity", entity) if entity else None,
            )
        ]

    def facts(self, inputs: Mapping[str, object], ledger: AccountLedger) -> list[LedgerRecord]:
        """The invoice on both sides, every live credit memo on it, and the accounting period of the date."""
        invoice = ledger.find(Ref(str(inputs["system"]), "invoice", str(inputs[INVOICE.name])))
        found: list[LedgerRecord] = []
        if invoice is not None:
            billed = _billed(invoice, ledger)
            found = [invoice, *([billed] if billed is not None else []), *credits_on(invoice, ledger)]
        day = dt.date.fromisoformat(str(inputs[ON.name]))
        period = period_of(day, invoice, ledger) if invoice is not None else None
        return found if period is None else [*found, period]

    def reversal(self, inputs: Mapping[str, object], done: Sequence[Change]) -> FollowUp | None:
        return None

    def remainder(self, inputs: Mapping[str, object], missing: Sequence[Change]) -> FollowUp | None:
        return None


def _option(invoice: LedgerRecord, ledger: AccountLedger) -> Param:
    state = balance_of(invoice, ledger)
    if state is None:
        return invoice.label
    if state.above is None or state.above.amount <= 0:
        return OPTION(invoice=invoice.named, net=state.net, open=state.open)
    return OPTION_ABOVE(invoice=invoice.named, net=state.net, open=state.open, above=state.above)


def _suggestion(invoice: LedgerRecord, state: InvoiceBalance, situation: Situation) -> Suggestion:
    notes: list[Sentence] = []
    if state.above is not None:
        notes.append(CARRIED(invoice=invoice.named, net=state.net, above=state.above))
        if state.open < state.above:
            rest = state.above - state.open
            notes.append(REST_REMAINS(open=state.open, rest=rest))
    period = period_of(situation.today, invoice, situation.ledger)
    if period is not None and (shut := _shut(period)) is not None:
        notes.append(PERIOD_SHUT(period=period.named, shut=shut))
    reference = state.billed.label if state.billed is not None else invoice.label
    return Suggestion(
        inputs={
            INVOICE.name: invoice.external_id,
            AMOUNT.name: f"{state.most.amount:f}",
            ON.name: situation.today.isoformat(),
            MEMO.name: f"Correction to billing invoice {reference}"[: MEMO.length_max],
        },
        notes=tuple(notes),
    )


def _shut(period: LedgerRecord) -> Sentence | None:
    """Why the ERP takes no receivable in that period: closed or locked, also when only receivables are. None when it does."""
    for flag, told in (("closed", CLOSED), ("all_locked", LOCKED), ("ar_locked", AR_LOCKED)):
        if period.fields.get(flag) is True:
            return told()
    return None


def _open_period(day: dt.date, invoice: LedgerRecord, situation: Situation) -> LedgerRecord:
    """The period to post into. Raises `Rejected`: the ERP refuses documents of a period that is closed or locked."""
    if day > situation.today:
        raise Rejected("date_in_future", f"Choose a day not after {situation.today}.", field=ON.name)
    issued = invoice.fields.get("issued_on")
    if isinstance(issued, dt.date) and day < issued:
        raise Rejected("date_before_invoice", f"The invoice is of {issued}; choose that day or a later one.", field=ON.name)
    period = period_of(day, invoice, situation.ledger)
    if period is None:
        raise Rejected(
            "period_unknown", f"The ERP has stated no accounting period for {day}. Choose another day or read the periods again.",
            field=ON.name,
        )  # fmt: skip
    if (shut := _shut(period)) is not None:
        raise Rejected("period_closed", PERIOD_SHUT(period=period.named, shut=shut), field=ON.name)
    return period


KIND = CreditMemo()
