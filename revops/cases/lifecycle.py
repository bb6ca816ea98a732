"""How cases open, are refreshed, close and come back: by what the systems say. The only module that does so.

`update_cases` takes what was found about one account, or one connected system, and makes its cases agree with it,
as far as the rules that looked are concerned. A click alone closes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Q

from revops.accounts.models import Account
from revops.audit.log import record as audit
from revops.audit.trace import trace_id
from revops.cases.models import LIVE_STATUSES, CaseStatus, ExceptionCase, Expectation, Severity
from revops.cases.routing import route
from revops.ledger.models import SourceSystem
from revops.money import Money
from revops.people.actors import System
from revops.policies.policies import Policies
from revops.policies.values import SeverityCode
from revops.sentences import Sentence, template
from revops.strict_json import content_digest

ACTOR = System("detection")

OPENED = template("case.opened", "Opened: {found}")
MOVED = template("case.moved", "Its records now belong to {account}")
REFRESHED = template("case.refreshed", "The systems now say: {found}")
JUDGED_ANEW = template("case.judged_anew", "Judged by new policies: {found}")
REOPENED = template("case.reopened", "Came back: {found}")
CLOSED = template("case.closed", "Closed by evidence: {why}")
AGREED = template("case.agreed", "The systems no longer contradict each other.")
SNOOZE_OVER = template("case.snooze_over", "The snooze is over")

SEVERITIES: Mapping[SeverityCode, Severity] = {
    "critical": Severity.CRITICAL,
    "high": Severity.HIGH,
    "medium": Severity.MEDIUM,
    "low": Severity.LOW,
}

About = Account | SourceSystem
"""What a case is about. What is found about a system is due at once: only accounts have expectations."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """A read that must come first: everything of the object type in every system of the role, up to `until` (aware UTC)."""

    role: str
    object_type: str
    until: dt.datetime


@dataclass(frozen=True, slots=True)
class Sighting:
    """One finding as cases need it: identity, sentence, money, evidence (JSON), from when on it is due, what must be read before
    it may be, and whether it is held back from being a case."""

    fingerprint: str
    rule: str
    title: str
    sentence: Sentence
    amount: Money | None
    due_at: dt.datetime
    systems: tuple[str, ...]
    evidence: Mapping[str, object] = field(default_factory=dict)
    awaits: Awaited | None = None
    held: Expectation.Held = Expectation.Held.NOT
    held_in: str = ""

    def facts_digest(self) -> str:
        """SHA-256 (hex) of the evidence: it moves whenever what the systems say about this moves. A newer version of a record
        that says the same does not move it."""
        records = self.evidence.get("records")
        said = [{**record, "version": ""} for record in records] if isinstance(records, list) else records
        return content_digest({**self.evidence, "records": said})


@dataclass(frozen=True, slots=True)
class LiveCases:
    """The live cases and the expectations of some accounts, read without locking them: enough to see where nothing is to be done.

    `cases`: account -> rule -> fingerprint -> (digest of the facts, version of the policies). `expectations`: account -> rule ->
    fingerprint -> promise.
    """

    cases: Mapping[int, Mapping[str, Mapping[str, tuple[str, str]]]]
    expectations: Mapping[int, Mapping[str, Mapping[str, Mapping[str, object]]]]

    def agrees(
        self, account: Account, sightings: Sequence[Sighting], rules: Iterable[str], policies: Policies, *, now: dt.datetime
    ) -> bool:
        """Whether `update_cases` with these arguments would change nothing."""
        cases, expectations = self.cases.get(account.pk, {}), self.expectations.get(account.pk, {})
        stand: dict[str, tuple[str, str]] = {}
        wait: dict[str, Mapping[str, object]] = {}
        for rule in rules:
            stand |= cases.get(rule, {})
            wait |= expectations.get(rule, {})
        said, waiting = _cases_and_expectations(sightings, stand, now)
        return {key: (s.facts_digest(), policies.version) for key, s in said.items()} == stand and {
            key: _promise(account, s, policies) for key, s in waiting.items()
        } == wait

    def has(self, account_id: int, rule: str, fingerprint: str) -> bool:
        """Whether the contradiction has a live case on the account."""
        return fingerprint in self.cases.get(account_id, {}).get(rule, {})


def live_cases_of(account_ids: Iterable[int], rules: Iterable[str]) -> LiveCases:
    """How these accounts stand at this moment, as far as `rules` are concerned. Two queries."""
    mine = {"account__in": list(account_ids), "rule__in": list(rules)}
    cases: dict[int, dict[str, dict[str, tuple[str, str]]]] = {}
    live = ExceptionCase.objects.filter(**mine, status__in=LIVE_STATUSES)
    for account_id, rule, key, *said in live.values_list("account_id", "rule", "fingerprint", "facts_digest", "policy_version"):
        if account_id is not None:
            cases.setdefault(account_id, {}).setdefault(rule, {})[key] = (str(said[0]), str(said[1]))
    expectations: dict[int, dict[str, dict[str, Mapping[str, object]]]] = {}
    for row in Expectation.objects.filter(**mine).values("account_id", "fingerprint", *_PROMISED):
        of_rule = expectations.setdefault(row.pop("account_id"), {}).setdefault(str(row["rule"]), {})
        of_rule[row.pop("fingerprint")] = row
    return LiveCases(cases, expectations)


def _cases_and_expectations(
    sightings: Sequence[Sighting], live: Container[str], now: dt.datetime
) -> tuple[dict[str, Sighting], dict[str, Sighting]]:
    """The sightings that are a case, and those that are an expectation, by fingerprint.

    A contradiction that is a live case stays one until it is gone, also when what is left of it would not be due yet: a partial
    fix starts no new grace.
    """
    said = {s.fingerprint: s for s in sightings if (now >= s.due_at and not s.held) or s.fingerprint in live}
    return said, {s.fingerprint: s for s in sightings if s.fingerprint not in said}


_PROMISED = (
    "rule", "sentence", "due_at", "amount_minor", "currency", "awaits_role", "awaits_type", "awaits_until", "held", "system_id",
)  # fmt: skip


def _at_risk(about: About, sighting: Sighting, policies: Policies) -> Money:
    """The money at risk: none is zero in the account's currency, else in the reporting currency."""
    if sighting.amount is not None:
        return sighting.amount
    currency = about.currency if isinstance(about, Account) else ""
    return Money.zero(currency or policies.reporting_currency)


