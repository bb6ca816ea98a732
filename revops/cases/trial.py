"""Rules on trial: what they find is kept and shown, and opens no case until a person has looked.

A system that was connected anew is on trial for every rule, and one whose records are seldom tied to the others for the rules
that need these ties. A person lets a rule open cases in it, or takes that back. A rule
that opens more cases within an hour than the policies let pass is held back by itself: what it finds from then on waits like that
of a rule on trial, until a person has looked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Count, Sum

from revops.audit.log import record as audit
from revops.cases.models import ExceptionCase, Expectation, RuleSwitch
from revops.errors import Rejected
from revops.ledger.due import mark_due
from revops.ledger.models import SourceSystem
from revops.people.models import User
from revops.sentences import template

LET = template("rule.let", "{rule} opens cases in {system}")
TAKEN_BACK = template("rule.taken_back", "{rule} is on trial in {system}")
FLOOD_WINDOW = dt.timedelta(hours=1)
LET_LASTS = dt.timedelta(hours=24)
"""How long a rule that a person has just let open cases is not held back for their number."""


@dataclass(frozen=True, slots=True)
class Trials:
    """Which rules are on trial where, and how many cases each has opened within the last hour. `weak`: rules and the systems that
    seldom state what they need. `opened` counts on while a batch is looked at."""

    systems: frozenset[str]
    said: Mapping[tuple[str, str], bool]
    weak: frozenset[tuple[str, str]] = frozenset()
    trusted: frozenset[str] = frozenset()
    opened: dict[str, int] = field(default_factory=dict)

    def system_of(self, rule: str, systems: Iterable[str]) -> str:
        """The first of the systems in which the rule is on trial; empty when it is in none."""
        return next((each for each in systems if not self.said.get((rule, each), self._is_trusted(rule, each))), "")

    def _is_trusted(self, rule: str, system: str) -> bool:
        """As long as nobody has said anything."""
        return system not in self.systems and (rule, system) not in self.weak

    def floods(self, rule: str, most: int) -> bool:
        """Whether the rule has opened as many cases as it may."""
        return rule not in self.trusted and self.opened.get(rule, 0) >= most


def trials_now(now: dt.datetime, weak: frozenset[tuple[str, str]] = frozenset()) -> Trials:
    """As people have said, and as cases were opened. Three small queries."""
    switches = list(RuleSwitch.objects.values_list("rule", "system_id", "live", "decided_at"))
    opened = ExceptionCase.objects.filter(opened_at__gt=now - FLOOD_WINDOW, account__isnull=False).order_by()
    return Trials(
        frozenset(SourceSystem.objects.filter(on_trial=True).values_list("slug", flat=True)),
        {(rule, system): live for rule, system, live, _ in switches},
        weak,
        frozenset(rule for rule, _, live, at in switches if live and at > now - LET_LASTS),
        dict(opened.values_list("rule").annotate(Count("pk"))),
    )


@dataclass(frozen=True, slots=True)
class HeldBack:
    """What a rule has found in a system and holds back: how many, and the sum by currency in minor units."""

    rule: str
    system: str
    why: str
    count: int
    sums: Mapping[str, int]


def held_back() -> list[HeldBack]:
    """Everything that is held back, by rule and system."""
    rows = Expectation.objects.exclude(held="").order_by().values_list("rule", "system_id", "held", "currency")
    found: dict[tuple[str, str, str], tuple[int, dict[str, int]]] = {}
    for rule, system, why, currency, count, minor in rows.annotate(Count("pk"), Sum("amount_minor")):
        before, sums = found.get((rule, system or "", why), (0, {}))
        found[rule, system or "", why] = (before + count, {**sums, currency: minor})
    return [HeldBack(*key, count, sums) for key, (count, sums) in sorted(found.items())]


@transaction.atomic
def switch_rules(
    rules: Iterable[str], system: SourceSystem, *, live: bool, reason: str, acting_user: User, now: dt.datetime
) -> int:
    """Let these rules open cases in the system, or put them on trial there. What they hold back is looked at again at once; cases
    that are open stay open. Returns how many changed. Raises `Rejected` without a reason."""
    if not reason.strip():
        raise Rejected("reason_missing", "Say what you have looked at.", field="reason")
    changed = 0
    for rule in sorted(set(rules)):
        row = RuleSwitch.objects.select_for_update().filter(rule=rule, system=system).first() or RuleSwitch(
            rule=rule, system=system
        )
        before = row.live if row.pk else not system.on_trial
        row.live, row.reason, row.decided_by, row.decided_at = live, reason.strip(), acting_user, now
        row.save()
        changed += before != live
        audit(
            "rule.let" if live else "rule.take_back",
            row,
            acting_user=acting_user,
            reason=reason,
            summary=(LET if live else TAKEN_BACK)(rule=rule, system=system.slug),
            before={"live": before},
            after={"live": live},
        )
    waiting = Expectation.objects.exclude(held="").filter(rule__in=set(rules), system=system)
    mark_due(set(waiting.values_list("account_id", flat=True)), now=now)
    return changed
