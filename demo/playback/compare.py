"""What came of a situation against what should have. Pure.

A case is right when its amount agrees exactly and it is about the objects named; its rule is never compared. Each expected case
needs a case of its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from demo.playback.situation import Amount, ExpectedCase, ExpectedRecord, Outcome, Thing
from revops.ledger.facts import Value
from revops.money import Money


@dataclass(frozen=True, slots=True)
class OpenCase:
    """A case that is open. `accounts`: the ids in the CRM of the customer that it is about."""

    rule: str
    sentence: str
    amount: Amount
    objects: frozenset[Thing]
    accounts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Kept:
    """A record of the ledger. `accounts`: the ids in the CRM of the customer whose it is; none while nobody knows."""

    fields: Mapping[str, Value]
    deleted: bool = False
    accounts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A delivery that waits for a person, and why."""

    connection: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Played:
    """What a play left behind. `failures`: sentences about what must never happen, such as an event that was not taken.
    `waiting`: sentences about deliveries that still wait. `ties`: sentences about settings that the steps proposed."""

    cases: Sequence[OpenCase] = ()
    records: Mapping[Thing, Kept] = field(default_factory=dict)
    dead_letters: Sequence[DeadLetter] = ()
    failures: Sequence[str] = ()
    waiting: Sequence[str] = ()
    ties: Sequence[str] = ()


def differences(expected: Outcome, played: Played) -> list[str]:
    """One line for each thing that is not as it must be; none when all is right."""
    found = [*played.failures, *_cases(expected, played.cases)]
    for record in expected.records:
        found += _record(record, played.records.get(record.object))
    if expected.dead_letters is not None and len(played.dead_letters) > expected.dead_letters:
        found.append(f"dead letters: {expected.dead_letters} may be left, {len(played.dead_letters)} are")
    return found


def remarks(played: Played) -> list[str]:
    """What helps to find the cause, for a situation that is not right."""
    letters = [f"dead letter of {each.connection}: {each.reason} ({each.code})" for each in played.dead_letters]
    return letters + list(played.waiting)


# --- cases ------------------------------------------------------------------------------------------------------------


def _cases(expected: Outcome, cases: Sequence[OpenCase]) -> list[str]:
    found = []
    for silent in expected.silent:
        about = [case for case in cases if frozenset(silent.objects) <= case.objects]
        found += [f"no case may be about {_listed(silent.objects)}: {_told(case)}" for case in about]
    if expected.cases is None:
        return found
    taken = _matched(expected.cases, cases)
    for number, wanted in enumerate(expected.cases):
        if number not in taken:
            found.append(f"missing case: {wanted.amount} about {_listed(wanted.objects)}{_nearest(wanted, cases)}")
    allowed = [frozenset(objects) for objects in expected.allowed]
    for number, case in enumerate(cases):
        if number not in taken.values() and not any(objects <= case.objects for objects in allowed):
            found.append(f"unexpected case: {_told(case)}")
    return found


def _matched(expected: Sequence[ExpectedCase], cases: Sequence[OpenCase]) -> dict[int, int]:
    """Place of an expected case -> place of the open case that is it. As many as can be: one that fits several expected cases is
    left to the one that nothing else fits."""
    owner: dict[int, int] = {}

    def place(number: int, tried: set[int]) -> bool:
        for at, case in enumerate(cases):
            if at in tried or not _is(expected[number], case):
                continue
            tried.add(at)
            if at not in owner or place(owner[at], tried):
                owner[at] = number
                return True
        return False

    for number in range(len(expected)):
        place(number, set())
    return {number: at for at, number in owner.items()}


def _is(wanted: ExpectedCase, case: OpenCase) -> bool:
    whose = not wanted.account or wanted.account in case.accounts
    return whose and wanted.amount == case.amount and frozenset(wanted.objects) <= case.objects


def _nearest(wanted: ExpectedCase, cases: Sequence[OpenCase]) -> str:
    """Why the case about the same objects is not it."""
    for case in cases:
        if frozenset(wanted.objects) <= case.objects:
            whose = f", of {_whose(case.accounts)}" if wanted.account else ""
            return f" (a case about them is open for {case.amount}{whose})"
    return ""


def _told(case: OpenCase) -> str:
    return f"{case.amount} by {case.rule}, about {_listed(sorted(case.objects))}: {case.sentence}"


# --- records ----------------------------------------------------------------------------------------------------------


def _record(wanted: ExpectedRecord, kept: Kept | None) -> list[str]:
    if kept is None:
        return [f"{wanted.object}: the record is not there"]
    found = []
    for name, value in wanted.fields.items():
        actual = kept.fields.get(name)
        if not any(_agrees(each, actual) for each in (value if isinstance(value, list) else [value])):
            found.append(f"{wanted.object}: {name} is {shown(actual)}, should be {_one_of(value)}")
    if wanted.account is not None and wanted.account not in kept.accounts:
        found.append(f"{wanted.object}: it belongs to {_whose(kept.accounts)}, should belong to {wanted.account}")
    if wanted.deleted is not None and wanted.deleted != kept.deleted:
        found.append(f"{wanted.object}: deleted is {shown(kept.deleted)}, should be {shown(wanted.deleted)}")
    return found


def _agrees(expected: object, actual: Value) -> bool:
    if expected is None or actual is None:
        return expected is None and actual is None
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(actual, Money):
        try:
            return Amount.parse(expected) == Amount(actual.amount, actual.currency)
        except ValueError:
            return False
    return str(expected) == shown(actual)


def shown(value: object) -> str:
    """A value as `expected.json` writes it; unknown for none."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Money):
        return f"{value.amount} {value.currency}"
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value)


def _one_of(value: object) -> str:
    return " or ".join(map(shown, value)) if isinstance(value, list) else shown(value)


def _whose(accounts: frozenset[str]) -> str:
    return "the account of " + " and ".join(sorted(accounts)) if accounts else "no account"


def _listed(objects: Sequence[Thing]) -> str:
    return " and ".join(map(str, objects))
