"""Reading NetSuite: windows over `lastmodifieddate`, whole lists where rows have no stamp, and one record by its id."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence

from revops import strict_json
from sync.connectors.netsuite import queries
from sync.connectors.netsuite.auth import Session
from sync.connectors.netsuite.declared import custom_body_fields, custom_entity_fields
from sync.connectors.netsuite.models import OBJECT_TYPES
from sync.connectors.netsuite.suiteql import all_rows, rows, rows_for
from sync.connectors.netsuite.translate import has_subsidiaries
from sync.vendor.contract import (
    Client,
    Config,
    Item,
    Misunderstood,
    Page,
    Stream,
)
from sync.vendor.fields import Payload, item_of
from sync.vendor.paging import Listed, pages

OVERLAP_SECONDS = 2 * 3600
BEGINNING = "1990-01-01 00:00:00"

_TYPES = {object_type: code for code, object_type in OBJECT_TYPES.items()}
_ID = re.compile(r"[0-9]{1,18}", re.ASCII)

STREAMS: tuple[Stream, ...] = (
    Stream("entities", ("legal_entity",), overlap_seconds=0, every_seconds=3600),
    Stream("periods", ("accounting_period",), overlap_seconds=0, every_seconds=300),
    Stream("rates", ("exchange_rate",), overlap_seconds=0, every_seconds=6 * 3600),
    Stream("customers", ("customer",), overlap_seconds=OVERLAP_SECONDS, every_seconds=120),
    Stream("transactions", tuple(OBJECT_TYPES.values()), overlap_seconds=OVERLAP_SECONDS, every_seconds=60),
    Stream("deletions", (), overlap_seconds=OVERLAP_SECONDS, every_seconds=300),
)

WHOLE: Mapping[str, tuple[str, str]] = {
    "entities": (queries.ENTITIES, "legal_entity"),
    "periods": (queries.PERIODS, "accounting_period"),
    "rates": (queries.RATES, "exchange_rate"),
}
"""The streams that are read as a whole: query and object type."""


def pull(client: Client, config: Config, stream: str, watermark: str, now: dt.datetime) -> Iterator[Page]:
    """Watermark: the latest stamp seen, in SuiteQL's own text; for lists without stamps the day of reading."""
    session = Session(client, config)
    if stream == "entities" and not has_subsidiaries(config):
        yield Page((), now.date().isoformat(), done=True)
        return
    if stream in WHOLE:
        yield _whole(session, stream, now)
        return
    query, column, id_column = windows(config)[stream]
    begin = _earlier(watermark, OVERLAP_SECONDS)

    def ask(place: tuple[str, int] | None) -> Listed[dict[str, object], tuple[str, int]]:
        since, after = place or (begin, None)
        found, more = rows(session, queries.window(query, column, id_column, since, after))
        last = Payload("SuiteQL row", found[-1]) if found else None
        return Listed(found, more, (last.text("modified"), int(last.text("id"))) if last else None)

    for page in pages(f"NetSuite's list of {stream}", ask):
        watermark = max(watermark, page.after[0]) if page.after else watermark
        yield Page(tuple(_items(session, stream, page.rows)), watermark, done=not page.more)


def windows(config: Config) -> Mapping[str, tuple[str, str, str]]:
    """The streams that are read by windows: query, column of the stamp, column of the id."""
    return {
        "transactions": (_query(config), "t.lastmodifieddate", "t.id"),
        "customers": (_customers(config), "t.lastmodifieddate", "t.id"),
        "deletions": (queries.DELETIONS, "t.deleteddate", "t.recordid"),
    }


def _query(config: Config) -> str:
    return queries.transactions(custom_body_fields(config), subsidiaries=has_subsidiaries(config))


def _customers(config: Config) -> str:
    return queries.customers(custom_entity_fields(config), subsidiaries=has_subsidiaries(config))


def _items(session: Session, stream: str, rows: Sequence[dict[str, object]]) -> Iterator[Item]:
    if stream == "transactions":
        yield from _transactions(session, rows)
        return
    object_type = {"customers": "customer", "deletions": "deletion"}[stream]
    for row in rows:
        yield _item(object_type, row, {"row": row})


def _transactions(session: Session, rows: Sequence[dict[str, object]]) -> Iterator[Item]:
    """Each transaction with its applications; invoices to which one of these was applied come along, for an application
    does not always stamp the invoice."""
    if not rows:
        return
    ids = {int(Payload("SuiteQL row", row).text("id")): row for row in rows}
    to_others = rows_for(session, lambda part: queries.applications("nextdoc", part), ids)
    touched = {int(str(link["previousdoc"])) for link in to_others} - set(ids)
    found = rows_for(session, lambda part: queries.among(_query(session.config), part), touched)
    ids |= {int(Payload("SuiteQL row", row).text("id")): row for row in found}
    to_these = rows_for(session, lambda part: queries.applications("previousdoc", part), ids)
    for identity, row in ids.items():
        by_role = to_these if row.get("type") == "CustInvc" else to_others
        role = "previousdoc" if row.get("type") == "CustInvc" else "nextdoc"
        links = sorted((link for link in by_role if link.get(role) == str(identity)), key=strict_json.dump)
        object_type = OBJECT_TYPES.get(str(row.get("type")), "invoice")
        yield _item(object_type, row, {"transaction": row, "applications": links})


def _whole(session: Session, stream: str, now: dt.datetime) -> Page:
    query, object_type = WHOLE[stream]
    rows = all_rows(session, queries.whole(query))
    if stream == "rates":
        book = session.config.get("accounting_book", "1")
        rows = [row for row in rows if row.get("accountingbook", book) == book]
    return Page(tuple(_listed(object_type, row, now) for row in rows), now.date().isoformat(), done=True)


def read(client: Client, config: Config, object_type: str, external_id: str) -> Item | None:
    if not _ID.fullmatch(external_id):
        raise Misunderstood("A read of something that NetSuite does not have.", "object_unknown")
    session = Session(client, config)
    query = {
        "customer": _customers(config),
        "accounting_period": queries.PERIODS,
        "legal_entity": queries.ENTITIES,
    }.get(object_type, _query(config) if object_type in _TYPES else "")
    if not query:
        raise Misunderstood("A read of something that NetSuite does not have.", "object_unknown")
    rows = all_rows(session, queries.among(query, [int(external_id)]))
    if object_type not in _TYPES:
        return _item(object_type, rows[0], {"row": rows[0]}) if rows else None
    items = _transactions(session, [row for row in rows if row.get("type") == _TYPES[object_type]])
    return next((item for item in items if item.object_type == object_type), None)


def _item(object_type: str, row: Mapping[str, object], body: Mapping[str, object]) -> Item:
    return item_of(object_type, f"{row.get('id')}:{row.get('modified')}", body)


def _listed(object_type: str, row: Mapping[str, object], now: dt.datetime) -> Item:
    """A row of a whole list. One without a stamp (rates never have any) is kept once a day for each content, so that a value
    that went and came back is seen again."""
    if row.get("modified"):
        return _item(object_type, row, {"row": row})
    day = now.astimezone(dt.UTC).date().isoformat()
    return item_of(object_type, f"{row.get('id')}:{day}", {"row": row, "read_on": day})


def _earlier(stamp: str, seconds: int) -> str:
    if not stamp:
        return BEGINNING
    naive = dt.datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - SuiteQL's own zone, kept as it is
    return (naive - dt.timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")
