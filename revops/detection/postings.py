"""Exceptions about what we have sent: a posting that waits for a person, and a vendor's record under our reference that no
posting explains, as a restored database leaves it behind.

They are found on an account like contradictions, open and close by what is found, and are in the queue beside them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping

from django.db.models import Exists, OuterRef

from revops.cases.lifecycle import Sighting
from revops.detection.evidence import evidence_of, fingerprint_of
from revops.detection.rule import ExceptionKind, Playbook
from revops.ledger.models import Link
from revops.money import Money
from revops.postings.models import Posting
from revops.reference import OURSELVES, Ref
from revops.sentences import Named, Param, Template, Word, template

WAITS, UNEXPLAINED = "posting_waits_for_person", "unexplained_posting"
POSTING_KINDS: Mapping[str, ExceptionKind] = {
    WAITS: ExceptionKind(
        "A posting waits for a person",
        "What the system has made of an approved change does not fit what was approved, or cannot be found out.",
        Playbook(
            means="Money may have moved that the plan does not show, or not moved though somebody counts on it.",
            check=(
                "Open the plan: it says what was found, and when it was sent.",
                "Look for our reference in the system's own screens.",
                "Nothing there? A controller who took no part sets the posting aside on the plan's page.",
                "Something else there? Put it right in that system: this closes when what it shows fits.",
            ),
        ),
    ),
    UNEXPLAINED: ExceptionKind(
        "A record under our reference that no posting explains",
        "A system has a record that bears a reference of ours, and no posting here has it.",
        Playbook(
            means="It was made by this product and is not known here: as after a restore of an older database.",
            check=(
                "Is the record right? Compare it with the approvals of that time, on paper or in the backup.",
                "Is it wrong, or was it made twice? Void it in its own system: this closes when it is gone.",
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
PLAN = template("postings.plan", "Change plan")
STATE = template("postings.state", "State of the posting")
KEY = template("postings.key", "Our reference")


def posting_sightings(account_ids: Collection[int], *, now: dt.datetime) -> dict[int, list[Sighting]]:
    """What is found, by account. Two queries."""
    found: dict[int, list[Sighting]] = {}
    waiting = Posting.objects.filter(plan__account__in=account_ids, needs_person=True)
    for posting in waiting.select_related("plan", "system").order_by("pk"):
        found.setdefault(posting.plan.account_id, []).append(_waits(posting, now))
    known = Posting.objects.filter(key=OuterRef("target_id"))
    links = Link.objects.filter(
        target_system=OURSELVES, target_type="posting", record__account__in=account_ids, record__deleted=False
    ).filter(~Exists(known))
    for link in links.select_related("record__system").order_by("record_id"):
        if link.record.account_id is not None:
            found.setdefault(link.record.account_id, []).append(_unexplained(link, now))
    return found


def _waits(posting: Posting, now: dt.datetime) -> Sighting:
    plan = posting.plan
    inputs: dict[Template, Param] = {PLAN: plan.ref, STATE: Word(posting.state), KEY: posting.key}
    return Sighting(
        fingerprint=fingerprint_of(WAITS, posting.key),
        rule=WAITS,
        title=POSTING_KINDS[WAITS].title,
        sentence=WAITS_FOUND(plan=plan.ref, system=posting.system.label, state=Word(posting.state)),
        amount=Money.from_minor(plan.amount_minor, plan.currency),
        due_at=now,
        systems=(str(posting.system_id),),
        evidence=evidence_of(WAITS, inputs),
    )


def _unexplained(link: Link, now: dt.datetime) -> Sighting:
    record, key = link.record, link.target_id
    named = Named(Ref(str(record.system_id), record.object_type, record.external_id), record.label)
    return Sighting(
        fingerprint=fingerprint_of(UNEXPLAINED, key),
        rule=UNEXPLAINED,
        title=POSTING_KINDS[UNEXPLAINED].title,
        sentence=UNEXPLAINED_FOUND(system=record.system.label, record=named, key=key),
        amount=None,
        due_at=now,
        systems=(str(record.system_id),),
        evidence=evidence_of(UNEXPLAINED, {KEY: key}, records=[record]),
    )
