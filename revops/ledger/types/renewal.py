"""A renewal that customer success works. Stage: not_started, in_progress, on_hold, won, lost."""

from __future__ import annotations

from revops.ledger.object_type import Field, ObjectType, Owner, Role

TYPE = ObjectType(
    code="renewal",
    label="Renewal",
    fields={
        "name": Field("text"),
        "stage": Field("text", coded=True),
        "is_closed": Field("flag"),
        "held": Field("flag"),
        "hold_reason": Field("text"),
        "started_on": Field("date"),
        "close_on": Field("date", "Closes on"),
        "target_amount": Field("money"),
        "forecast_amount": Field("money"),
    },
    roles={
        "customer": Role(("customer",)),
        "opportunity": Role(("opportunity",)),
        "change": Role(("posting",), "Posting of ours"),
    },
    owners=(Owner("customer_success", "Customer success runs the renewal."),),
    headline=("target_amount",),
    position=40,
)
