"""Reading and completing documents: lookups, picklists, dates in the two dialects, the object query."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from demo.simulators.gainsight.conditions import Conditions, wanted
from demo.simulators.gainsight.metadata import (
    EPOCH,
    FIELDS,
    PICKLISTS,
    BadValue,
    Field,
    category_id,
    item_id,
    kept,
)
from demo.simulators.store import Store
from demo.simulators.vendor import Json

READ_MAX = 5000
CTA_READ_MAX = 1000


class Rows:
    """Everything that turns stored documents into answers and callers' values into documents."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.zone = timedelta()
        """The tenant's offset from UTC: it shifts dates on the way out and naive values on the way in."""
        self.dropped: dict[str, frozenset[str]] = {}
        """Object -> fields that an administrator has removed."""
        self._items: dict[str, Json] = {}

    # -- picklists ------------------------------------------------------------------------------------------------

    def plant_items(self) -> None:
        """Store the items of every declared picklist, and read back those stored before. Inside a transaction."""
        self._items = {item["Gsid"]: item for item in self.store.select("picklist_items")}
        for (object, field), labels in PICKLISTS.items():
            for label in labels:
                self._item(object, field, label)

    def _item(self, object: str, field: str, label: str) -> str:
        id = item_id(object, field, label)
        if id not in self._items:
            item = {"Gsid": id, "Object": object, "Field": field, "Name": label, "CategoryId": category_id(object, field)}
            self._items[id] = self.store.put("picklist_items", item)
        return id

    def items(self, object: str, field: str) -> list[Json]:
        """The items of one field, in the order they came to be."""
        return [item for item in self._items.values() if (item["Object"], item["Field"]) == (object, field)]

    def category(self, id: str) -> tuple[Json | None, list[Json]]:
        """(category, its items) of a dropdown category id."""
        for object, fields in FIELDS.items():
            for field in fields.values():
                if field.type == "PICKLIST" and category_id(object, field.name) == id:
                    return {"gsid": id, "name": f"{object} {field.name}"}, self.items(object, field.name)
        return None, []

    def label(self, id: Any) -> str | None:
        """What a picklist item is called."""
        item = self._items.get(str(id))
        return str(item["Name"]) if item else None

    def picklist_value(self, object: str, field: Field, value: Any, *, grow: bool) -> str:
        """The item GSID behind a GSID or a label. `grow` adds an unknown label as an item. Raises BadValue."""
        text = str(value)
        item = self._items.get(text)
        if item is not None and (item["Object"], item["Field"]) == (object, field.name):
            return text
        known = {entry["Name"]: entry["Gsid"] for entry in self.items(object, field.name)}
        if text in known:
            return str(known[text])
        if not grow:
            raise BadValue("GSOBJ_1002", f"Invalid value for field {field.name}")
        return self._item(object, field.name, text)

    # -- documents ------------------------------------------------------------------------------------------------

    def field(self, object: str, name: str) -> Field:
        """A field of an object, also through one lookup (`Csm__gr.Email`). Raises BadValue when there is none."""
        own, _, far = name.partition("__gr.")
        found = FIELDS[object].get(own)
        if found is None or own in self.dropped.get(object, ()):
            raise BadValue("GSOBJ_1008", f"Invalid field name {name} for object {object}")
        if not far:
            return found
        if found.type == "PICKLIST" and far in ("Name", "IsActive"):
            return Field(name, "STRING" if far == "Name" else "BOOLEAN")
        if found.type == "LOOKUP" and far in FIELDS[found.target]:
            return FIELDS[found.target][far]
        raise BadValue("GSOBJ_1008", f"Invalid field name {name} for object {object}")

    def complete(self, object: str, body: Json, *, grow: bool = False) -> Json:
        """A document with every value in its stored form. Raises BadValue."""
        out: Json = {}
        for name, value in body.items():
            field = self.field(object, name)
            if value is None or value == "":
                continue
            picked = field.type == "PICKLIST"
            out[name] = self.picklist_value(object, field, value, grow=grow) if picked else kept(field, value)
        return out

    def look_through(self, object: str, row: Json, names: Iterable[str]) -> Json:
        """The row with its `__gr.` names filled in from the objects they point to."""
        out = dict(row)
        for name in names:
            own, _, far = name.partition("__gr.")
            if not far:
                continue
            found = FIELDS[object][own]
            value = row.get(own)
            if found.type == "PICKLIST":
                out[name] = None if value is None else self.label(value) if far == "Name" else True
            else:
                other = self.store.get(found.target, str(value)) if value is not None else None
                out[name] = (other or {}).get(far)
        return out

    def epoch(self, field: Field, value: Any) -> Any:
        """A stored date as the object query shows it: epoch milliseconds; midnight of a DATE in the tenant's zone."""
        if value is None or field.type not in ("DATE", "DATETIME"):
            return value
        moment = datetime.fromisoformat(str(value))
        if field.type == "DATE":
            moment = moment.replace(tzinfo=UTC) - self.zone
        return int((moment - EPOCH) / timedelta(milliseconds=1))

    # -- the two query dialects -----------------------------------------------------------------------------------

    def query(self, object: str, body: Json) -> list[Json]:
        """The object query: rows with the selected names, dates as epoch milliseconds. Raises BadValue."""
        select = body.get("select")
        if not isinstance(select, list) or not select:
            raise BadValue("GSOBJ_1008", "select must name at least one field")
        fields = {name: self.field(object, str(name)) for name in select}
        conditions = Conditions(body.get("where"), "name", lambda name: self.field(object, name), self.zone)
        order = body.get("orderBy") or {}
        limit, offset = _whole(body.get("limit", READ_MAX), "limit"), _whole(body.get("offset", 0), "offset")
        names = set(select) | set(order) | _names(body.get("where"), "name")
        for name in order:
            self.field(object, name)
        rows = [self.look_through(object, row, names) for row in self._candidates(object, conditions)]
        rows = [row for row in rows if conditions.test(row)]
        for name, direction in reversed(list(order.items())):
            rows.sort(key=partial(_sortable, name), reverse=str(direction).lower() == "desc")
        rows = rows[offset : offset + min(limit, READ_MAX)]
        return [{name: self.epoch(field, row.get(name)) for name, field in fields.items()} for row in rows]

    def _candidates(self, object: str, conditions: Conditions) -> list[Json]:
        """Documents that can match: ids and change times are looked up by index, the rest is filtered afterwards."""
        where: list[str] = ["1"]
        values: list[Any] = []
        for condition in conditions.required:
            given = condition.get("value") or [None]
            operator = {"GTE": ">=", "GT": ">", "EQ": "="}.get(str(condition.get("operator")))
            if condition["name"] == "Gsid" and operator == "=":
                where, values = [*where, "id = ?"], [*values, str(given[0])]
            elif condition["name"] == "ModifiedDate" and operator is not None:
                field = FIELDS[object]["ModifiedDate"]
                moment = wanted(field, given[0], self.zone)
                where, values = [*where, f"modified {operator} ?"], [*values, moment]
        return self.store.select(object, " AND ".join(where), values)

    def cockpit(self, object: str, body: Json, *, ignore_select: bool = False) -> tuple[list[Json], int, int]:
        """The cockpit list: (records with ISO dates, page size, page number), in no order. Raises BadValue."""
        size, number = _whole(body.get("pageSize", 100), "pageSize"), _whole(body.get("pageNumber", 1), "pageNumber")
        if not 1 <= size <= CTA_READ_MAX or number < 1:
            raise BadValue("COCKPIT_5101", f"pageSize goes up to {CTA_READ_MAX}, pageNumber starts at 1")
        spelling = {name.lower(): name for name in FIELDS[object]}

        def proper(name: str) -> str:
            own, mark, far = name.partition("__gr.")
            return spelling.get(own.lower(), own) + mark + far

        wished = [proper(str(name)) for name in body.get("select") or []]
        for name in wished:
            try:
                self.field(object, name)
            except BadValue:
                raise BadValue("COCKPIT_5101", f"Invalid fields in select clause - {name}") from None
        standard = [*FIELDS[object], *(f"{n}__gr.Name" for n, f in FIELDS[object].items() if f.type == "PICKLIST")]
        shown = standard if ignore_select or not wished else ["Gsid", *(name for name in wished if name != "Gsid")]
        where = _renamed(body.get("where"), proper)
        conditions = Conditions(where, "fieldName", lambda name: self.field(object, name), self.zone)
        names = set(shown) | _names(where, "fieldName")
        rows = [self.look_through(object, row, names) for row in self.store.select(object)]
        rows = sorted((row for row in rows if conditions.test(row)), key=lambda row: str(row["Gsid"])[::-1])
        page = rows[(number - 1) * size : number * size]
        out = [{name: _iso_seconds(row.get(name)) for name in shown} for row in page]
        for record, row in zip(out, page, strict=True):
            if body.get("linkedObject") and object == "call_to_action":
                record["associatedRecords"] = row.get("associatedRecords", [])
        return out, size, number


def _whole(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadValue("GSOBJ_1008", f"{name} must be a whole number")
    return value


def _names(where: Any, key: str) -> set[str]:
    return {str(condition.get(key)) for condition in (where or {}).get("conditions", [])}


def _renamed(where: Any, proper: Any) -> Any:
    if not isinstance(where, dict):
        return where
    return where | {"conditions": [c | {"fieldName": proper(str(c.get("fieldName")))} for c in where.get("conditions") or []]}


def _sortable(name: str, row: Json) -> tuple[int, Any]:
    value = row.get(name)
    if value is None:
        return (0, "")
    return (1, Decimal(value)) if isinstance(value, int | Decimal) else (1, str(value))


def _iso_seconds(value: Any) -> Any:
    text = str(value)
    if len(text) == 24 and text[10] == "T" and text.endswith(".000Z"):
        return text[:19] + "Z"
    return value
