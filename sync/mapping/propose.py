"""From what came in to proposals for settings. Pure.

For each field that a setting may name: how many of its values are ids of objects that another connection holds, in the form that
most of them share. A proposal is good where nearly every value is one and none is ambiguous.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sync.mapping.bodies import Seen, texts
from sync.mapping.declared import Mapped
from sync.mapping.forms import PLACE, Form, cores
from sync.mapping.index import Held, Index

GOOD_PERCENT = 95
"""Of the filled values, for a proposal that is accepted without a closer look."""
SHOWN_PERCENT = 50
"""Of the filled values, for one that is shown at all."""
FREE_VALUES_MIN = 20
"""Values of a field that people fill as they like, before it is proposed."""
DIGITS_MAX = 6
"""Digits of a number that may be an id by chance."""
EXAMPLES = 3
FORMS_TRIED = 6
PROBED = 200
"""Values of a field in which forms are looked for."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One setting, and the value that the data speaks for.

    `value`: the field; `form`: what stands around the id there, `{id}` where nothing does. Of `total` objects that were looked
    at, `filled` have a value there, `hits` of these name exactly one object of `system`, and `ambiguous` name several, share the
    one that they name where none may, or name another one than a field that is as good. `examples`: up to three of value, and the
    object that it names.
    """

    connection: str
    setting: str
    value: str
    form: str
    hits: int
    filled: int
    total: int
    ambiguous: int
    examples: tuple[tuple[str, Held], ...]
    system: str
    free: bool = False

    @property
    def share(self) -> int:
        """Hits in a hundred of the filled values, rounded down."""
        return self.hits * 100 // self.filled if self.filled else 0

    def __str__(self) -> str:
        """One line, with the figures."""
        form = "" if self.form == PLACE else f" as {self.form}"
        unclear = f"; {self.ambiguous:,} ambiguous" if self.ambiguous else ""
        return (
            f"{self.setting} = {self.value}{form}: {self.hits:,} of {self.filled:,} values name something in {self.system}"
            f"{unclear} ({self.total:,} objects)"
        )

    def good(self, free_values_min: int = FREE_VALUES_MIN) -> bool:
        """Whether it may be accepted without a closer look. A field that people fill as they like needs that many values; below
        twenty of them, all must be hits."""
        if self.ambiguous or not self.hits or self.hits * 100 < self.filled * GOOD_PERCENT:
            return False
        if self.free and self.filled < FREE_VALUES_MIN:
            return self.filled >= free_values_min and self.hits == self.filled
        return True


@dataclass(slots=True)
class _Values:
    """The filled values of one field that a setting may name: own object -> value."""

    mapping: Mapped
    value: str
    of: dict[tuple[str, str], str]


@dataclass(slots=True)
class _Tried:
    """One field in one form against one connection. `names`: own object -> the objects that its value names."""

    form: Form
    system: str
    names: dict[tuple[str, str], frozenset[Held]]
    hits: int
    ambiguous: int


def proposals(
    seen: Sequence[Seen],
    index: Index,
    declared: Iterable[Mapped],
    roles: Mapping[str, str],
    free_values_min: int = FREE_VALUES_MIN,
) -> list[Proposal]:
    """What the objects of one connection propose for its declared settings, the best of each setting first.

    `roles`: connection -> role (crm, customer_success, billing, erp), of all connections. A field that people fill as they like
    is left out unless it is good with `free_values_min` values.
    """
    found: list[Proposal] = []
    for mapping in declared:
        own = _own(mapping, seen)
        others = _others(mapping, own, roles)
        tried = [(values, best) for values in _values(mapping, own) if (best := _best(values, index, others)) is not None]
        found += [
            each
            for each in _ranked(mapping, own, tried)
            if (each.good(free_values_min) if each.free else each.share >= SHOWN_PERCENT)
        ]
    return found


def sought(
    seen: Sequence[Seen], declared: Iterable[Mapped], fields: Container[tuple[str, str]] | None = None
) -> dict[tuple[str, str, str], set[str]]:
    """(role, object type, what it is known by) -> every text that may name such an object: what an index must be asked for.
    `fields`: setting and value, for these alone."""
    found: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for mapping in declared:
        for values in _values(mapping, _own(mapping, seen)):
            if fields is not None and (mapping.setting, values.value) not in fields:
                continue
            for (object_type, _), text in values.of.items():
                for form, core in cores(text):
                    if form.bare or mapping.form:
                        found[mapping.role, mapping.aims[object_type], mapping.by].add(core)
    return found


def touched(seen: Sequence[Seen], index: Index, declared: Iterable[Mapped], roles: Mapping[str, str]) -> set[tuple[str, str]]:
    """Setting and value of every field of which at least one value names something."""
    found = set[tuple[str, str]]()
    for mapping in declared:
        own = _own(mapping, seen)
        others = _others(mapping, own, roles)
        found |= {(mapping.setting, values.value) for values in _values(mapping, own) if _best(values, index, others)}
    return found


def _own(mapping: Mapped, seen: Iterable[Seen]) -> list[Seen]:
    return [each for each in seen if each.object_type in mapping.aims and not each.deleted]


def _others(mapping: Mapped, own: Sequence[Seen], roles: Mapping[str, str]) -> frozenset[str]:
    return frozenset(slug for slug, role in roles.items() if role == mapping.role and (not own or slug != own[0].system))


def _values(mapping: Mapped, own: Sequence[Seen]) -> Iterator[_Values]:
    found: dict[str, dict[tuple[str, str], str]] = defaultdict(dict)
    for each in own:
        for path, text in texts(each.record):
            if value := mapping.value_of(path):
                found[value].setdefault((each.object_type, each.id), text)
    for value in sorted(found):
        yield _Values(mapping, value, found[value])


def _best(values: _Values, index: Index, others: frozenset[str]) -> _Tried | None:
    """The form and the connection with the most hits; the bare form and the first name among equals."""
    tried = [_try(values, form, slug, index, others) for form in _forms(values, index, others) for slug in sorted(others)]
    found = [each for each in tried if each.hits or each.ambiguous]
    return max(found, key=lambda each: (each.hits, -each.ambiguous, each.form.bare, -len(str(each.form))), default=None)


def _forms(values: _Values, index: Index, others: frozenset[str]) -> list[Form]:
    """The forms that most values may have. Without a setting that says the form, only an id by itself can be read."""
    if not values.mapping.form:
        return [Form()]
    votes: Counter[Form] = Counter()
    for (object_type, _), text in list(values.of.items())[:PROBED]:
        aim, by = values.mapping.aims[object_type], values.mapping.by
        votes.update({form for form, core in cores(text) if index.find(core, aim, by, others)})
    return [form for form, _ in votes.most_common(FORMS_TRIED)]


def _try(values: _Values, form: Form, slug: str, index: Index, others: frozenset[str]) -> _Tried:
    mapping, names = values.mapping, dict[tuple[str, str], frozenset[Held]]()
    for own, text in values.of.items():
        if core := form.core(text):
            names[own] = index.find(core, mapping.aims[own[0]], mapping.by, others)
    unclear = {own for own, objects in names.items() if len(objects) > 1}
    hits = {own: one for own, objects in names.items() if len(objects) == 1 and (one := next(iter(objects))).system == slug}
    if mapping.alone:
        bearers = Counter((own[0], one) for own, one in hits.items())
        unclear |= {own for own, one in hits.items() if bearers[own[0], one] > 1}
    return _Tried(form, slug, names, len(hits), len(unclear))


def _ranked(mapping: Mapped, own: Sequence[Seen], tried: Sequence[tuple[_Values, _Tried]]) -> list[Proposal]:
    """Best first. Of two fields that both nearly always name an object, but not the same one, neither is clear."""
    found = [(_proposal(mapping, own, values, best), best) for values, best in tried]
    ranked = sorted(found, key=lambda pair: (pair[0].free, -pair[0].hits, -_spread(pair[1]), pair[0].ambiguous, pair[0].value))
    good = [(proposal, best) for proposal, best in ranked if proposal.good()]
    for place, (proposal, best) in enumerate(ranked):
        rivals = (other for each, other in good if each is not proposal and proposal.good())
        if clashes := max((_clashes(best, other) for other in rivals), default=0):
            ranked[place] = (replace(proposal, ambiguous=proposal.ambiguous + clashes), best)
    return [proposal for proposal, _ in ranked]


def _spread(tried: _Tried) -> int:
    return len({objects for objects in tried.names.values() if objects})


def _clashes(one: _Tried, other: _Tried) -> int:
    """Own objects for which two fields name different ones."""
    return sum(bool(objects and (rival := other.names.get(own)) and objects != rival) for own, objects in one.names.items())


def _proposal(mapping: Mapped, own: Sequence[Seen], values: _Values, best: _Tried) -> Proposal:
    shown = ((values.of[each], next(iter(objects))) for each, objects in sorted(best.names.items()) if len(objects) == 1)
    return Proposal(
        connection=own[0].system,
        setting=mapping.setting,
        value=values.value,
        form=str(best.form),
        hits=best.hits,
        filled=len(values.of),
        total=len(own),
        ambiguous=best.ambiguous,
        examples=tuple(example for _, example in zip(range(EXAMPLES), shown, strict=False)),
        system=best.system,
        free=values.value in mapping.free or _small_numbers(values, best),
    )


def _small_numbers(values: _Values, best: _Tried) -> bool:
    """Small whole numbers are ids of something by chance."""
    named = [best.form.core(values.of[own]) for own, objects in best.names.items() if objects]
    return all(text.isdigit() and len(text) <= DIGITS_MAX for text in named)
