"""What the other connections hold, by id, number and code. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from revops.reference import plain_number
from sync.vendor.contract import IdForm, Misunderstood


@dataclass(frozen=True, slots=True, order=True)
class Held:
    """An object of a connection. `number`: what people call it by; `code`: our code of a legal entity."""

    system: str
    object_type: str
    id: str
    number: str = ""
    code: str = ""


@dataclass(slots=True)
class Index:
    """`id_forms`: connection -> the one form of its ids, where its vendor writes one id in several. Letters count as they are
    written, except as far as that form says otherwise."""

    id_forms: Mapping[str, IdForm] = field(default_factory=dict)
    _found: dict[tuple[str, str, str], set[Held]] = field(default_factory=lambda: defaultdict(set))
    """(what it is known by, object type, text) -> objects."""

    def add(self, held: Iterable[Held]) -> None:
        """More objects; one that is there already is there once."""
        for each in held:
            self._found["", each.object_type, canonical(each.id, self.id_forms.get(each.system)) or each.id].add(each)
            for by, text in (("number", plain_number(each.number)), ("code", each.code)):
                if text:
                    self._found[by, each.object_type, text].add(each)

    def find(self, text: str, object_type: str, by: str, systems: frozenset[str]) -> frozenset[Held]:
        """The objects of these connections that a text names."""
        texts = {plain_number(text) if by == "number" else text}
        if not by:
            texts |= {known for slug in systems & self.id_forms.keys() if (known := canonical(text, self.id_forms[slug]))}
        found = {each for one in texts for each in self._found.get((by, object_type, one), ())}
        return frozenset(each for each in found if each.system in systems)


def canonical(text: str, form: IdForm | None) -> str:
    """The one form of an id; empty for what is none."""
    if form is None:
        return text
    try:
        return form(text, "id")
    except Misunderstood:
        return ""
