"""Reading Salesforce: windows over SystemModstamp, ordered by (stamp, id), and one record by its id."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

from sync.connectors.salesforce import ids
from sync.connectors.salesforce.auth import error_code, get
from sync.connectors.salesforce.translate import OBJECTS, iso, stamp
from sync.vendor import fields as payload
from sync.vendor.contract import (
    Client,
    Config,
    Item,
    Misunderstood,
    Page,
    Refused,
    Response,
    RetryLater,
    Stream,
)
from sync.vendor.fields import Payload, item_of
from sync.vendor.paging import Listed, pages

OVERLAP_SECONDS = 600
BEGINNING = "1990-01-01T00:00:00Z"

_OVERLAP = dt.timedelta(seconds=OVERLAP_SECONDS)
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}", re.ASCII)
_VERSION = re.compile(r"[0-9]{2}\.0", re.ASCII)
_COMMON = ("Id", "IsDeleted", "SystemModstamp")
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
            return _page(_query(client, config, object_type, where))
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
    page = _page(_query(client, config, object_type, f"Id = '{identity}'"))
    return next((_item(object_type, row) for row in page.rows), None)


def check(client: Client, config: Config) -> str:
    page = _page(_query(client, config, "customer", "SystemModstamp >= 2999-01-01T00:00:00Z"))
    return f"Salesforce answers with API version {version(config)}; query done: {not page.more}."


def _query(client: Client, config: Config, object_type: str, where: str) -> Response:
    name, fields = OBJECTS[object_type]
    extra = [] if config.get("currency") else ["CurrencyIsoCode"]
    if object_type == "customer":
        declared = [config.get("legal_entity_field", "Legal_Entity__c"), config.get("same_customer_field")]
        if any(name and not _FIELD.fullmatch(name) for name in declared):
            raise Refused("A declared field of the account is no Salesforce field name.", "setting_invalid")
        extra += [name for name in declared if name]
    soql = f"SELECT {', '.join([*_COMMON, *fields, *extra])} FROM {name} WHERE {where}"  # noqa: S608 - values are checked
    answer = get(client, config, f"/services/data/v{version(config)}/queryAll", {"q": soql})
    if answer.status != 200:
        raise Refused(f"Salesforce refuses a query of {name}: {error_code(answer)}", "query_refused")
    return answer


def version(config: Config) -> str:
    version = config.get("api_version", "67.0")
    if not _VERSION.fullmatch(version):
        raise Refused("The API version must be written like 67.0.", "setting_invalid")
    return version


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