def _promise(account: Account, sighting: Sighting, policies: Policies) -> dict[str, object]:
    """What an expectation says, by column."""
    amount = _at_risk(account, sighting, policies)
    return {
        "rule": sighting.rule,
        "sentence": sighting.sentence,
        "due_at": sighting.due_at,
        "amount_minor": amount.minor,
        "currency": amount.currency,
        "awaits_role": sighting.awaits.role if sighting.awaits else "",
        "awaits_type": sighting.awaits.object_type if sighting.awaits else "",
        "awaits_until": sighting.awaits.until if sighting.awaits else None,
        "held": sighting.held.value,
        "system_id": sighting.held_in or None,
    }


def _about(about: About) -> dict[str, About | None]:
    """The columns that say what a case is about."""
    if isinstance(about, Account):
        return {"account": about, "system": None}
    return {"account": None, "system": about}


def update_cases(
    about: About,
    sightings: Sequence[Sighting],
    rules: Iterable[str],
    policies: Policies,
    *,
    now: dt.datetime,
    close_evidence: Mapping[str, object] | None = None,
) -> dict[str, int]:
    """Make the cases about it of `rules`, which are the rules that looked, agree with the sightings. Cases of other rules stay
    as they are. Runs inside the caller's transaction.

    Due sightings open, refresh or reopen their case; sightings not yet due refresh their live case, else become expectations;
    live cases that are no longer seen close with the evidence. Returns counts `opened refreshed reopened closed waiting`.
    """
    counts = dict.fromkeys(("opened", "refreshed", "reopened", "closed", "waiting"), 0)
    cases = {
        case.fingerprint: case
        for case in ExceptionCase.objects.select_for_update()
        .filter(Q(**_about(about), rule__in=list(rules)) | Q(fingerprint__in=[s.fingerprint for s in sightings]))
        .order_by("pk")
    }
    live = {fingerprint for fingerprint, case in cases.items() if case.status in LIVE_STATUSES}
    said, waiting = _cases_and_expectations(sightings, live, now)
    for fingerprint in sorted(said):
        sighting, case = said[fingerprint], cases.get(fingerprint)
        if case is not None and isinstance(about, Account) and case.account_id != about.pk:
            _move(case, about)
        if case is None:
            _open(about, sighting, policies, now)
            counts["opened"] += 1
        elif case.status == CaseStatus.CLOSED:
            _reopen(case, about, sighting, policies, now)
            counts["reopened"] += 1
        elif case.facts_digest != sighting.facts_digest() or case.policy_version != policies.version:
            _refresh(case, about, sighting, policies, now)
            counts["refreshed"] += 1
    for fingerprint in sorted(live - said.keys()):
        _close(cases[fingerprint], now, close_evidence or {})
        counts["closed"] += 1
    if isinstance(about, Account):
        counts["waiting"] = _expect(about, waiting, rules, policies, now)
    elif waiting:
        raise ValueError("what is found about a system is due at once")
    return counts


