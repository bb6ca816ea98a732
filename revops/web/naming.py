"""What people call things, with the vendor's id behind it: nobody reads `customer 501`, and nobody can look up a name alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.db.models import Q
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from revops.ledger.models import SourceRecord
from revops.ledger.types import TYPES
from revops.web.addresses import href
from revops.web.formatting import prose, straight

Key = tuple[str, str, str]
"""(system, object type, id there)."""

_INPUTS: Mapping[str, str] = {
    "applied_to_invoice": "invoice",
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


_WORDS: Mapping[str, str] = {
    "customer": "customer", "invoice": "invoice", "renewal": "renewal", "subscription": "subscription",
    "credit memo": "credit_memo", "posting period": "accounting_period", "period": "accounting_period",
}  # fmt: skip
_MENTION = re.compile(r"\b(customer|invoice|renewal|subscription|credit memo|posting period|period) ([A-Za-z0-9_-]{1,80})")


def record_name(record: SourceRecord) -> str:
    """What people call it (see `ledger.view.label_of`)."""
    return straight(record.label)


READ_LENGTH_MAX = 12
_STAGES = re.compile(r"\b(not_started|in_progress|on_hold)\b")


@dataclass(frozen=True, slots=True)
class Named:
    """One object: its name and the row of its record."""

    name: str
    pk: int


@dataclass(frozen=True, slots=True)
class Names:
    """Names of ids. An id that has no name stays the id it is."""

    known: Mapping[Key, Named] = field(default_factory=dict)

    def html(self, system: str, object_type: str, external_id: str) -> SafeString:
        """`Nov 2026` as a link to its record, with the id behind it in quieter ink; the id alone where nobody named it."""
        found = self.known.get((system, object_type, external_id))
        if found is None or found.name == external_id:
            return format_html('<span class="id long">{}</span>', external_id)
        return format_html(
            '<a href="{}">{}</a> <span class="id long muted">{}</span>', href("record", found.pk), found.name, external_id
        )

    def _in_prose(self, system: str, object_type: str, external_id: str) -> SafeString:
        """As `html`; an id too long to be read stands in the title only."""
        found = self.known[system, object_type, external_id]
        if len(external_id) <= READ_LENGTH_MAX:
            return self.html(system, object_type, external_id)
        return format_html('<a href="{}" title="{}">{}</a>', href("record", found.pk), external_id, found.name)

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

    def sentence(self, system: str, text: str) -> SafeString:
        """A sentence of a connector, which knows ids only: `customer 501` reads `customer Halden Robotics GmbH 501`."""
        parts: list[SafeString | str] = []
        last = 0
        for match in _MENTION.finditer(text):
            object_type = _WORDS[match[1]]
            if (system, object_type, match[2]) in self.known:
                parts += [_words(text[last : match.start(2)]), self._in_prose(system, object_type, match[2])]
                last = match.end(2)
        parts.append(_words(text[last:]))
        return format_html_join("", "{}", ((part,) for part in parts))


def _words(text: str) -> str:
    return prose(_STAGES.sub(lambda match: match[0].replace("_", " "), text))


def names_of(keys: Iterable[Key]) -> Names:
    """The names of these objects. One query, none without keys."""
    wanted = set(keys)
    if not wanted:
        return Names()
    by_kind: dict[tuple[str, str], set[str]] = {}
    for system, object_type, external_id in wanted:
        by_kind.setdefault((system, object_type), set()).add(external_id)
    condition = Q()
    for (system, object_type), ids in by_kind.items():
        condition |= Q(system=system, object_type=object_type, external_id__in=ids)
    rows = SourceRecord.objects.filter(condition)
    return Names({(row.system_id, row.object_type, row.external_id): Named(record_name(row), row.pk) for row in rows})


def keys_in(system: str, values: Mapping[str, object]) -> list[Key]:
    """The ids of other objects that fields or inputs of one system hold."""
    found: list[Key] = []
    for name, value in values.items():
        if object_type := named_type(name):
            ids = value if isinstance(value, (list, tuple)) else [value]
            found += [(system, object_type, item) for item in ids if isinstance(item, str) and item]
    return found
