"""What a named person may do about a posting whose outcome cannot be found out by itself, and about a vendor's record that bears
our reference and should not.

A controller decides who took no part in the plan. Nothing is sent by any of this.
"""

from __future__ import annotations

from django.db import transaction

from revops.audit.log import record as audit
from revops.errors import Conflict, NotAllowed, Rejected
from revops.ledger.due import mark_due
from revops.ledger.models import SourceRecord
from revops.people.actors import System, actor_user
from revops.people.models import User
from revops.postings import port
from revops.postings.confirm import UNEXPECTED, VendorRecord, confirm, vendor_record
from revops.postings.draft import holds_role
from revops.postings.locks import locked_plan, locked_postings
from revops.postings.models import ChangePlan, PlanState, Posting, PostingState, RecordVerdict
from revops.postings.queue import database_now
from revops.postings.transitions import ACTOR, end_refused
from revops.postings.unexplained import references_to_us
from revops.sentences import Word, template

LOOK_UP_AGAIN = template("posting.look_up_again", "asked to look {plan} up again")
SET_ASIDE = template("posting.set_aside", "{plan}: nothing happened at the vendor, as a person found")
ADOPTED = template("posting.adopted", "{plan}: {record} in {system} is its effect, as a person found")
BY_ADOPTION = template("plan.by_adoption", "{person} took {record} in {system} for its effect; it says what was approved.")
IS_STRAY = template("posting.stray", "{plan}: {record} in {system} must not be there")
STRAY_OUTCOME = "What the system made of it is a stray: {reason}"
RECORD_IS = template("record.verdict", "{record} in {system} under our reference {key}: {verdict}")

DECIDERS = frozenset({"controller"})
ENDED_UNSENT = (PlanState.FAILED, PlanState.VOID, PlanState.PARTLY_POSTED)
REASON_LENGTH_MAX = 2000


@transaction.atomic
def look_up_again(posting: Posting, *, acting_user: User | System) -> Posting:
    """Look a stuck posting up once more, now. It is not sent again by this. Raises `NotAllowed`, `Conflict`."""
    plan, row = _waiting(posting, acting_user)
    _must_be_unknown(row)
    row.needs_person, row.next_attempt_at, row.lease_until = False, database_now(), None
    row.save(update_fields=["needs_person", "next_attempt_at", "lease_until"])
    mark_due([plan.account_id], now=row.next_attempt_at)
    audit(
        "posting.look_up_again", row, acting_user=acting_user, account_id=plan.account_id, case_id=plan.case_id,
        summary=LOOK_UP_AGAIN(plan=plan.ref), after={"state": row.state},
    )  # fmt: skip
    transaction.on_commit(port.ring, robust=True)
    return row


@transaction.atomic
def set_aside(posting: Posting, *, reason: str, acting_user: User | System) -> Posting:
    """A controller looked in the vendor's own screens: nothing happened there. The posting ends as refused, the plan as failed,
    or as partly posted when an earlier step of it was made.

    Neither the plan's maker nor anybody who approved it may say so. Raises `Rejected`, `NotAllowed`, `Conflict`.
    """
    words = _words(reason)
    plan, row = _waiting(posting, acting_user)
    _must_be_unknown(row)
    _took_no_part(plan, acting_user)
    _refuse(row, f"Set aside: {words}", needs_person=False)
    audit(
        "posting.set_aside", row, acting_user=acting_user, account_id=plan.account_id, case_id=plan.case_id, reason=words,
        summary=SET_ASIDE(plan=plan.ref), after={"state": row.state},
    )  # fmt: skip
    end_refused(plan, words, acting_user=ACTOR, now=database_now())
    return row


@transaction.atomic
def adopt(posting: Posting, *, reason: str, acting_user: User | System) -> Posting:
    """The vendor's record under our reference is the effect of this posting after all, and it says what was approved: the posting
    is confirmed by it, and the plan with it when nothing else is missing.

    Raises `Conflict`: `nothing_there`, `record_differs` (it does not say what was approved), `never_released` (the plan was not
    signed here, so its effect cannot be adopted). Otherwise as `set_aside`.
    """
    words = _words(reason)
    plan, row = _waiting(posting, acting_user)
    user = _took_no_part(plan, acting_user)
    if row.state not in UNEXPECTED and row.state != PostingState.UNKNOWN:
        raise Conflict("not_adoptable", "This posting is proven by its record as soon as that says what was approved.")
    if plan.released_at is None:
        raise Conflict(
            "never_released",
            f"{plan.code} was never approved here, so nothing can be its effect. If it is right, have it approved: our reference "
            "is looked up first and nothing is sent twice. If not, declare the record a stray.",
        )
    present = _present(plan, row)
    if present.wrong is not None:
        raise Conflict(
            "record_differs", f"{present.wrong.sentence} It is not what was approved: declare it a stray, or correct it there."
        )
    entry, now = present.entry, database_now()
    confirm(plan, row, entry, now, acting_user=acting_user, reason=words)
    _say(user, row.key, entry.record, RecordVerdict.Verdict.OURS, words)
    named, label = entry.record.named, entry.record.system.label
    audit(
        "posting.adopt", row, acting_user=acting_user, account_id=plan.account_id, case_id=plan.case_id, reason=words,
        summary=ADOPTED(plan=plan.ref, record=named, system=label), after={"state": row.state, "entry": entry.pk},
    )  # fmt: skip
    if plan.state in ENDED_UNSENT or plan.state == PlanState.RELEASED:
        complete = all(other.state == PostingState.CONFIRMED for other in locked_postings(plan))
        plan.state = PlanState.CONFIRMED if complete else PlanState.PARTLY_POSTED
        plan.outcome, plan.ended_at = BY_ADOPTION(person=user.get_username(), record=named, system=label), now
        plan.row_version += 1
        plan.save()
    mark_due([plan.account_id], now=now)
    return row


