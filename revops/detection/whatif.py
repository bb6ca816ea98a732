"""What the rules would find if the company did one thing differently. Pure.

An assumption is broken over a whole account: each record is stated as another company would state it. Ordinary practices must add
nothing, contradictions must be found. What is compared is the findings that are due within `HORIZON` of now.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from revops.detection.registry import RULES
from revops.ledger.facts import Value
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.money import Money
from revops.policies.policies import Policies

HORIZON = dt.timedelta(hours=96)
Change = Callable[[LedgerRecord], Iterable[LedgerRecord]]
"""One record as it is now -> the records that would stand in its place."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """One thing done differently. `wrong`: a contradiction, which must be found; else it is ordinary, and must add nothing."""

    code: str
    words: str
    change: Change
    wrong: bool = False


def _is(record: LedgerRecord, role: str, object_type: str) -> bool:
    return record.role == role and record.object_type == object_type and not record.deleted


def _states(record: LedgerRecord, **fields: Value) -> LedgerRecord:
    return replace(record, fields={**record.fields, **fields})


def _lets_go(record: LedgerRecord, role: str) -> LedgerRecord:
    return replace(record, refs={name: targets for name, targets in record.refs.items() if name != role})


def _on(role: str, object_type: str, change: Callable[[LedgerRecord], Iterable[LedgerRecord]]) -> Change:
    def applied(record: LedgerRecord) -> Iterable[LedgerRecord]:
        return change(record) if _is(record, role, object_type) else [record]

    return applied


def _share(record: LedgerRecord, percent: int) -> bool:
    """Whether the record is among so many in a hundred, the same ones every time."""
    return sum(record.external_id.encode()) % 100 < percent


def _halves(record: LedgerRecord) -> list[LedgerRecord]:
    """An invoice of the ERP entered as two, of three fifths and the rest."""
    if not _share(record, 10):
        return [record]
    parts: list[dict[str, Value]] = [{}, {}]
    for name, value in record.fields.items():
        if isinstance(value, Money):
            first = Money.from_minor(value.minor * 3 // 5, value.currency)
            parts[0][name], parts[1][name] = first, value - first
    other = replace(record, external_id=f"{record.external_id}-2", id=0)
    return [_states(record, **parts[0]), _states(other, **parts[1])]


def _order_of_the_term(order: LedgerRecord) -> list[LedgerRecord]:
    annual = order.fields.get("annual_amount")
    months = order.fields.get("term_months")
    if not isinstance(annual, Money):
        return [order]
    years = Decimal(months) / 12 if isinstance(months, int) else Decimal(2)
    return [_states(order, annual_amount=None, total=Money.from_minor(int(annual.minor * years), annual.currency))]


def _twice(record: LedgerRecord) -> list[LedgerRecord]:
    return [record, replace(_lets_go(record, "copy_of"), external_id=f"{record.external_id}-again", id=0)]


def _number_of_billing(record: LedgerRecord) -> list[LedgerRecord]:
    """The ERP's invoice no longer carries billing's id. Billing's number stands in its memo, which nobody reads."""
    return [_lets_go(record, "copy_of")]


def _void(record: LedgerRecord) -> list[LedgerRecord]:
    return [_states(record, status="void") if _share(record, 50) and record.fields.get("status") == "open" else record]


ASSUMPTIONS: tuple[Assumption, ...] = (
    Assumption("no_reference", "ERP invoices carry no id of billing", _on("erp", "invoice", _number_of_billing)),
    Assumption("no_contract", "ERP invoices name no contract", _on("erp", "invoice", lambda r: [_lets_go(r, "contract")])),
    Assumption("split", "one ERP invoice in ten is entered as two", _on("erp", "invoice", _halves)),
    Assumption("no_orders", "the ERP keeps no sales orders", _on("erp", "sales_order", lambda _: [])),
    Assumption("order_of_the_term", "a sales order states the whole term", _on("erp", "sales_order", _order_of_the_term)),
    Assumption("no_payments", "payments are not read from the ERP", _on("erp", "payment", lambda _: [])),
    Assumption("no_renewals", "renewals are worked in the CRM", _on("customer_success", "renewal", lambda _: [])),
    Assumption(
        "own_stages",
        "customer success uses words of its own",
        _on("customer_success", "renewal", lambda r: [_states(r, stage=None, is_closed=None, held=None)]),
    ),
    Assumption(
        "discounted",
        "a price that is not known has no yearly amount",
        _on("billing", "subscription", lambda r: [_states(r, annual_amount=None) if _share(r, 30) else r]),
    ),
    Assumption("void_in_billing", "half of the open billing invoices are void", _on("billing", "invoice", _void), wrong=True),
    Assumption("void_in_erp", "half of the open ERP invoices are void", _on("erp", "invoice", _void), wrong=True),
    Assumption("entered_twice", "every ERP invoice is entered twice", _on("erp", "invoice", _twice), wrong=True),
    Assumption(
        "unpaid_in_erp",
        "no payment of billing is entered in the ERP",
        _on("erp", "invoice", lambda r: [_reopened(r)]),
        wrong=True,
    ),
    Assumption(
        "cancelled",
        "every subscription is cancelled in billing, and the others go on",
        _on("billing", "subscription", lambda r: [_states(r, status="canceled")]),
        wrong=True,
    ),
)


def _reopened(record: LedgerRecord) -> LedgerRecord:
    total = record.fields.get("total")
    if record.fields.get("status") != "paid" or not isinstance(total, Money):
        return record
    return _states(record, status="open", amount_remaining=total, amount_paid=Money.zero(total.currency))


def differently(ledger: AccountLedger, assumption: Assumption) -> AccountLedger:
    """The account as the assumption has it."""
    return replace(
        ledger,
        records=tuple(told for record in ledger.records for told in assumption.change(record)),
        elsewhere=tuple(told for record in ledger.elsewhere for told in assumption.change(record)),
    )


def due_findings(ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Mapping[str, str]:
    """Fingerprint -> rule, of what is due within the horizon."""
    return {
        finding.fingerprint(code): code
        for code, rule in RULES.items()
        for finding in rule.findings(ledger, policies, now)
        if finding.due_at <= now + HORIZON
    }
