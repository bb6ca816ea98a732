"""Building a plan: clean inputs, the exact calls, the facts shown, and the digests that bind them. Pure.

What comes out is what the preview shows, what people sign and what is sent: there is no second way to make a call.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from revops.ledger.facts import encode
from revops.ledger.types import TYPES
from revops.ledger.view import LedgerRecord
from revops.money import Money
from revops.policies.in_force import policies_in_force
from revops.postings.changes import Change, Line, debits, unbalanced
from revops.postings.kind import ChangeKind, Situation
from revops.postings.port import Compose, ComposedCall
from revops.reference import Ref, refs_as_json
from revops.sentences import Named, Param, Sentence, Word, template
from revops.strict_json import content_digest

FactRow = dict[str, object]

CAME = template("facts.came", "{type} {record} in {system} is new")
WENT = template("facts.went", "{type} {record} in {system} is gone")
BECAME = template("facts.became", "{field} of {type} {record} in {system}: {before} is now {after}")
EMPTY = template("facts.empty", "empty")


@dataclass(frozen=True, slots=True)
class BuiltCall:
    """One exact call of one change. `body_digest` is the SHA-256 (hex) of the body."""

    sequence: int
    change: Change
    call: ComposedCall
    body_digest: str


@dataclass(frozen=True, slots=True)
class Built:
    """A plan's content. `touches` gives each object that it alters with the numbers of the steps that do; `amount` is the sum of
    the debits, zero without lines. `digest` binds everything; `facts_digest` the facts alone (their content, not their versions).
    """

    inputs: dict[str, object]
    calls: tuple[BuiltCall, ...]
    touches: Mapping[Ref, tuple[int, ...]]
    lines: tuple[Line, ...]
    amount: Money
    facts: list[FactRow]
    facts_digest: str
    digest: str


def build(
    kind: ChangeKind,
    raw: Mapping[str, object],
    situation: Situation,
    *,
    reason: str,
    compose: Compose,
    new_key: Callable[[], str],
) -> Built:
    """Make a plan's content. `new_key` gives each call the key that it keeps for ever.

    Raises `Rejected`; `RuntimeError` for a kind or a connector that does not keep its contract.
    """
    ledger = situation.ledger
    inputs = kind.clean(raw, situation)
    changes = kind.changes(inputs, ledger)
    lines = lines_of(changes)
    amount = amount_of_lines(lines, otherwise=ledger.currency or policies_in_force().reporting_currency)
    touches = touches_of(changes)
    calls = tuple(_call(sequence, change, compose, new_key()) for sequence, change in enumerate(changes, start=1))
    facts = fact_rows(kind.facts(inputs, ledger))
    return Built(
        inputs=inputs,
        calls=calls,
        touches=touches,
        lines=lines,
        amount=amount,
        facts=facts,
        facts_digest=facts_digest(facts),
        digest=plan_digest(
            kind=kind.code,
            account_id=ledger.account_id,
            inputs=inputs,
            amount=amount,
            reason=reason,
            lines=lines,
            touches=touches,
            postings=[
                bound_posting(sequence=item.sequence, system=item.change.system, change=item.change.as_json(), call=item.call)
                for item in calls
            ],
            facts=facts,
        ),
    )


def lines_of(changes: Iterable[Change]) -> tuple[Line, ...]:
    """What the changes book together. Raises `RuntimeError` when the debits and credits of a currency differ."""
    lines = tuple(line for change in changes for line in change.lines)
    if wrong := unbalanced(lines):
        raise RuntimeError(f"debits and credits in {', '.join(wrong)} differ")
    return lines


def amount_of_lines(lines: Iterable[Line], *, otherwise: str) -> Money:
    """The sum of the debits in the currency of the first line; zero in the currency `otherwise` without lines."""
    return next(iter(debits(lines).values()), Money.zero(otherwise))


def touches_of(changes: Sequence[Change]) -> dict[Ref, tuple[int, ...]]:
    """The objects that the changes alter, in the order of the steps, each with the numbers of the steps that do."""
    found: dict[Ref, tuple[int, ...]] = {}
    for sequence, change in enumerate(changes, start=1):
        for ref in change.touches:
            found[ref] = (*found.get(ref, ()), sequence)
    return found


def _call(sequence: int, change: Change, compose: Compose, key: str) -> BuiltCall:
    call = compose(change.system, key, change)
    if call.key != key:
        raise RuntimeError(f"{change.system} composed {change.code} under another key than asked")
    return BuiltCall(sequence, change, call, hashlib.sha256(call.body).hexdigest())


def bound_posting(*, sequence: int, system: str, change: object, call: ComposedCall) -> dict[str, object]:
    """What the plan's digest binds of one posting. The body enters by its own SHA-256, computed here from the bytes."""
    return {
        "sequence": sequence,
        "system": system,
        "change": change,
        "method": call.method,
        "path": call.path,
        "headers": dict(call.headers),
        "body": hashlib.sha256(call.body).hexdigest(),
        "key": call.key,
    }


