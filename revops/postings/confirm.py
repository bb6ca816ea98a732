"""Confirmation by read-back: the vendor's own record, read through the ledger, bears our key and says what we wanted.

Evidence may come before the answer to the call, or although the answer never came. It is the stronger of the two: it confirms
a posting in any state after its release, and moves the fence so that a late answer adds an observation and no state.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.db import transaction

from revops.audit.log import record as audit
from revops.audit.log import subject_key
from revops.audit.models import ActionRecord
from revops.ledger.facts import Value, decode
from revops.ledger.models import LedgerEntry
from revops.ledger.reference import refs_from_json
from revops.people.actors import System
from revops.postings.kinds import KINDS
from revops.postings.locks import locked_plan, locked_postings
from revops.postings.models import ChangePlan, Posting, PostingState
from revops.postings.progress import settle_plan

ACTOR = System("evidence")
UNPROVEN = (PostingState.RELEASED, PostingState.SENDING, PostingState.UNKNOWN, PostingState.POSTED)
WATCHED = (*UNPROVEN, PostingState.REFUSED)
"""A refused posting should never be heard of again: its record at the vendor is an alarm."""


def accounts_with_unproven(account_ids: Iterable[int]) -> set[int]:
    """Those of the accounts that have postings whose record at the vendor is still to be seen, or must never be."""
    found = Posting.objects.filter(plan__account__in=list(account_ids), state__in=WATCHED)
    return set(found.values_list("plan__account_id", flat=True))


def confirm_from_ledger(account_id: int, *, now: dt.datetime) -> int:
    """Confirm the account's postings whose evidence is in the ledger; returns how many. `now` is aware UTC.

    Every entry counts, not only the newest: somebody may have changed the record again right after our change.
    """
    waiting = list(
        Posting.objects.filter(plan__account=account_id, state__in=WATCHED).values_list("plan_id", "key", "target_type")
    )
    if not waiting:
        return 0
    keys = {key for _, key, _ in waiting}
    entries: dict[str, list[LedgerEntry]] = {}
    found = LedgerEntry.objects.filter(
        record__account=account_id, record__object_type__in={kind for *_, kind in waiting}, refs__has_key="change"
    ).select_related("record")
    for entry in found.order_by("id"):
        for key in keys & {target.id for target in refs_from_json(entry.refs)["change"]}:
            entries.setdefault(key, []).append(entry)
    if not entries:
        return 0
    with transaction.atomic():
        return sum(_confirm_plan(plan_id, entries, now) for plan_id in sorted({plan_id for plan_id, *_ in waiting}))


def _confirm_plan(plan_id: int, entries: dict[str, list[LedgerEntry]], now: dt.datetime) -> int:
    plan = locked_plan(plan_id)
    confirmed = 0
    postings = locked_postings(plan)
    for posting in postings:
        if posting.state in UNPROVEN and posting.key in entries:
            confirmed += _judge(plan, posting, entries[posting.key], now)
        elif posting.state == PostingState.REFUSED and _is_there(posting, entries.get(posting.key, [])):
            _alarm(plan, posting, f"{posting.system.label} has a record under our reference, though it was taken for refused")
    if confirmed:
        settle_plan(plan, acting_user=ACTOR, now=now)
    return confirmed


def _is_there(posting: Posting, entries: list[LedgerEntry]) -> bool:
    """Whether a live record of the posting's kind bears its key."""
    return any(
        entry.record.system_id == posting.system_id and entry.record.object_type == posting.target_type and not entry.deleted
        for entry in entries
    )


def _judge(plan: ChangePlan, posting: Posting, entries: list[LedgerEntry], now: dt.datetime) -> int:
    wrong = ""
    for entry in entries:
        if entry.record.system_id != posting.system_id or entry.record.object_type != posting.target_type or entry.deleted:
            continue
        wrong = KINDS[plan.kind].mismatch(posting.params, _fields(entry), refs_from_json(entry.refs))
        if not wrong:
            _confirm(plan, posting, entry, now)
            return 1
    if wrong:
        _alarm(plan, posting, wrong)
    return 0


def _fields(entry: LedgerEntry) -> dict[str, Value]:
    return {name: decode(entry.record.object_type, name, value) for name, value in entry.fields.items()}


def _confirm(plan: ChangePlan, posting: Posting, entry: LedgerEntry, now: dt.datetime) -> None:
    before = posting.state
    posting.state, posting.confirmed_at, posting.confirming_entry_id = PostingState.CONFIRMED, now, entry.pk
    posting.vendor_id = posting.vendor_id or entry.record.external_id
    posting.posted_at = posting.posted_at or now
    posting.fence += 1
    posting.lease_until = None
    posting.needs_person, posting.last_error = False, ""
    posting.save()
    record = entry.record
    name = record.label
    audit(
        "posting.confirm", posting, acting_user=ACTOR, account_id=plan.account_id, case_id=plan.case_id,
        summary=f"{plan.code}: {record.type_label.lower()} {name} in {record.system.label} bears our reference "
        f"{posting.key}", before={"state": before},
        after={"state": posting.state, "entry": entry.pk, "delivery": entry.delivery_id, "vendor_id": posting.vendor_id},
    )  # fmt: skip


def _alarm(plan: ChangePlan, posting: Posting, wrong: str) -> None:
    """Say once that something else stands under our key."""
    told = ActionRecord.objects.filter(subject=subject_key(posting), verb="posting.alarm", summary__endswith=wrong[:200]).exists()
    if told:
        return
    posting.needs_person, posting.last_error = True, f"Evidence does not fit: {wrong}"
    posting.save(update_fields=["needs_person", "last_error"])
    audit(
        "posting.alarm", posting, acting_user=ACTOR, account_id=plan.account_id, case_id=plan.case_id,
        summary=f"{plan.code}: {wrong[:200]}", after={"state": posting.state, "key": posting.key},
    )  # fmt: skip