def _fill(case: ExceptionCase, about: About, sighting: Sighting, policies: Policies, now: dt.datetime) -> None:
    amount = _at_risk(about, sighting, policies)
    case.title, case.sentence = sighting.title, sighting.sentence
    case.severity, case.systems = SEVERITIES[policies.rule(sighting.rule).severity], list(sighting.systems)
    case.amount_minor, case.currency = amount.minor, amount.currency
    case.evidence = dict(sighting.evidence)
    case.facts_digest = sighting.facts_digest()
    case.policy_version = policies.version
    case.refreshed_at = now


def _open(about: About, sighting: Sighting, policies: Policies, now: dt.datetime) -> None:
    routing = route(sighting.rule, policies, since=now)
    case = ExceptionCase(
        rule=sighting.rule,
        fingerprint=sighting.fingerprint,
        **_about(about),
        team=routing.team,
        due_at=routing.due_at,
        routing_reason=routing.reason,
        opened_at=now,
        trace_id=trace_id(),
        legal_entity_code=_entity_code(about),
    )
    _fill(case, about, sighting, policies, now)
    case.save()
    _audit(case, "case.open", OPENED(found=sighting.sentence))


def _entity_code(about: About) -> str:
    return about.legal_entity.code if isinstance(about, Account) and about.legal_entity else ""


def _move(case: ExceptionCase, account: Account) -> None:
    """The records moved to another account (merged, or linked by a person): the contradiction is the same, so is its case."""
    before = case.account_id
    case.account, case.legal_entity_code = account, _entity_code(account)
    case.row_version += 1
    case.save()
    _audit(case, "case.move", MOVED(account=account.name), {"account": before}, {"account": account.pk})


def _shown(case: ExceptionCase) -> dict[str, object]:
    return {
        "amount_minor": case.amount_minor,
        "severity": case.severity,
        "sentence": case.sentence.as_json(),
        "policies": case.policy_version,
    }


def _refresh(case: ExceptionCase, about: About, sighting: Sighting, policies: Policies, now: dt.datetime) -> None:
    """The systems say something else about the same contradiction, or other policies judge it."""
    before, moved = _shown(case), case.facts_digest != sighting.facts_digest()
    _fill(case, about, sighting, policies, now)
    if moved and case.status == CaseStatus.SNOOZED:  # what it was put aside for is no longer what it is
        case.status, case.snoozed_until = CaseStatus.OPEN, None
    case.row_version += 1
    case.save()
    told = REFRESHED if moved else JUDGED_ANEW
    _audit(case, "case.refresh", told(found=sighting.sentence), before, _shown(case))


