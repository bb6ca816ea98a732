"""What becomes of released postings: attempts and answers. The only code that moves a posting after its release,
besides the ledger's evidence (`confirm`) and a person's decision (`recover`).

Every attempt is claimed first, in a transaction of its own: the attempt is counted, the fence moves, and the row is lent until
a time of the database's clock. An answer is written down only under the fence of its claim; one that comes too late is kept as
an observation and changes nothing. All times here are the database's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

from django.db import connection, transaction

from revops.audit.log import record as audit
from revops.audit.trace import tracing
from revops.cases.lifecycle import await_evidence
from revops.ledger.due import mark_due
from revops.ledger.reading import account_ledger
from revops.people.actors import System
from revops.postings.locks import locked_plan, locked_postings
from revops.postings.models import ChangePlan, PlanState, Posting, PostingState
from revops.postings.partly import DONE, told
from revops.postings.queue import POSTINGS, PostingClaim, database_now
from revops.postings.release import Moved, reopen_case, void_plan, what_moved
from revops.sentences import Param, Sentence, Word, template

ACTOR = System("posting")
ERROR_LENGTH_MAX = 1000

GONE = template("plan.gone", "{system} does not show {records} any more.")
POSTED = template("posting.posted", "{plan}: posted as {id}")
OUTCOME_UNKNOWN = template("posting.unknown", "{plan}: outcome unknown, will be looked up")
REFUSED = template("posting.refused", "{plan}: {reason}")
SENT_AGAIN = template("posting.sent_again", "{plan}: not there, sent again")
NEEDS_PERSON = template("posting.needs_person", "{plan}: a person must decide")
LATE_ANSWER = template("posting.late_answer", "{plan}: a late answer was kept and changed nothing")
PLAN_IS = template("plan.is", "{plan}: {state}")
BY_ITS_RECORD = template("plan.by_its_record", "Confirmed by the system's own record.")
WAITS_FOR_RECORD = template("plan.waits_for_record", "Posted. Waiting for the system's own record.")
CASE_WAITS = template("plan.case_waits", "{plan} is posted; waiting for the system's own record")
CASE_STAYS = template("plan.case_stays", "{plan} is confirmed, and what the systems say still differs")
PARTLY = template("plan.partly", "{plan} is partly posted: {steps}")
FAILED = template("plan.failed", "{plan} failed: {reason}")
OUTCOME_REFUSED = template("plan.outcome_refused", "Refused: {reason}")


def facts_stand(claimed: PostingClaim, gone: Sequence[Param]) -> bool:
    """Compare what was signed with the ledger, right after the vendor was read again; `gone` names what it no longer shows.

    When something moved, a plan of which nothing has left is void and goes back to its maker; one that was sent before, and not
    found, waits for a person, since the move may be its own effect. Once an earlier step of the plan is posted, the facts are
    expected to have moved and nothing is compared. False as well when the claim is no longer ours.
    """
    with _finishing(claimed, "read again before sending") as held:
        if held is None:
            return False
        plan, posting = held
        if any(other.state in DONE for other in locked_postings(plan)):
            return True
        moved = what_moved(plan, account_ledger(plan.account))
        if gone:
            moved = Moved(GONE(system=str(posting.system), records=tuple(gone)), moved.differences if moved else ())
        if moved is None:
            return True
        _give_back(claimed, plan, posting, moved)
    return False


def give_back(claimed: PostingClaim, why: Sentence) -> None:
    """Do not send it any more: the right of somebody who composed or signed it is gone.

    A plan of which nothing has left goes back to its maker; one of which a step was made ends as partly posted; one that was sent
    before, and not found, waits for a person.
    """
    with _finishing(claimed, "not sent: " + str(why)) as held:
        if held is None:
            return
        plan, posting = held
        if posting.first_sent_at is None and any(other.state in DONE for other in locked_postings(plan)):
            _rest(claimed, posting)
            end_refused(plan, str(why), acting_user=ACTOR, now=database_now())
        else:
            _give_back(claimed, plan, posting, Moved(why))


def _give_back(claimed: PostingClaim, plan: ChangePlan, posting: Posting, moved: Moved) -> None:
    if posting.first_sent_at is None:
        _rest(claimed, posting)
        void_plan(plan, moved, acting_user=ACTOR)
    else:
        words = f"Not found, and not sent again. {moved.sentence}"
        _ask_person(claimed, plan, posting, words, {"moved": moved.sentence.as_json()})


def begin_send(claimed: PostingClaim) -> bool:
    """Note that the first byte may leave from now on; commit before sending. False when the claim is no longer ours."""
    sent_before = Posting.objects.values_list("first_sent_at", flat=True).get(pk=claimed.key)
    first_sent_at = sent_before or database_now()
    return POSTINGS.progress(claimed, state=PostingState.SENDING, absent_seen_at=None, first_sent_at=first_sent_at, refusal="")


# --- answers --------------------------------------------------------------------------------------------------------


def note_posted(claimed: PostingClaim, vendor_id: str) -> bool:
    """Proof of the effect: the vendor's id. Returns whether the claim was still ours."""
    with _finishing(claimed, f"the vendor answered with {vendor_id}") as held:
        if held is None:
            return False
        plan, posting = held
        now = database_now()
        _rest(claimed, posting)
        posting.state, posting.vendor_id, posting.posted_at = PostingState.POSTED, vendor_id, now
        posting.last_error, posting.absent_seen_at = "", None
        posting.first_sent_at = posting.first_sent_at or now  # found under our key, though we know of no sending
        posting.save(update_fields=Posting.MOVING)
        _audit(plan, posting, "posting.post", POSTED(plan=plan.ref, id=vendor_id), {"vendor_id": vendor_id})
        advance_plan(plan, acting_user=ACTOR, now=now)
    return True


