"""An invoice. Status: draft, open, paid, void, uncollectible, pending_approval, rejected.

`total` is with tax, `net` without it; a system that states no tax figures has neither `net` nor `tax`. `copy_of` names the
billing invoices that an ERP's invoice carries: one, or several where the ERP enters them together.
"""

from __future__ import annotations

from revops.ledger.object_type import Field, ObjectType, Owner, Role, StatementSide

TYPE = ObjectType(
    code="invoice",
    label="Invoice",
    fields={
        "number": Field("text", local=True),
        "status": Field("text", coded=True),
        "total": Field("money"),
        "net": Field("money", "Total without tax"),
        "tax": Field("money"),
        "amount_due": Field("money"),
        "amount_paid": Field("money"),
        "amount_remaining": Field("money"),
        "credited": Field("money"),
        "issued_on": Field("date", "Issued on"),
        "due_on": Field("date", "Due on"),
        "finalized_at": Field("instant", "Finalised at"),
        "billing_reason": Field("text", local=True, coded=True),
        "posting_period": Field("text", points_to="accounting_period", local=True),
        "proration_items": Field("texts", points_to="proration"),
        "memo": Field("text", local=True),
    },
    roles={
        "customer": Role(("customer",)),
        "subscription": Role(("subscription",)),
        "sales_order": Role(("sales_order",)),
        "contract": Role(("contract",)),
        "legal_entity": Role(("legal_entity",)),
        "copy_of": Role(("invoice",), "Copy of"),
    },
    parents=("subscription", "sales_order"),
    owners=(
        Owner("erp", "The ERP decides the posting period.", "posting_period"),
        Owner("erp", "Applications of cash are kept in the ERP.", "amount_paid"),
        Owner("erp", "The open receivable is kept in the ERP.", "amount_remaining"),
        Owner("billing", "Billing issues the invoice and owns its amounts."),
    ),
    statement=StatementSide("debit", "total", "issued_on", frozenset({"draft", "pending_approval", "void", "rejected"})),
    headline=("total",),
    position=70,
)
