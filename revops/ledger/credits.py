"""What was credited on an invoice, as far as its system says so. Pure.

What a credit was given for and what it settles are two things. A credit given on a paid invoice cannot be applied to it: it
stands beside it, or pays another invoice; a credit balance of an old invoice settles a new one, on which nothing was credited.
What a memo was given for is told by the invoice that it was made from, else by the credit note that it is a copy of, and only
where neither is stated by the invoices that it is applied to.
"""

from __future__ import annotations

from collections.abc import Iterable

from revops.ledger.view import AccountLedger, LedgerRecord
from revops.money import Money, total

DEAD = frozenset({"void", "rejected"})


def given_on(memo: LedgerRecord, ledger: AccountLedger) -> list[LedgerRecord]:
    """The invoices of the memo's own system for which it was given; none where that is not known."""
    made_from = ledger.pointed_to(memo, "invoice")
    if made_from:
        return made_from
    if not memo.targets("copy_of"):
        return ledger.pointed_to(memo, "applied_to")
    originals = [bill for note in ledger.pointed_to(memo, "copy_of") for bill in note.targets("invoice")]
    return [copy for bill in originals for copy in ledger.pointing_at(bill, "copy_of", "invoice") if copy.system == memo.system]


def credits_on(invoice: LedgerRecord, ledger: AccountLedger) -> list[LedgerRecord]:
    """Live credit memos of the invoice's system that were given on it."""
    found = [*ledger.pointing_at(invoice, "invoice", "credit_memo"), *paid_by_credit(invoice, ledger)]
    for original in invoice.targets("copy_of"):
        for given in ledger.pointing_at(original, "invoice", "credit_memo", deleted=True):
            found += ledger.pointing_at(given, "copy_of", "credit_memo")
    mine = {memo.key: memo for memo in found if memo.system == invoice.system and memo.fields.get("status") not in DEAD}
    return [memo for _, memo in sorted(mine.items()) if any(each.key == invoice.key for each in given_on(memo, ledger))]


def paid_by_credit(invoice: LedgerRecord, ledger: AccountLedger) -> list[LedgerRecord]:
    """Credit memos that are applied to the invoice, whatever they were given for."""
    return ledger.pointing_at(invoice, "applied_to", "credit_memo")


def credited_on(invoice: LedgerRecord, ledger: AccountLedger, currency: str) -> Money:
    """The sum in the invoice's currency: what the invoice states less what other invoices' credits have settled of it, and what
    its own memos have not applied; or its memos' totals where those are more (one may be applied elsewhere, or be read before the
    invoice is). Other currencies do not count."""
    stated, memos = _amount(invoice, "credited", currency), credits_on(invoice, ledger)
    own = {memo.key for memo in memos}
    others = [memo for memo in paid_by_credit(invoice, ledger) if memo.key not in own]
    if others:
        nothing = Money.zero(currency)
        stated = max(nothing, stated - _sum(others, "applied", currency))
    if not memos:
        return stated
    stated, named = stated + _sum(memos, "unapplied", currency), _sum(memos, "total", currency)
    return named if stated < named or others else stated


def applied_on(invoice: LedgerRecord, ledger: AccountLedger, currency: str) -> Money:
    """What memos that are applied to the invoice, or name it, say they have applied."""
    named = [memo for memo in credits_on(invoice, ledger) if invoice.ref in memo.targets("invoice")]
    memos = {memo.key: memo for memo in (*named, *paid_by_credit(invoice, ledger))}
    return _sum(memos.values(), "applied", currency)


def _sum(memos: Iterable[LedgerRecord], name: str, currency: str) -> Money:
    return total((_amount(memo, name, currency) for memo in memos), currency)


def _amount(record: LedgerRecord, name: str, currency: str) -> Money:
    value = record.fields.get(name)
    return value if isinstance(value, Money) and value.currency == currency else Money.zero(currency)
