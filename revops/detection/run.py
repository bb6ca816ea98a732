"""Running the rules: take the accounts that are due, read each ledger once, run the rules that what moved concerns, update their
cases.

The table of due accounts is the queue; tasks only ring. Several accounts are read together and share a transaction; when that
fails, each gets its own. An account's cases, the confirmation of its postings and the end of its mark stand or fall together.
"""

from __future__ import annotations

import datetime as dt
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from django.db import transaction

from revops.accounts.models import Account
from revops.audit.trace import trace_id, tracing
from revops.cases.lifecycle import Awaited, Sighting, live_cases_of, update_cases
from revops.cases.models import Expectation
from revops.cases.trial import Trials, trials_now
from revops.detection.absence import unused_letters
from revops.detection.evidence import evidence_of
from revops.detection.postings import POSTING_KINDS, posting_sightings
from revops.detection.registry import RULES
from revops.detection.rule import Finding, Rule
from revops.detection.weak import weak_rules
from revops.ledger.due import AccountClaim, fail, finish, mark_due, take_due
from revops.ledger.freshness import role_read_through
from revops.ledger.reading import account_ledgers
from revops.ledger.types import TYPES
from revops.ledger.view import AccountLedger
from revops.policies.in_force import policies_in_force
from revops.policies.policies import Policies
from revops.postings.confirm import accounts_with_unproven, confirm_from_ledger
from revops.sentences import Word, template

log = logging.getLogger(__name__)

UNREAD_AGAIN = dt.timedelta(minutes=2)
"""When the rules run again at the latest on an account of which a system was not read far enough: they run when it is."""


LETTERS_AGAIN = dt.timedelta(minutes=10)
"""When the rules run again on an account of which a dead letter may be what is missing."""

IN_DEAD_LETTERS = template("detection.in_dead_letters", "{letters} dead letters of the {role} that name it")
WAITS_FOR = template("detection.waits_for", "Waits for")
READ_UP_TO = template("detection.read_up_to", "{records} records of the {role}: read up to {read}")
NOT_READ_YET = template("detection.not_read_yet", "{records} records of the {role}: not read completely yet")


def detect_due(*, limit: int, now: dt.datetime) -> int:
    """Run the rules on up to `limit` due accounts, and on one that failed last time; returns how many were taken. A failing
    account keeps its mark and its error."""
    taken = 0
    for tried, many in ((False, limit), (True, 1)):
        with take_due(limit=many, tried=tried) as held:
            if held.rows:
                _detect(held.rows, now)
            taken += len(held.rows)
    return taken


def _detect(claims: Sequence[AccountClaim], now: dt.datetime) -> None:
    """All in one transaction, or each in its own when that fails, so that one that fails costs the others nothing."""
    traces = {claim.key: claim.trace_id for claim in claims}
    try:
        with transaction.atomic():
            moved = {claim.key: frozenset(claim.moved) for claim in claims}
            detect_accounts(list(traces), now=now, traces=traces, moved=moved)
            finish(claims)
    except Exception as error:
        if len(claims) > 1:
            log.info("rules run on %s accounts one by one after %s", len(claims), type(error).__name__)
            for claim in claims:
                _detect([claim], now)
            return
        log.exception("detection failed on account %s", claims[0].key)
        with transaction.atomic():
            fail(claims[0], f"{type(error).__name__}: {error}")


def detect_account(account_id: int, *, now: dt.datetime) -> None:
    """Run every rule on one account now, inside the caller's transaction."""
    detect_accounts([account_id], now=now, traces={account_id: trace_id()})


def detect_accounts(
    account_ids: Sequence[int],
    *,
    now: dt.datetime,
    traces: Mapping[int, str],
    moved: Mapping[int, frozenset[str]] | None = None,
) -> None:
    """Run the rules on these accounts now, inside the caller's transaction; what is done to one is done under its trace.

    `moved` names the object types that moved on an account: only rules that read one of them run, and only their cases are
    updated. Every rule runs where it is empty or missing. The statements are as many for fifty accounts as for one, but where
    something has to change.
    """
    accounts = list(
        Account.objects.select_for_update(of=("self",), no_key=True)
        .select_related("legal_entity")
        .filter(pk__in=account_ids)
        .order_by("pk")
    )
    ledgers = account_ledgers(accounts)
    policies = policies_in_force()
    live = live_cases_of(account_ids, [*RULES, *POSTING_KINDS])
    unproven = accounts_with_unproven(account_ids)
    trials = trials_now(now, weak_rules(policies))
    read_through = functools.cache(role_read_through)
    for account in accounts:
        ledger = ledgers[account.pk]
        running = {code: rule for code, rule in RULES.items() if rule.runs_on((moved or {}).get(account.pk, frozenset()))}
        sightings: list[Sighting] = []
        for rule in running.values():
            for finding in rule.findings(ledger, policies, now):
                if live.has(account.pk, rule.code, finding.fingerprint(rule.code)):
                    sightings.append(sighting(rule, finding))
                else:
                    told = wait_until_read(rule, finding, now, read_through)
                    sightings.append(hold_back(told, trials, policies, now))
        with tracing(traces[account.pk]):
            if not live.agrees(account, sightings, running, policies, now=now):
                update_cases(account, sightings, running, policies, now=now, close_evidence=evidence_now(ledger))
            if account.pk in unproven:
                confirm_from_ledger(account.pk, now=now)
    ours = posting_sightings(account_ids, now=now)  # after what was confirmed, or raised an alarm
    for account in accounts:
        about_ours = ours.get(account.pk, [])
        with tracing(traces[account.pk]):
            if not live.agrees(account, about_ours, POSTING_KINDS, policies, now=now):
                evidence = evidence_now(ledgers[account.pk])
                update_cases(account, about_ours, POSTING_KINDS, policies, now=now, close_evidence=evidence)


