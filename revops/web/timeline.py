"""One timeline of a case: what people did, what the system did, what the vendors' systems said."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from revops.audit.models import ActionRecord
from revops.cases.models import CaseNote, ExceptionCase, Severity
from revops.ledger.models import LedgerEntry, SourceRecord
from revops.ledger.types import TYPES
from revops.money import Money
from revops.sentences import Param
from revops.web.addresses import href, href_of_subject
from revops.web.compare import field_label, is_local, shown_value
from revops.web.formatting import money_text, status_text
from revops.web.naming import record_name

SHOWS = {"all": "Everything", "people": "People", "system": "System", "facts": "What systems said", "notes": "Notes"}
LENGTH_MAX = 200

_ARRIVALS = {
    "first": "stated",
    "newer": "changed",
    "restated": "stated again",
    "late": "stated late (kept as evidence)",
    "conflict": "contradicted itself on",
}


Change = tuple[str, str, str]
"""(what, before, after), each ready to be shown; a `SafeString` is markup."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One line. `kind` is `people`, `system`, `facts` or `notes`; `mark` the class of its mark."""

    at: dt.datetime
    kind: str
    mark: str
    who: str
    text: Param
    reason: str = ""
    quote: str = ""
    trace: str = ""
    href: str = ""
    changes: tuple[Change, ...] = ()


def timeline_of(case: ExceptionCase, records: list[SourceRecord], *, show: str) -> list[Moment]:
    """Newest first, at most 200 lines, three queries."""
    notes = {note.pk: note for note in CaseNote.objects.filter(case=case).select_related("author")}
    actions = ActionRecord.objects.filter(case_id=case.pk).select_related("actor")[:LENGTH_MAX]
    by_id = {record.pk: record for record in records}
    entries = LedgerEntry.objects.filter(record__in=by_id).order_by("-recorded_at", "-id")[:LENGTH_MAX]
    moments = [_action(action, notes, case.currency) for action in actions]
    moments += _entries(list(entries), by_id)
    moments.sort(key=lambda moment: moment.at, reverse=True)
    return [moment for moment in moments if show in ("all", moment.kind)][:LENGTH_MAX]


def who_did(action: ActionRecord) -> str:
    """A person's name, or `Posting` for `system:posting`."""
    return action.actor.shown_name if action.actor else who_is(action.actor_label)


def who_is(label: str) -> str:
    """`system:posting` as `Posting`; anything else as it is."""
    return label.removeprefix("system:").capitalize() if label.startswith("system:") else label


def mark_of(action: ActionRecord) -> str:
    """The class of an action's mark: a decision, a person's act (no class), or the system's own."""
    return "decision" if action.verb in ("plan.approve", "plan.reject") else "" if action.actor else "system"


def _action(action: ActionRecord, notes: dict[int, CaseNote], currency: str) -> Moment:
    person = action.actor is not None
    note = notes.get(int(action.after.get("note") or 0)) if action.verb == "case.comment" else None
    return Moment(
        at=action.at,
        kind="notes" if note else "people" if person else "system",
        mark="note-mark" if note else mark_of(action),
        who=who_did(action),
        text="wrote a note" if note else action.summary,
        reason=action.reason,
        quote=note.text if note else "",
        trace=action.trace_id,
        href=_subject_href(action.subject),
        changes=() if note else changes_of(action, currency, brief=True),
    )


_SAID_ALREADY = frozenset({"sentence", "row_version", "facts_digest"})
"""What the summary of an action says in words, or what only machines compare."""


_CODES = frozenset({"status", "state", "posting_state", "role", "kind", "team", "basis", "verdict"})
"""Columns that hold codes of ours, which are shown as words."""

_IN_THE_SUMMARY = frozenset({"owner", "status", "state", "snoozed_until", "posting_state"})


def changes_of(action: ActionRecord, currency: str = "", *, brief: bool = False) -> tuple[Change, ...]:
    """What an action changed, shortened; what it left as it was is no change. `currency` is that of the case, where known;
    `brief` leaves out what the summary says in words."""
    left_out = _SAID_ALREADY | (_IN_THE_SUMMARY if brief else frozenset())
    names = [n for n in action.after if n in action.before and action.after[n] != action.before[n] and n not in left_out]
    return tuple(
        (
            field_label("", n.removesuffix("_minor")),
            _in_words(n, action.before[n], currency),
            _in_words(n, action.after[n], currency),
        )
        for n in names[:6]
    )


def _in_words(name: str, value: object, currency: str) -> str:
    if name == "severity" and value in Severity.values:
        return str(Severity(value).label)
    if name == "amount_minor" and isinstance(value, int) and currency:
        return money_text(Money.from_minor(value, currency))
    return _short(name, value)


def _short(name: str, value: object) -> str:
    if value in (None, "", [], {}):
        return "nothing"
    text = status_text(str(value)) if name in _CODES else str(value)
    return text if len(text) <= 120 else f"{text[:117]}…"


def _subject_href(subject: str) -> str:
    return href_of_subject(subject) if subject.startswith("changeplan:") else ""


def _entries(entries: list[LedgerEntry], by_id: dict[int, SourceRecord]) -> list[Moment]:
    """What the systems said, each with what it changed against the version before it."""
    by_record: dict[int, list[LedgerEntry]] = {}
    for entry in sorted(entries, key=lambda e: (e.version, e.pk)):
        by_record.setdefault(entry.record_id, []).append(entry)
    moments = []
    for record_id, versions in by_record.items():
        effective: LedgerEntry | None = None
        for entry in versions:
            moments.append(_entry(entry, by_id[record_id], effective))
            if entry.arrival != "conflict":
                effective = entry
    return moments


def _entry(entry: LedgerEntry, record: SourceRecord, before: LedgerEntry | None) -> Moment:
    what = f"{record.type_label.lower()} {record_name(record)}"
    deleted = " (deleted there)" if entry.deleted else ""
    return Moment(
        at=entry.recorded_at,
        kind="facts",
        mark="fact",
        who=record.system.label,
        text=f"{_ARRIVALS.get(entry.arrival, 'stated')} {what}{deleted}",
        trace=entry.trace_id,
        href=href("record", record.pk),
        changes=_moved(record.object_type, before, entry) if before is not None and entry.arrival != "restated" else (),
    )


def _moved(object_type: str, before: LedgerEntry, after: LedgerEntry) -> tuple[Change, ...]:
    names = [
        name
        for name in TYPES[object_type].fields
        if name in before.fields
        and name in after.fields
        and before.fields[name] != after.fields[name]
        and not is_local(object_type, name)
    ]
    return tuple(
        (field_label(object_type, n), shown_value(object_type, n, before.fields[n]), shown_value(object_type, n, after.fields[n]))
        for n in names[:4]
    )
