"""All rules over one pure ledger with as many invoices in billing and in the ERP: ten times the invoices must not cost more than
twelve times the time. No database: what is measured is the ledger's index and the rules themselves."""

from __future__ import annotations

import datetime as dt
import gc
from collections.abc import Iterator
from decimal import Decimal
from time import process_time

from bench.figure import Figure, best
from revops.detection.registry import RULES
from revops.ledger.facts import Value
from revops.ledger.view import AccountLedger, Entity, LedgerRecord
from revops.money import Money
from revops.policies.in_force import policies_in_force
from revops.reference import NO_REFS, Ref, Refs, refs

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
OLD = NOW - dt.timedelta(days=9)


def run(scale: float = 1.0) -> Iterator[Figure]:
    """`scale` 1 compares 1,000 invoices a side with 10,000."""
    small, large = round(1000 * scale), round(10_000 * scale)
    one = best(_find_seconds(small) for _ in range(5))
    ten = best(_find_seconds(large) for _ in range(3))
    against = f"{small:,} invoices a side: {one * 1000:.1f} ms"
    yield Figure("rules", ten * 1000, f"ms for {large:,} invoices a side", against, ten / one)


def _find_seconds(invoices: int) -> float:
    """Seconds of this process that every rule takes for one ledger, its index included: what else runs here does not count, nor
    what making the ledger leaves to the collector of cycles."""
    ledger, policies = ledger_of(invoices), policies_in_force()
    gc.collect()
    start = process_time()
    for rule in RULES.values():
        list(rule.find(ledger, policies, NOW))
    return process_time() - start


def ledger_of(invoices: int) -> AccountLedger:
    """One account: each invoice in billing and in the ERP, every tenth with a credit in both, every hundredth apart."""
    records = [_record("billing", "customer", "cus_1"), _record("erp", "customer", "50")]
    for number in range(invoices):
        total = Money(Decimal(1000 + number % 97), "USD")
        billed, zero = Ref("billing", "invoice", f"in_{number}"), Money.zero("USD")
        common: dict[str, Value] = {"status": "open", "credited": zero}
        of = refs(customer=Ref("billing", "customer", "cus_1"))
        records.append(_record("billing", "invoice", billed.id, of, total=total, finalized_at=OLD, **common))
        entered = total + Money(Decimal(9), "USD") if number % 100 == 0 else total
        copy = refs(customer=Ref("erp", "customer", "50"), copy_of=billed)
        records.append(_record("erp", "invoice", f"{number}", copy, total=entered, **common))
        if number % 10 == 0:
            ten = Money(Decimal(10), "USD")
            given: dict[str, Value] = {"status": "applied", "total": ten, "applied": ten, "unapplied": zero}
            records.append(_record("billing", "credit_memo", f"cn_{number}", refs(invoice=billed), **given))
            on = refs(invoice=Ref("erp", "invoice", f"{number}"), copy_of=Ref("billing", "credit_memo", f"cn_{number}"))
            records.append(_record("erp", "credit_memo", f"m{number}", on, **given))
    return AccountLedger(1, "USD", "US", tuple(records), entities=(Entity("US", "USD", "erp"),))


def _record(role: str, kind: str, key: str, pointing: Refs = NO_REFS, **fields: Value) -> LedgerRecord:
    return LedgerRecord(role, role, kind, key, fields, pointing, OLD, OLD, OLD.isoformat())
