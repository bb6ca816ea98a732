"""What was credited on an invoice, as far as its system says so. Pure.

A credit on an invoice that is paid already cannot be applied to it: it stands beside it, unapplied or applied elsewhere, and is a
credit on that invoice all the same. What it was given for is told by the memo's own references.
"""

from __future__ import annotations

from revops.ledger.view import AccountLedger, LedgerRecord
from revops.money import Money


def credits_on(invoice: LedgerRecord, ledger: AccountLedger) -> list[LedgerRecord]:
    """Live credit memos of the invoice's system that name it, or that mirror a credit which billing gave on its twin."""
    twin = invoice.refs.get("billing_invoice")
    mirrored = {memo.external_id for memo in ledger.of("credit_memo", "billing") if twin and memo.refs.get("invoice") == twin}
    return [
        memo
        for memo in ledger.of("credit_memo")
        if memo.system == invoice.system
        and memo.fields.get("status") != "void"
        and (memo.refs.get("invoice") == invoice.external_id or memo.refs.get("billing_credit_memo") in mirrored)
    ]


def credited_on(invoice: LedgerRecord, ledger: AccountLedger, currency: str) -> Money:
    """The sum in the invoice's currency: what the invoice states and what its memos have not applied, or the memos' totals where
    those are more (after a posting the memo can be read before the invoice is). Other currencies do not count."""
    memos = credits_on(invoice, ledger)
    stated = _amount(invoice, "credited", currency) + _sum(memos, "unapplied", currency)
    named = _sum(memos, "total", currency)
    return named if stated < named else stated


def applied_on(invoice: LedgerRecord, ledger: AccountLedger, currency: str) -> Money:
    """What memos that name the invoice say they have applied."""
    memos = [memo for memo in credits_on(invoice, ledger) if memo.refs.get("invoice") == invoice.external_id]
    return _sum(memos, "applied", currency)


def _sum(memos: list[LedgerRecord], name: str, currency: str) -> Money:
    found = Money.zero(currency)
    for memo in memos:
        found = found + _amount(memo, name, currency)
    return found


def _amount(record: LedgerRecord, name: str, currency: str) -> Money:
    value = record.fields.get(name)
    return value if isinstance(value, Money) and value.currency == currency else Money.zero(currency)
