"""Reading Salesforce: windows over SystemModstamp, ordered by (stamp, id), and one record by its id."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import partial

from sync.connectors.salesforce import ids
from sync.connectors.salesforce.auth import error_code, get
from sync.connectors.salesforce.objects import described, forget, query, selection, version
from sync.connectors.salesforce.translate import OBJECTS, iso, stamp
from sync.vendor import fields as payload
from sync.vendor.contract import (
    Client,
    Config,
    Item,
    Misunderstood,
    Page,
    Probed,
    Response,
    RetryLater,
    Stream,
    probed,
)
from sync.vendor.fields import Payload, item_of
from sync.vendor.paging import Listed, pages

OVERLAP_SECONDS = 600
BEGINNING = "1990-01-01T00:00:00Z"

_OVERLAP = dt.timedelta(seconds=OVERLAP_SECONDS)
_STREAMS = {"accounts": "customer", "contracts": "contract", "opportunities": "opportunity"}

STREAMS: tuple[Stream, ...] = tuple(
    Stream(name, (object_type,), overlap_seconds=OVERLAP_SECONDS, every_seconds=60) for name, object_type in _STREAMS.items()
)


def pull(client: Client, config: Config, stream: str, watermark: str, now: dt.datetime) -> Iterator[Page]:
    """Watermark: the latest SystemModstamp seen, ISO 8601 with Z."""
    object_type = _STREAMS[stream]
    since = _iso_seconds(payload.instant(watermark, "watermark") - _OVERLAP) if watermark else BEGINNING
    where = f"SystemModstamp >= {since} ORDER BY SystemModstamp, Id"

    def ask(place: str | None) -> Listed[Payload, str]:
        if place is None:
            return _page(query(client, config, object_type, where))
        answer = get(client, config, place, None)
        if answer.status != 200:  # a locator lives about two days; what came so far is kept
            raise RetryLater(f"The rest of the answer is gone: {error_code(answer)}", 5, "locator_gone")
        return _page(answer)

    for page in pages(f"Salesforce's list of {stream}", ask):
        items = tuple(_item(object_type, row) for row in page.rows)
        watermark = max([watermark, *(iso(_stamp(row)) for row in page.rows)])
        yield Page(items, watermark, done=not page.more)


def read(client: Client, config: Config, object_type: str, external_id: str) -> Item | None:
    if object_type not in OBJECTS:
        raise Misunderstood("A read of something that this connector does not read.", "object_unknown")
    identity = ids.full(external_id, "id")
    page = _page(query(client, config, object_type, f"Id = '{identity}'"))
    return next((_item(object_type, row) for row in page.rows), None)


def check(client: Client, config: Config) -> str:
    forget(client)
    described(client, config, OBJECTS["customer"])
    return f"Salesforce answers with API version {version(config)}."


def probe(client: Client, config: Config) -> Iterator[Probed]:
    """One record of each object, with the fields that its stream asks for."""
    for stream, object_type in _STREAMS.items():
        yield probed(stream, partial(_try, client, config, object_type))


def _try(client: Client, config: Config, object_type: str) -> str:
    _page(query(client, config, object_type, f"SystemModstamp >= {BEGINNING} LIMIT 1"))
    left_out = ", ".join(selection(client, config, object_type).left_out)
    return f"without {left_out}, which Salesforce does not show to the integration user" if left_out else ""


def _page(answer: Response) -> Listed[Payload, str]:
    body = answer.json()
    page = Payload("Salesforce answer", body if isinstance(body, dict) else {})
    try:
        done = page.flag("done")
        return Listed(list(page.children("records")), not done, None if done else page.text("nextRecordsUrl"))
    except Misunderstood as error:
        raise RetryLater(f"Salesforce's answer is no page of records: {error.reason}", 60, "unreadable_answer") from None


def _item(object_type: str, row: Payload) -> Item:
    record = {name: value for name, value in row.data.items() if name != "attributes"}
    return item_of(object_type, f"{record.get('Id')}:{record.get('SystemModstamp')}", record)


def _stamp(row: Payload) -> dt.datetime:
    return stamp(row.text("SystemModstamp"), row.where("SystemModstamp"))


def _iso_seconds(at: dt.datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
