"""One record with its whole history: every version, where each value comes from, and which delivery brought it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from revops.access.rules import may, require, visible_to
from revops.errors import Rejected
from revops.ledger.facts import SHAPES, decode
from revops.ledger.freshness import freshness_of
from revops.ledger.models import LedgerEntry, SourceRecord
from revops.ledger.reading import record_history
from revops.ownership.owners import ownership_of
from revops.web.compare import ROLE_LABELS, field_label, record_label
from revops.web.formatting import value_html
from revops.web.queue import fresh_strip
from revops.web.requests import one, signed_in


@require_safe
def record_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The record as it is, with the provenance of every value, and its versions."""
    user, now = signed_in(request), timezone.now()
    require(user, "see_ledger")
    record = one(visible_to(user, SourceRecord).select_related("system", "account", "current"), pk)
    history = record_history(record)
    context = {
        "page": "record",
        "section": "accounts",
        "record": record,
        "label": record_label(record),
        "values": _values(record, history),
        "versions": [_version(entry, following) for entry, following in zip(history, [*history[1:], None], strict=True)],
        "refs": _refs(record),
        "fresh": fresh_strip([f for f in freshness_of([record.system_id], now=now) if f.object_type == record.object_type], now),
        "may_see_deliveries": may(user, "see_deliveries"),
    }
    return render(request, "accounts/record.html", context)


def _shown(object_type: str, name: str, stored: object) -> SafeString:
    try:
        return value_html(decode(object_type, name, stored))
    except (Rejected, ValueError):
        return value_html(str(stored))


def _values(record: SourceRecord, history: list[LedgerEntry]) -> list[dict[str, object]]:
    """Each field with who owns it and since which version it has had this value."""
    effective = [entry for entry in history if entry.arrival in ("first", "newer", "restated")]
    rows = []
    for name in SHAPES[record.object_type].fields:
        if name not in record.fields:
            continue
        since = _since(name, record.fields[name], effective)
        line = ownership_of(record.object_type, name)
        rows.append({
            "label": field_label(name),
            "value": _shown(record.object_type, name, record.fields[name]),
            "owner": ROLE_LABELS.get(line.role, line.role),
            "is_owner": line.role == record.system.role,
            "why": line.why,
            "entry": since,
        })  # fmt: skip
    return rows


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
    for name in SHAPES[object_type].fields:
        if before is not None and entry.fields.get(name, _ABSENT) != old.get(name, _ABSENT):
            changes.append({
                "label": field_label(name),
                "minus": _shown(object_type, name, old[name]) if name in old else "not stated",
                "plus": _shown(object_type, name, entry.fields[name]) if name in entry.fields else "not stated",
            })  # fmt: skip
    return {"entry": entry, "changes": changes, "first": before is None}


_ABSENT = object()


def _refs(record: SourceRecord) -> list[dict[str, object]]:
    """What the record points to, as links where we have the other end."""
    wanted = dict(record.refs)
    types = {"customer": "customer", "invoice": "invoice", "subscription": "subscription"}
    found = {}
    if wanted:
        rows = SourceRecord.objects.filter(
            system=record.system_id, object_type__in=types.values(), external_id__in=wanted.values()
        )
        found = {(r.object_type, r.external_id): r.pk for r in rows}
        others = {"billing_invoice": "invoice", "billing_subscription": "subscription", "billing_payment": "payment",
                  "billing_credit_memo": "credit_memo", "crm_account": "customer", "opportunity": "opportunity"}  # fmt: skip
        far = SourceRecord.objects.filter(
            account=record.account_id, object_type__in=set(others.values()), external_id__in=wanted.values()
        ).exclude(system=record.system_id)
        found |= {(r.object_type, r.external_id): r.pk for r in far}
        types |= others
    return [
        {"role": role.replace("_", " "), "id": target, "pk": found.get((types.get(role, ""), target))}
        for role, target in sorted(wanted.items())
    ]