@transaction.atomic
def declare_stray(posting: Posting, *, reason: str, acting_user: User | System) -> Posting:
    """The vendor's record under our reference must not be there. The posting ends as refused, and waits as an exception until the
    record is voided or deleted in its own system. Raises `Conflict("nothing_there")`, otherwise as `set_aside`."""
    words = _words(reason)
    plan, row = _waiting(posting, acting_user)
    user = _took_no_part(plan, acting_user)
    record = _present(plan, row).entry.record
    _say(user, row.key, record, RecordVerdict.Verdict.STRAY, words)
    under_way = row.state in (PostingState.UNKNOWN, PostingState.POSTED)
    said = STRAY_OUTCOME.format(reason=words)
    if under_way:
        _refuse(row, said, needs_person=True)
    audit(
        "posting.stray", row, acting_user=acting_user, account_id=plan.account_id, case_id=plan.case_id, reason=words,
        summary=IS_STRAY(plan=plan.ref, record=record.named, system=record.system.label), after={"state": row.state},
    )  # fmt: skip
    if under_way:
        end_refused(plan, said, acting_user=ACTOR, now=database_now())
    mark_due([plan.account_id], now=database_now())
    return row


@transaction.atomic
def judge_unexplained(record: SourceRecord, *, key: str, verdict: str, reason: str, acting_user: User | System) -> RecordVerdict:
    """Say what a record is that bears our reference `key` while no posting here has it: `ours` ends the exception, a `stray`
    stays one until it is voided or deleted there.

    Raises `Rejected`, `NotAllowed`, `Conflict("explained")` when a posting has the key: its plan's page decides then.
    """
    words, user = _words(reason), _controller(acting_user)
    if verdict not in RecordVerdict.Verdict.values:
        raise Rejected("verdict_unknown", "Choose what this record is.", field="verdict")
    row = SourceRecord.objects.select_for_update(of=("self",), no_key=True).select_related("system").get(pk=record.pk)
    if key not in references_to_us(row):
        raise Conflict("not_ours", "This record does not bear that reference any more. Reload and look at it as it is now.")
    if Posting.objects.filter(key=key).exists():
        raise Conflict("explained", "A posting here has this reference. Decide on the page of its change plan.")
    said = _say(user, key, row, verdict, words)
    audit(
        "record.judge", row, acting_user=acting_user, account_id=row.account_id, reason=words,
        summary=RECORD_IS(record=row.named, system=row.system.label, key=key, verdict=Word(verdict)),
        after={"key": key, "verdict": verdict},
    )  # fmt: skip
    if row.account_id is not None:
        mark_due([row.account_id], now=database_now())
    return said


def _say(user: User, key: str, record: SourceRecord, verdict: str, reason: str) -> RecordVerdict:
    return RecordVerdict.objects.create(key=key, record=record, verdict=verdict, reason=reason, decided_by=user)


def _words(reason: str) -> str:
    words = reason.strip()
    if not words:
        raise Rejected("reason_missing", "Say where you looked and what you found.", field="reason")
    if len(words) > REASON_LENGTH_MAX:
        raise Rejected("reason_too_long", f"A reason has at most {REASON_LENGTH_MAX:,} characters.", field="reason")
    return words


def _controller(acting_user: User | System) -> User:
    user = actor_user(acting_user)
    if user is None or not holds_role(user.pk, DECIDERS):
        raise NotAllowed("not_a_controller", "A controller decides about postings whose outcome is unknown.")
    return user


def _took_no_part(plan: ChangePlan, acting_user: User | System) -> User:
    user = _controller(acting_user)
    if user.pk == plan.maker_id or plan.decisions.filter(decided_by=user).exists():
        raise NotAllowed("took_part", "Somebody who neither composed nor approved this plan must confirm it.")
    return user


def _waiting(posting: Posting, acting_user: User | System) -> tuple[ChangePlan, Posting]:
    """The locked plan and posting, which waits for a person."""
    _controller(acting_user)
    plan = locked_plan(posting.plan_id)
    row = Posting.objects.select_for_update().get(pk=posting.pk)
    if not row.needs_person:
        raise Conflict("not_stuck", "This posting does not wait for a person any more. Reload and look at it as it is now.")
    return plan, row


def _must_be_unknown(row: Posting) -> None:
    if row.state != PostingState.UNKNOWN:
        raise Conflict("not_unknown", "Its outcome is known: decide about the record that stands under our reference.")


def _present(plan: ChangePlan, row: Posting) -> VendorRecord:
    present = vendor_record(row, plan.account_id)
    if present is None:
        raise Conflict("nothing_there", f"No record stands under our reference in {row.system} now. Reload and look again.")
    return present


def _refuse(row: Posting, said: str, *, needs_person: bool) -> None:
    row.state, row.needs_person, row.fence = PostingState.REFUSED, needs_person, row.fence + 1
    row.lease_until, row.last_error = None, said
    row.save(update_fields=Posting.MOVING)
