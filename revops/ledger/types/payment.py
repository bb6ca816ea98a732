"""A payment. Status: pending, paid, failed, canceled. One that pays several invoices points to each of them."""

from __future__ import annotations

from revops.ledger.object_type import Field, ObjectType, Owner, Role, StatementSide

TYPE = ObjectType(
    code="payment",
    label="Payment",
    fields={
        "number": Field("text", local=True),
        "status": Field("text", coded=True),
        "amount": Field("money"),
        "paid_on": Field("date", "Paid on"),
    },
    roles={
        "customer": Role(("customer",)),
        "invoice": Role(("invoice",)),
        "copy_of": Role(("payment",), "Copy of"),
    },
    parents=("invoice",),
    owners=(Owner("erp", "Payments are applied in the ERP."),),
    statement=StatementSide("credit", "amount", "paid_on", frozenset({"failed", "canceled", "pending", "void"})),
    headline=("amount",),
    position=90,
)
