"""Single rows: create, read, update, delete, upsert by external id, describe, and the lists of changed ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime, parsedate_to_datetime

from demo.simulators.salesforce.ids import id18, moment_text, numbered_id, parse_moment
from demo.simulators.salesforce.org import Org, Refused, refusal
from demo.simulators.salesforce.rules import AUTO_NUMBERS, ROLLUPS, STAGES, STATUS_CODES, Save, allowed, derived
from demo.simulators.salesforce.schema import NUMBER_TYPES, TEXT_TYPES, Field, SObject
from demo.simulators.vendor import DEFAULT, Json, Request, Response, route

BASE = "/services/data/v{version}/sobjects"
_STAMPS = ("CreatedDate", "LastModifiedDate", "SystemModstamp")


class Rows(Org):
    """`sobjects/...`."""

    # -- describe -------------------------------------------------------------------------------------------------

    @route("GET", BASE + "/{sobject}/describe")
    def describe(self, request: Request, version: str, sobject: str) -> Response:
        """Fields with their types; picklist values where the org fixes them."""
        about = self.sobject(sobject)
        fields = [_described(about, each) for each in about.fields.values()]
        flags = dict.fromkeys(("createable", "updateable", "deletable", "queryable", "replicateable"), True)
        shown = {"name": about.name, "label": about.name, "keyPrefix": about.prefix, "custom": False}
        return Response.of(shown | flags | {"fields": fields})

    # -- by id ----------------------------------------------------------------------------------------------------

    @route("POST", BASE + "/{sobject}")
    def create_row(self, request: Request, version: str, sobject: str) -> Response:
        """201 with the new id."""
        row = self._save(self.sobject(sobject), None, _body(request))
        return Response.of({"id": row["Id"], "success": True, "errors": []}, 201)

    @route("GET", BASE + "/{sobject}/{id}")
    def read_row(self, request: Request, version: str, sobject: str, id: str) -> Response:
        """All fields, or those of `fields=`."""
        about = self.sobject(sobject)
        row = self._live(about, id)
        since = request.headers.get("If-Modified-Since")
        if since and _modified(row) <= _http_date(since):
            return Response(304)
        self._check_unmodified(request, row)
        names = [name.strip() for name in request.query.get("fields", "").split(",") if name.strip()]
        wanted = [self._known(about, name) for name in names] or list(about.fields.values())
        answer = Response.of(self._shown(about, row, wanted, version))
        answer.headers["Last-Modified"] = format_datetime(_modified(row), usegmt=True)
        return answer

    @route("PATCH", BASE + "/{sobject}/{id}")
    def update_row(self, request: Request, version: str, sobject: str, id: str) -> Response:
        """204. `If-Unmodified-Since` compares with LastModifiedDate, to the second."""
        about = self.sobject(sobject)
        row = self._live(about, id)
        self._check_unmodified(request, row)
        self._save(about, row, _body(request))
        return Response(204)

    @route("DELETE", BASE + "/{sobject}/{id}")
    def delete_row(self, request: Request, version: str, sobject: str, id: str) -> Response:
        """To the recycle bin. An activated contract or order stays."""
        about = self.sobject(sobject)
        row = self._live(about, id)
        if about.name in ("Contract", "Order") and row.get("StatusCode") == "Activated":
            raise Refused(400, "DELETE_FAILED", f"An activated {about.name.lower()} cannot be deleted.")
        self.change(about.name, row, None)
        self._roll_up(about.name, row)
        return Response(204)

    # -- by external id -------------------------------------------------------------------------------------------

    @route("GET", BASE + "/{sobject}/{field}/{value}")
    def read_by_key(self, request: Request, version: str, sobject: str, field: str, value: str) -> Response:
        """One row; 300 when the value is not unique."""
        about = self.sobject(sobject)
        found = self._by_key(about, field, value)
        if len(found) > 1:
            return self._choices(about, found, version)
        if not found:
            raise Refused(404, "NOT_FOUND", "The requested resource does not exist")
        return Response.of(self._shown(about, found[0], list(about.fields.values()), version))

    @route("PATCH", BASE + "/{sobject}/{field}/{value}")
    def upsert_row(self, request: Request, version: str, sobject: str, field: str, value: str) -> Response:
        """None: 201 created; one: 200 updated; many: 300 and nothing written. `updateOnly=true` forbids creating."""
        about = self.sobject(sobject)
        key = self._known(about, field)
        found = self._by_key(about, field, value)
        if len(found) > 1:
            return self._choices(about, found, version)
        given = _body(request)
        if {"id", key.name.lower()} & {name.lower() for name in given}:
            raise Refused(400, "INVALID_FIELD", f"The {key.name} field should not be specified in the sobject data.")
        if not found and request.query.get("updateOnly") == "true":
            raise Refused(404, "NOT_FOUND", "Provided external ID field does not match any row, and updateOnly is set.")
        before = found[0] if found else None
        row = self._save(about, before, given if before else given | {key.name: value})
        answer = {"id": row["Id"], "success": True, "errors": [], "created": before is None}
        return Response.of(answer, 200 if before else 201)

    # -- changed ids ----------------------------------------------------------------------------------------------

    @route("GET", BASE + "/{sobject}/updated")
    def updated(self, request: Request, version: str, sobject: str) -> Response:
        """Ids by SystemModstamp, at most 30 days back."""
        rows, end = self._window(request, sobject, 30, deleted=False)
        return Response.of({"ids": [row["Id"] for row in rows], "latestDateCovered": end})

    @route("GET", BASE + "/{sobject}/deleted")
    def deleted(self, request: Request, version: str, sobject: str) -> Response:
        """Deleted ids, at most 15 days back."""
        rows, end = self._window(request, sobject, 15, deleted=True)
        earliest = moment_text(datetime.fromtimestamp(self.store.clock(), UTC) - timedelta(days=15))
        found = [{"id": row["Id"], "deletedDate": row["SystemModstamp"]} for row in rows]
        return Response.of({"deletedRecords": found, "earliestDateAvailable": earliest, "latestDateCovered": end})

    def _window(self, request: Request, sobject: str, days: int, deleted: bool) -> tuple[list[Json], str]:
        about = self.sobject(sobject)
        now = datetime.fromtimestamp(self.store.clock(), UTC)
        try:
            start, end = (parse_moment(request.query[name]) for name in ("start", "end"))
        except (KeyError, ValueError):
            raise Refused(400, "INVALID_REPLICATION_DATE", "start and end are date-times") from None
        if start < now - timedelta(days=days) or end <= start:
            raise Refused(400, "INVALID_REPLICATION_DATE", f"startDate cannot be more than {days} days ago")
        covered = min(end, now)
        where = '"SystemModstamp" >= ? AND "SystemModstamp" < ? AND "IsDeleted" = ?'
        values = [moment_text(start), moment_text(covered), int(deleted)]
        return self.store.select(about.name, where, values, '"SystemModstamp", id'), moment_text(covered)

    # -- saving ---------------------------------------------------------------------------------------------------

    def change(self, collection: str, before: Json | None, after: Json | None, event: str | None = DEFAULT) -> Json:
        """Stamp and store. `event` "system" moves SystemModstamp alone, "purge" removes the row for good."""
        now = self.moment()
        if after is None:
            assert before is not None
            if event == "purge":
                self.store.remove(collection, str(before["Id"]))
                return before
            after = before | {"IsDeleted": True}
        old = before or {}
        row = dict(after)
        if before is None:
            row = self.loading(collection, row)
            if collection not in self.store.collections or collection in ("CustomField", "Hidden"):
                return self.store.put(collection, row)
        else:
            changed = {name: value for name, value in row.items() if old.get(name) != value}
            row |= {n: v for n, v in derived(collection, row, changed).items() if n not in changed}
            names = ("SystemModstamp",) if event == "system" else ("SystemModstamp", "LastModifiedDate")
            row |= {name: now for name in names if name not in changed}
        return self.store.put(collection, row)

    def loading(self, collection: str, row: Json) -> Json:
        """A row from outside gets what every row has: an id, stamps in one form, derived fields."""
        if collection == "CustomField":
            self.add_field(row)
            return row
        if collection == "Hidden":
            self.hide(row)
            return row
        about, now = self.objects[collection.lower()], self.moment()
        row = {name: value for name, value in row.items() if name != "attributes"}
        if "Id" not in row:
            row["Id"] = numbered_id(about.prefix, self.store.next_number(f"id {about.name}", 1000))
        for name, each in ((n, about.fields.get(n.lower())) for n in list(row)):
            if each and each.type == "datetime" and row[name]:
                row[name] = moment_text(parse_moment(row[name]))
        created = row.get("CreatedDate") or row.get("SystemModstamp") or now
        base = dict.fromkeys(_STAMPS, created) | {"IsDeleted": False, "CurrencyIsoCode": "USD"}
        base |= {"CreatedById": self.user_id, "LastModifiedById": self.user_id}
        if "LastModifiedDate" in row:
            base["SystemModstamp"] = row["LastModifiedDate"]
        if about.name in AUTO_NUMBERS and AUTO_NUMBERS[about.name][0] not in row:
            field, prefix = AUTO_NUMBERS[about.name]
            row[field] = f"{prefix}{self.store.next_number(field, 90_000_000):08d}"
        return base | derived(about.name, row, row) | row

    def _save(self, about: SObject, before: Json | None, given: Json) -> Json:
        """One create or update through the API: field checks, business rules, derived fields, roll-ups."""
        fields = self._checked(about, before, given)
        written = allowed(Save(about.name, before, fields, self.moment(), self.user_id, self._count, self.store.get))
        if before is None:
            row = self.change(about.name, None, written)
        else:
            row = self.change(about.name, before, before | written | {"LastModifiedById": self.user_id})
        self._roll_up(about.name, row)
        return row

    def _checked(self, about: SObject, before: Json | None, given: Json) -> Json:
        fields: Json = {}
        for name, value in given.items():
            if name == "attributes":
                continue
            each = self._known(about, name)
            if not each.writable:
                message = f"Unable to create/update fields: {each.name}. Please check the security settings of this field."
                raise Refused(400, "INVALID_FIELD_FOR_INSERT_UPDATE", message, [each.name])
            fields[each.name] = self._value(each, value)
            if each.unique and value not in (None, ""):
                others = [row for row in self._by_key(about, each.name, str(value)) if row["Id"] != (before or {}).get("Id")]
                if others:
                    message = f"duplicate value found: {each.name} duplicates value on record with id: {others[0]['Id']}"
                    raise Refused(400, "DUPLICATE_VALUE", message, [])
        whole = (before or {}) | fields
        missing = [each.name for each in about.fields.values() if each.required and whole.get(each.name) in (None, "")]
        if missing:
            message = f"Required fields are missing: [{', '.join(missing)}]"
            raise Refused(400, "REQUIRED_FIELD_MISSING", message, missing)
        return fields

    def _value(self, each: Field, value: object) -> object:
        if value is None:
            return None
        if each.type == "reference":
            try:
                id = id18(str(value))
            except ValueError:
                message = f"{each.name}: id value of incorrect type: {value}"
                raise Refused(400, "MALFORMED_ID", message, [each.name]) from None
            target = self.store.get(each.to, id)
            if target is None or target.get("IsDeleted"):
                code = "ENTITY_IS_DELETED" if target else "INVALID_CROSS_REFERENCE_KEY"
                raise Refused(400, code, "invalid cross reference id", [each.name])
            return id
        number = isinstance(value, int | Decimal) and not isinstance(value, bool)
        wrong = (
            (each.type in NUMBER_TYPES and not number)
            or (each.type in TEXT_TYPES | {"date", "datetime"} and not isinstance(value, str))
            or (each.type == "boolean" and not isinstance(value, bool))
        )
        try:
            if each.type == "date" and not wrong:
                datetime.fromisoformat(str(value)).date()
            if each.type == "datetime" and not wrong:
                return moment_text(parse_moment(str(value)))
        except ValueError:
            wrong = True
        if wrong:
            message = f"Cannot deserialize instance of {each.type} from value {value}"
            raise Refused(400, "JSON_PARSER_ERROR", message, [each.name])
        return value

    def _roll_up(self, sobject: str, row: Json) -> None:
        """A child's change moves its parent's total and SystemModstamp, not its LastModifiedDate."""
        if sobject not in ROLLUPS:
            return
        parent, reference, total = ROLLUPS[sobject]
        before = self.store.get(parent, row[reference])
        if before is None:
            return
        children = self.store.select(sobject, f'"{reference}" = ? AND "IsDeleted" = 0', [row[reference]])
        amount = sum((Decimal(str(child.get("TotalPrice") or 0)) for child in children), Decimal(0))
        after = before | {total: amount}
        if parent == "Opportunity":
            after["HasOpportunityLineItem"] = bool(children)
        self.change(parent, before, after, "system")

    # -- finding --------------------------------------------------------------------------------------------------

    def _live(self, about: SObject, id: str) -> Json:
        try:
            row = self.store.get(about.name, id18(id))
        except ValueError:
            row = None
        if row is None:
            raise Refused(404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: " + id)
        if row.get("IsDeleted"):
            raise Refused(404, "ENTITY_IS_DELETED", "entity is deleted")
        return row

    def _known(self, about: SObject, name: str) -> Field:
        found = about.fields.get(name.lower())
        if found is None:
            raise Refused(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {about.name}")
        return found

    def _by_key(self, about: SObject, field: str, value: str) -> list[Json]:
        """Rows by external id; text compares without case."""
        each = self._known(about, field)
        if not each.external_id and each.name != "Id":
            raise Refused(404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {field}")
        column = self.sql(about, each.name)
        return self.store.select(about.name, f'{column} = ? COLLATE NOCASE AND "IsDeleted" = 0', [value])

    def sql(self, about: SObject, field: str) -> str:
        """A field as SQL: its column when it is indexed, else out of the document."""
        if field == "Id":
            return "id"
        columns = self.store.collection(about.name).columns
        return f'"{field}"' if field in columns else f"json_extract(body, '$.{field}')"

    def _count(self, sobject: str, field: str, id: str) -> int:
        return self.store.count(sobject, f'"{field}" = ? AND "IsDeleted" = 0', [id])

    def _check_unmodified(self, request: Request, row: Json) -> None:
        limit = request.headers.get("If-Unmodified-Since")
        if limit and _modified(row) > _http_date(limit):
            raise Refused(412, "PRECONDITION_FAILED", "The record was modified after the given time.")

    def _shown(self, about: SObject, row: Json, fields: list[Field], version: str) -> Json:
        return self.attributes(about, row, version) | {each.name: row.get(each.name) for each in fields}

    def attributes(self, about: SObject, row: Json, version: str) -> Json:
        """The `attributes` member of a row."""
        url = f"/services/data/v{version}/sobjects/{about.name}/{row['Id']}"
        return {"attributes": {"type": about.name, "url": url}}

    def _choices(self, about: SObject, rows: list[Json], version: str) -> Response:
        return Response.of([self.attributes(about, row, version)["attributes"]["url"] for row in rows], 300)


def _body(request: Request) -> Json:
    try:
        given = request.json()
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise Refused(400, "JSON_PARSER_ERROR", "The body is not a JSON object.")
    return given


def _modified(row: Json) -> datetime:
    return parse_moment(row["LastModifiedDate"])


def _http_date(text: str) -> datetime:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        raise Refused(400, "INVALID_HEADER", f"not an HTTP date: {text}") from None


def _described(about: SObject, each: Field) -> Json:
    values: list[str] = []
    if each.name == "StageName":
        values = list(STAGES)
    if each.name == "Status" and about.name == "Contract":
        values = [name for name in STATUS_CODES if name != "InApproval"]
    return {
        "name": each.name, "label": each.name.removesuffix("__c").replace("_", " "), "type": each.type,
        "createable": each.writable, "updateable": each.writable, "nillable": not each.required,
        "custom": each.name.endswith("__c"), "externalId": each.external_id, "unique": each.unique,
        "referenceTo": [each.to] if each.to else [], "relationshipName": each.relationship or None,
        "picklistValues": [{"value": v, "label": v, "active": True, "defaultValue": False} for v in values],
    }  # fmt: skip


__all__ = ["Rows", "refusal"]
