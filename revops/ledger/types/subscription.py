"""A subscription that billing invoices.

Status: trialing, active, past_due, paused, unpaid, incomplete, canceled, ended, pending. One whose invoices are not collected is
paused; `collection` says what becomes of them.

`annual_amount` is what the subscription costs a year without tax and without usage, less the discounts that last. It is absent
where that cannot be known. `annual_basis` says how it was reckoned, or why it is not known. `ends_at` is when it ends or has
ended; `set_to_end` is whether somebody has set that.
"""

from __future__ import annotations

from revops.ledger.object_type import Field, ObjectType, Owner, Role, Summary

TYPE = ObjectType(
    code="subscription",
    label="Subscription",
    fields={
        "status": Field("text", coded=True),
        "started_on": Field("date"),
        "period_start_at": Field("instant"),
        "period_end_at": Field("instant"),
        "cancel_at_period_end": Field("flag"),
        "set_to_end": Field("flag", "Set to end"),
        "ends_at": Field("instant", "Ends"),
        "collection": Field("text", coded=True),
        "resumes_at": Field("instant", "Collection resumes"),
        "annual_amount": Field("money", "Recurring amount a year"),
        "annual_basis": Field("texts", "What the yearly amount rests on", local=True),
        "quantity": Field("decimal"),
        "usage_based": Field("flag"),
        "items": Field("texts", local=True),
        "changed_at": Field("instant", "Last changed", local=True),
    },
    roles={"customer": Role(("customer",)), "contract": Role(("contract",))},
    called_by_role="contract",
    owners=(
        Owner("crm", "Before booking, the CRM owns the terms.", stage="quoted"),
        Owner("billing", "Once booked, billing owns the subscription."),
    ),
    headline=("annual_amount",),
    summary=(Summary("billing", "annual_amount", "Subscription {}, a year"),),
    position=50,
)
