"""A credit memo (a credit note in billing). Status: open, applied, void.

`invoice` is the one for which it was given; `applied_to` the ones that it settles, which may be others. `copy_of`
names an invoice of billing where a negative one is booked as a credit memo.
"""

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
        "applied_to": Role(("invoice",), "Applied to"),
        "copy_of": Role(("credit_memo", "invoice"), "Copy of"),
        "change": Role(("posting",), "Posting of ours"),
    },
    parents=("invoice", "applied_to"),
    owners=(Owner("erp", "Credit memos are posted in the ERP."),),
    statement=StatementSide("credit", "total", "issued_on", frozenset({"draft", "pending_approval", "void", "rejected"})),
    headline=("total",),
    position=80,
)
