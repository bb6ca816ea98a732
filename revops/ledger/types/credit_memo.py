"""A credit memo (a credit note in billing). Status: open, applied, void."""

from __future__ import annotations

from revops.ledger.object_type import Field, ObjectType, Owner, Role, StatementSide

TYPE = ObjectType(
    code="credit_memo",
    label="Credit memo",
    fields={
        "number": Field("text", local=True),
        "status": Field("text", coded=True),
        "total": Field("money"),
        "applied": Field("money"),
        "unapplied": Field("money"),
        "issued_on": Field("date", "Issued on"),
        "reason": Field("text", coded=True),
        "posting_period": Field("text", points_to="accounting_period", local=True),
        "memo": Field("text", local=True),
    },
    roles={
        "customer": Role(("customer",)),
        "invoice": Role(("invoice",)),
        "copy_of": Role(("credit_memo",), "Copy of"),
        "change": Role(("posting",), "Posting of ours"),
    },
    parents=("invoice",),
    owners=(Owner("erp", "Credit memos are posted in the ERP."),),
    statement=StatementSide("credit", "total", "issued_on", frozenset({"draft", "pending_approval", "void", "rejected"})),
    headline=("total",),
    position=80,
)
