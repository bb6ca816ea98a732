"""What holding and releasing a renewal have in common. Pure."""

# ruff: noqa: ARG002 - a kind fulfils the whole contract
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from revops.errors import Rejected
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.postings.changes import Change, HoldRenewal, ReleaseRenewal
from revops.postings.kind import (
    FollowUp,
    FormField,
    Option,
    Situation,
    Suggestion,
    chosen,
    text_input,
    text_of,
)
from revops.reference import Ref
from revops.sentences import Param, Word, template

OPTION = template("renewal.option", "{renewal}, {stage}")
NONE_FITS = template("renewal.none_fits", "No renewal of this account is {stage}. Look at the renewal's present stage first.")
NOTHING_ELSE = template("renewal.nothing_else", "{renewal} is {stage}. Nothing else is changed.")
OTHER_STAGE = template(
    "renewal.other_stage",
    "{renewal} is {stage}; only one that is {wanted} can be changed so. Choose another one, or read customer success again if "
    "this looks old.",
)
NO_STAGE = template("renewal.no_stage", "without a stage")

ROLE = "customer_success"
RENEWAL = FormField("renewal_id", "Renewal", "choice", "The renewal in customer success.")


@dataclass(frozen=True, slots=True)
class RenewalChange:
    """A change of a renewal's stage in customer success: it moves no money and its opposite undoes it."""

    code: str
    label: str
    explains: str
    from_stage: str
    holds: bool
    opposite: str
    opposite_inputs: Mapping[str, str]
    rules: tuple[str, ...]
    reason_field: FormField
    reason_suggested: str
    undone_by: str
    role: str = ROLE
    maker_roles: frozenset[str] = frozenset({"cs_analyst", "finance_analyst"})

    @property
    def fields(self) -> tuple[FormField, ...]:
        return (RENEWAL, self.reason_field)

    def options(self, situation: Situation) -> Mapping[str, list[Option]]:
        return {
            RENEWAL.name: [
                Option(record.external_id, OPTION(renewal=record.named, stage=_stage(record)))
                for record in situation.concerned("renewal", ROLE)
            ]
        }

    def suggest(self, situation: Situation) -> Suggestion:
        fitting = [record for record in situation.concerned("renewal", ROLE) if self._refusal(record) is None]
        if not fitting:
            return Suggestion(why_not=NONE_FITS(stage=Word(self.from_stage)))
        return Suggestion(
            inputs={RENEWAL.name: fitting[0].external_id, self.reason_field.name: self.reason_suggested},
            notes=(NOTHING_ELSE(renewal=fitting[0].named, stage=_stage(fitting[0])),),
        )

    def clean(self, raw: Mapping[str, object], situation: Situation) -> dict[str, object]:
        renewal = chosen(raw, RENEWAL, situation.ledger.of("renewal", ROLE))
        refusal = self._refusal(renewal)
        if refusal is not None:
            raise refusal
        return {
            RENEWAL.name: renewal.external_id,
            "system": renewal.system,
            "from_stage": self.from_stage,
            self.reason_field.name: text_input(raw, self.reason_field),
        }

    def _refusal(self, renewal: LedgerRecord) -> Rejected | None:
        held, closed = renewal.fields.get("held") is True, renewal.fields.get("is_closed") is True
        if closed or held == self.holds or text_of(renewal, "stage") != self.from_stage:
            return Rejected(
                "renewal_stage",
                OTHER_STAGE(renewal=renewal.named, stage=_stage(renewal), wanted=Word(self.from_stage)),
                field=RENEWAL.name,
            )
        return None

    def changes(self, inputs: Mapping[str, object], ledger: AccountLedger) -> list[Change]:
        change = HoldRenewal if self.holds else ReleaseRenewal
        renewal = Ref(str(inputs["system"]), "renewal", str(inputs[RENEWAL.name]))
        return [change(renewal, str(inputs[self.reason_field.name]), str(inputs["from_stage"]))]

    def facts(self, inputs: Mapping[str, object], ledger: AccountLedger) -> list[LedgerRecord]:
        """The renewal, and what billing has not finished on the account: the reason to hold or to let go."""
        renewal = [record for record in ledger.of("renewal", ROLE) if record.external_id == inputs[RENEWAL.name]]
        prorations = [record for record in ledger.of("proration", "billing") if record.fields.get("is_proration") is True]
        drafts = [
            record
            for record in ledger.of("invoice", "billing")
            if text_of(record, "status") == "draft" and text_of(record, "billing_reason") == "subscription_update"
        ]
        return [*renewal, *prorations, *drafts]

    def reversal(self, inputs: Mapping[str, object], done: Sequence[Change]) -> FollowUp | None:
        return FollowUp(self.opposite, {RENEWAL.name: str(inputs[RENEWAL.name]), **self.opposite_inputs})

    def remainder(self, inputs: Mapping[str, object], missing: Sequence[Change]) -> FollowUp | None:
        return None


def _stage(record: LedgerRecord) -> Param:
    stage = text_of(record, "stage")
    return Word(stage) if stage else NO_STAGE()
