"""What came in, object by object, with the vendor's own fields. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from revops.ledger.facts import Fact
from sync.mapping.declared import CRM_FORM, MAPPED, NAMING, WRAPPERS
from sync.vendor.contract import Config, Incoming
from sync.vendor.fields import body_of
from sync.vendor.references import PLAIN

if TYPE_CHECKING:
    from sync.vendor.contract import Connector

DEPTH_MAX = 4
TEXT_MAX = 200
"""Characters of a value that may be an id: as many as an id of the ledger has."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One object of a connection as it came last. `record`: the vendor's own fields. `number`: what people call it by, `code` our
    code of a legal entity; empty where it has none."""

    system: str
    object_type: str
    id: str
    record: Mapping[str, object]
    number: str = ""
    code: str = ""
    deleted: bool = False


def apart(connector: Connector, config: Config) -> Config:
    """The connection as if nothing were known of the others: no reference to them is read, and none can be wrong."""
    away = {*NAMING, *(each.setting for each in MAPPED.get(connector.slug, ())), *_forms(connector)}
    settings = {name: value for name, value in config.settings.items() if name not in away}
    return Config(config.slug, config.base_url, settings | {CRM_FORM: PLAIN}, config.id_forms)


def _forms(connector: Connector) -> Iterator[str]:
    yield from (each.form for each in MAPPED.get(connector.slug, ()) if each.form)


def seen_in(connector: Connector, config: Config, came: Iterable[Incoming]) -> list[Seen]:
    """The objects that these bodies show, oldest first, each as it came last. What cannot be understood is left out; an object
    that a body only names is there with the fields that the body has."""
    alone, found = apart(connector, config), dict[tuple[str, str], Seen]()
    for incoming in came:
        for seen in _seen(connector, alone, incoming):
            found.pop((seen.object_type, seen.id), None)
            found[seen.object_type, seen.id] = seen
    return list(found.values())


def _seen(connector: Connector, config: Config, incoming: Incoming) -> Iterator[Seen]:
    try:
        said = list(connector.translate(incoming, config))
        record = record_of(connector.slug, body_of(incoming))
    except Exception:  # noqa: BLE001, RUF100 - whatever a body does to a translation, its delivery tells of it
        return
    for one in said:
        if isinstance(one, Fact):
            number, code = (str(one.fields.get(name) or "") for name in ("number", "code"))
            yield Seen(config.slug, one.object_type, one.external_id, record, number, code, one.deleted)
        else:
            yield Seen(config.slug, one.object_type, one.external_id, record)


def record_of(vendor: str, body: Mapping[str, object]) -> Mapping[str, object]:
    """The vendor's own record in a body."""
    for path in WRAPPERS.get(vendor, ()):
        inner: object = body
        for name in path:
            inner = inner.get(name) if isinstance(inner, Mapping) else None
        if isinstance(inner, Mapping):
            return inner
    return body


def texts(record: Mapping[str, object], start: str = "", depth: int = DEPTH_MAX) -> Iterator[tuple[str, str]]:
    """Path (names joined by points) and trimmed text of every field that is filled with a text or a whole number. Lists are left
    out: what stands in them is not the object's own."""
    for name, value in record.items():
        if isinstance(value, Mapping) and depth > 1:
            yield from texts(value, f"{start}{name}.", depth - 1)
        elif isinstance(value, (str, int)) and not isinstance(value, bool):
            text = str(value).strip()
            if 0 < len(text) <= TEXT_MAX:
                yield f"{start}{name}", text
