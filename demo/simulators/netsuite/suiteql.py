"""The SuiteQL endpoint: real queries over the account's tables, answered the way NetSuite answers.

Every value comes back as text, nulls are left out, raw dates wear the account's display format (m/d/yyyy), column
names are lower case. At most 1,000 rows a page and 100,000 rows a query, whatever the paging.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.simulators.netsuite import functions, tables
from demo.simulators.netsuite.errors import problem
from demo.simulators.vendor import Json, Request, Response

if TYPE_CHECKING:
    from demo.simulators.netsuite.dialect import Statement

ROWS_MAX = 100_000
PAGE_MAX = 1000


class SuiteQL:
    """Answers queries on connections of its own, one for each thread, opened for reading only."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self.hidden: frozenset[str] = frozenset()
        """Tables that this role or account does not have."""
        self.offset = timedelta()
        """The account's time zone against UTC: TO_CHAR and TO_TIMESTAMP use it."""
        self._path = path
        self._clock = clock
        self._local = threading.local()

    def answer(self, request: Request, address: str) -> Response:
        """Answer `POST /services/rest/query/v1/suiteql`; `address` is its full URL, for the page links."""
        if "transient" not in request.headers.get("Prefer", ""):
            text = "The required request header 'Prefer' is missing or incorrect. Use 'Prefer: transient'."
            return problem(400, text, "INVALID_HEADER", {"o:errorHeader": "Prefer"})
        try:
            limit, offset = paging(request.query)
            body = request.json()
            query, parameters = body["q"], body.get("params") or []
            if not isinstance(query, str) or not isinstance(parameters, list):
                raise TypeError("q must be text and params a list")
        except PagingError as error:
            return problem(400, str(error), "INVALID_PARAMETER", {"o:errorQueryParam": error.name})
        except (ValueError, KeyError, TypeError) as error:
            return problem(400, f"Invalid request body: {error}", "INVALID_CONTENT")
        try:
            from demo.simulators.netsuite.dialect import translate  # its parser takes time to load: not at the start

            statement = translate(query)
            total, names, rows = self._run(statement, statement.bind(parameters), limit, offset)
        except functions.BadQuery as error:
            return _bad_query(str(error))
        except sqlite3.Error as error:
            return _bad_query(_told(str(error), statement))
        items = [_item(names, row) for row in rows]
        return Response.of(page(address, items, (limit, offset), total))

    def _run(
        self, statement: Statement, values: dict[str, str | int | None], limit: int, offset: int
    ) -> tuple[int, list[str], list[tuple[Any, ...]]]:
        connection = self._connection()
        connection.execute("BEGIN")
        try:
            total = int(connection.execute(f"SELECT COUNT(*) FROM ({statement.unordered})", values).fetchone()[0])
            wanted = max(0, min(limit, min(total, ROWS_MAX) - offset))
            cursor = connection.execute(f"{statement.sql} LIMIT {wanted} OFFSET {offset}", values)
            return total, _names(cursor), cursor.fetchall()
        finally:
            connection.execute("COMMIT")

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None or self._local.taught != (self.hidden, self.offset):
            connection = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
            functions.teach(connection, self._clock, self.offset)
            tables.create_views(connection, self.hidden)
            connection.execute("PRAGMA query_only = 1")
            self._local.connection, self._local.taught = connection, (self.hidden, self.offset)
        return connection


class PagingError(ValueError):
    """limit or offset break the rules; `name` says which."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


def paging(query: dict[str, str]) -> tuple[int, int]:
    """(limit, offset) of a call. Limit 1..1000, offset a multiple of limit, at most 1000 pages. Raises PagingError."""
    values = {}
    for name, default in (("limit", PAGE_MAX), ("offset", 0)):
        text = query.get(name, str(default))
        if not text.isdigit():
            raise PagingError(name, f"Invalid value '{text}' for query parameter {name}.")
        values[name] = int(text)
    limit, offset = values["limit"], values["offset"]
    if not 1 <= limit <= PAGE_MAX:
        raise PagingError("limit", f"The limit must be between 1 and {PAGE_MAX}.")
    if offset % limit:
        raise PagingError("offset", "The offset must be divisible by the limit.")
    if offset >= ROWS_MAX or offset // limit >= 1000:
        raise PagingError("offset", "The offset lies beyond the last page that can be read.")
    return limit, offset


def page(address: str, items: list[Json], window: tuple[int, int], total: int, rows_max: int = ROWS_MAX) -> Json:
    """The collection envelope that the query service and the record service share; `window` is (limit, offset)."""
    limit, offset = window

    def link(rel: str, at: int) -> Json:
        return {"rel": rel, "href": f"{address}?limit={limit}&offset={at}"}

    reachable = min(total, rows_max)
    more = offset + len(items) < reachable
    last = max(0, (reachable - 1) // limit * limit)
    links = []
    if more:
        links += [link("next", offset + limit), link("last", last)]
    if offset:
        links += [link("first", 0), link("prev", max(0, offset - limit))]
    links.append(link("self", offset))
    return {
        "links": links, "count": len(items), "hasMore": more, "items": items, "offset": offset, "totalResults": total,
    }  # fmt: skip


def _names(cursor: sqlite3.Cursor) -> list[str]:
    names: list[str] = []
    for position, column in enumerate(cursor.description or (), 1):
        name = str(column[0]).lower()
        if not re.fullmatch(r"[a-z_][\w$]*", name):
            name = f"expr{position}"
        if name in names:
            name = f"{name}_{sum(n.split('_')[0] == name for n in names) - 1}"
        names.append(name)
    return names


def _item(names: list[str], row: tuple[Any, ...]) -> Json:
    item: Json = {"links": []}
    for name, value in zip(names, row, strict=True):
        if value is not None:
            item[name] = _text(value)
    return item


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{functions.exact(value):f}"
    text = str(value)
    if tables.is_stored_date(text):
        moment = tables.from_stored(text)
        return f"{moment.month}/{moment.day}/{moment.year}"
    return text


def _told(error: str, statement: Statement) -> str:
    """SQLite's complaint in NetSuite's words."""
    missing_table = re.match(r"no such table: (?:\w+\.)?(\S+)", error)
    if missing_table:
        return f"Search error occurred: Record '{missing_table.group(1)}' was not found."
    missing_column = re.match(r"no such column: (\S+)", error)
    if missing_column:
        known = ", ".join(statement.sources)
        return f"Search error occurred: Unknown identifier '{missing_column.group(1)}'. Available identifiers are: {{{known}}}"
    return functions.UNSUPPORTED


def _bad_query(text: str) -> Response:
    detail = f"Invalid search query. Detailed unprocessed description follows. {text}"
    return problem(400, detail, "INVALID_PARAMETER", {"o:errorQueryParam": "q"})
