"""Everything that the pages of a plan show, gathered: the exact calls with names for their ids, the facts they rest on, who has
signed, and how far it is."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from django.utils import timezone

from revops.access.rules import may, may_compose, require, roles_that, visible_to
from revops.approvals.models import Checkpoint, Decision
from revops.approvals.requirements import needs_of
from revops.audit.models import ActionRecord
from revops.ledger.models import LedgerEntry, SourceSystem
from revops.ledger.reading import account_ledger
from revops.ledger.types import TYPES
from revops.money import Money
from revops.people.models import Role, User
from revops.policies.in_force import policies_in_force
from revops.postings import recover
from revops.postings.build import body_text, fact_rows, facts_digest, moves
from revops.postings.changes import read_change
from revops.postings.confirm import vendor_record
from revops.postings.kind import ChangeKind
from revops.postings.kinds import KINDS
from revops.postings.models import ChangePlan, PlanState, Posting
from revops.postings.partly import PartlyPosted, partly_posted, steps_of
from revops.sentences import decoded
from revops.web.case_context import progress_of, trace_base
from revops.web.compare import field_label
from revops.web.forms import OutcomeForm, PlanReasonForm, ReasonForm
from revops.web.naming import Names, in_words_html, keys_in, names_of
from revops.web.requests import id_of, one
from revops.web.story import PlanProgress, plan_story, story_of
from revops.web.withheld import Holders

ROLE_LABELS = {str(code): str(label) for code, label in Role.choices}


def plan_of(user: User, code: str) -> ChangePlan:
    """The visible plan of a code. Raises `Missing`."""
    require(user, "see_plan")
    rows = visible_to(user, ChangePlan).select_related("case", "account", "maker", "reverses")
    return one(rows, id_of(code, "CP"))


def plan_context(user: User, plan: ChangePlan) -> dict[str, Any]:
    """What the plan page and the approval page share."""
    kind = KINDS.get(plan.kind)
    labels = dict(SourceSystem.objects.values_list("slug", "label"))
    postings = list(Posting.objects.filter(plan=plan).select_related("plan", "system").order_by("sequence"))
    draft = plan.state == PlanState.DRAFT
    checkpoints = list(Checkpoint.objects.filter(plan=plan).order_by("sequence"))
    decisions = {d.checkpoint_id: d for d in Decision.objects.filter(plan=plan).select_related("decided_by")}
    names = _names(plan, postings)
    now = fact_rows(kind.facts(plan.inputs, account_ledger(plan.account))) if kind and _undecided(plan) else []
    moved = moves(plan.facts, now) if now and facts_digest(now) != plan.facts_digest else []
    return {
        "section": "queue",
        "plan": plan,
        "kind": kind,
        "steps": [_step(posting, labels, names) for posting in postings],
        "needs": needs_of(plan, policies_in_force()) if draft else [],
        "checkpoints": [
            {"checkpoint": c, "decision": decisions.get(c.pk), "role": ROLE_LABELS.get(c.role, c.role)} for c in checkpoints
        ],
        "waiting_for": [ROLE_LABELS.get(c.role, c.role) for c in checkpoints if c.pk not in decisions],
        "facts": [_fact(fact, labels, names) for fact in plan.facts],
        "moved": [move.sentence(labels.get(move.system, "")) for move in moved],
        "mine": plan.maker_id == user.pk,
        "inputs": _inputs(plan, kind, names),
        "entries": _evidence(postings),
        "lines": list(plan.lines.order_by("sequence")),
        "partly": partly_posted(plan),
        "actions": ActionRecord.objects.filter(subject=f"changeplan:{plan.pk}").select_related("actor")[:50],
        "now": timezone.now(),
    }


def _undecided(plan: ChangePlan) -> bool:
    return plan.state in (PlanState.DRAFT, PlanState.SUBMITTED)


def _names(plan: ChangePlan, postings: list[Posting]) -> Names:
    """What people call the ids that the inputs, the calls and the facts name. One query."""
    keys = keys_in(str(plan.inputs.get("system", "")), plan.inputs)
    for posting in postings:
        keys += [(ref.system, ref.object_type, ref.id) for ref in read_change(posting.change).refs()]
    keys += [(str(f["system"]), str(f["object_type"]), str(f["external_id"])) for f in plan.facts]
    return names_of(keys)


def _inputs(plan: ChangePlan, kind: ChangeKind | None, names: Names) -> list[tuple[str, str]]:
    """The form as it was filled in, in the form's order."""
    system = str(plan.inputs.get("system", ""))
    shown: list[tuple[str, str]] = []
    for spec in kind.fields if kind else ():
        value = plan.inputs.get(spec.name)
        if value is None:
            continue
        said = Money.from_json(value) if isinstance(value, dict) else str(value)
        shown.append((spec.label, names.value(system, spec.name, value) or in_words_html(said)))
    return shown


