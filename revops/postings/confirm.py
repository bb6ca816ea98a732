"""Confirmation by read-back: the vendor's own record, read through the ledger, bears our key and says what we wanted.

Evidence may come before the answer to the call, or although the answer never came. It is the stronger of the two: it confirms
a posting in any state after its release, and moves the fence so that a late answer adds an observation and no state.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import transaction

from revops.audit.log import record as audit
from revops.audit.log import subject_key
from revops.audit.models import ActionRecord
from revops.ledger.facts import Value, decode_fields
from revops.ledger.models import LedgerEntry
from revops.people.actors import System
from revops.people.models import User
from revops.postings.changes import Difference, OurKey, read_change
from revops.postings.locks import locked_plan, locked_postings
from revops.postings.models import ChangePlan, Posting, PostingState
from revops.postings.transitions import advance_plan
from revops.postings.unexplained import is_gone
from revops.reference import Ref, refs_from_json
from revops.sentences import Sentence, Word, template

ACTOR = System("evidence")

PROVEN = template("posting.proven", "{plan}: {type} {record} in {system} bears our reference {key}")
ALARM = template("posting.alarm", "{plan}: {found}")
NOT_EXPECTED = template("evidence.not_expected", "{system} has a record under our reference, though it was taken for {state}")
ALARM_OVER = template("posting.alarm_over", "{plan}: {system} has no record under our reference any more")

UNPROVEN = (PostingState.RELEASED, PostingState.SENDING, PostingState.UNKNOWN, PostingState.POSTED)
UNEXPECTED = (PostingState.PLANNED, PostingState.REFUSED, PostingState.VOID)
"""Nothing of such a posting is at the vendor: a record there is an alarm. A restored database may know it as planned."""
WATCHED = (*UNPROVEN, *UNEXPECTED)


def accounts_with_unproven(account_ids: Iterable[int]) -> set[int]:
    """Those of the accounts that have postings whose record at the vendor is still to be seen, or must never be."""
    found = Posting.objects.filter(plan__account__in=list(account_ids), state__in=WATCHED)
    return set(found.values_list("plan__account_id", flat=True))


def confirm_from_ledger(account_id: int, *, now: dt.datetime) -> int:
    """Confirm the account's postings whose evidence is in the ledger; returns how many. `now` is aware UTC.

    Every entry counts, not only the newest: somebody may have changed the record again right after our change.
    """
    waiting = Posting.objects.filter(plan__account=account_id, state__in=WATCHED).order_by("plan_id", "sequence")
    plans = {posting.plan_id for posting in waiting if _entries_of(posting, account_id)}
    if not plans:
        return 0
    with transaction.atomic():
        return sum(_confirm_plan(plan_id, account_id, now) for plan_id in sorted(plans))


def _entries_of(posting: Posting, account_id: int) -> list[LedgerEntry]:
    """What the posting's system has said that may prove it, oldest first, as its change declares."""
    evidence = read_change(posting.change).evidence
    said = LedgerEntry.objects.filter(
        record__account=account_id, record__system=posting.system_id, record__object_type=evidence.object_type
    )
    if isinstance(evidence, OurKey):
        said = said.filter(refs__contains={evidence.role: [Ref.posting(posting.key).as_json()]})
    elif posting.first_sent_at is None:
        return []
    else:
        name = "record__external_id" if evidence.name == "id" else f"fields__{evidence.name}"
        said = said.filter(recorded_at__gte=posting.first_sent_at, **{name: evidence.value})
    return [entry for entry in said.select_related("record", "record__system").order_by("id") if not entry.deleted]


@dataclass(frozen=True, slots=True)
class VendorRecord:
    """The vendor's record that stands under a posting's reference now, by its newest entry. `wrong` is how it differs from what
    was wanted."""

    entry: LedgerEntry
    wrong: Difference | None


def vendor_record(posting: Posting, account_id: int) -> VendorRecord | None:
    """What stands at the vendor under the posting's reference now; None when there is nothing: what was deleted or voided is
    gone, and a record known by its own name counts only while it says what was wanted."""
    change = read_change(posting.change)
    for entry in reversed(_entries_of(posting, account_id)):
        fields = _fields(entry)
        if entry.record.current_id == entry.pk and not is_gone(entry.record):
            wrong = change.mismatch(fields, refs_from_json(entry.refs))
            if wrong is None or isinstance(change.evidence, OurKey):
                return VendorRecord(entry, wrong)
    return None


