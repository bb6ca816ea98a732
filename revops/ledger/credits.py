"""What was credited on an invoice, as far as its system says so. Pure.

A credit on an invoice that is paid already cannot be applied to it: it stands beside it, unapplied or applied elsewhere, and is a
credit on that invoice all the same. What it was given for is told by the memo's own references.
"""

from __future__ import annotations

from revops.ledger.view import AccountLedger, LedgerRecord
from revops.money import Money, total


def credits_on(invoice: LedgerRecord, ledger: AccountLedger) -> list[LedgerRecord]:
    """Live credit memos of the invoice's system that name it, or that are copies of a credit given on what it is a copy of."""
    found = ledger.pointing_at(invoice, "invoice", "credit_memo")
    for original in invoice.targets("copy_of"):
        for given in ledger.pointing_at(original, "invoice", "credit_memo", deleted=True):
            found += ledger.pointing_at(given, "copy_of", "credit_memo")
    mine = {memo.key: memo for memo in found if memo.system == invoice.system and memo.fields.get("status") != "void"}
    return [mine[key] for key in sorted(mine)]


def credited_on(invoice: LedgerRecord, ledger: AccountLedger, currency: str) -> Money:
    """The sum in the invoice's currency: what the invoice states and what its memos have not applied, or the memos' totals where
    those are more (after a posting the memo can be read before the invoice is). Other currencies do not count."""
    stated, memos = _amount(invoice, "credited", currency), credits_on(invoice, ledger)
    if not memos:
        return stated
    stated, named = stated + _sum(memos, "unapplied", currency), _sum(memos, "total", currency)
    return named if stated < named else stated


def applied_on(invoice: LedgerRecord, ledger: AccountLedger, currency: str) -> Money:
    """What memos that name the invoice say they have applied."""
    memos = [memo for memo in credits_on(invoice, ledger) if invoice.ref in memo.targets("invoice")]
    return _sum(memos, "applied", currency)


def _sum(memos: list[LedgerRecord], name: str, currency: str) -> Money:
    return total((_amount(memo, name, currency) for memo in memos), currency)


def _amount(record: LedgerRecord, name: str, currency: str) -> Money:
    value = record.fields.get(name)
    return value if isinstance(value, Money) and value.currency == currency else Money.zero(currency)
