"""One record with its whole history: every version, where each value comes from, and which delivery brought it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from revops.access.rules import may, require, visible_to
from revops.errors import Conflict, NotAllowed, Rejected, http_status
from revops.ledger.freshness import freshness_of
from revops.ledger.models import LedgerEntry, SourceRecord
from revops.ledger.ownership import ownership_of
from revops.ledger.reading import record_at, record_history
from revops.ledger.types import TYPES
from revops.ledger.unread import unread_from_json
from revops.people.models import User
from revops.policies.in_force import policies_in_force
from revops.postings import recover
from revops.postings.unexplained import unexplained_key
from revops.web.addresses import href
from revops.web.case_context import trace_base
from revops.web.compare import ROLE_LABELS, field_label, shown_value
from revops.web.forms import RecordVerdictForm
from revops.web.freshness_strip import fresh_strip
from revops.web.naming import Names, keys_in, names_of, record_name
from revops.web.requests import back, one, signed_in
from revops.web.withheld import Holders


@require_safe
def record_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The record as it is, with the provenance of every value, and its versions."""
    user = signed_in(request)
    require(user, "see_ledger")
    return render(request, "accounts/record.html", _context(user, _record(user, pk)))


@require_POST
def judge(request: HttpRequest, pk: int) -> HttpResponse:
    """A controller says what a record is that bears our reference while no posting here has it."""
    user = signed_in(request)
    require(user, "decide_plan")
    record = _record(user, pk)
    form = RecordVerdictForm(request.POST)
    try:
        said = form.must()
        recover.judge_unexplained(record, **said, acting_user=user)
    except (Rejected, Conflict, NotAllowed) as error:
        form.keep_problem(error)
        context = _context(user, record) | {"problem": error.message, "verdict_form": form}
        return render(request, "accounts/record.html", context, status=http_status(error))
    return back(request, href("record", record.pk), "It is on record. The exception follows by itself.")


def _record(user: User, pk: int) -> SourceRecord:
    return one(visible_to(user, SourceRecord).select_related("system", "account", "current"), pk)


def _context(user: User, record: SourceRecord) -> dict[str, Any]:
    now, history, key = timezone.now(), record_history(record), unexplained_key(record)
    return {
        "page": "record",
        "section": "accounts",
        "record": record,
        "label": record_name(record),
        "values": _values(record, history, names_of(keys_in(record.system_id, record.fields))),
        "versions": [_version(entry, following) for entry, following in zip(history, [*history[1:], None], strict=True)],
        "refs": _refs(record),
        "fresh": fresh_strip([f for f in freshness_of([record.system_id], now=now) if f.object_type == record.object_type], now),
        "may_see_deliveries": may(user, "see_deliveries"),
        "trace_base": trace_base(user),
        "unexplained_key": key,
        "verdicts": list(record.verdicts.select_related("decided_by")),
        "may_judge": bool(key) and bool(user.role_codes() & recover.DECIDERS),
        "judges": Holders().sentence(recover.DECIDERS) if key else "",
        "verdict_form": RecordVerdictForm(initial={"key": key}),
    }


def _values(record: SourceRecord, history: list[LedgerEntry], names: Names) -> list[dict[str, object]]:
    """Each field with who owns it and since which version it has had this value; and what could not be read."""
    effective = [entry for entry in history if entry.arrival in ("first", "newer", "restated")]
    rows, policies = [], policies_in_force()
    stage = policies.stage_of(record.object_type, [record.fields.get("status")])
    declared, unread = TYPES[record.object_type], unread_from_json(record.unread)
    for name in (*declared.fields, *(role for role in declared.roles if role in unread)):
        if name not in record.fields and name not in unread:
            continue
        since = _since(name, record.fields[name], effective) if name in record.fields else None
        line = ownership_of(policies, record.object_type, name, stage)
        rows.append({
            "label": field_label(record.object_type, name) if name in declared.fields else declared.role_label(name),
            "value": _value(record, name, names) if name in record.fields else "",
            "unread": unread.get(name),
            "owner": ROLE_LABELS.get(line.owner, line.owner),
            "is_owner": line.owner == record.system.role,
            "why": line.why,
            "entry": since,
        })  # fmt: skip
    return rows


def _value(record: SourceRecord, name: str, names: Names) -> object:
    stated = record.fields[name]
    return names.value(record.system_id, name, stated) or shown_value(record.object_type, name, stated)


def _since(name: str, value: object, newest_first: list[LedgerEntry]) -> LedgerEntry | None:
    found = None
    for entry in newest_first:
        if entry.fields.get(name) != value:
            break
        found = entry
    return found


def _version(entry: LedgerEntry, before: LedgerEntry | None) -> dict[str, Any]:
    """One version with what changed against the one before it."""
    object_type = entry.record.object_type
    old: Mapping[str, object] = before.fields if before is not None else {}
    changes = []
    for name in TYPES[object_type].fields:
        if before is not None and entry.fields.get(name, _ABSENT) != old.get(name, _ABSENT):
            changes.append({
                "label": field_label(object_type, name),
                "minus": shown_value(object_type, name, old[name]) if name in old else "not stated",
                "plus": shown_value(object_type, name, entry.fields[name]) if name in entry.fields else "not stated",
            })  # fmt: skip
    return {"entry": entry, "changes": changes, "first": before is None}


_ABSENT = object()


def _refs(record: SourceRecord) -> list[dict[str, object]]:
    """What the record points to: by name, as a link where we have the other end, with the id behind it."""
    lines: list[dict[str, object]] = []
    for role, targets in sorted(record.targets.items()):
        for target in targets:
            other = record_at(target)
            lines.append({
                "role": TYPES[record.object_type].role_label(role).lower(),
                "system": other.system.label if other else "",
                "name": record_name(other) if other else "",
                "id": target.id,
                "pk": other.pk if other else None,
            })  # fmt: skip
    return lines
