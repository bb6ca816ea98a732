"""Gainsight's objects: queries of records, and what describe tells of fields and pick-list labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from revops import strict_json
from sync.connectors.gainsight.auth import Failed, Session
from sync.vendor import fields as payload
from sync.vendor.contract import (
    Refused,
    RetryLater,
)

QUERY_PATH = "/v1/data/objects/query"
DESCRIBE_PATH = "/v1/meta/services/objects/describe"
DROPDOWN_PATH = "/v1/meta/services/dropdowns"
ROWS = 1000
REMEMBER_SECONDS = 3600
EMPTY_CODES = frozenset({"GSOBJ_1011"})

Condition = tuple[str, str, Sequence[str]]


# As the vendor's sample of "Post Describe OMD" has them, texts and all; without the third no pick-list option comes.
DESCRIBE_FLAGS: Mapping[str, str] = {
    "includeChilds": "true",
    "childLevels": "0",
    "populatePickListOptions": "true",
    "useCollectionId": "false",
    "removeDeleted": "false",
    "removeHidden": "false",
    "host": "MDA",
    "sortFieldsByLabel": "true",
    "populateFieldId": "false",
    "honorUserContext": "true",
    "honorCustomLookup": "true",
    "populateAutoSuggestDetails": "true",
    "externalContext": "false",
}


@dataclass(frozen=True, slots=True)
class Metadata:
    """What describe tells of one object: the names of its fields, those of them that cannot be updated, and for pick-lists the
    labels by item id."""

    fields: frozenset[str]
    fixed: frozenset[str]
    items: Mapping[str, Mapping[str, str]]


def query(
    session: Session,
    object_name: str,
    select: Sequence[str],
    conditions: Sequence[Condition],
    *,
    order: Sequence[str],
    offset: int = 0,
    limit: int = ROWS,
) -> list[dict[str, object]]:
    """Up to `limit` records. Its three ways of saying "none" are all an empty list."""
    aliases = "ABCDEFGH"[: len(conditions)]
    body: dict[str, object] = {"select": list(select)}
    if conditions:
        body["where"] = {
            "conditions": [
                {"name": name, "alias": alias, "operator": operator, "value": list(values)}
                for alias, (name, operator, values) in zip(aliases, conditions, strict=True)
            ],
            "expression": " AND ".join(aliases),
        }
    body |= {"orderBy": dict.fromkeys(order, "asc"), "limit": limit, "offset": offset}
    try:
        return _records(session.call("POST", f"{QUERY_PATH}/{object_name}", body, safe=True))
    except Failed as failure:
        if failure.code in EMPTY_CODES:
            return []
        raise Refused(f"Gainsight refuses a query of {object_name}: {payload.word(failure.code)}", "query_refused") from None


def metadata(session: Session, object_name: str) -> Metadata:
    """Fields and pick-list labels of an object, remembered for an hour."""
    memory = f"metadata:{object_name}"
    if (known := session.client.remembered(memory)) is None:
        try:
            asked = {"objectNames": [object_name], **DESCRIBE_FLAGS}
            described = session.call("POST", DESCRIBE_PATH, asked, safe=True)
        except Failed as failure:
            if failure.missing_object:
                raise Refused(f"Gainsight has no object {object_name}, or does not show it.", "object_missing") from None
            code = payload.word(failure.code)
            raise Refused(f"Gainsight does not describe {object_name}: {code}", "query_refused") from None
        found = {str(entry["fieldName"]): [_items(session, entry), _fixed(entry)] for entry in _entries(described, object_name)}
        known = strict_json.dump(found).decode()
        session.client.remember(memory, known, REMEMBER_SECONDS)
    stored = strict_json.parse(known.encode(), allow_unsafe_text=True)
    assert isinstance(stored, dict)
    fixed = frozenset(name for name, (_items, is_fixed) in stored.items() if is_fixed)
    return Metadata(frozenset(stored), fixed, {name: items for name, (items, _is_fixed) in stored.items() if items})


def forget(session: Session, object_name: str) -> None:
    """Describe it anew the next time."""
    session.client.forget(f"metadata:{object_name}")


def _fixed(entry: Mapping[str, object]) -> bool:
    """Whether describe says that the field cannot be updated."""
    meta = entry.get("meta")
    return isinstance(meta, dict) and (meta.get("updateable") is False or meta.get("readOnly") is True)


def _items(session: Session, entry: Mapping[str, object]) -> dict[str, str]:
    """The labels of a pick-list field: given in the entry, or under the category that the entry names."""
    if entry.get("dataType") not in {"PICKLIST", "MULTISELECTDROPDOWNLIST"}:
        return {}
    if items := dict(_labels(entry)):
        return items
    if not (category := _category(entry)):
        return {}
    try:
        return dict(_labels(session.call("GET", f"{DROPDOWN_PATH}/{category}", None, safe=True)))
    except Failed:
        return {}


def _records(data: object) -> list[dict[str, object]]:
    """`data` is a list for some objects and `{"records": [...]}` for others."""
    if isinstance(data, dict):
        data = data.get("records")
    if data is None:
        return []
    if not isinstance(data, list) or not all(isinstance(record, dict) for record in data):
        raise RetryLater("Gainsight's records are no list of objects.", 60, "unreadable_answer")
    return data


def _walk(value: object) -> Iterator[Mapping[str, object]]:
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from _walk(part)
    elif isinstance(value, list):
        for part in value:
            yield from _walk(part)


def _entries(described: object, object_name: str) -> Iterator[Mapping[str, object]]:
    """The fields of this object; a lookup may bring those of another along."""
    return (
        entry
        for entry in _walk(described)
        if isinstance(entry.get("fieldName"), str)
        and "dataType" in entry
        and str(entry.get("objectName", object_name)).lower() == object_name.lower()
    )


def _labels(value: object) -> Iterator[tuple[str, str]]:
    """Item id and label wherever they stand: the vendor does not document the place, and tenants differ."""
    for entry in _walk(value):
        identity = next((entry[k] for k in ("Gsid", "gsid", "itemId", "id", "value") if isinstance(entry.get(k), str)), None)
        label = next((entry[k] for k in ("label", "Name", "name", "displayName") if isinstance(entry.get(k), str)), None)
        if isinstance(identity, str) and isinstance(label, str) and "fieldName" not in entry and identity.startswith("1I00"):
            yield identity, label


def _category(entry: Mapping[str, object]) -> str:
    """The id of the field's category; beside it stands `PICKLIST_CATEGORY`, a label, which no address takes."""
    meta = entry.get("meta")
    properties = meta.get("properties") if isinstance(meta, dict) else None
    found = properties.get("PICKLIST_CATEGORY_ID") if isinstance(properties, dict) else None
    return found if isinstance(found, str) and payload.word(found) == found else ""
