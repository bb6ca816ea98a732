"""SuiteQL over REST: a page of a query, all of a small one, and rows of many ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from revops import strict_json
from sync.connectors.netsuite.auth import Session, error_text
from sync.connectors.netsuite.queries import ROWS, ROWS_MAX, Query
from sync.vendor.contract import (
    Misunderstood,
    Refused,
    RetryLater,
)
from sync.vendor.fields import Payload
from sync.vendor.paging import Listed, pages

SUITEQL_PATH = "/services/rest/query/v1/suiteql"


def rows(session: Session, query: Query, limit: int = ROWS, offset: int = 0) -> tuple[list[dict[str, object]], bool]:
    """`limit` rows of a SuiteQL query from `offset` (a multiple of it), and whether there are more. All values are text,
    nulls are absent."""
    text, values = query
    answer = session.call(
        "POST",
        SUITEQL_PATH,
        headers={"Content-Type": "application/json", "Prefer": "transient"},
        params=[("limit", str(limit)), ("offset", str(offset))],
        content=strict_json.dump({"q": " ".join(text.split()), "params": [str(value) for value in values]}),
        safe=True,
    )
    if answer.status != 200:
        raise Refused(f"NetSuite refuses a query: {error_text(answer)}", "query_refused")
    body = answer.json()
    try:
        page = Payload("SuiteQL answer", body if isinstance(body, dict) else {})
        found = [{name: value for name, value in row.data.items() if name != "links"} for row in page.children("items")]
        return found, page.flag("hasMore")
    except Misunderstood as error:
        raise RetryLater(error.reason, 60, "unreadable_answer") from None


def all_rows(session: Session, query: Query) -> list[dict[str, object]]:
    """All rows of an ordered query that is known to be small: periods, rates, applications of a page."""

    def ask(offset: int | None) -> Listed[dict[str, object], int]:
        page, more = rows(session, query, ROWS_MAX, offset or 0)
        return Listed(page, more and len(page) == ROWS_MAX, (offset or 0) + len(page))

    return [row for page in pages("NetSuite's answer to a query", ask) for row in page.rows]


def rows_for(session: Session, ask: Callable[[list[int]], Query], ids: Iterable[int]) -> list[dict[str, object]]:
    """All rows for many ids, a few hundred at a time: an IN list takes no more than a thousand."""
    ordered = sorted(ids)
    return [row for start in range(0, len(ordered), ROWS) for row in all_rows(session, ask(ordered[start : start + ROWS]))]
