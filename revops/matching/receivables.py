"""One receivable as billing and one ERP carry it: what is issued, what is posted, what is void. Pure.

Only one thing is wrong with a receivable at a time: the rules about invoices ask for its `state` and each speaks of one.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable
from dataclasses import dataclass

from revops.ledger.credits import credited_on, credits_on
from revops.ledger.view import AccountLedger, LedgerRecord, latest
from revops.matching.groups import Group, matched
from revops.money import Money
from revops.money import total as total_of

ISSUED = frozenset({"open", "paid", "uncollectible"})
UNDECIDED = frozenset({"pending_approval", "draft"})


class State(enum.Enum):
    """How the two sides stand."""

    NOTHING_ISSUED = "billing has issued nothing"
    NOT_ENTERED = "issued, and the ERP has no document"
    UNDECIDED = "issued, and the ERP's document is not approved"
    REJECTED = "issued, and the ERP's document was rejected"
    VOID_IN_ERP = "issued, and the ERP's document is void"
    VOID_IN_BILLING = "void in billing, and the ERP's document stands"
    DOUBLED = "entered in full more than once"
    COMPARABLE = "issued and posted"


@dataclass(frozen=True, slots=True)
class Receivable:
    """The invoices of billing and of one ERP that carry the same receivable; `entered` is empty where no ERP has one. `unclear`
    are documents that may be the ERP's, of which a person must say whether they are."""

    billed: tuple[LedgerRecord, ...]
    entered: tuple[LedgerRecord, ...]
    unclear: tuple[LedgerRecord, ...] = ()

    @property
    def issued(self) -> tuple[LedgerRecord, ...]:
        return tuple(record for record in self.billed if record.fields.get("status") in ISSUED)

    @property
    def posted(self) -> tuple[LedgerRecord, ...]:
        """What stands in the ERP's books; a status that is not known counts as standing."""
        dead = {"void", "rejected", *UNDECIDED}
        return tuple(record for record in self.entered if record.fields.get("status") not in dead)

    @property
    def records(self) -> tuple[LedgerRecord, ...]:
        return (*self.billed, *self.entered)

    @property
    def state(self) -> State:
        statuses = {record.fields.get("status") for record in self.entered}
        if not self.issued or any(record.fields.get("status") not in ISSUED | {"void"} for record in self.billed):
            void = bool(self.billed) and all(record.fields.get("status") == "void" for record in self.billed)
            return State.VOID_IN_BILLING if void and self.posted else State.NOTHING_ISSUED
        if not self.entered:
            return State.NOT_ENTERED
        if not self.posted:
            if statuses & UNDECIDED:
                return State.UNDECIDED
            return State.REJECTED if "rejected" in statuses else State.VOID_IN_ERP
        return State.DOUBLED if self.doubled else State.COMPARABLE

    @property
    def doubled(self) -> tuple[LedgerRecord, ...]:
        """The ERP's documents beyond the first, where one alone carries the whole amount and another does so too."""
        totals = [record.fields.get("total") for record in self.issued]
        amounts = [amount for amount in totals if isinstance(amount, Money)]
        if len(amounts) != len(totals) or len({amount.currency for amount in amounts}) != 1:
            return ()
        whole = total_of(amounts, amounts[0].currency)
        full = [record for record in self.posted if record.fields.get("total") == whole]
        return tuple(full[1:]) if whole else ()

    def last_change(self, ledger: AccountLedger) -> dt.datetime:
        """When one side last moved (aware UTC): the documents themselves, or a credit given on one of them."""
        memos = (memo for invoice in self.records for memo in credits_on(invoice, ledger))
        return latest([*self.records, *memos])


def receivables(ledger: AccountLedger) -> Iterable[Receivable]:
    """Every receivable of the account, once for each ERP that carries it. Where the two sides stand on different accounts it is
    that of the account on which billing's first document stands."""
    elsewhere = {record.key for record in ledger.elsewhere}
    for group in matched(ledger, "invoice").groups:
        first = next(iter((*group.of("billing"), *group.of("erp"))), None)
        if first is not None and first.key not in elsewhere:
            yield from _by_erp(group)