def _confirm_plan(plan_id: int, account_id: int, now: dt.datetime) -> int:
    plan = locked_plan(plan_id)
    confirmed = 0
    for posting in locked_postings(plan):
        if posting.state in UNPROVEN:
            confirmed += _judge(plan, posting, account_id, now)
        elif posting.state in UNEXPECTED:
            _check_unexpected(plan, posting, account_id)
    if confirmed:
        advance_plan(plan, acting_user=ACTOR, now=now)
    return confirmed


def _judge(plan: ChangePlan, posting: Posting, account_id: int, now: dt.datetime) -> int:
    """Confirm by the first entry that proves it. What bears our key and proves something else is an alarm; a record that is only
    known by its own name may simply not show the change yet."""
    change = read_change(posting.change)
    wrong: Difference | None = None
    for entry in _entries_of(posting, account_id):
        wrong = change.mismatch(_fields(entry), refs_from_json(entry.refs))
        if wrong is None:
            confirm(plan, posting, entry, now, acting_user=ACTOR)
            return 1
    if wrong is not None and isinstance(change.evidence, OurKey) and not _alarmed_before(posting, wrong):
        _alarm(plan, posting, wrong)
    return 0


def _check_unexpected(plan: ChangePlan, posting: Posting, account_id: int) -> None:
    """A record that stands under the key of a posting without effect, or says what a refused one wanted, is an alarm for as long
    as it does."""
    present = vendor_record(posting, account_id)
    if present is None and posting.needs_person:
        posting.needs_person = False
        posting.save(update_fields=["needs_person"])
        _audit(plan, posting, "posting.alarm_over", ALARM_OVER(plan=plan.ref, system=posting.system.label), {})
    elif present is not None and not posting.needs_person:
        found = NOT_EXPECTED(system=posting.system.label, state=Word(posting.state))
        _alarm(plan, posting, Difference("not_expected", present.entry.record.external_id, found))


def _fields(entry: LedgerEntry) -> dict[str, Value]:
    return decode_fields(entry.record.object_type, entry.fields)


def confirm(
    plan: ChangePlan, posting: Posting, entry: LedgerEntry, now: dt.datetime, *, acting_user: User | System, reason: str = ""
) -> None:
    """Take the entry for the proof of a locked posting."""
    before = posting.state
    posting.state, posting.confirmed_at, posting.confirming_entry_id = PostingState.CONFIRMED, now, entry.pk
    posting.vendor_id = posting.vendor_id or entry.record.external_id
    posting.posted_at = posting.posted_at or now
    posting.fence += 1
    posting.lease_until = None
    posting.needs_person, posting.last_error = False, ""
    posting.save(update_fields=Posting.MOVING)
    record = entry.record
    audit(
        "posting.confirm", posting, acting_user=acting_user, account_id=plan.account_id, case_id=plan.case_id, reason=reason,
        summary=PROVEN(
            plan=plan.ref, type=Word(record.object_type), record=record.named, system=record.system.label, key=posting.key
        ), before={"state": before},
        after={"state": posting.state, "entry": entry.pk, "delivery": entry.delivery_id, "vendor_id": posting.vendor_id},
    )  # fmt: skip


def _alarm(plan: ChangePlan, posting: Posting, wrong: Difference) -> None:
    """Something else stands under our key. The audit keeps what was said, by code and value."""
    posting.needs_person, posting.last_error = True, f"Evidence does not fit: {wrong.sentence}"
    posting.save(update_fields=["needs_person", "last_error"])
    _audit(plan, posting, "posting.alarm", ALARM(plan=plan.ref, found=wrong.sentence), _telling(wrong))


def _telling(wrong: Difference) -> dict[str, object]:
    return {"difference": wrong.code, "found": wrong.found}


def _alarmed_before(posting: Posting, wrong: Difference) -> bool:
    """Whether an alarm has said so before: a person has looked, and the answer on its way may still prove it right."""
    alarms = ActionRecord.objects.filter(subject=subject_key(posting), verb="posting.alarm")
    return alarms.filter(after__contains=_telling(wrong)).exists()


def _audit(plan: ChangePlan, posting: Posting, verb: str, summary: Sentence, after: Mapping[str, object]) -> None:
    audit(
        verb, posting, acting_user=ACTOR, account_id=plan.account_id, case_id=plan.case_id, summary=summary,
        after={"state": posting.state, "key": posting.key, **after},
    )  # fmt: skip
