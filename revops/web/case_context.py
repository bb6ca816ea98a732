"""Everything that a case page shows, gathered: what the systems say, how far the fix is, what one may do and who else can."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from revops.access.rules import may, may_compose, require, roles_that, visible_to, workable_by
from revops.approvals.models import Checkpoint, Decision
from revops.cases.models import CaseStatus, CaseWatch, ExceptionCase
from revops.detection.catalogue import EXCEPTIONS
from revops.detection.registry import RULES
from revops.errors import Missing
from revops.ledger.freshness import freshness_of
from revops.ledger.models import SourceRecord
from revops.ledger.reading import systems_knowing
from revops.people.models import Role, User
from revops.policies.in_force import policies_in_force
from revops.postings.draft import suggest
from revops.postings.kinds import KINDS
from revops.postings.models import NOT_DONE, ChangePlan, PlanState, Posting
from revops.sentences import Param, Sentence, decoded
from revops.web.addresses import href
from revops.web.assignees import assignable
from revops.web.compare import ROLE_LABELS, compare_grid
from revops.web.forms import AssignForm, NoteForm, PageForm, SnoozeForm
from revops.web.freshness_strip import fresh_strip
from revops.web.naming import names_in
from revops.web.next_step import Fix, Reader, next_step
from revops.web.requests import id_of, one
from revops.web.story import PlanProgress, story_of
from revops.web.timeline import SHOWS, timeline_of
from revops.web.withheld import Holders, withheld_on

SNOOZE_CHOICES = (("4", "4 hours"), ("24", "1 day"), ("72", "3 days"), ("168", "1 week"))


def case_of(user: User, code: str) -> ExceptionCase:
    """The visible case of a code. Raises `Missing`."""
    require(user, "see_case")
    rows = visible_to(user, ExceptionCase).select_related("account", "account__legal_entity", "system", "owner")
    return one(rows, id_of(code, "EX"))


def records_of(case: ExceptionCase) -> list[SourceRecord]:
    """The records that the evidence names, in its order. One query by the unique key's columns."""
    named = [entry for entry in case.evidence.get("records") or [] if isinstance(entry, dict)]
    keys = [(str(e.get("system")), str(e.get("object_type")), str(e.get("external_id"))) for e in named]
    rows = SourceRecord.objects.filter(
        system__in={key[0] for key in keys}, object_type__in={key[1] for key in keys}, external_id__in={key[2] for key in keys}
    ).select_related("system", "current")
    found = {(row.system_id, row.object_type, row.external_id): row for row in rows}
    return [found[key] for key in dict.fromkeys(keys) if key in found]


def case_context(
    user: User, case: ExceptionCase, now: dt.datetime, *, everything: bool = False, show: str = "all", brief: bool = False
) -> dict[str, Any]:
    """Everything the case page and its fragment show; `brief`, for the pane beside the list, leaves out the timeline."""
    rule = RULES.get(case.rule)
    records = records_of(case)
    around = list(systems_knowing(case.account_id)) if case.account_id is not None else []
    fresh = freshness_of({*case.systems, *(system.slug for system in around)}, now=now)
    plans = plans_of(user, case)
    progress = progress_of(plans)
    plan = progress.plan if progress else None
    fixes = _fixes(user, case, plan)
    holders, may_work = Holders(), may(user, "work_case", case)
    reader = Reader(
        user.pk, may_work, may(user, "decide_plan"), "" if may_work else holders.sentence(roles_that("work_case", case))
    )
    first = next((fix for fix in fixes if fix["may"]), None)
    inputs = _inputs(case.evidence)
    moments = [] if brief else timeline_of(case, records, show=show)
    return {
        "page": "case",
        "section": "queue",
        "case": case,
        "rule": EXCEPTIONS.get(case.rule),
        "records": records,
        "grid": compare_grid(
            case.evidence, records, fresh, everything=everything, now=now, others=around, expects=rule.expects if rule else ""
        ),
        "fresh": fresh_strip(fresh, now),
        "inputs": inputs,
        "names": names_in([case.sentence, *(value for _, value in inputs), *(moment.text for moment in moments)], records),
        "tolerance": rule.tolerance(policies_in_force()) if rule else None,
        "order": order_of(case.evidence),
        "fixes": fixes,
        "plans": [{"plan": row, "label": KINDS[row.kind].label if row.kind in KINDS else row.kind} for row in plans],
        "story": story_of(case, progress, fixable=bool(fixes)),
        "step": next_step(case, plan, reader, _fix(first)),
        "first_fix": first if first and not first["why_not"] and may_work else None,
        "withheld": withheld_on(user, case, [str(fix["code"]) for fix in fixes], plan, holders),
        "moments": moments,
        "trace_base": trace_base(user),
        "show": show,
        "shows": SHOWS,
        "may_work": may_work,
        "mine": case.owner_id == user.pk,
        "forms": case_forms(case, assignable(user, case)) if may_work else {},
        "may_watch": may(user, "watch_case"),
        "watching": CaseWatch.objects.filter(case=case, user=user).exists(),
        "stamp": stamp_of(case, progress),
        "moving": plan is not None and plan.state in (PlanState.RELEASED, PlanState.POSTED),
        "now": now,
    }


def _inputs(evidence: Mapping[str, Any]) -> list[tuple[Sentence, Param]]:
    """What the finding was computed from: what each is called, and its value."""
    return [(Sentence(str(each["name"])), decoded(each["value"])) for each in evidence.get("inputs") or []]


