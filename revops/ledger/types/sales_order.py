"""An order in the ERP. Status: pending, active, canceled, ended.

`total` is the value of the whole order as the ERP states it, for its whole term and with its tax where it has one. It is no
yearly amount: `annual_amount` is stated only by a connection that declares which field of its orders holds it.
"""

from __future__ import annotations

from revops.ledger.object_type import Field, ObjectType, Owner, Role

TYPE = ObjectType(
    code="sales_order",
    label="Sales order",
    fields={
        "number": Field("text", local=True),
        "status": Field("text", coded=True),
        "ordered_on": Field("date", "Ordered on"),
        "total": Field("money", "Order total"),
        "term_months": Field("count"),
        "annual_amount": Field("money", "Recurring amount a year"),
        "changed_at": Field("instant", "Last changed", local=True),
    },
    roles={
        "customer": Role(("customer",)),
        "subscription": Role(("subscription",)),
        "contract": Role(("contract",)),
    },
    called_by_role="contract",
    owners=(Owner("erp", "Sales orders are kept in the ERP."),),
    headline=("annual_amount", "total"),
    position=55,
)
