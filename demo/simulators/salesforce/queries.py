"""SOQL over HTTP: pages that may be short, and locators for the rest."""

from __future__ import annotations

import os
import re
import secrets
from typing import TYPE_CHECKING

from demo.simulators.salesforce.org import Refused
from demo.simulators.salesforce.rows import Rows
from demo.simulators.salesforce.schema import SObject
from demo.simulators.vendor import Json, Request, Response, route

if TYPE_CHECKING:
    from demo.simulators.salesforce.soql import Query

LOCATOR_SECONDS = 2 * 86_400
SMALLEST_PAGE, LARGEST_PAGE = 200, 2000


class Queries(Rows):
    """`query`, `queryAll` and their next pages."""

    page_rows: int = int(os.environ.get("SALESFORCE_SIM_PAGE_ROWS", str(LARGEST_PAGE)))

    @route("GET", "/services/data/v{version}/query")
    def query(self, request: Request, version: str) -> Response:
        """Rows that are not deleted."""
        return self._first_page(request, version, deleted=False)

    @route("GET", "/services/data/v{version}/queryAll")
    def query_all(self, request: Request, version: str) -> Response:
        """The recycle bin too. The next page says `/query/`, as at Salesforce."""
        return self._first_page(request, version, deleted=True)

    @route("GET", "/services/data/v{version}/query/{locator}")
    @route("GET", "/services/data/v{version}/queryAll/{locator}")
    def next_page(self, request: Request, version: str, locator: str) -> Response:
        """The page a `nextRecordsUrl` points at."""
        name, _, offset = locator.rpartition("-")
        kept = self.store.get("locators", name)
        if kept is None or kept["created"] <= self.now() - LOCATOR_SECONDS or not offset.isdigit():
            raise Refused(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        about = self.objects[kept["object"].lower()]
        return self._page(about, kept["paths"], kept["ids"], offset=int(offset), rows=kept["rows"], name=name, version=version)

    def _first_page(self, request: Request, version: str, deleted: bool) -> Response:
        from demo.simulators.salesforce.soql import QueryError, parse  # its parser takes time to load: not at the start

        text = request.query.get("q", "")
        try:
            query = parse(text, self.objects, self.sql, self.store.clock())
        except QueryError as wrong:
            raise Refused(400, wrong.code, str(wrong)) from None
        ids = self._matching(query, deleted)
        if query.count:
            return Response.of({"totalSize": len(ids), "done": True, "records": []})
        rows = self._rows_wanted(request)
        name = ""
        if len(ids) > rows:
            name = f"01g{secrets.token_hex(8)}"
            kept = {"id": name, "created": self.now(), "object": query.sobject.name, "paths": query.paths}
            with self.store.transaction():
                self.store.put("locators", kept | {"ids": ids, "rows": rows})
        return self._page(query.sobject, query.paths, ids, offset=0, rows=rows, name=name, version=version)

    def _matching(self, query: Query, deleted: bool) -> list[str]:
        where = query.where if deleted else f'({query.where}) AND "IsDeleted" = 0'
        ids = self.store.ids(query.sobject.name, where, query.values, query.order)
        return ids[query.offset :][: query.limit] if query.limit is not None else ids[query.offset :]

    def _rows_wanted(self, request: Request) -> int:
        hint = re.search(r"batchSize=(\d+)", request.headers.get("Sforce-Query-Options", ""))
        wanted = max(SMALLEST_PAGE, min(LARGEST_PAGE, int(hint[1]))) if hint else LARGEST_PAGE
        return min(wanted, self.page_rows)

    def _page(
        self, about: SObject, paths: list[str], ids: list[str], *, offset: int, rows: int, name: str, version: str
    ) -> Response:
        """Every second page of a long result is a quarter shorter than asked: only `done` ends the reading."""
        if name and (offset // max(rows, 1)) % 2 == 0:
            rows = max(1, rows * 3 // 4)
        wanted = ids[offset : offset + rows]
        found = {row["Id"]: row for row in self.store.many(about.name, wanted)}
        records = self._records(about, paths, [found[id] for id in wanted if id in found], version)
        page: Json = {"totalSize": len(ids), "done": offset + rows >= len(ids)}
        if not page["done"]:
            page["nextRecordsUrl"] = f"/services/data/v{version}/query/{name}-{offset + rows}"
        return Response.of(page | {"records": records})

    def _records(self, about: SObject, paths: list[str], rows: list[Json], version: str) -> list[Json]:
        references = {each.relationship: each for each in about.fields.values() if each.relationship}
        parents: dict[str, dict[str, Json]] = {}
        for name in {path.partition(".")[0] for path in paths if "." in path}:
            reference = references[name]
            wanted = {row[reference.name] for row in rows if row.get(reference.name)}
            parents[name] = {row["Id"]: row for row in self.store.many(reference.to, sorted(wanted))}
        records = []
        for row in rows:
            record = self.attributes(about, row, version)
            for path in paths:
                name, _, field = path.partition(".")
                if not field:
                    record[name] = row.get(name)
                    continue
                parent = parents[name].get(row.get(references[name].name) or "")
                if parent is None:
                    record[name] = None
                    continue
                above = self.objects[references[name].to.lower()]
                shown = record.setdefault(name, self.attributes(above, parent, version))
                shown[field] = parent.get(field)
            records.append(record)
        return records