def _fix(first: Mapping[str, Any] | None) -> Fix:
    return Fix(str(first["href"]), str(first["label"]), first["why_not"]) if first else Fix()


def case_forms(
    case: ExceptionCase, people: Sequence[tuple[str, str]], which: str = "", data: Mapping[str, Any] | None = None
) -> dict[str, PageForm]:
    """The forms of a case page; the one named `which` is filled in with what was typed."""
    bound = {name: data if name == which else None for name in ("assign", "snooze", "note")}
    ids = f"%s-{case.pk}"
    return {
        "assign": AssignForm(people, bound["assign"], auto_id=ids),
        "snooze": SnoozeForm(SNOOZE_CHOICES, bound["snooze"], auto_id=ids, initial={"hours": SNOOZE_CHOICES[0][0]}),
        "note": NoteForm(bound["note"], auto_id="note-%s"),
    }


def _fixes(user: User, case: ExceptionCase, plan: ChangePlan | None) -> list[dict[str, object]]:
    """The changes that the playbook proposes: whether this person may compose them, and whether they fit what the systems say."""
    rule = EXCEPTIONS.get(case.rule)
    asked = case.status in (CaseStatus.OPEN, CaseStatus.SNOOZED) and (plan is None or plan.state in NOT_DONE)
    found: list[dict[str, object]] = []
    for code in rule.playbook.fixes if rule else ():
        if code in KINDS and case.account is not None:
            suggestion = suggest(code, account=case.account, case=case) if asked and may_compose(user, code) else None
            found.append({
                "code": code,
                "kind": KINDS[code],
                "label": KINDS[code].label,
                "may": may_compose(user, code),
                "why_not": suggestion.why_not if suggestion else None,
                "href": href("plan-new", query={"case": case.code, "kind": code}),
            })  # fmt: skip
    return found


def trace_base(user: User) -> str:
    """Where a trace id leads this reader: to what was done under it, or to what came in under it; empty when to neither."""
    if may(user, "see_audit"):
        return href("audit", query="trace=")
    return href("sync:deliveries", query="trace=") if may(user, "see_deliveries") else ""


def progress_of(plans: Sequence[ChangePlan]) -> PlanProgress | None:
    """How far the plan is that counts: the newest that is alive, else the newest. At most three queries."""
    plan = next((row for row in plans if row.state not in NOT_DONE), plans[0] if plans else None)
    if plan is None:
        return None
    postings = list(Posting.objects.filter(plan=plan).defer("body").order_by("sequence"))
    checkpoints = list(Checkpoint.objects.filter(plan=plan).order_by("sequence"))
    decisions = list(Decision.objects.filter(plan=plan).select_related("decided_by"))
    signed = {decision.checkpoint_id for decision in decisions}
    return PlanProgress(
        plan=plan,
        postings=postings,
        waiting_for=[str(Role(c.role).label).lower() for c in checkpoints if c.pk not in signed],
        signed_by=[decision.decided_by.shown_name for decision in decisions],
        needs_nobody=not checkpoints and (plan.state != PlanState.DRAFT or plan.amount_minor == 0),
    )


def order_of(evidence: Mapping[str, object]) -> dict[str, str]:
    """Which step came before which, where the case is about order: from the declared process that the evidence names. Empty
    where it names none, or one that the policies no longer know."""
    order = evidence.get("order")
    if not isinstance(order, dict):
        return {}
    try:
        process = policies_in_force().process(str(order.get("process")))
        line = process.prerequisite(str(order.get("stage")), str(order.get("needs")))
    except LookupError:
        return {}
    first, second = process.stage(line.needs), process.stage(line.stage)
    return {
        "why": line.why,
        "first": first.label,
        "first_in": ROLE_LABELS.get(first.owner, first.owner),
        "second": second.label,
        "second_in": ROLE_LABELS.get(second.owner, second.owner),
    }


def preview_context(user: User, code: str, now: dt.datetime) -> dict[str, Any]:
    """The pane beside the list; empty when the case is not there."""
    try:
        return case_context(user, case_of(user, code), now, brief=True) | {"page": "queue", "in_pane": True}
    except Missing:
        return {}


def stamp_of(case: ExceptionCase, progress: PlanProgress | None) -> str:
    """Moves whenever the page would look different: the page asks with it whether there is news."""
    plan = f"-{progress.plan.pk}.{progress.plan.row_version}" if progress else ""
    calls = "".join(f".{posting.fence}" for posting in progress.postings) if progress else ""
    return f"{case.row_version}{plan}{calls}"


def plans_of(user: User, case: ExceptionCase) -> list[ChangePlan]:
    """The case's plans that this person may see, newest first."""
    return list(visible_to(user, ChangePlan).filter(case=case).select_related("maker", "account"))


def neighbours(user: User, case: ExceptionCase) -> dict[str, str]:
    """The cases before and after this one among the open ones that the reader works (or reads), for `j` and `k`."""
    rows = visible_to(user, ExceptionCase).filter(status=CaseStatus.OPEN)
    if may(user, "work_case", case):
        rows = workable_by(user, rows)
    after = rows.filter(due_at__gte=case.due_at).exclude(due_at=case.due_at, pk__lte=case.pk).order_by("due_at", "pk")
    before = rows.filter(due_at__lte=case.due_at).exclude(due_at=case.due_at, pk__gte=case.pk).order_by("-due_at", "-pk")
    following, previous = after.only("pk").first(), before.only("pk").first()
    return {
        "next_href": href("case", following.code) if following else "",
        "previous_href": href("case", previous.code) if previous else "",
    }
