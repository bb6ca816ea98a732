"""A commercial contract. Status: draft, in_approval, activated. `subscription` is the one by which billing
bills it."""

from __future__ import annotations

from revops.ledger.object_type import Field, ObjectType, Owner, Role

TYPE = ObjectType(
    code="contract",
    label="Contract",
    fields={
        "number": Field("text", local=True),
        "status": Field("text", coded=True),
        "start_on": Field("date", "Starts on"),
        "end_on": Field("date", "Ends on"),
        "term_months": Field("count"),
        "activated_at": Field("instant"),
        "currency": Field("text"),
    },
    roles={"customer": Role(("customer",)), "subscription": Role(("subscription",))},
    owners=(Owner("crm", "The commercial contract is agreed in the CRM."),),
    headline=("end_on",),
    position=20,
)
