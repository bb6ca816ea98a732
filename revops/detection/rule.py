"""The rule contract. Pure.

A rule is one file `rules/<what_is_wrong>.py` with one `Rule` named `RULE`. It judges by the policies that it is handed, and
brings its own proof: `fires_on` and `silent_on` examples (see `examples`), which one generic test runs for every rule.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from revops.detection.examples import Example
from revops.ledger.facts import Value
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.money import Money, total
from revops.policies.policies import Policies
from revops.sentences import Param, Sentence, Template, encoded, template


@dataclass(frozen=True, slots=True)
class Difference:
    """One field on which the systems do not agree. `label` is a template without parameters; `values` are (record, value) pairs;
    `owner` is the role whose word counts. The value of a field that the object type does not declare is a code of the rule's."""

    field: str
    label: Template
    owner: str
    values: tuple[tuple[LedgerRecord, Value], ...]


@dataclass(frozen=True, slots=True)
class Order:
    """Which declared order is broken: in that process, `stage` began before `needs` was done."""

    process: str
    stage: str
    needs: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction. `subjects` are the records it is about: with the rule they are its identity, so they must be the same
    whenever the same contradiction is found. `due_at` (aware UTC): before it, this is not yet due; from it on, broken.
    `inputs` are what it was computed from, each under a template without parameters."""

    subjects: tuple[LedgerRecord, ...]
    sentence: Sentence
    due_at: dt.datetime
    amount: Money | None = None
    differences: tuple[Difference, ...] = ()
    context: tuple[LedgerRecord, ...] = ()
    inputs: Mapping[Template, Param] = field(default_factory=dict)
    order: Order | None = None
    subject_note: str = ""

    def fingerprint(self, rule: str) -> str:
        """SHA-256 (hex) over the rule and the subjects' keys: row ids and amounts do not enter."""
        parts = [rule, self.subject_note, *sorted("\x1f".join(record.key) for record in self.subjects)]
        return hashlib.sha256("\x1e".join(parts).encode()).hexdigest()

    def is_due(self, now: dt.datetime) -> bool:
        return now >= self.due_at


@dataclass(frozen=True, slots=True)
class Playbook:
    """What people are told: what it means, what to check, and which kinds of change may fix it (codes of `postings.kinds`)."""

    means: str
    check: tuple[str, ...]
    fixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExceptionKind:
    """What people are told of a kind of exception that no rule finds in a ledger: as much as a `Rule` says of its own."""

    title: str
    sentence: str
    playbook: Playbook


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of contradiction. `reads` names the object types that it is computed from: it runs when one moved, and when
    time has passed. `tolerance` says what the policies let pass. Severity and team are the policies' to say.

    `needs` says without which statements it can find nothing: `<role> <object type>`, with `.<field or role of a reference>`
    where the record must state that. Where one is not met in a system, the rule is blind there, which is no zero.

    Where a missing record is itself the contradiction, `expects` is the role and `expects_type` the object type that is missed:
    it is missing only once every system of that role was read past the due time. `posted`: it waits for something to be entered
    in the ERP, and is put off to the days on which that is done there (`ledger.habits`).
    """

    code: str
    title: str
    sentence: str
    tolerance: Callable[[Policies], Sentence]
    reads: frozenset[str]
    playbook: Playbook
    find: Callable[[AccountLedger, Policies, dt.datetime], Iterable[Finding]]
    needs: tuple[str, ...] = ()
    fires_on: Sequence[Example] = ()
    silent_on: Sequence[Example] = ()
    expects: str = ""
    expects_type: str = ""
    posted: bool = False

    def findings(self, ledger: AccountLedger, policies: Policies, now: dt.datetime) -> Iterable[Finding]:
        """What it finds, due by the habits of the ERP that it is about; of every one where it names none."""
        for finding in self.find(ledger, policies, now):
            named = {record.system for record in finding.subjects if record.role == "erp"}
            habits = [each for system, each in ledger.habits.items() if self.posted and (system in named or not named)]
            yield replace(finding, due_at=max([finding.due_at, *(each.due(finding.due_at) for each in habits)]))

    def runs_on(self, moved: frozenset[str]) -> bool:
        """Whether the rule must run when objects of these types moved; none named means any may have."""
        return not moved or bool(self.reads & moved)


def inputs_as_json(inputs: Mapping[Template, Param]) -> list[dict[str, object]]:
    """The form in which a case keeps what a finding was computed from."""
    return [{"name": name.code, "value": encoded(value)} for name, value in inputs.items()]


_ROUNDING = template("rule.rounding", "{cents} ({whole} in currencies without decimals)")


def rounding(policies: Policies) -> Sentence:
    """The tolerance for rounding, such as "0.05 (1 in currencies without decimals)"."""
    cents, whole = policies.tolerance_for("USD"), policies.tolerance_for("JPY")
    return _ROUNDING(cents=str(cents.amount), whole=str(whole.amount))


def money(record: LedgerRecord, name: str) -> Money | None:
    """A money field, or None when empty or not stated."""
    value = record.fields.get(name)
    return value if isinstance(value, Money) else None


def together(amounts: Iterable[Money]) -> Money | None:
    """The sum; None for no amount, and for several currencies, which do not add up."""
    found = list(amounts)
    return total(found, found[0].currency) if len({amount.currency for amount in found}) == 1 else None


def a_month(subscription: LedgerRecord) -> Money | None:
    """A twelfth of what the subscription costs a year; None where that is not known or nothing."""
    annual = money(subscription, "annual_amount")
    return Money.half_up(annual.amount / 12, annual.currency) if annual is not None and annual.amount > 0 else None


def text(record: LedgerRecord, name: str) -> str:
    """A text field, or the empty string."""
    value = record.fields.get(name)
    return value if isinstance(value, str) else ""


def day(record: LedgerRecord, name: str) -> dt.date | None:
    """A plain calendar day, or None when empty or not stated."""
    value = record.fields.get(name)
    return value if isinstance(value, dt.date) and not isinstance(value, dt.datetime) else None


def midnight(date: dt.date) -> dt.datetime:
    """The first moment of a day, UTC."""
    return dt.datetime.combine(date, dt.time(), tzinfo=dt.UTC)


_AFTER = template("rule.after", "{after} until it counts")


def stands_for(code: str) -> Callable[[Policies], Sentence]:
    """The `tolerance` of a rule that lets a contradiction stand for as long as `after` of its policies says."""
    return lambda policies: _AFTER(after=policies.rule(code).after)
