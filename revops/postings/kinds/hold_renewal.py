"""Put a renewal on hold in customer success until billing has finished the amendment."""

from __future__ import annotations

from revops.postings.kind import FormField
from revops.postings.renewals import RenewalChange

KIND = RenewalChange(
    code="hold_renewal",
    label="Hold the renewal",
    explains="Sets the renewal to On Hold in customer success, with the reason and our reference, so that nobody works it "
    "on terms that billing is still changing.",
    from_stage="in_progress",
    holds=True,
    opposite="release_renewal",
    opposite_inputs={"release_reason": "The hold is taken back. The renewal can go on."},
    rules=("renewal_before_amendment",),
    reason_field=FormField(
        "hold_reason", "Reason shown in customer success", "text", "The renewal's owner reads this.", length_max=250
    ),
    reason_suggested="An amendment is not finished in billing. Please wait before working this renewal.",
    undone_by="Compose a release of the same renewal: it goes back to In Progress.",
)
