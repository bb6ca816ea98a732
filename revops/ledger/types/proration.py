"""A pending line of a subscription change that billing has not invoiced yet."""

from __future__ import annotations

from revops.ledger.object_type import Field, ObjectType, Owner, Role

TYPE = ObjectType(
    code="proration",
    label="Pending proration",
    fields={
        "amount": Field("money"),
        "description": Field("text"),
        "period_start_at": Field("instant"),
        "period_end_at": Field("instant"),
        "is_proration": Field("flag", "Is a proration"),
    },
    roles={
        "customer": Role(("customer",)),
        "subscription": Role(("subscription",)),
        "invoice": Role(("invoice",)),
    },
    parents=("invoice", "subscription"),
    owners=(Owner("billing", "Billing computes prorations."),),
    headline=("amount",),
    position=60,
)
