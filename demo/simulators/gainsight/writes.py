"""Inserting, updating and deleting records, with lookups and both ways of failing.

Every record of one call gets the same ModifiedDate, as the vendor's batches do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from demo.simulators.gainsight.envelope import failure, success
from demo.simulators.gainsight.metadata import PREFIXES, BadValue, object_name
from demo.simulators.gainsight.rows import Rows
from demo.simulators.store import Store
from demo.simulators.vendor import Halt, Json, Response

WRITE_MAX = 50
KEYS_MAX = 3
_REQUIRED = {"company": ("Name",), "relationship": ("Name", "CompanyId", "TypeId"), "gs_opportunity": ("Name", "CompanyId"),
             "call_to_action": ("Name", "CompanyId")}  # fmt: skip
_READ_ONLY = {"Gsid", "CreatedDate", "ModifiedDate", "CreatedBy", "ModifiedBy"}

Change = Callable[[str, Json | None, Json | None], Json]


class Writes:
    """The write half of the object API. `change` is the vendor's one call for changes."""

    def __init__(self, store: Store, rows: Rows, change: Change) -> None:
        self.store = store
        self.rows = rows
        self.change = change
        self.partial = False
        """True: good records are written beside bad ones; False: one bad record refuses the call."""
        self.many_matches = "all"
        """What `keys` do when they match several rows: `all` updates each, `error` refuses."""

    def insert(self, object: str, body: Json) -> Response:
        """POST /v1/data/objects/{Object}. Raises Halt."""
        records = _records(body)
        made, errors = [], []
        for number, record in enumerate(records):
            try:
                values = self._prepared(object, record, body.get("lookups"))
                for name in _REQUIRED.get(object, ()):
                    if values.get(name) is None:
                        raise BadValue("GSOBJ_1007", f"Null value for the field {name}")
                made.append(values)
            except BadValue as wrong:
                errors.append(_error(number, wrong))
        self._refuse_unless_partial(errors)
        written = [{"Gsid": self.change(object, None, values)["Gsid"]} for values in made]
        return success({"count": len(written), "errors": errors or None, "records": written})

    def update(self, object: str, body: Json, keys: list[str]) -> Response:
        """PUT /v1/data/objects/{Object}?keys=. Raises Halt."""
        if not 1 <= len(keys) <= KEYS_MAX:
            raise Halt(failure(400, "GSOBJ_1008", f"keys takes one to {KEYS_MAX} fields"))
        changes: list[tuple[Json, Json]] = []
        errors = []
        for number, record in enumerate(_records(body)):
            try:
                changes += self._matches(object, record, keys, body.get("lookups"))
            except BadValue as wrong:
                errors.append(_error(number, wrong))
        self._refuse_unless_partial(errors)
        written = [{"Gsid": self.change(object, before, after)["Gsid"]} for before, after in changes]
        return success({"count": len(written), "errors": errors or None, "records": written})

    def _matches(self, object: str, record: Json, keys: list[str], lookups: Any) -> list[tuple[Json, Json]]:
        for key in keys:
            if self.rows.field(object, key).type not in ("STRING", "GSID", "NUMBER", "EMAIL", "SFDCID"):
                raise BadValue("GSOBJ_1008", f"{key} cannot be a key")
            if record.get(key) is None:
                raise BadValue("GSOBJ_1007", f"Null value for the key {key}")
        if "Gsid" in keys:
            found = self.store.get(object, str(record["Gsid"]))
            rows = [found] if found else []
        else:
            rows = self.store.select(object)
        rows = [row for row in rows if all(str(row.get(key)) == str(record[key]) for key in keys)]
        if not rows:
            raise BadValue("GSOBJ_1004" if "Gsid" in keys else "GSOBJ_1011", "No entity matches the given criteria")
        if len(rows) > 1 and self.many_matches == "error":
            raise BadValue("GSOBJ_1008", "Several records match the keys")
        resolved = self._resolved({name: value for name, value in record.items() if name not in keys}, lookups)
        values = self._completed(object, resolved)
        cleared = {name for name, value in resolved.items() if value is None}
        return [(row, {k: v for k, v in row.items() if k not in cleared} | values) for row in rows]

    def _prepared(self, object: str, record: Json, lookups: Any) -> Json:
        return self._completed(object, self._resolved(record, lookups))

    def _resolved(self, record: Json, lookups: Any) -> Json:
        if not isinstance(record, dict):
            raise BadValue("GSOBJ_1008", "a record must be an object")
        values = dict(record)
        for target, rule in (lookups or {}).items():
            self._look_up(values, target, rule)
        return values

    def _completed(self, object: str, values: Json) -> Json:
        for name in values:
            if name in _READ_ONLY:
                raise BadValue("GSOBJ_1002", f"The field {name} cannot be written")
        return self.rows.complete(object, values)

    def _look_up(self, values: Json, target: str, rule: Json) -> None:
        """Replace the fields a lookup reads by the id it finds; FIRSTMATCH and NULLABLE have the documented side effects."""
        wished = {far: values.pop(near, None) for near, far in rule.get("fields", {}).items()}
        object = object_name(str(rule.get("objectName")))
        if object is None or not wished:
            raise BadValue("GSOBJ_1008", f"lookup {target} is not understood")
        found = [row for row in self.store.select(object) if all(row.get(far) == value for far, value in wished.items())]
        if len(found) > 1 and rule.get("multiMatchOption") != "FIRSTMATCH":
            raise BadValue("GSOBJ_1008", f"Several records match the lookup {target}")
        if found:
            values[target] = found[0][str(rule.get("lookupField", "Gsid"))]
        elif rule.get("onNoMatch") == "ERROR":
            raise BadValue("GSOBJ_1008", f"No record matches the lookup {target}")
        else:
            values[target] = None

    def delete(self, object: str, id: str) -> Response:
        """DELETE /v1/data/objects/{Object}/{Gsid}. Raises Halt."""
        row = self.store.get(object, id)
        if row is None:
            raise Halt(failure(400, "GSOBJ_1004", f"Gsid {id} is missing or invalid"))
        self.change(object, row, None)
        return success({"count": 1, "errors": None, "records": [{"Gsid": id}]})

    # -- CTAs -----------------------------------------------------------------------------------------------------

    def write_ctas(self, body: Json, *, create: bool) -> Response:
        """POST or PUT /v2/cockpit/cta: labels instead of item ids for type, status, priority and reason. Raises Halt."""
        requests = body.get("requests")
        if not isinstance(requests, list) or not 1 <= len(requests) <= WRITE_MAX:
            raise Halt(failure(400, "COCKPIT_5101", f"requests takes one to {WRITE_MAX} records"))
        out = []
        for number, request in enumerate(requests):
            record = dict(request.get("record") or {})
            reference = record.pop("referenceId", None)
            for short, name in (("type", "TypeId"), ("status", "StatusId"), ("priority", "PriorityId"),
                                ("reason", "ReasonId")):  # fmt: skip
                if short in record:
                    record[name] = record.pop(short)
            try:
                out.append({"referenceId": reference, "Gsid": self._write_cta(record, create=create)})
            except BadValue as wrong:
                raise Halt(failure(400, "COCKPIT_5101", f"request {number}: {wrong}")) from wrong
        return success({"count": len(out), "errors": None, "records": out})

    def _write_cta(self, record: Json, *, create: bool) -> str:
        id = record.pop("Gsid", None)
        values = self._prepared("call_to_action", record, None)
        if "StatusId" in values:
            values["IsClosed"] = str(self.rows.label(values["StatusId"])).startswith("Closed")
        if not create:
            row = self.store.get("call_to_action", str(id))
            if row is None:
                raise BadValue("GSOBJ_1004", "Gsid missing or invalid")
            return str(self.change("call_to_action", row, row | values)["Gsid"])
        for name in _REQUIRED["call_to_action"]:
            if values.get(name) is None:
                raise BadValue("GSOBJ_1007", f"Null value for the field {name}")
        fresh = {"EntityType": "COMPANY", "IsClosed": False, "IsImportant": False}
        return str(self.change("call_to_action", None, fresh | values)["Gsid"])

    def _refuse_unless_partial(self, errors: list[Json]) -> None:
        if errors and not self.partial:
            first = errors[0]
            raise Halt(failure(400, first["errorCode"], first["errorDesc"], {"count": 0, "errors": errors, "records": []}))


def known_object(name: str) -> str:
    """The object's own spelling. Raises Halt for an unknown one."""
    found = object_name(name)
    if found is None or found not in PREFIXES:
        raise Halt(failure(400, "OBJECT_NOT_FOUND", "Requested object not found"))
    return found


def _records(body: Json) -> list[Json]:
    records = body.get("records")
    if not isinstance(records, list) or not records:
        raise Halt(failure(400, "GSOBJ_1008", "records must be a list that is not empty"))
    if len(records) > WRITE_MAX:
        raise Halt(failure(400, "GSOBJ_1008", f"At most {WRITE_MAX} records a call"))
    return records


def _error(number: int, wrong: BadValue) -> Json:
    return {"index": number, "errorCode": wrong.code, "errorDesc": str(wrong)}
