"""One timeline of a case: what people did, what the system did, what the vendors' systems said."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from revops.audit.models import ActionRecord
from revops.cases.models import CaseNote, ExceptionCase
from revops.ledger.facts import SHAPES
from revops.ledger.models import LedgerEntry, SourceRecord
from revops.web.compare import record_label

SHOWS = {"all": "Everything", "people": "People", "system": "System", "facts": "What systems said", "notes": "Notes"}
LENGTH_MAX = 200

_ARRIVALS = {
    "first": "stated",
    "newer": "changed",
    "restated": "stated again",
    "late": "stated late (kept as evidence)",
    "conflict": "contradicted itself on",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One line. `kind` is `people`, `system`, `facts` or `notes`; `mark` the class of its mark."""

    at: dt.datetime
    kind: str
    mark: str
    who: str
    text: str
    reason: str = ""
    quote: str = ""
    trace: str = ""
    href: str = ""
    changes: tuple[tuple[str, str, str], ...] = ()


def timeline_of(case: ExceptionCase, records: list[SourceRecord], *, show: str) -> list[Moment]:
    """Newest first, at most 200 lines, three queries."""
    notes = {note.pk: note for note in CaseNote.objects.filter(case=case).select_related("author")}
    actions = ActionRecord.objects.filter(case_id=case.pk).select_related("actor")[:LENGTH_MAX]
    by_id = {record.pk: record for record in records}
    entries = LedgerEntry.objects.filter(record__in=by_id).order_by("-recorded_at", "-id")[:LENGTH_MAX]
    moments = [_action(action, notes) for action in actions]
    moments += [_entry(entry, by_id[entry.record_id]) for entry in entries]
    moments.sort(key=lambda moment: moment.at, reverse=True)
    return [moment for moment in moments if show in ("all", moment.kind)][:LENGTH_MAX]


def _action(action: ActionRecord, notes: dict[int, CaseNote]) -> Moment:
    person = action.actor is not None
    note = notes.get(int(action.after.get("note") or 0)) if action.verb == "case.comment" else None
    who = action.actor.shown_name if action.actor else action.actor_label.removeprefix("system:").capitalize()
    mark = "decision" if action.verb in ("plan.approve", "plan.reject") else "note-mark" if note else "" if person else "system"
    return Moment(
        at=action.at,
        kind="notes" if note else "people" if person else "system",
        mark=mark,
        who=who,
        text="wrote a note" if note else action.summary,
        reason=action.reason,
        quote=note.text if note else "",
        trace=action.trace_id,
        href=_subject_href(action.subject),
        changes=() if note else changes_of(action),
    )


def changes_of(action: ActionRecord) -> tuple[tuple[str, str, str], ...]:
    """(field, before, after) of what an action changed, shortened."""
    names = [name for name in action.after if name in action.before]
    return tuple((name.replace("_", " "), _short(action.before[name]), _short(action.after[name])) for name in names[:6])


def _short(value: object) -> str:
    if value in (None, "", [], {}):
        return "nothing"
    text = str(value)
    text = text.replace("_", " ") if text.islower() and text.isascii() and len(text) < 40 and "@" not in text else text
    return text if len(text) <= 120 else f"{text[:117]}…"


def _subject_href(subject: str) -> str:
    kind, _, key = subject.partition(":")
    return f"/plans/CP-{int(key):05d}/" if kind == "changeplan" and key.isdecimal() else ""


def _entry(entry: LedgerEntry, record: SourceRecord) -> Moment:
    what = f"{SHAPES[record.object_type].label} {record_label(record)}"
    deleted = " (deleted there)" if entry.deleted else ""
    return Moment(
        at=entry.recorded_at,
        kind="facts",
        mark="fact",
        who=record.system.label,
        text=f"{_ARRIVALS.get(entry.arrival, 'stated')} {what}{deleted}",
        trace=entry.trace_id,
        href=f"/records/{record.pk}/",
    )
