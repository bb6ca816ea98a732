"""The declared owners. One table; read top-down, the first line that fits wins.

Terms belong to the CRM until they are booked, billing owns what was invoiced, the ERP owns what was posted and applied, and
customer success owns the renewal conversation. Source: the ownership model of the product's mission, quote-to-cash order.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ownership:
    """`role` owns `field` of `object_type` (`*` = every field) while the process is at `stage` (`*` = any)."""

    object_type: str
    field: str
    stage: str
    role: str
    why: str


OWNERS: tuple[Ownership, ...] = (
    Ownership("customer", "arr", "*", "billing", "Recurring revenue is what billing will invoice."),
    Ownership("customer", "balance", "*", "erp", "Receivables are kept in the ERP."),
    Ownership("customer", "renewal_on", "*", "customer_success", "Customer success runs the renewal."),
    Ownership("customer", "*", "*", "crm", "The CRM is the master of customer data."),
    Ownership("contract", "*", "*", "crm", "The commercial contract is agreed in the CRM."),
    Ownership("opportunity", "*", "*", "crm", "Sales works the opportunity in the CRM."),
    Ownership("subscription", "*", "quoted", "crm", "Before booking, the CRM owns the terms."),
    Ownership("subscription", "*", "*", "billing", "Once booked, billing owns the subscription."),
    Ownership("proration", "*", "*", "billing", "Billing computes prorations."),
    Ownership("invoice", "posting_period", "*", "erp", "The ERP decides the posting period."),
    Ownership("invoice", "amount_paid", "*", "erp", "Applications of cash are kept in the ERP."),
    Ownership("invoice", "amount_remaining", "*", "erp", "The open receivable is kept in the ERP."),
    Ownership("invoice", "*", "*", "billing", "Billing issues the invoice and owns its amounts."),
    Ownership("credit_memo", "*", "*", "erp", "Credit memos are posted in the ERP."),
    Ownership("payment", "*", "*", "erp", "Payments are applied in the ERP."),
    Ownership("renewal", "*", "*", "customer_success", "Customer success runs the renewal."),
    Ownership("call_to_action", "*", "*", "customer_success", "Customer success works its own tasks."),
    Ownership("accounting_period", "*", "*", "erp", "The ERP keeps the accounting periods."),
    Ownership("legal_entity", "*", "*", "erp", "The ERP keeps the legal entities."),
    Ownership("exchange_rate", "*", "*", "erp", "The ERP's rates convert our totals."),
)


def ownership_of(object_type: str, field: str, stage: str = "*") -> Ownership:
    """The line that decides. Raises `LookupError` for an object type that nobody declared."""
    for line in OWNERS:
        if line.object_type == object_type and line.field in (field, "*") and line.stage in (stage, "*"):
            return line
    raise LookupError(f"nobody declared who owns {object_type}.{field}")


def owner_of(object_type: str, field: str, stage: str = "*") -> str:
    """The role of the system of record: `crm`, `customer_success`, `billing` or `erp`."""
    return ownership_of(object_type, field, stage).role