def note_unknown(claimed: PostingClaim, reason: str, *, refusal: bool = False, after_seconds: float = 0) -> bool:
    """The answer does not tell. It is looked up before anything else happens, not before `after_seconds`. `refusal`: it is the
    vendor's own no, which counts once look-ups show nothing."""
    with _finishing(claimed, reason) as held:
        if held is None:
            return False
        plan, posting = held
        first_time = posting.state != PostingState.UNKNOWN
        posting.state, posting.last_error = PostingState.UNKNOWN, reason[:ERROR_LENGTH_MAX]
        if refusal:
            posting.refusal = reason[:ERROR_LENGTH_MAX]
        wait = max(after_seconds, 1 if first_time else POSTINGS.back_off.seconds(claimed.attempts))
        _again(claimed, posting, min(POSTINGS.back_off.max_seconds, wait))
        if first_time:
            posting.absent_seen_at = None
        posting.save(update_fields=Posting.MOVING)
        if first_time:
            _audit(plan, posting, "posting.unknown", OUTCOME_UNKNOWN(plan=plan.ref), {"reason": reason[:300]})
    return True


def note_not_sent(claimed: PostingClaim, reason: str, after_seconds: float, *, was_sent_before: bool) -> bool:
    """Surely nothing happened in this attempt: wait 1 s to 1 h. What was sent before stays unknown."""
    with _finishing(claimed, reason) as held:
        if held is None:
            return False
        _, posting = held
        if was_sent_before:
            posting.state = PostingState.UNKNOWN
        else:
            posting.state, posting.first_sent_at = PostingState.RELEASED, None
        posting.last_error = reason[:ERROR_LENGTH_MAX]
        _again(claimed, posting, max(1.0, min(POSTINGS.back_off.max_seconds, after_seconds)))
        posting.save(update_fields=Posting.MOVING)
    return True


def note_refused(claimed: PostingClaim, reason: str, *, alarm: bool) -> bool:
    """No, for good, and surely without effect. `alarm`: something else stands under our key there, which must never be."""
    with _finishing(claimed, reason) as held:
        if held is None:
            return False
        _refuse(claimed, *held, reason, alarm=alarm)
    return True


