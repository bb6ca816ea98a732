"""What a connection can do: each query that we send is tried, and a credit memo that cannot be there is looked up.

An account has the tables of its features and a role sees the columns of its permissions: without OneWorld there are no
subsidiaries, without Multiple Currencies no rates. One read that is refused leaves the others usable, so each is told by itself.
Nothing is changed there; whether a credit memo can be created shows with the first one.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence

from sync.connectors.netsuite import queries, read, write
from sync.connectors.netsuite.auth import Session, error_text
from sync.connectors.netsuite.queries import Query
from sync.connectors.netsuite.suiteql import all_rows, rows
from sync.connectors.netsuite.translate import account_of, has_subsidiaries
from sync.vendor.contract import Client, Config, Refused

NOWHERE = "rvo-no-such-credit-memo"
"""An external id that no record bears."""

_CODES = {"query_refused", "permission_missing"}
"""Refusals that are about one read. Any other one, such as that of a token, is about the whole connection."""
_CAUSE = re.compile(r".*(?:occurred|query|NetSuite): ", re.DOTALL)


def check(client: Client, config: Config) -> str:
    """What works and what is refused, with the table, column or permission that NetSuite names. Raises `Refused` when nothing can
    be read, and any answer that is about the whole connection."""
    account_of(config)
    session = Session(client, config)
    refused = {stream: cause for stream, asked in tried(config).items() if (cause := _refusal(session, asked))}
    works = [stream for stream in tried(config) if stream not in refused]
    told = [f"{stream} ({cause})" for stream, cause in refused.items()]
    if not works:
        raise Refused(f"NetSuite answers and refuses every read: {'; '.join(told)}", "query_refused")
    parts = [f"NetSuite answers{_entities(session) if 'entities' in works else ''}.", f"Reading works: {', '.join(works)}."]
    if told:
        parts.append(f"Refused: {'; '.join(told)}.")
    if {"entities", "customers"} & refused.keys() and has_subsidiaries(config):
        parts.append("An account without OneWorld has no subsidiaries: the setting OneWorld is then no.")
    return " ".join([*parts, *_credit_memos(session)])


def tried(config: Config) -> dict[str, Sequence[Query]]:
    """Stream -> its queries as it asks them, from a day that has not come yet and of an id that nothing has."""
    since = f"{dt.datetime.now(dt.UTC).year + 1}-12-31 00:00:00"
    by_window = {
        stream: [queries.window(*asked, since, None), queries.window(*asked, since, 0)]
        for stream, asked in read.windows(config).items()
    }
    by_window["transactions"] += [queries.applications(role, [0]) for role in ("nextdoc", "previousdoc")]
    whole = {stream: [queries.whole(query)] for stream, (query, _) in read.WHOLE.items()}
    if not has_subsidiaries(config):
        del whole["entities"]
    return {**whole, **by_window}


def _refusal(session: Session, asked: Sequence[Query]) -> str:
    """Why one of these queries is refused; empty when all are answered."""
    for query in asked:
        try:
            rows(session, query, limit=1)
        except Refused as refused:
            if refused.code not in _CODES:
                raise
            return _cause(refused.reason)
    return ""


def _cause(reason: str) -> str:
    """What NetSuite names, without what it says around it."""
    return _CAUSE.sub("", reason).rstrip(" .")


def _entities(session: Session) -> str:
    names = [str(row.get("name", "")) for row in all_rows(session, queries.whole(queries.ENTITIES))]
    listed = f": {', '.join(names)[:300]}" if names else ""
    return f"; the role sees {len(names)} {'subsidiary' if len(names) == 1 else 'subsidiaries'}{listed}"


def _credit_memos(session: Session) -> Iterator[str]:
    """What is known of posting, without a posting."""
    try:
        answer = write.read_memo(session, f"eid:{NOWHERE}")
        cause = "" if write.is_missing(answer) else error_text(answer)
    except Refused as refused:
        if refused.code not in _CODES:
            raise
        cause = _cause(refused.reason)
    cause = cause or _refusal(session, [queries.periods_at("2026-01-01")])
    if cause:
        yield f"Credit memos cannot be looked up: {cause}."
    else:
        yield "Credit memos can be looked up; creating one is not tried."
    if not session.config.get("credit_item_id"):
        yield "None can be composed: the connection names no item for them."
