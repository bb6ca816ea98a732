"""Release a held renewal in customer success: the way back from a hold."""

from __future__ import annotations

from revops.postings.kind import FormField
from revops.postings.renewals import RenewalChange

KIND = RenewalChange(
    code="release_renewal",
    label="Release the renewal",
    explains="Sets a held renewal back to In Progress in customer success, with the reason and our reference.",
    from_stage="on_hold",
    holds=False,
    opposite="hold_renewal",
    opposite_inputs={"hold_reason": "The release is taken back. Please wait before working this renewal."},
    rules=(),
    reason_field=FormField(
        "release_reason", "Reason shown in customer success", "text", "The renewal's owner reads this.", length_max=250
    ),
    reason_suggested="The amendment is finished in billing. The renewal can go on.",
    undone_by="Compose a hold of the same renewal.",
)
