"""Exceptions about a connected system itself: deliveries that cannot be used pile up, values could not be read, or it cannot be
read at all.

`sync` says how a system stands; here that is judged by the policies, and the system's cases are updated as an account's are: they
open, change and close by what is found, never by a click.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction

from revops.audit.trace import tracing
from revops.cases.lifecycle import Sighting, update_cases
from revops.cases.models import LIVE_STATUSES, ExceptionCase
from revops.detection.evidence import evidence_of, fingerprint_of
from revops.detection.rule import ExceptionKind, Playbook
from revops.ledger.coverage import Coverage
from revops.ledger.models import SourceSystem
from revops.ledger.unread import NOT_IN_EVENT
from revops.ledger.unread_values import UnreadField
from revops.policies.in_force import policies_in_force
from revops.policies.policies import Policies
from revops.sentences import Param, Sentence, Template, Word, template

DEAD_LETTERS, UNREADABLE, VALUES_UNREAD = "dead_letters_pile_up", "connection_unreadable", "values_unread"
COVERAGE = "coverage_low"
CONNECTION_KINDS: Mapping[str, ExceptionKind] = {
    DEAD_LETTERS: ExceptionKind(
        "Dead letters pile up",
        "Deliveries that could not be used wait, more of them than the policies let pass.",
        Playbook(
            means="What these deliveries say is missing here: figures and findings may rest on older facts.",
            check=(
                "Open the dead letters by cause: is one cause behind most of them?",
                "Has the vendor changed a field or a word? Then the connector must learn it before they are replayed.",
                "Is it mended? Replay the cause: what is read again is applied once.",
            ),
        ),
    ),
    UNREADABLE: ExceptionKind(
        "Connection cannot be read",
        "Reading a system has failed more often in a row than the policies let pass.",
        Playbook(
            means="What changes in that system is not seen here until it can be read again. Nothing is lost: it goes on where it "
            "stopped.",
            check=(
                "Read the last problem: are the credentials or the address refused, or does the vendor not answer?",
                "Was the role of our app at the vendor changed?",
                "Is the connection meant to be read at all? An administrator can switch it off.",
            ),
        ),
    ),
    COVERAGE: ExceptionKind(
        "Too little is tied to the other systems",
        "So few records of a system are tied to those of the others that what rests on these ties cannot be trusted.",
        Playbook(
            means="Rules that follow these ties would call most of the company contradictory. They are on trial in this system: "
            "what they find opens no case until the share is back or a person lets them.",
            check=(
                "Open the connection's page: which records are not tied, and what do they carry instead of an id?",
                "Does another field hold the id, or is it written in another form? Declare it in the mapping.",
                "Has it fallen? Then look at what changed in the integration that writes these ids.",
            ),
        ),
    ),
    VALUES_UNREAD: ExceptionKind(
        "Values could not be read",
        "Records of a system say something in a field that could not be read. The rest of them counts.",
        Playbook(
            means="The field is taken for unknown in these records: what would be found by it is not found.",
            check=(
                "Open one of the records: what is written there, and why could it not be read?",
                "Is it wrong at the vendor, such as a currency or a date? Correct it there; the next read takes it.",
                "Is it a new word of the vendor or of the tenant? Then the connector must learn it, and a replay reads it.",
            ),
        ),
    ),
}
"""Each kind of exception that is about a system and not about an account."""

PILED_UP = template(
    "connections.piled_up",
    "{system} has {count} or more dead letters: deliveries that could not be used. What they say is missing here.",
)
CANNOT_BE_READ = template(
    "connections.cannot_be_read", "{system} cannot be read ({streams}): what changes there is not seen here."
)
VALUES = template(
    "connections.values",
    "{field} of {records} of {system} could not be read in {count} or more records. What it would tell is missing here.",
)
TIED = template("connections.tied", "In {system} too few records are tied to the others: {ties}.")
RECORDS = template("connections.records", "Records")
WRITTEN = template("connections.written", "Written there")
WHY = template("connections.why", "Why")
DEAD = template("connections.dead_letters", "Dead letters")
OR_MORE = template("connections.or_more", "{count} or more")
NOT_READ = template("connections.not_read", "Cannot be read")
LAST_PROBLEM = template("connections.last_problem", "Last problem")

STEPS = (1000, 500, 200, 100, 50, 20, 10, 5, 2, 1)
"""Dead letters are told in steps, so that a flood of them does not rewrite the case with each one."""
COUNT_MAX = STEPS[0]


@dataclass(frozen=True, slots=True)
class Health:
    """How a system stands. `dead_letters`: how many wait (counted up to `COUNT_MAX`); `failures`: stream -> how often in a row
    reading it has failed; `problem`: what the system or the network said last; `unread`: fields whose values could not be
    read; `coverage`: how much of it is tied to the others."""

    system: str
    dead_letters: int = 0
    failures: Mapping[str, int] | None = None
    problem: str = ""
    unread: Sequence[UnreadField] = ()
    coverage: Sequence[Coverage] = ()


def sightings_of(health: Health, label: str, policies: Policies, *, now: dt.datetime) -> list[Sighting]:
    """What is wrong with the system by these policies."""
    found = []
    if health.dead_letters >= policies.connections.dead_letters:
        count = next(step for step in STEPS if step <= health.dead_letters)
        sentence = PILED_UP(system=label, count=count)
        found.append(_sighting(DEAD_LETTERS, health, sentence, {DEAD: OR_MORE(count=count)}, now))
    failing = sorted(stream for stream, count in (health.failures or {}).items() if count >= policies.connections.failed_reads)
    if failing:
        streams = tuple(Word(stream) for stream in failing)
        inputs: dict[Template, Param] = {NOT_READ: streams, **({LAST_PROBLEM: health.problem} if health.problem else {})}
        found.append(_sighting(UNREADABLE, health, CANNOT_BE_READ(system=label, streams=streams), inputs, now))
    weak = [each for each in health.coverage if each.is_weak(policies.connections)]
    if weak:
        found.append(_sighting(COVERAGE, health, TIED(system=label, ties=_ties(weak, policies)), {}, now))
    for each in health.unread:
        if each.example.code != NOT_IN_EVENT:  # that is read again by itself
            count = next(step for step in STEPS if step <= each.count)
            sentence = VALUES(field=each.label, records=each.type_label, system=label, count=count)
            inputs = {RECORDS: OR_MORE(count=count), WHY: each.example.why}
            inputs |= {WRITTEN: each.example.raw} if each.example.raw else {}
            place = f"{health.system} {each.object_type} {each.field}"
            found.append(_sighting(VALUES_UNREAD, health, sentence, inputs, now, place=place))
    return found


def _ties(weak: Sequence[Coverage], policies: Policies) -> str:
    """Each of them with its figures."""
    told = []
    for each in weak:
        tied = f"{each.share} of {each.label} ({each.tied:,} of {each.total:,})"
        told.append(f"{tied}, at best {each.best_share}" if each.has_fallen(policies.connections) else tied)
    return "; ".join(told)


def _sighting(
    rule: str, health: Health, sentence: Sentence, inputs: Mapping[Template, Param], now: dt.datetime, *, place: str = ""
) -> Sighting:
    """`place`: what of the system it is about, where that is not all of it."""
    return Sighting(
        fingerprint=fingerprint_of(rule, place or health.system),
        rule=rule,
        title=CONNECTION_KINDS[rule].title,
        sentence=sentence,
        amount=None,
        due_at=now,
        systems=(health.system,),
        evidence=evidence_of(rule, inputs),
    )


def update_connection_cases(healths: Mapping[str, Health], *, now: dt.datetime) -> int:
    """Make the cases of connected systems agree with how they stand. A system that is not in `healths` (switched off) has no
    exceptions. Returns how many systems changed."""
    policies = policies_in_force()
    live = ExceptionCase.objects.filter(system__isnull=False, status__in=LIVE_STATUSES)
    stand: dict[str, dict[str, tuple[str, str]]] = {}
    for system, key, digest, version in live.values_list("system", "fingerprint", "facts_digest", "policy_version"):
        stand.setdefault(str(system), {})[key] = (digest, version)
    labels = dict(SourceSystem.objects.values_list("slug", "label"))
    changed = 0
    for system in sorted({*stand, *healths}):
        health = healths.get(system, Health(system))
        found = sightings_of(health, labels[system], policies, now=now)
        if {s.fingerprint: (s.facts_digest(), policies.version) for s in found} != stand.get(system, {}):
            with transaction.atomic(), tracing(""):
                row = SourceSystem.objects.select_for_update(no_key=True).get(pk=system)  # two sweepers take turns
                evidence = {"dead_letters": health.dead_letters, "failures": dict(health.failures or {})}
                update_cases(row, found, CONNECTION_KINDS, policies, now=now, close_evidence=evidence)
            changed += 1
    return changed
