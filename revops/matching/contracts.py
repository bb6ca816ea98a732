"""Which contracts a subscription bills, by either side's word. Pure."""

from __future__ import annotations

from revops.ledger.view import AccountLedger, LedgerRecord

RUNNING = frozenset({"active", "past_due", "trialing"})


def contracts_of(subscription: LedgerRecord, ledger: AccountLedger) -> list[LedgerRecord]:
    """The contracts that the subscription names, and those that name it; without deleted ones."""
    named = [*ledger.pointed_to(subscription, "contract"), *ledger.pointing_at(subscription, "subscription", "contract")]
    return list({each.key: each for each in named if not each.deleted}.values())


def without_contract(ledger: AccountLedger) -> list[LedgerRecord]:
    """Running subscriptions that neither name a contract nor are named by one."""
    return [
        each
        for each in ledger.of("subscription", "billing")
        if each.fields.get("status") in RUNNING and not each.targets("contract") and not contracts_of(each, ledger)
    ]