def mark_expected(*, now: dt.datetime, limit: int = 1000) -> int:
    """Accounts with an expectation whose time has come, or for which the awaited read has come, are due for a run of every rule.
    Returns how many."""
    ids = set(Expectation.objects.filter(due_at__lte=now, held="").values_list("account_id", flat=True)[:limit])
    awaiting = Expectation.objects.filter(held="").exclude(awaits_role="")
    for role, object_type in awaiting.values_list("awaits_role", "awaits_type").distinct():
        read = role_read_through(role, object_type)
        if read is not None:
            rows = awaiting.filter(awaits_role=role, awaits_type=object_type, awaits_until__lte=read)
            ids |= set(rows.values_list("account_id", flat=True)[:limit])
    mark_due(ids, now=now)
    return len(ids)


def wait_until_read(
    rule: Rule, finding: Finding, now: dt.datetime, read_through: Callable[[str, str], dt.datetime | None]
) -> Sighting:
    """What is overdue because a record is missing stays "not yet due" until the system that should have it was read so far.
    Not asked of what is a case already: the system was read then."""
    if not rule.expects or finding.due_at > now:
        return sighting(rule, finding)
    read = read_through(rule.expects, rule.expects_type)
    if read is not None and read >= finding.due_at:
        letters = unused_letters(finding, rule.expects)
        if not letters:
            return sighting(rule, finding)
        waits = IN_DEAD_LETTERS(letters=letters, role=Word(rule.expects))
        return sighting(rule, replace(finding, due_at=now + LETTERS_AGAIN, inputs={**finding.inputs, WAITS_FOR: waits}))
    what = {"records": Word(rule.expects_type), "role": Word(rule.expects)}
    waits = READ_UP_TO(**what, read=read) if read is not None else NOT_READ_YET(**what)
    told = replace(finding, due_at=now + UNREAD_AGAIN, inputs={**finding.inputs, WAITS_FOR: waits})
    return replace(sighting(rule, told), awaits=Awaited(rule.expects, rule.expects_type, finding.due_at))


def hold_back(told: Sighting, trials: Trials, policies: Policies, now: dt.datetime) -> Sighting:
    """The sighting, held where its rule is on trial in one of its systems, or has opened as many cases as it may in an hour."""
    if system := trials.system_of(told.rule, told.systems):
        return replace(told, held=Expectation.Held.TRIAL, held_in=system)
    if told.due_at > now:
        return told
    if trials.floods(told.rule, policies.detection.cases_an_hour):
        return replace(told, held=Expectation.Held.FLOOD, held_in=told.systems[0] if told.systems else "")
    trials.opened[told.rule] = trials.opened.get(told.rule, 0) + 1
    return told


def sighting(rule: Rule, finding: Finding) -> Sighting:
    """A finding in the form that cases keep."""
    records = (*finding.subjects, *finding.context)
    return Sighting(
        fingerprint=finding.fingerprint(rule.code),
        rule=rule.code,
        title=rule.title,
        sentence=finding.sentence,
        amount=finding.amount,
        due_at=finding.due_at,
        systems=tuple(sorted({record.system for record in records})),
        evidence=evidence_of(rule.code, finding.inputs, records=records, differences=finding.differences, order=finding.order),
    )


def evidence_now(ledger: AccountLedger) -> dict[str, object]:
    """What the ledger says at the moment of closing: every record's version, so that the closing can be checked later."""
    return {
        "records": [
            {
                "system": record.system,
                "object_type": record.object_type,
                "external_id": record.external_id,
                "version": record.version,
                "entry_id": record.entry_id,
            }
            for record in ledger.records
            if TYPES[record.object_type].of_account or record.object_type == "accounting_period"
        ]
    }
