"""Exceptions about what we have sent: a posting that waits for a person, and a vendor's record under our reference that no
posting explains, as a restored database leaves it behind.

They are found on an account like contradictions, open and close by what is found, and are in the queue beside them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

from revops.cases.lifecycle import Sighting
from revops.detection.evidence import evidence_of, fingerprint_of
from revops.detection.rule import ExceptionKind, Playbook
from revops.ledger.models import Link
from revops.money import Money
from revops.postings.models import Posting, RecordVerdict
from revops.postings.unexplained import is_gone, unexplained_links
from revops.sentences import Param, Template, Word, template

WAITS, UNEXPLAINED = "posting_waits_for_person", "unexplained_posting"
POSTING_KINDS: Mapping[str, ExceptionKind] = {
    WAITS: ExceptionKind(
        "A posting waits for a person",
        "What the system has made of an approved change does not fit what was approved, or cannot be found out.",
        Playbook(
            means="Money may have moved that the plan does not show, or not moved though somebody counts on it.",
            check=(
                "Open the plan: it says what was found, and when it was sent. A controller who took no part decides there.",
                "Look for our reference in the system's own screens. Nothing there? Set the posting aside.",
                "The record that was approved? Adopt it: the plan is confirmed by it.",
                "Something else, or made twice? Declare it a stray and void it there: this closes when it is gone.",
            ),
        ),
    ),
    UNEXPLAINED: ExceptionKind(
        "A record under our reference that no posting explains",
        "A system has a record that bears a reference of ours, and no posting here has it.",
        Playbook(
            means="It was made by this product and is not known here: as after a restore of an older database.",
            check=(
                "Open the record. Compare it with the approvals of that time, on paper or in the backup.",
                "Is it right? A controller says so on the record's page, and this closes.",
                "Wrong, or made twice? Declare it a stray there, and void it in its own system: this closes when it is gone.",
            ),
        ),
    ),
}
"""Each kind of exception about what we have sent."""

WAITS_FOUND = template(
    "postings.waits", "{plan} waits for a person: what {system} has made of it does not fit, or is not known ({state})."
)
UNEXPLAINED_FOUND = template(
    "postings.unexplained", "{system} has {record} under our reference {key}, and no posting here has that reference."
)
STRAY_FOUND = template(
    "postings.stray",
    "{system} has {record} under our reference {key}. A controller declared it a stray: it must be voided there.",
)
PLAN = template("postings.plan", "Change plan")
STATE = template("postings.state", "State of the posting")
KEY = template("postings.key", "Our reference")
VERDICT = template("postings.verdict", "A controller's word")
OURS, STRAY = RecordVerdict.Verdict.OURS, RecordVerdict.Verdict.STRAY


def posting_sightings(account_ids: Collection[int], *, now: dt.datetime) -> dict[int, list[Sighting]]:
    """What is found, by account. Two queries, and one more when something is."""
    found: dict[int, list[Sighting]] = {}
    waiting = Posting.objects.filter(plan__account__in=account_ids, needs_person=True)
    rows = list(waiting.select_related("plan", "system").order_by("pk"))
    unknown = list(unexplained_links().filter(record__account__in=account_ids))
    said = _verdicts([row.key for row in rows] + [link.target_id for link in unknown])
    for posting in rows:
        found.setdefault(posting.plan.account_id, []).append(_waits(posting, said.get(posting.key), now))
    for link in unknown:
        verdict = said.get(link.target_id)
        ours = verdict is not None and verdict.verdict == OURS and verdict.record_id == link.record_id
        if link.record.account_id is not None and not is_gone(link.record) and not ours:
            found.setdefault(link.record.account_id, []).append(_unexplained(link, verdict, now))
    return found


def _verdicts(keys: Sequence[str]) -> dict[str, RecordVerdict]:
    """The newest word of a controller on each reference; no query when there is none to ask about."""
    rows = RecordVerdict.objects.filter(key__in=keys).select_related("record__system").order_by("pk") if keys else []
    return {row.key: row for row in rows}


def _waits(posting: Posting, verdict: RecordVerdict | None, now: dt.datetime) -> Sighting:
    plan = posting.plan
    inputs: dict[Template, Param] = {PLAN: plan.ref, STATE: Word(posting.state), KEY: posting.key}
    sentence = WAITS_FOUND(plan=plan.ref, system=posting.system.label, state=Word(posting.state))
    if verdict is not None and verdict.verdict == STRAY:
        inputs[VERDICT] = Word(STRAY)
        sentence = STRAY_FOUND(system=posting.system.label, record=verdict.record.named, key=posting.key)
    return Sighting(
        fingerprint=fingerprint_of(WAITS, posting.key),
        rule=WAITS,
        title=POSTING_KINDS[WAITS].title,
        sentence=sentence,
        amount=Money.from_minor(plan.amount_minor, plan.currency),
        due_at=now,
        systems=(str(posting.system_id),),
        evidence=evidence_of(WAITS, inputs),
    )


def _unexplained(link: Link, verdict: RecordVerdict | None, now: dt.datetime) -> Sighting:
    record, key = link.record, link.target_id
    stray = verdict is not None and verdict.verdict == STRAY
    inputs: dict[Template, Param] = {KEY: key, **({VERDICT: Word(STRAY)} if stray else {})}
    return Sighting(
        fingerprint=fingerprint_of(UNEXPLAINED, key),
        rule=UNEXPLAINED,
        title=POSTING_KINDS[UNEXPLAINED].title,
        sentence=(STRAY_FOUND if stray else UNEXPLAINED_FOUND)(system=record.system.label, record=record.named, key=key),
        amount=None,
        due_at=now,
        systems=(str(record.system_id),),
        evidence=evidence_of(UNEXPLAINED, inputs, records=[record]),
    )