def _by_erp(group: Group) -> Iterable[Receivable]:
    billed, entered = group.of("billing"), group.of("erp")
    unclear = tuple(record for record in group.candidates if record.role == "erp")
    if billed and not entered:
        yield Receivable(billed, (), unclear)
    for system in sorted({record.system for record in entered}):
        yield Receivable(billed, tuple(record for record in entered if record.system == system))


def payments_of(invoices: Iterable[LedgerRecord], ledger: AccountLedger) -> list[LedgerRecord]:
    """The payments that are known to have succeeded on these invoices. How one was closed otherwise (a deposit, a journal, a
    credit) is no payment."""
    payments = {
        payment.key: payment
        for invoice in invoices
        for payment in ledger.pointing_at(invoice, "invoice", "payment")
        if payment.fields.get("status") == "paid"
    }
    return list(payments.values())


def paid(payments: Iterable[LedgerRecord], currency: str) -> Money:
    """The sum of the payments in that currency."""
    amounts = (payment.fields.get("amount") for payment in payments)
    return total_of((amount for amount in amounts if isinstance(amount, Money) and amount.currency == currency), currency)


def unknown_to_erp(ledger: AccountLedger) -> bool:
    """Whether the ERP knows nothing of a customer whom billing has invoiced more than once: the customer is what is missing."""
    if ledger.of("customer", "erp") or any(record.role == "erp" for record in ledger.elsewhere):
        return False
    return len([invoice for invoice in ledger.of("invoice", "billing") if invoice.fields.get("status") in ISSUED]) > 1


def net(invoice: LedgerRecord, ledger: AccountLedger) -> Money | None:
    """Total less what was credited on it; None when it states no total."""
    total = invoice.fields.get("total")
    return total - credited_on(invoice, ledger, total.currency) if isinstance(total, Money) else None


def closed_otherwise(both: Receivable, ledger: AccountLedger) -> Money | None:
    """How much of the ERP's invoices is closed by something that is neither a payment nor a credit (a journal, as a rule); None
    where an invoice does not say what remains, or in several currencies."""
    closed = []
    for invoice in both.posted:
        whole, left = invoice.fields.get("total"), invoice.fields.get("amount_remaining")
        if not isinstance(whole, Money) or not isinstance(left, Money) or whole.currency != left.currency:
            return None
        stated = invoice.fields.get("credited")
        applied = stated if isinstance(stated, Money) and stated.currency == whole.currency else Money.zero(whole.currency)
        closed.append(whole - left - max(applied, credited_on(invoice, ledger, whole.currency)))
    if len({amount.currency for amount in closed}) != 1:
        return None
    currency = closed[0].currency
    return total_of(closed, currency) - paid(payments_of(both.posted, ledger), currency)


def misapplied(payment: LedgerRecord, ledger: AccountLedger) -> list[LedgerRecord]:
    """The ERP's copies of one of billing's payments that are applied to other invoices than those that it paid, as far as these
    are in the ERP; none for a payment that is applied to nothing yet."""
    right = {
        copy.ref
        for invoice in ledger.pointed_to(payment, "invoice")
        for copy in ledger.pointing_at(invoice, "copy_of", "invoice")
    }
    copies = ledger.pointing_at(payment, "copy_of", "payment")
    return [copy for copy in copies if right and copy.targets("invoice") and not right & set(copy.targets("invoice"))]


def pays_another(payment: LedgerRecord, issued: Iterable[LedgerRecord], ledger: AccountLedger) -> bool:
    """Whether the ERP's payment is a copy of one that paid none of these invoices of billing."""
    originals = ledger.pointed_to(payment, "copy_of")
    paid_for = {target for original in originals for target in original.targets("invoice")}
    return bool(paid_for) and not paid_for & {invoice.ref for invoice in issued}