def _refuse(claimed: PostingClaim, plan: ChangePlan, posting: Posting, reason: str, *, alarm: bool) -> None:
    _rest(claimed, posting)
    posting.state, posting.last_error = PostingState.REFUSED, reason[:ERROR_LENGTH_MAX]
    posting.needs_person = alarm
    posting.save(update_fields=Posting.MOVING)
    if alarm:
        mark_due([plan.account_id], now=database_now())
    verb = "posting.alarm" if alarm else "posting.refuse"
    _audit(plan, posting, verb, REFUSED(plan=plan.ref, reason=reason), {"reason": reason[:ERROR_LENGTH_MAX]})
    end_refused(plan, reason, acting_user=ACTOR, now=database_now())


def note_absent(
    claimed: PostingClaim, *, read_lag_seconds: int, resend_seconds_max: int
) -> Literal["lost", "wait", "resend", "refused", "person"]:
    """The look-up shows nothing. Only a second look, further apart than the vendor's read lag, proves that there is nothing: then
    a refusal of the vendor's counts, and without one it is sent again; not once the vendor may have forgotten our key, counted
    from the first sending."""
    with _finishing(claimed, "looked up: not there") as held:
        if held is None:
            return "lost"
        plan, posting = held
        now = database_now()
        lag = dt.timedelta(seconds=read_lag_seconds)
        assert posting.first_sent_at is not None, "only what was sent is looked up"
        if posting.absent_seen_at is None or now - posting.absent_seen_at <= lag:
            posting.absent_seen_at = posting.absent_seen_at or now
            _again(claimed, posting, (posting.absent_seen_at + lag - now).total_seconds() + 1)
            posting.last_error = "Looked up: not there yet. Looked up again after the vendor's read lag."
            posting.save(update_fields=Posting.MOVING)
            return "wait"
        if posting.refusal:
            _refuse(claimed, plan, posting, posting.refusal, alarm=False)
            return "refused"
        if now - posting.first_sent_at > dt.timedelta(seconds=resend_seconds_max):
            words = "Not found, and too old to be sent again safely. Look in the vendor's own screens, then decide here."
            _ask_person(claimed, plan, posting, words, {"first_sent_at": posting.first_sent_at.isoformat()})
            return "person"
        posting.last_error = "Looked up twice: not there. Sent again with the same key and bytes."
        posting.save(update_fields=Posting.MOVING)
        _audit(plan, posting, "posting.resend", SENT_AGAIN(plan=plan.ref), {"attempts": claimed.attempts})
        return "resend"


def _rest(claimed: PostingClaim, posting: Posting) -> None:
    """The attempt is over and nothing is to be tried again by itself. Before the row itself moves on."""
    POSTINGS.write([POSTINGS.finish(claimed)])
    posting.refresh_from_db(fields=("lease_until",))


def _again(claimed: PostingClaim, posting: Posting, after_seconds: float) -> None:
    """The attempt is over, and another follows after that. Before the row itself moves on."""
    POSTINGS.write([POSTINGS.retry(claimed, after_seconds=after_seconds)])
    posting.refresh_from_db(fields=("lease_until", "next_attempt_at"))


def _ask_person(claimed: PostingClaim, plan: ChangePlan, posting: Posting, words: str, after: Mapping[str, object]) -> None:
    _rest(claimed, posting)
    posting.needs_person, posting.last_error = True, words[:ERROR_LENGTH_MAX]
    posting.save(update_fields=Posting.MOVING)
    mark_due([plan.account_id], now=database_now())  # so that it is an exception in the queue
    _audit(plan, posting, "posting.needs_person", NEEDS_PERSON(plan=plan.ref), after)


