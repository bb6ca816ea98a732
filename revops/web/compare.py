"""The compare grid: fields as rows, systems as columns, the owner of each field marked, what differs marked.

Difference rows come from the case's evidence (what the rule saw); with all fields, the records themselves are laid side by side.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from revops.errors import Rejected
from revops.ledger.facts import Value, decode
from revops.ledger.freshness import FreshnessLine
from revops.ledger.models import SourceRecord, SourceSystem, SystemRole
from revops.ledger.ownership import ownership_of
from revops.ledger.types import TYPES
from revops.money import Money
from revops.policies.in_force import policies_in_force
from revops.policies.policies import Ownership
from revops.sentences import Sentence
from revops.web.addresses import href
from revops.web.formatting import absent_html, ago_text, instant_html, status_text, value_html
from revops.web.naming import Names, keys_in, names_of, record_name

ROLE_ORDER = {role: number for number, role in enumerate(("crm", "customer_success", "billing", "erp"))}
ROLE_LABELS = {str(code): str(label) for code, label in SystemRole.choices}


@dataclass(frozen=True, slots=True)
class Column:
    """One system: its records in this case, since when they hold, and whether we have read it lately. `missing`: it should have
    a record of it and has none, and that is what the case is about."""

    slug: str
    label: str
    role: str
    records: list[tuple[str, str, str]]
    as_of: SafeString
    read: str
    stale: bool
    missing: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """One value. `differs`: not what the owner of the field says; `silent`: this system states no such field."""

    html: SafeString
    differs: bool
    owner: bool
    system: str
    silent: bool = False

    @property
    def marks(self) -> str:
        """The classes of its cell."""
        names = (("cell-differs", self.differs), ("cell-owner", self.owner), ("silent", self.silent))
        return " ".join(name for name, holds in names if holds)


@dataclass(frozen=True, slots=True)
class Row:
    """One field. `why` says why that system owns it; `silent` names the systems that state nothing."""

    field: str
    label: str
    owner: str
    why: str
    cells: list[Cell]
    differs: bool

    @property
    def silent(self) -> str:
        return ", ".join(cell.system for cell in self.cells if cell.silent)


@dataclass(frozen=True, slots=True)
class Grid:
    """`total` counts the rows there are, `differing` those that differ; `rows` is what is shown."""

    columns: list[Column]
    rows: list[Row]
    total: int
    differing: int
    everything: bool


def field_label(object_type: str, name: str) -> str:
    """What people call a field, as its type declares."""
    declared = TYPES.get(object_type)
    return declared.field_label(name) if declared is not None else name.replace("_", " ").capitalize()


def is_local(object_type: str, name: str) -> bool:
    """Whether every system keeps its own: two numbers of one invoice are no contradiction."""
    declared = TYPES.get(object_type)
    return declared is not None and name in declared.fields and declared.fields[name].local


def compare_grid(
    evidence: Mapping[str, object],
    records: Sequence[SourceRecord],
    fresh: Sequence[FreshnessLine],
    *,
    everything: bool,
    now: dt.datetime,
    others: Sequence[SourceSystem] = (),
    expects: str = "",
) -> Grid:
    """The grid of one case. `records` are those the evidence names, with their system; `others` are the further systems that
    know this customer: their columns show that they have nothing to set beside it. `expects` is the role whose record is
    missing where that is the contradiction."""
    known = {r.system for r in records}
    systems = sorted(known | set(others) if known else known, key=lambda s: (ROLE_ORDER.get(s.role, 9), s.slug))
    columns = [_column(s, [r for r in records if r.system_id == s.slug], fresh, now, expects) for s in systems]
    names = names_of(key for r in records for key in keys_in(r.system_id, r.fields)) if everything else Names()
    differences = evidence.get("differences")
    rows = (
        [_difference_row(d, systems, records) for d in differences if isinstance(d, dict)]
        if isinstance(differences, list)
        else []
    )
    shown = [row for row in rows if row.differs] or rows
    full = _record_rows(records, systems, names)
    further = [row for row in full if row.field not in {r.field for r in rows}]
    if everything:
        shown = [*rows, *further]
    return Grid(columns, shown, len(rows) + len(further), sum(row.differs for row in rows), everything)


def _column(
    system: SourceSystem, records: list[SourceRecord], fresh: Sequence[FreshnessLine], now: dt.datetime, expects: str
) -> Column:
    types = {record.object_type for record in records}
    lines = [line for line in fresh if line.system == system.slug and (line.object_type in types or not types)]
    read = min((line.read_through_at for line in lines if line.read_through_at), default=None)
    newest = max((record.effective_at for record in records), default=None)
    return Column(
        slug=system.slug,
        label=system.label,
        role=ROLE_LABELS.get(system.role, system.role),
        records=[(record_name(r), r.type_label, href("record", r.pk)) for r in records],
        as_of=instant_html(newest),
        read=ago_text(read, now),
        stale=any(line.stale for line in lines) or not lines,
        missing=not records and system.role == expects,
    )


def _decoded(object_type: str, name: str, stored: object) -> Value:
    """A value of the evidence; what the shape does not know stays the text it is."""
    if isinstance(stored, dict) and set(stored) == {"amount", "currency"}:
        return Money.from_json(stored)
    try:
        return decode(object_type, name, stored)
    except (Rejected, ValueError, AssertionError, KeyError):
        return stored if isinstance(stored, str) else str(stored)


def _cell(
    system: SourceSystem, key: tuple[str, str], values: list[Value], said: list[Value] | None, names: Names, *, owner: bool
) -> Cell:
    if not values:
        return Cell(absent_html(), False, owner, system.label, silent=True)
    differs = not is_local(*key) and said is not None and not owner and bool(said) and values != said
    unique = list(dict.fromkeys(values))
    shown = (names.value(system.slug, key[1], value) or _shown(*key, value) for value in unique[:6])
    html = format_html_join(mark_safe("<br>"), "{}", ((value,) for value in shown))
    return Cell(html, differs, owner, system.label)


def shown_value(object_type: str, name: str, stored: object) -> SafeString:
    """A stored value of a record as pages show it."""
    return _shown(object_type, name, _decoded(object_type, name, stored))


def _shown(object_type: str, name: str, value: Value) -> SafeString:
    return value_html(status_text(value) if isinstance(value, str) and TYPES.is_coded(object_type, name) else value)


def _row(
    label: str,
    key: tuple[str, str],
    by_system: Mapping[str, list[Value]],
    systems: list[SourceSystem],
    names: Names,
    *,
    line: Ownership,
) -> Row:
    """One row; `line` says whose word counts."""
    object_type, field = key
    owners = {s.slug for s in systems if s.role == line.owner}
    said = next((by_system[slug] for slug in sorted(owners) if by_system.get(slug)), None)
    cells = [_cell(s, key, by_system.get(s.slug, []), said, names, owner=s.slug in owners) for s in systems]
    stated = [values for values in by_system.values() if values]
    differs = any(cell.differs for cell in cells)
    differs = differs or (not is_local(*key) and said is None and len({tuple(v) for v in stated}) > 1)
    return Row(f"{object_type}.{field}", label, ROLE_LABELS.get(line.owner, line.owner), line.why, cells, differs)


def _ownership(object_type: str, field: str, records: Sequence[SourceRecord]) -> Ownership:
    """Whose word counts at the stage that the records of that type have reached together."""
    policies = policies_in_force()
    statuses = [record.fields.get("status") for record in records if record.object_type == object_type]
    return ownership_of(policies, object_type, field, policies.stage_of(object_type, statuses))


def _difference_row(difference: Mapping[str, object], systems: list[SourceSystem], records: Sequence[SourceRecord]) -> Row:
    by_system: dict[str, list[Value]] = {}
    values = difference.get("values")
    field, object_type = str(difference.get("field", "")), ""
    for item in values if isinstance(values, list) else []:
        object_type = str(item.get("object_type", ""))
        by_system.setdefault(str(item.get("system", "")), []).append(_decoded(object_type, field, item.get("value")))
    object_type = object_type or "invoice"
    label = str(Sentence(str(difference["label"])))
    return _row(label, (object_type, field), by_system, systems, Names(), line=_ownership(object_type, field, records))


def _record_rows(records: Sequence[SourceRecord], systems: list[SourceSystem], names: Names) -> list[Row]:
    rows = []
    types = list(dict.fromkeys(record.object_type for record in records))
    for object_type in types:
        mine = [record for record in records if record.object_type == object_type]
        prefix = f"{TYPES.label(object_type)}: " if len(types) > 1 else ""
        for name in TYPES[object_type].fields:
            by_system: dict[str, list[Value]] = {}
            for record in mine:
                if name in record.fields:
                    by_system.setdefault(record.system_id, []).append(_decoded(object_type, name, record.fields[name]))
            if by_system:
                label = f"{prefix}{field_label(object_type, name).lower()}" if prefix else field_label(object_type, name)
                line = _ownership(object_type, name, mine)
                rows.append(_row(label, (object_type, name), by_system, systems, names, line=line))
    return rows
