"""A kind of change with two steps in two systems, for tests: a credit memo in the ERP and a hold in customer success."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from revops.ledger.view import AccountLedger, LedgerRecord
from revops.postings.changes import Change, CreateCreditMemo, HoldRenewal
from revops.postings.kind import FollowUp, FormField, Option, Situation, Suggestion
from revops.postings.kinds.credit_memo import KIND as CREDIT
from revops.postings.kinds.hold_renewal import KIND as HOLD


@dataclass(frozen=True)
class CreditAndHold:
    """Both steps in one plan; `hold_first` turns their order round."""

    code: str = "credit_and_hold"
    hold_first: bool = False
    label: str = "Credit memo and hold"
    explains: str = "Credits the invoice and holds the renewal."
    role: str = "erp"
    rules: tuple[str, ...] = ()
    maker_roles: frozenset[str] = frozenset({"finance_analyst"})
    fields: tuple[FormField, ...] = (*CREDIT.fields, *HOLD.fields)
    undone_by: str = "Undo each step by itself."

    def options(self, situation: Situation) -> Mapping[str, list[Option]]:
        return {**CREDIT.options(situation), **HOLD.options(situation)}

    def suggest(self, situation: Situation) -> Suggestion:
        return Suggestion(inputs={**CREDIT.suggest(situation).inputs, **HOLD.suggest(situation).inputs})

    def clean(self, raw: Mapping[str, object], situation: Situation) -> dict[str, object]:
        return {"credit": CREDIT.clean(raw, situation), "hold": HOLD.clean(raw, situation)}

    def changes(self, inputs: Mapping[str, Any], ledger: AccountLedger) -> list[Change]:
        steps = [*CREDIT.changes(inputs["credit"], ledger), *HOLD.changes(inputs["hold"], ledger)]
        return steps[::-1] if self.hold_first else steps

    def facts(self, inputs: Mapping[str, Any], ledger: AccountLedger) -> list[LedgerRecord]:
        return [*CREDIT.facts(inputs["credit"], ledger), *HOLD.facts(inputs["hold"], ledger)]

    def reversal(self, inputs: Mapping[str, Any], done: Sequence[Change]) -> FollowUp | None:
        held = any(isinstance(change, HoldRenewal) for change in done)
        credited = any(isinstance(change, CreateCreditMemo) for change in done)
        return HOLD.reversal(inputs["hold"], done) if held and not credited else None

    def remainder(self, inputs: Mapping[str, Any], missing: Sequence[Change]) -> FollowUp | None:
        (change,) = missing
        if isinstance(change, HoldRenewal):
            return FollowUp("hold_renewal", {"renewal_id": change.renewal.id, "hold_reason": change.reason})
        assert isinstance(change, CreateCreditMemo)
        return FollowUp("credit_memo", {
            "invoice_id": change.invoice.id, "amount": f"{change.amount.amount:f}", "on": change.on.isoformat(),
            "memo": change.memo,
        })  # fmt: skip


CREDIT_THEN_HOLD = CreditAndHold()
HOLD_THEN_CREDIT = CreditAndHold(code="hold_and_credit", hold_first=True)
