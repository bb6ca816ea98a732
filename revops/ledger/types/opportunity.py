"""A sales opportunity."""

from __future__ import annotations

from revops.ledger.object_type import Field, ObjectType, Owner, Role

TYPE = ObjectType(
    code="opportunity",
    label="Opportunity",
    fields={
        "name": Field("text"),
        "kind": Field("text", coded=True),
        "stage": Field("text", coded=True),
        "is_closed": Field("flag"),
        "is_won": Field("flag"),
        "amount": Field("money"),
        "close_on": Field("date", "Closes on"),
    },
    roles={"customer": Role(("customer",)), "contract": Role(("contract",))},
    owners=(Owner("crm", "Sales works the opportunity in the CRM."),),
    headline=("amount",),
    position=30,
)
