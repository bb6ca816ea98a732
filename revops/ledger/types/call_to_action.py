"""A task of customer success."""

from __future__ import annotations

from revops.ledger.object_type import Field, ObjectType, Owner, Role

TYPE = ObjectType(
    code="call_to_action",
    label="Call to action",
    fields={
        "name": Field("text"),
        "status": Field("text", coded=True),
        "is_closed": Field("flag"),
        "priority": Field("text", coded=True),
        "kind": Field("text", coded=True),
        "due_on": Field("date", "Due on"),
    },
    roles={"customer": Role(("customer",))},
    owners=(Owner("customer_success", "Customer success works its own tasks."),),
    headline=("due_on",),
    position=100,
)