def _step(posting: Posting, labels: Mapping[str, str], names: Names) -> dict[str, Any]:
    """One call as shown: where, what, field by field before and after, the body indented for reading."""
    text = body_text(bytes(posting.body))
    with contextlib.suppress(ValueError):
        text = json.dumps(json.loads(text, parse_float=str), indent=2, ensure_ascii=False)
    system = str(posting.system_id)
    fields = list(dict.fromkeys([*posting.before, *posting.after]))
    present = vendor_record(posting, posting.plan.account_id) if posting.needs_person else None
    told_elsewhere = present is not None or posting.state in ("posted", "confirmed")
    return {
        "posting": posting,
        "system": labels.get(system, system),
        "summary": names.in_words(posting.summary),
        "reverse": names.in_words(posting.reverse) if posting.reverse is not None else "",
        "body": text,
        "changes": [
            (field_label("", name), _side(names, posting.before.get(name)), _side(names, posting.after.get(name)))
            for name in fields
        ],
        "present": present,
        "error": "" if told_elsewhere else posting.last_error,
        "moving": posting.state in ("released", "sending", "unknown") and not posting.needs_person,
    }


def _side(names: Names, value: object) -> str:
    """One side of a change, named where it is a reference; empty when the call does not speak of it."""
    return "" if value in (None, "") else names.in_words(decoded(value))


def _fact(fact: Mapping[str, Any], labels: Mapping[str, str], names: Names) -> dict[str, object]:
    label = TYPES.label(str(fact["object_type"]))
    return {
        "system": labels.get(fact["system"], fact["system"]),
        "kind": label,
        "label": fact["label"],
        "id": fact["external_id"],
        "href": names.href(fact["system"], fact["object_type"], fact["external_id"]),
        "version": fact["version"],
        "digest": str(fact["digest"])[:12],
    }


def _reversal(user: User, plan: ChangePlan, kind: ChangeKind | None) -> str:
    """The label of the change that undoes a posted plan, where this person may compose it; empty otherwise."""
    if kind is None or plan.state not in (PlanState.POSTED, PlanState.CONFIRMED) or plan.reversals.exists():
        return ""
    reversal = kind.reversal(plan.inputs, steps_of(plan.postings.all()).done)
    return KINDS[reversal.kind].label if reversal is not None and may_compose(user, reversal.kind) else ""


def _follow_ups(user: User, partly: PartlyPosted | None) -> dict[str, str]:
    """The ways on from a partly posted plan that this person may take, by code, each with the label of its change."""
    offers = partly.offers if partly is not None else ()
    return {offer.code: offer.label for offer in offers if may_compose(user, offer.follow_up.kind)}


def _evidence(postings: list[Posting]) -> list[LedgerEntry]:
    ids = [posting.confirming_entry_id for posting in postings if posting.confirming_entry_id]
    return list(LedgerEntry.objects.filter(pk__in=ids).select_related("record", "record__system"))


def stamp_of_plan(progress: PlanProgress | None) -> str:
    """Moves whenever the plan's page would look different."""
    assert progress is not None, "made from one plan"
    closed = progress.plan.case.status if progress.plan.case else ""
    return f"{progress.plan.row_version}{closed}{''.join(f'.{p.state}{p.fence}' for p in progress.postings)}"


def withdraw_form(sent: QueryDict | None = None) -> ReasonForm:
    """Why a plan is taken back."""
    return PlanReasonForm(sent, auto_id="w-%s")


def follow_form(sent: QueryDict | None = None) -> ReasonForm:
    """Why a plan is undone or finished by another."""
    return PlanReasonForm(sent, auto_id="u-%s")


def outcome_form(sent: QueryDict | None = None) -> OutcomeForm:
    """What became of a call that waits for a person."""
    return OutcomeForm(sent, auto_id="found-%s")


def frame_of(user: User, plan: ChangePlan, context: Mapping[str, Any]) -> dict[str, Any]:
    """What this person may do on the plan page besides reading."""
    stuck = any(step["posting"].needs_person for step in context["steps"])
    progress = progress_of([plan])
    assert progress is not None, "made from one plan"
    return {
        "page": "plan",
        "story": story_of(plan.case, progress, fixable=True) if plan.case else plan_story(progress),
        "stamp": stamp_of_plan(progress),
        "trace_base": trace_base(user),
        "deciders": Holders().sentence(roles_that("decide_plan"), without=plan.maker_id),
        "may_see_deliveries": may(user, "see_deliveries"),
        "may_decide": may(user, "decide_plan"),
        "outcome_deciders": Holders().sentence(recover.DECIDERS, without=plan.maker_id) if stuck else "",
        "may_recover": stuck and bool(user.role_codes() & recover.DECIDERS),
        "reversal": _reversal(user, plan, context["kind"]),
        "follow_ups": _follow_ups(user, context["partly"]),
        "withdraw_form": withdraw_form(),
        "follow_form": follow_form(),
        "outcome_form": outcome_form(),
    }