def _reopen(case: ExceptionCase, about: About, sighting: Sighting, policies: Policies, now: dt.datetime) -> None:
    routing = route(sighting.rule, policies, since=now)
    case.status, case.closed_at, case.close_reason, case.close_evidence = CaseStatus.OPEN, None, None, {}
    case.due_at, case.reopened_count = routing.due_at, case.reopened_count + 1
    case.row_version += 1
    _fill(case, about, sighting, policies, now)
    case.save()
    _audit(case, "case.reopen", REOPENED(found=sighting.sentence), {"status": "closed"}, {"status": "open"})


def _close(case: ExceptionCase, now: dt.datetime, evidence: Mapping[str, object]) -> None:
    before = case.status
    case.status, case.closed_at, case.snoozed_until = CaseStatus.CLOSED, now, None
    case.close_reason = AGREED()
    case.close_evidence = dict(evidence)
    case.row_version += 1
    case.save()
    _audit(case, "case.close", CLOSED(why=case.close_reason), {"status": before}, {"status": "closed"})


def _expect(account: Account, waiting: Mapping[str, Sighting], rules: Iterable[str], policies: Policies, now: dt.datetime) -> int:
    existing = {
        row.fingerprint: row for row in Expectation.objects.select_for_update().filter(account=account, rule__in=list(rules))
    }
    Expectation.objects.filter(pk__in=[row.pk for key, row in existing.items() if key not in waiting]).delete()
    for fingerprint, sighting in sorted(waiting.items()):
        since = existing[fingerprint].since if fingerprint in existing else now
        promise = {**_promise(account, sighting, policies), "search_text": str(sighting.sentence)}
        Expectation.objects.update_or_create(fingerprint=fingerprint, defaults={**promise, "account": account, "since": since})
    return len(waiting)


def _audit(
    case: ExceptionCase,
    verb: str,
    summary: Sentence,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    audit(
        verb,
        case,
        acting_user=ACTOR,
        account_id=case.account_id,
        case_id=case.pk,
        summary=summary,
        before=before,
        after=after,
    )


@transaction.atomic
def await_evidence(case_id: int, *, acting_user: System, summary: Sentence) -> None:
    """A fix was posted: the case waits for the vendor's own record. Closed cases stay closed."""
    case = ExceptionCase.objects.select_for_update().get(pk=case_id)
    if case.status in (CaseStatus.OPEN, CaseStatus.SNOOZED):
        before = case.status
        case.status, case.snoozed_until, case.row_version = CaseStatus.AWAITING_EVIDENCE, None, case.row_version + 1
        case.save()
        audit(
            "case.await_evidence",
            case,
            acting_user=acting_user,
            account_id=case.account_id,
            case_id=case.pk,
            summary=summary,
            before={"status": before},
            after={"status": case.status},
        )


@transaction.atomic
def back_to_open(case_id: int, *, acting_user: System, summary: Sentence) -> None:
    """The fix did not happen: the case needs somebody again."""
    case = ExceptionCase.objects.select_for_update().get(pk=case_id)
    if case.status == CaseStatus.AWAITING_EVIDENCE:
        case.status, case.row_version = CaseStatus.OPEN, case.row_version + 1
        case.save()
        audit(
            "case.back_to_open",
            case,
            acting_user=acting_user,
            account_id=case.account_id,
            case_id=case.pk,
            summary=summary,
            before={"status": CaseStatus.AWAITING_EVIDENCE},
            after={"status": case.status},
        )


def wake_due_cases(*, now: dt.datetime, limit: int = 500) -> int:
    """Snoozed cases whose time has come are open again; rung by the sweeper, safe with two of them. Returns how many."""
    with transaction.atomic():
        rows = ExceptionCase.objects.select_for_update(skip_locked=True).filter(
            status=CaseStatus.SNOOZED, snoozed_until__lte=now
        )[:limit]
        for case in rows:
            case.status, case.snoozed_until, case.row_version = CaseStatus.OPEN, None, case.row_version + 1
            case.save()
            _audit(case, "case.wake", SNOOZE_OVER(), {"status": "snoozed"}, {"status": "open"})
    return len(rows)