def plan_digest(
    *,
    kind: str,
    account_id: int,
    inputs: Mapping[str, object],
    amount: Money,
    reason: str,
    lines: Iterable[Line],
    touches: Mapping[Ref, Sequence[int]],
    postings: Sequence[Mapping[str, object]],
    facts: Sequence[Mapping[str, object]],
) -> str:
    """SHA-256 (hex) over canonical JSON of all that was shown."""
    return content_digest({
        "kind": kind, "account": account_id, "inputs": dict(inputs), "amount": amount.as_json(), "reason": reason,
        "lines": [line.as_json() for line in lines],
        "touches": [{**ref.as_json(), "steps": list(steps)} for ref, steps in sorted(touches.items())],
        "postings": [dict(posting) for posting in postings], "facts": [dict(fact) for fact in facts],
    })  # fmt: skip


# --- facts ----------------------------------------------------------------------------------------------------------


def fact_rows(records: Iterable[LedgerRecord]) -> list[FactRow]:
    """The records as a plan keeps and shows them, in one order: who says it, its version, its digest and its fields."""
    unique = {record.key: record for record in records}
    return [_fact(unique[key]) for key in sorted(unique)]


def _fact(record: LedgerRecord) -> FactRow:
    content: dict[str, object] = {
        "fields": {name: encode(value) for name, value in sorted(record.fields.items())},
        "refs": refs_as_json(record.refs),
        "deleted": record.deleted,
    }
    return {
        "system": record.system,
        "object_type": record.object_type,
        "external_id": record.external_id,
        "label": record.label,
        "version": record.version,
        "effective_at": encode(record.effective_at),
        "digest": content_digest(content),
        **content,
    }


def facts_digest(facts: Sequence[Mapping[str, object]]) -> str:
    """SHA-256 (hex) over which records they are and what they say. A version that says the same does not move it."""
    return content_digest({"facts": sorted("\x1f".join((*_key(fact), str(fact["digest"]))) for fact in facts)})


def _key(fact: Mapping[str, object]) -> tuple[str, str, str]:
    return (str(fact["system"]), str(fact["object_type"]), str(fact["external_id"]))


@dataclass(frozen=True, slots=True)
class FactMove:
    """One thing that differs between the facts shown and the facts now. `field` is empty when a whole record came or went."""

    system: str
    object_type: str
    external_id: str
    label: str
    field: str
    before: object
    after: object

    def as_json(self) -> dict[str, object]:
        return {
            "system": self.system, "object_type": self.object_type, "external_id": self.external_id, "label": self.label,
            "field": self.field, "before": self.before, "after": self.after,
        }  # fmt: skip

    def sentence(self, system: str = "") -> Sentence:
        """What moved. `system` is what people call the system, where that is known."""
        where = system or self.system
        record = Named(Ref(self.system, self.object_type, self.external_id), self.label)
        if not self.field:
            told = CAME if self.before is None else WENT
            return told(type=Word(self.object_type), record=record, system=where)
        return BECAME(
            field=Word(self.field), type=Word(self.object_type), record=record, system=where,
            before=self._value(self.before), after=self._value(self.after),
        )  # fmt: skip

    def _value(self, value: object) -> Param:
        if isinstance(value, dict) and set(value) == {"amount", "currency"}:
            return Money.from_json(value)
        if value in (None, "", []):
            return EMPTY()
        if isinstance(value, bool):
            return Word("yes" if value else "no")
        if isinstance(value, list):
            return tuple(Ref.from_json(item) if isinstance(item, dict) else str(item) for item in value)
        return Word(str(value)) if TYPES.is_coded(self.object_type, self.field) else str(value)


def moves(before: Sequence[Mapping[str, object]], after: Sequence[Mapping[str, object]]) -> list[FactMove]:
    """Every difference of content between two lists of facts; empty exactly when their digests are equal."""
    old, new = {_key(f): f for f in before}, {_key(f): f for f in after}
    found: list[FactMove] = []
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        either = now or was
        assert either is not None, "the key comes from one of the two"
        label = str(either["label"])
        if was is None or now is None:
            found.append(FactMove(*key, label, "", None if was is None else "shown", None if now is None else "there"))
            continue
        for part in ("fields", "refs"):
            left, right = _mapping(was[part]), _mapping(now[part])
            found += [
                FactMove(*key, label, name, left.get(name), right.get(name))
                for name in sorted(left.keys() | right.keys())
                if left.get(name) != right.get(name) or (name in left) != (name in right)
            ]
        if was["deleted"] != now["deleted"]:
            found.append(FactMove(*key, label, "deleted", was["deleted"], now["deleted"]))
    return found


def _mapping(value: object) -> Mapping[str, object]:
    assert isinstance(value, Mapping), "facts are stored as objects"
    return value


def body_text(body: bytes) -> str:
    """A body for people: its text, or base64 when it is no text."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(body).decode()
