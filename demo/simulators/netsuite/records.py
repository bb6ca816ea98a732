"""The record service: GET, POST, PATCH, PUT, DELETE and transform of single records, and collections of ids."""

from __future__ import annotations

import abc

from demo.simulators import vendor
from demo.simulators.netsuite import bodies, collections_read, tables
from demo.simulators.netsuite.booking import Booking
from demo.simulators.netsuite.documents import ROOT, TYPES, Reader, RecordType
from demo.simulators.netsuite.errors import problem, refuse_content, refuse_missing
from demo.simulators.netsuite.suiteql import PagingError, page, paging
from demo.simulators.vendor import Halt, Json, Request, Response, route

_TRANSFORMS = {("invoice", "creditMemo"), ("invoice", "customerPayment"), ("salesOrder", "invoice")}


class Records(vendor.Vendor, abc.ABC):
    """The routes under `/services/rest/record/v1`; the account itself is built by the subclass."""

    reader: Reader
    booking: Booking

    @abc.abstractmethod
    def hint(self, collection: str, row: Json, what: str) -> None:
        """Tell the SuiteScript that a record was created, edited or deleted."""

    @route("GET", ROOT + "/{type}")
    def list_records(self, request: Request, type: str) -> Response:
        """Ids and links, in no order that may be relied on."""
        kind = _kind(type)
        try:
            limit, offset = paging(request.query)
        except PagingError as error:
            return problem(400, str(error), "INVALID_PARAMETER", {"o:errorQueryParam": error.name})
        try:
            where, values = ("type = ?", [kind.code]) if kind.code else ("", [])
            rows = self.store.select(kind.table, where, values)
            if request.query.get("q"):
                rows = list(filter(collections_read.filter_of(kind, request.query["q"]), rows))
        except Halt as halt:
            return halt.response
        address = f"{self.base_url}{ROOT}/{kind.rest}"
        items = [
            {"links": [{"rel": "self", "href": f"{address}/{row['id']}"}], "id": str(row["id"])}
            for row in rows[offset : offset + limit]
        ]
        return Response.of(page(address, items, (limit, offset), len(rows)))

    @route("GET", ROOT + "/{type}/{id}")
    def read_record(self, request: Request, type: str, id: str) -> Response:
        """One record by internal id or `eid:`."""
        kind = _kind(type)
        row = self.reader.locate(kind, id)
        if row is None:
            raise refuse_missing()
        self.reader.base_url = self.base_url
        body = self.reader.document(kind, row, request.query.get("expandSubResources", "").lower() == "true")
        if fields := request.query.get("fields"):
            wanted = set(fields.split(","))
            body = {name: value for name, value in body.items() if name in wanted | {"links", "id"}}
        return Response.of(body, headers={"Content-Type": "application/vnd.oracle.resource+json; type=singular"})

    @route("POST", ROOT + "/{type}")
    def create_record(self, request: Request, type: str) -> Response:
        """204 and the new address in Location."""
        kind = _writable(type)
        body, dropped = bodies.accepted(kind, request)
        return self._created(kind, self._create(kind, body), dropped)

    @route("POST", ROOT + "/{type}/{id}/!transform/{target}")
    def transform_record(self, request: Request, type: str, id: str, target: str) -> Response:
        """A new record made from an existing one."""
        kind, goal = _kind(type), _writable(target)
        if (kind.rest, goal.rest) not in _TRANSFORMS:
            raise refuse_content(f"{kind.rest} cannot be transformed into {goal.rest}.", code="INVALID_REQUEST")
        source = self.reader.locate(kind, id)
        if source is None:
            raise refuse_missing()
        body, dropped = bodies.accepted(goal, request)
        if goal.rest == "customerPayment":
            body.setdefault("payment", self.reader.remaining(source))
        row = self.booking.create(goal, body, source, _replaced(request))
        self.hint("transaction", row, "create")
        return self._created(goal, row, dropped)

    @route("PATCH", ROOT + "/{type}/{id}")
    def update_record(self, request: Request, type: str, id: str) -> Response:
        """Only the fields given. Sublist lines without a key are appended unless `?replace=` names the sublist."""
        kind = _writable(type)
        row = self.reader.locate(kind, id)
        if row is None:
            raise refuse_missing()
        body, dropped = bodies.accepted(kind, request)
        row = self._update(kind, row, body, _replaced(request))
        return Response(204, headers=self._headers(kind, row, dropped))

    @route("PUT", ROOT + "/{type}/{id}")
    def upsert_record(self, request: Request, type: str, id: str) -> Response:
        """Create or update by external id."""
        kind = _writable(type)
        if not id.startswith("eid:"):
            raise refuse_content("PUT needs an external ID: use eid:<externalId>.", code="INVALID_REQUEST")
        body, dropped = bodies.accepted(kind, request)
        row = self.reader.locate(kind, id)
        if row is None:
            return self._created(kind, self._create(kind, body | {"externalId": id[4:]}), dropped)
        row = self._update(kind, row, body, _replaced(request))
        return Response(204, headers=self._headers(kind, row, dropped))

    @route("DELETE", ROOT + "/{type}/{id}")
    def delete_record(self, request: Request, type: str, id: str) -> Response:
        """Gone, but for a line in `deletedrecord`."""
        kind = _writable(type)
        row = self.reader.locate(kind, id)
        if row is None:
            raise refuse_missing()
        if kind.rest == "customer":
            if self.store.select("transaction", "entity = ?", [row["id"]], limit=1):
                raise refuse_content("This record cannot be deleted because it has dependent records.")
            self.store.remove("customer", str(row["id"]))
            self.booking.note_deletion(kind, row["id"], str(row.get("entityid")))
        else:
            self.booking.remove(kind, row)
        self.hint(kind.table, row, "delete")
        return Response(204)

    def _create(self, kind: RecordType, body: Json) -> Json:
        if kind.rest == "customer":
            row = self._write_customer({"id": self.booking.next_id("customer")}, body)
        else:
            row = self.booking.create(kind, body)
        self.hint(kind.table, row, "create")
        return row

    def _update(self, kind: RecordType, row: Json, body: Json, replace: frozenset[str]) -> Json:
        row = self._write_customer(row, body) if kind.rest == "customer" else self.booking.change(kind, row, body, replace)
        self.hint(kind.table, row, "edit")
        return row

    def _write_customer(self, row: Json, body: Json) -> Json:
        now = self.booking.stamp()
        self.booking.claim_external_id(TYPES["customer"], body.get("externalId"), row["id"])
        out: Json = {"datecreated": now, "isinactive": "F", "isperson": "F", "entityid": str(row["id"])} | row
        for field, table in (("subsidiary", "subsidiary"), ("currency", "currency"), ("terms", "term"),
                             ("parent", "customer"), ("receivablesAccount", "account")):  # fmt: skip
            if body.get(field) is not None:
                out[field.lower()] = bodies.reference(self.store, table, body[field], field)
        for field in ("externalId", "entityId", "companyName", "email", "comments", "isPerson", "isInactive",
                      "creditLimit"):  # fmt: skip
            if field in body:
                out[field.lower()] = body[field]
        hold = body.get("creditHoldOverride")
        if hold is not None:
            out["creditholdoverride"] = hold["id"] if isinstance(hold, dict) else hold
        if out.get("companyname") is None and out.get("isperson") in ("F", False):
            raise refuse_content("Please enter value(s) for: Company Name", "companyName", "USER_ERROR")
        out.setdefault("subsidiary", (self.store.get("customersubsidiaryrelationship", str(row["id"])) or {}).get("subsidiary"))
        if out.get("subsidiary") is None:
            raise refuse_content("Please enter value(s) for: Primary Subsidiary", "subsidiary", "USER_ERROR")
        try:
            kept = tables.row_of("customer", out | {"lastmodifieddate": now})
        except tables.BadRow as error:
            raise refuse_content(str(error)) from error
        relation = {"id": kept["id"], "entity": kept["id"], "subsidiary": kept["subsidiary"], "isprimarysub": "T"}
        table = "customersubsidiaryrelationship"
        self.store.put(table, tables.row_of(table, relation))
        return self.store.put("customer", kept)

    def _created(self, kind: RecordType, row: Json, dropped: list[str]) -> Response:
        return Response(204, headers=self._headers(kind, row, dropped))

    def _headers(self, kind: RecordType, row: Json, dropped: list[str]) -> dict[str, str]:
        headers = {"Location": f"{self.base_url}{ROOT}/{kind.rest}/{row['id']}"}
        if dropped:
            headers["Warning"] = f'199 - "Unknown property names were ignored: {", ".join(dropped)}"'
        return headers


def _kind(name: str) -> RecordType:
    kind = TYPES.get(name.lower())
    if kind is None:
        raise Halt(problem(404, f"Record type '{name}' does not exist.", "NOT_FOUND"))
    return kind


def _writable(name: str) -> RecordType:
    kind = _kind(name)
    if not kind.writable:
        raise Halt(problem(405, f"Records of type {kind.rest} can only be read.", "METHOD_NOT_ALLOWED"))
    return kind


def _replaced(request: Request) -> frozenset[str]:
    return frozenset(filter(None, request.query.get("replace", "").split(",")))
