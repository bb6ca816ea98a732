"""A subscription that billing invoices.

Status: trialing, active, past_due, paused, unpaid, incomplete, canceled, ended, pending.
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
        "annual_amount": Field("money", "Recurring amount a year"),
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
