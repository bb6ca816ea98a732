"""What came in at a connection and what the others hold, from the database: what its proposals rest on. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from django.db.models.fields.json import KT

from revops.ledger.models import SourceRecord, SourceSystem
from sync import connections
from sync.connections.handles import config_for
from sync.connectors import CONNECTORS
from sync.mapping.bodies import Seen, seen_in
from sync.mapping.declared import CRM_FORM, NAMING, Mapped, mapped
from sync.mapping.index import Held, Index, canonical
from sync.mapping.propose import Proposal, proposals, sought, touched
from sync.models import Connection, Delivery, DeliveryKind, DeliveryState
from sync.vendor.contract import Incoming, Setting

T = TypeVar("T")
OBJECTS_MAX = 2_000
"""Of each object type, and as many deliveries that are no record's yet."""
PROBED_MAX = 100
"""Objects of each type in which fields are looked for, before all of them are asked."""
_IDS = 10_000
"""Texts in one query."""


@dataclass(frozen=True, slots=True)
class InForce:
    """A setting that says how the connection is tied to the others, and its value now; `by_default`: nobody has given it."""

    setting: Setting
    value: str
    by_default: bool


def in_force(row: Connection) -> list[InForce]:
    """The mapping settings of a connection, in the order of its connector. Raises `Conflict("no_connector")`."""
    connector = connections.connector_of(row)
    names = {*NAMING, CRM_FORM}
    for each in mapped(connector):
        names |= {each.setting, each.form}
    return [
        InForce(setting, str(row.settings.get(setting.name, setting.default)), setting.name not in row.settings)
        for setting in connector.settings
        if setting.name in names and not setting.sensitive
    ]


def proposed(row: Connection, objects_max: int = OBJECTS_MAX) -> list[Proposal]:
    """What the data proposes for the connection, the best of each setting first; at most `objects_max` objects of each type are
    looked at. Raises `Conflict("no_connector")`."""
    declared = mapped(connections.connector_of(row))
    if not declared:
        return []
    seen, roles = sample(row, objects_max), dict(SourceSystem.objects.values_list("slug", "role"))
    vendors = dict(Connection.objects.values_list("pk", "vendor"))
    first = list(_first_of_each_type(seen))
    probe = _index(sought(first, declared), roles, vendors, without=str(row.pk))
    fields = touched(first, probe, declared, roles)
    index = _index(sought(seen, declared, fields), roles, vendors, without=str(row.pk))
    return proposals(seen, index, declared, roles)


def sample(row: Connection, objects_max: int) -> list[Seen]:
    """The objects of the types that the settings are about, as they came last, and what waits or is a dead letter."""
    connector = connections.connector_of(row)
    config = config_for(connector, str(row.pk), row.base_url, {name: str(value) for name, value in row.settings.items()})
    keys = set[int]()
    for object_type in sorted(_own_types(mapped(connector))):
        records = SourceRecord.objects.filter(system=row.pk, object_type=object_type, deleted=False).order_by("-external_id")
        keys |= {key for key in records.values_list("current__delivery_id", flat=True)[:objects_max] if key is not None}
    arrived = Delivery.objects.filter(connection=row)
    for state in (DeliveryState.QUARANTINED, DeliveryState.PENDING):
        keys |= set(arrived.filter(state=state).order_by("-pk").values_list("pk", flat=True)[:objects_max])
    return seen_in(connector, config, _came(keys))


def _own_types(declared: Iterable[Mapped]) -> set[str]:
    return {object_type for each in declared for object_type in each.aims}


def _came(keys: set[int]) -> Iterator[Incoming]:
    """The deliveries with these keys, oldest first. A hint has no fields of an object."""
    kinds = {DeliveryKind.EVENT: "event", DeliveryKind.READ: "read", DeliveryKind.RESOLUTION: "read"}
    for part in _parts(sorted(keys), 500):
        for row in Delivery.objects.filter(pk__in=part, kind__in=kinds).order_by("pk"):
            kind = kinds[DeliveryKind(row.kind)]
            yield Incoming(
                kind, bytes(row.body), row.headers, row.received_at, row.object_type  # type: ignore[arg-type]  # of the two
            )  # fmt: skip


def _parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def _first_of_each_type(seen: Iterable[Seen]) -> Iterator[Seen]:
    counts: dict[str, int] = {}
    for each in seen:
        counts[each.object_type] = counts.get(each.object_type, 0) + 1
        if counts[each.object_type] <= PROBED_MAX:
            yield each


def _index(
    wanted: Mapping[tuple[str, str, str], set[str]], roles: Mapping[str, str], vendors: Mapping[str, str], *, without: str
) -> Index:
    """The records of the other connections that one of these texts may name."""
    forms = {slug: connector.id_form for slug, vendor in vendors.items() if (connector := CONNECTORS.get(vendor))}
    index = Index({slug: form for slug, form in forms.items() if form})
    for (role, object_type, by), texts in wanted.items():
        for slug in sorted(slug for slug, its in roles.items() if its == role and slug != without):
            form = index.id_forms.get(slug)
            asked = sorted(texts if by else {known for text in texts if (known := canonical(text, form))})
            rows = SourceRecord.objects.filter(system=slug, object_type=object_type)
            for part in _parts(asked, _IDS):
                found = (
                    rows.annotate(known=KT(f"fields__{by}")).filter(known__in=part) if by else rows.filter(external_id__in=part)
                )
                kept = found.values_list("external_id", KT("fields__number"), KT("fields__code"))
                index.add(Held(slug, object_type, one, number or "", code or "") for one, number, code in kept)
    return index