@contextmanager
def _finishing(claimed: PostingClaim, observation: str) -> Iterator[tuple[ChangePlan, Posting] | None]:
    """The transaction that writes an answer down: locks in the one order, compares the fence."""
    with tracing(claimed.trace_id), transaction.atomic():
        with connection.cursor() as cursor:  # an answer is worth waiting for: a detection run may hold the account
            cursor.execute("SET LOCAL lock_timeout = '20s'")
        plan = locked_plan(claimed.plan_id)
        ours = POSTINGS.lock([claimed])
        posting = Posting.objects.select_for_update().get(pk=claimed.key)
        if not ours:
            _audit(
                plan, posting, "posting.observation", LATE_ANSWER(plan=plan.ref),
                {"observed": observation[:300], "fence": claimed.fence},
            )  # fmt: skip
            yield None
            return
        yield plan, posting


# --- the plan follows its postings ----------------------------------------------------------------------------------


def advance_plan(plan: ChangePlan, *, acting_user: System, now: dt.datetime) -> None:
    """Move a locked plan to what its postings have become: posted when all are at the vendor, confirmed when all are proven."""
    states = {posting.state for posting in locked_postings(plan)}
    before = plan.state
    if states == {PostingState.CONFIRMED} and before in (PlanState.RELEASED, PlanState.POSTED):
        plan.state, plan.ended_at, plan.outcome = PlanState.CONFIRMED, now, BY_ITS_RECORD()
    elif states <= {PostingState.POSTED, PostingState.CONFIRMED} and before == PlanState.RELEASED:
        plan.state, plan.outcome = PlanState.POSTED, WAITS_FOR_RECORD()
    if plan.state == before:
        return
    plan.row_version += 1
    plan.save()
    audit(
        f"plan.{plan.state}", plan, acting_user=acting_user, account_id=plan.account_id, case_id=plan.case_id,
        summary=PLAN_IS(plan=plan.ref, state=Word(plan.state)), before={"state": before}, after={"state": plan.state},
    )  # fmt: skip
    if plan.case_id is not None and plan.state == PlanState.POSTED:
        await_evidence(plan.case_id, acting_user=ACTOR, summary=CASE_WAITS(plan=plan.ref))
    elif plan.state == PlanState.CONFIRMED:  # the rules looked first: a case that is still live was not put right by it
        reopen_case(plan, CASE_STAYS(plan=plan.ref))


def end_refused(plan: ChangePlan, reason: str, *, acting_user: System, now: dt.datetime) -> None:
    """End a locked plan of which a posting was refused: what has not left stays here, and the case needs somebody again.

    The plan has failed when nothing of it was made; else it is partly posted, and what is done and what is missing is told.
    """
    postings = locked_postings(plan)
    for posting in postings:
        if posting.state == PostingState.RELEASED:
            posting.state = PostingState.VOID
            posting.save(update_fields=["state"])
    partly = any(posting.state in DONE for posting in postings)
    said = PARTLY(plan=plan.ref, steps=told(postings)) if partly else FAILED(plan=plan.ref, reason=reason)
    before = plan.state
    if before in (PlanState.RELEASED, PlanState.POSTED):
        plan.state = PlanState.PARTLY_POSTED if partly else PlanState.FAILED
        plan.ended_at, plan.outcome = now, OUTCOME_REFUSED(reason=reason)
        plan.row_version += 1
        plan.save()
        audit(
            "plan.partly_posted" if partly else "plan.fail", plan, acting_user=acting_user, account_id=plan.account_id,
            case_id=plan.case_id, reason=reason, summary=said, before={"state": before},
            after={"state": plan.state, **_by_state(postings)} if partly else {"state": plan.state},
        )  # fmt: skip
    reopen_case(plan, said)


def _by_state(postings: Sequence[Posting]) -> dict[str, object]:
    """The numbers of the steps that are done and of those that are missing."""
    done = [posting.sequence for posting in postings if posting.state in DONE]
    return {"done": done, "missing": [posting.sequence for posting in postings if posting.state not in DONE]}


def _audit(plan: ChangePlan, posting: Posting, verb: str, summary: Sentence, after: Mapping[str, object]) -> None:
    audit(
        verb, posting, acting_user=ACTOR, account_id=plan.account_id, case_id=plan.case_id, summary=summary,
        after={"state": posting.state, "key": posting.key, **after},
    )  # fmt: skip
