"""What people call things, with the vendor's id behind it: nobody reads `customer 501`, and nobody can look up a name alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.db.models import Q
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from revops.ledger.models import SourceRecord
from revops.ledger.types import TYPES
from revops.reference import OURSELVES, Ref
from revops.sentences import Atom, Named, Param, parts_of, refs_in
from revops.web.addresses import href
from revops.web.formatting import part_html, straight

Key = tuple[str, str, str]
"""(system, object type, id there)."""

_INPUTS: Mapping[str, str] = {
    "invoice_id": "invoice",
    "invoice": "invoice",
    "customer_id": "customer",
    "customer": "customer",
    "renewal_id": "renewal",
}
"""Inputs of changes that hold the id of another object of the same system -> what that object is."""


def named_type(name: str) -> str:
    """What a field or an input holds the id of, in the same system; empty for every other one."""
    return TYPES.pointed_by(name) or _INPUTS.get(name, "")


def record_name(record: SourceRecord) -> str:
    """What people call it (see `ledger.view.label_of`)."""
    return straight(record.label)


_OUR_PAGES = frozenset({"plan", "case"})
"""Our own things that have a page of the same name."""

READ_LENGTH_MAX = 12
"""An id longer than this is not read: it stands in the title of its link only."""


@dataclass(frozen=True, slots=True)
class KnownRecord:
    """One object: its name and the row of its record."""

    name: str
    pk: int


@dataclass(frozen=True, slots=True)
class Names:
    """Names of ids. An id that has no name stays the id it is. `linked`: our own plans and cases lead to their pages."""

    known: Mapping[Key, KnownRecord] = field(default_factory=dict)
    linked: bool = False

    def html(self, system: str, object_type: str, external_id: str) -> SafeString:
        """`Nov 2026` as a link to its record, with the id behind it in quieter ink; the id alone where nobody named it."""
        found = self.known.get((system, object_type, external_id))
        if found is None or found.name == external_id:
            return format_html('<span class="id long">{}</span>', external_id)
        return format_html(
            '<a href="{}">{}</a> <span class="id long muted">{}</span>', href("record", found.pk), found.name, external_id
        )

    def href(self, system: str, object_type: str, external_id: str) -> str:
        """The page of that record, or the empty string."""
        found = self.known.get((system, object_type, external_id))
        return href("record", found.pk) if found else ""

    def value(self, system: str, field_name: str, value: object) -> SafeString | None:
        """The value of a field that holds ids of other objects; None for every other field."""
        object_type = named_type(field_name)
        ids = [v for v in (value if isinstance(value, (list, tuple)) else [value]) if isinstance(v, str) and v]
        if not object_type or not ids:
            return None
        return format_html_join(mark_safe("<br>"), "{}", ((self.html(system, object_type, i),) for i in ids))

    def in_words(self, said: Param) -> SafeString:
        """A sentence with its objects as links: `customer 501` reads `customer Halden Robotics GmbH 501`."""
        return format_html_join("", "{}", ((self._shown(part),) for part in parts_of(said)))

    def _shown(self, part: Atom) -> str:
        if isinstance(part, Named):
            page, name = self.href(part.ref.system, part.ref.object_type, part.ref.id), straight(part.name)
            return format_html('<a href="{}" title="{}">{}</a>', page, part.ref.id, name) if page else name
        if isinstance(part, Ref) and part.system == OURSELVES and self.linked and part.object_type in _OUR_PAGES:
            return format_html('<a href="{}">{}</a>', href(part.object_type, part.id), part.id)
        if isinstance(part, Ref) and (found := self.known.get((part.system, part.object_type, part.id))) is not None:
            if len(part.id) <= READ_LENGTH_MAX:
                return self.html(part.system, part.object_type, part.id)
            return format_html('<a href="{}" title="{}">{}</a>', href("record", found.pk), part.id, found.name)
        return part_html(part)


def in_words_html(said: Param) -> SafeString:
    """A sentence without links, for where it stands in a link itself."""
    return Names().in_words(said)


def names_in(said: Iterable[Param], known: Iterable[SourceRecord] = ()) -> Names:
    """The names of everything that these sentences are about. One query, none when they name nothing but `known` records."""
    refs = (ref for each in said for ref in refs_in(each) if ref.system != OURSELVES)
    return names_of(((ref.system, ref.object_type, ref.id) for ref in refs), known)


def names_of(keys: Iterable[Key], known: Iterable[SourceRecord] = ()) -> Names:
    """The names of these objects, of which `known` were read already. One query, none without further keys."""
    named = _named(known)
    wanted = set(keys) - named.keys()
    if not wanted:
        return Names(named, linked=True)
    by_kind: dict[tuple[str, str], set[str]] = {}
    for system, object_type, external_id in wanted:
        by_kind.setdefault((system, object_type), set()).add(external_id)
    condition = Q()
    for (system, object_type), ids in by_kind.items():
        condition |= Q(system=system, object_type=object_type, external_id__in=ids)
    return Names(named | _named(SourceRecord.objects.filter(condition)), linked=True)


def _named(rows: Iterable[SourceRecord]) -> dict[Key, KnownRecord]:
    return {(row.system_id, row.object_type, row.external_id): KnownRecord(record_name(row), row.pk) for row in rows}


def keys_in(system: str, values: Mapping[str, object]) -> list[Key]:
    """The ids of other objects that fields or inputs of one system hold."""
    found: list[Key] = []
    for name, value in values.items():
        if object_type := named_type(name):
            ids = value if isinstance(value, (list, tuple)) else [value]
            found += [(system, object_type, item) for item in ids if isinstance(item, str) and item]
    return found
