"""Gainsight CS: companies, renewals and calls to action; it takes a hold or a release of a renewal.

Truth is polling by `ModifiedDate`. The zone in which the vendor reads a filter value is not documented, so windows reach back
a day and go on by record id, which needs no clock at all. A rule's push is an unsigned hint: read again.

Never: an offset over changing data; an answer judged by its HTTP status alone; a bulk write.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from revops.errors import Rejected
from revops.ledger.facts import Fact
from sync.connectors.gainsight import posting
from sync.connectors.gainsight.session import ROWS, Session
from sync.connectors.gainsight.translation import OBJECTS, TRANSLATORS, deletion, moment
from sync.vendor import fields as payload
from sync.vendor import strict_json
from sync.vendor.contract import (
    Call,
    Client,
    Config,
    Ignored,
    Incoming,
    Item,
    Misunderstood,
    NotAuthentic,
    Operation,
    Page,
    Receipt,
    Refused,
    Reread,
    Setting,
    Stream,
    Unreadable,
)
from sync.vendor.fields import Payload

OVERLAP_SECONDS = 24 * 3600
DELETE_LOGS = ("record_delete_log", "record_delete_log_high_volume")
BEGINNING = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)

# Per object: fields we cannot do without, then fields that a tenant may not have.
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "company": ("Gsid", "Name", "SfdcAccountId", "ModifiedDate"),
    "gs_opportunity": ("Gsid", "CompanyId", "RenewalStage", "ModifiedDate"),
    "call_to_action": ("Gsid", "Name", "CompanyId", "IsClosed", "ModifiedDate"),
}
_WANTED: Mapping[str, tuple[str, ...]] = {
    "company": ("Arr", "CurrencyIsoCode", "RenewalDate", "Stage", "Status", "Csm__gr.Name", "CreatedDate"),
    "gs_opportunity": (
        "Name",
        "ExternalId",
        "Type",
        "CloseDate",
        "TargetAmount",
        "ForecastAmount",
        "CurrencyIsoCode",
        "StartedDate__gc",
        "HoldReason__gc",
        "HoldReference__gc",
        "CreatedDate",
    ),
    "call_to_action": (
        "DueDate",
        "StatusId",
        "StatusId__gr.Name",
        "PriorityId",
        "PriorityId__gr.Name",
        "TypeId",
        "TypeId__gr.Name",
        "CreatedDate",
    ),
}
_STREAMS = {"companies": "customer", "renewals": "renewal", "ctas": "call_to_action"}
_HINTED = {name: object_type for object_type, name in OBJECTS.items()}
_GSID = re.compile(r"[A-Za-z0-9]{4,60}", re.ASCII)


class Gainsight:
    """See `sync.vendor.contract.Connector`."""

    slug = "gainsight"
    label = "Gainsight CS"
    role = "customer_success"
    settings: tuple[Setting, ...] = (
        Setting("client_id", "Client id", help="Of an M2M OAuth key."),
        Setting("client_secret", "Client secret", sensitive=True),
        Setting("hint_token", "Hint token", sensitive=True, help="The rule's header X-Gainsight-Token."),
        Setting("stage_on_hold_item", "Item id of stage On Hold", required=False, help="Starts with 1I00."),
        Setting("stage_in_progress_item", "Item id of stage In Progress", required=False, help="Starts with 1I00."),
        Setting("calls_per_minute", "Calls a minute", default="60", help="The tenant's 100 are shared with others."),
        Setting("currency", "Currency of the tenant", required=False, help="ISO code, where the tenant has one currency only."),
        Setting("time_zone", "Tenant time zone", default="UTC", help="IANA name; in which a date is a day."),
    )
    streams: tuple[Stream, ...] = (
        Stream("companies", ("customer",), overlap_seconds=OVERLAP_SECONDS, every_seconds=120),
        Stream("renewals", ("renewal",), overlap_seconds=OVERLAP_SECONDS, every_seconds=120),
        Stream("ctas", ("call_to_action",), overlap_seconds=OVERLAP_SECONDS, every_seconds=300),
        Stream("deletions", (), overlap_seconds=OVERLAP_SECONDS, every_seconds=3600),
    )
    operations: tuple[Operation, ...] = (
        Operation(posting.HOLD, "renewal", "search_first", read_lag_seconds=60),
        Operation(posting.RELEASE, "renewal", "search_first", read_lag_seconds=60),
    )
    pushes = True
    content_types: tuple[str, ...] = ("application/json",)

    # -- what comes in -----------------------------------------------------------------------------------------
    def verify(self, incoming: Incoming, config: Config, now: dt.datetime) -> None:
        given = incoming.headers.get("x-gainsight-token", "").encode("utf-8", "replace")
        tokens = config.get("hint_token").split()
        if not given or not any(hmac.compare_digest(token.encode(), given) for token in tokens):
            raise NotAuthentic("The X-Gainsight-Token header is missing or wrong.", "token_wrong")

    def dedup_key(self, incoming: Incoming) -> str:
        hint = payload.peek(incoming.body)
        parts = [hint.get(name) for name in ("object", "gsid", "modifiedDate")]
        if not all(isinstance(part, str) and 0 < len(part) <= 80 for part in parts):
            raise Unreadable("The hint does not name object, gsid and modifiedDate.")
        return "hint:" + ":".join(str(part) for part in parts)

    def content_digest(self, body: bytes) -> str:
        try:
            return strict_json.content_digest(payload.message(body))
        except Misunderstood:
            return hashlib.sha256(body).hexdigest()

    def translate(self, incoming: Incoming, config: Config) -> Sequence[Fact | Reread]:
        body = Payload("hint" if incoming.kind == "hint" else "body", payload.message(incoming.body))
        if incoming.kind != "read":
            return [self._hinted(body)]
        try:
            if incoming.object_type == "deletion":
                return [deletion(Payload("Gainsight delete log", body.child("record").data))]
            if incoming.object_type not in TRANSLATORS:
                raise Misunderstood("A read of a kind of object that this connector does not read.", "object_unknown")
            # Only a tenant with several currencies names one beside an amount.
            only = {"CurrencyIsoCode": config.get("currency")} if config.get("currency") else {}
            record = Payload(f"Gainsight {OBJECTS[incoming.object_type]}", {**only, **body.child("record").data})
            return [TRANSLATORS[incoming.object_type](record, body.maybe_child("labels"), _zone(config))]
        except Rejected as error:
            raise Misunderstood(f"A fact cannot be kept: {error.message}", error.code) from None

    @staticmethod
    def _hinted(hint: Payload) -> Reread:
        name, gsid = hint.text("object"), hint.text("gsid")
        if name not in _HINTED:
            raise Ignored(f"Hints about {payload.word(name)} say nothing that the ledger keeps.", "event_type")
        if not _GSID.fullmatch(gsid):
            raise hint.misunderstood("gsid", "a Gainsight id")
        return Reread(_HINTED[name], gsid)

    # -- reading -----------------------------------------------------------------------------------------------
    def pull(self, client: Client, config: Config, stream: str, watermark: str, now: dt.datetime) -> Iterator[Page]:
        """Watermark: `load <ms> <last id>` during the first load, then `since <ms>` (vendor's ModifiedDate)."""
        session = Session(client, config)
        if stream == "deletions":
            yield from self._pull_deletions(session, watermark)
            return
        kind, _, rest = watermark.partition(" ")
        started, _, cursor = rest.partition(" ") if kind == "load" else (str(_ms(now)), "", "")
        since = int(rest) if kind == "since" else None
        object_type = _STREAMS[stream]
        window = [("ModifiedDate", "GTE", [_filter_value(since, config)])] if since is not None else []
        latest = since or 0
        while True:
            conditions = [*window, ("Gsid", "GT", [cursor])] if cursor else window
            items, rows = self._read_page(session, object_type, conditions)
            latest = max([latest, *(_ms(moment(row, "ModifiedDate")) for row in rows if row.has("ModifiedDate"))])
            cursor = rows[-1].text("Gsid") if rows else cursor
            done = len(rows) < ROWS
            at_end = f"since {latest if since is not None else started}"
            midway = watermark if since is not None else f"load {started} {cursor}"
            yield Page(items, at_end if done else midway, done=done)
            if done:
                return

    def _read_page(
        self, session: Session, object_type: str, conditions: Sequence[tuple[str, str, Sequence[str]]]
    ) -> tuple[tuple[Item, ...], list[Payload]]:
        name = OBJECTS[object_type]
        found = session.query(name, _select(session, name), conditions, ["Gsid"])
        items = tuple(self._item(session, object_type, row) for row in found)
        return items, [Payload(f"Gainsight {name}", row) for row in found]

    @staticmethod
    def _item(session: Session, object_type: str, record: dict[str, object]) -> Item:
        """A record with the labels of its pick-list values: the ids mean nothing outside the tenant."""
        known = session.metadata(OBJECTS[object_type]).items
        labels = {field: items[str(record[field])] for field, items in known.items() if str(record.get(field)) in items}
        body = {"record": record, "labels": labels}
        digest = strict_json.content_digest(body)[:32]
        return Item(object_type, f"{object_type}:{record.get('Gsid')}:{digest}", strict_json.dump(body))

    def _pull_deletions(self, session: Session, watermark: str) -> Iterator[Page]:
        """The delete logs, kept for 15 days; few lines, so by offset."""
        since = int(watermark.partition(" ")[2]) if watermark else None
        latest, items = since or 0, []
        for log in DELETE_LOGS:
            offset = 0
            while True:
                conditions = [("DeletedOn", "GTE", [_filter_value(since, session.config)])] if since is not None else []
                select = ("RecordId", "DeletedOn", "ObjectName")
                rows = session.query(log, select, conditions, ["DeletedOn", "RecordId"], offset)
                for row in rows:
                    record = Payload("Gainsight delete log", row)
                    latest = max(latest, _ms(moment(record, "DeletedOn")))
                    key = f"deletion:{row.get('RecordId')}:{row.get('DeletedOn')}"
                    items.append(Item("deletion", key, strict_json.dump({"record": row})))
                offset += len(rows)
                if len(rows) < ROWS:
                    break
        yield Page(tuple(items), f"since {latest}" if latest else watermark, done=True)

    def read(self, client: Client, config: Config, object_type: str, external_id: str) -> Item | None:
        if object_type not in OBJECTS or not _GSID.fullmatch(external_id):
            raise Misunderstood("A read of something that Gainsight does not have.", "object_unknown")
        items, _rows = self._read_page(Session(client, config), object_type, [("Gsid", "EQ", [external_id])])
        return items[0] if items else None

    def check(self, client: Client, config: Config) -> str:
        _zone(config)
        session = Session(client, config)
        stages = session.metadata("gs_opportunity").items.get("RenewalStage", {})
        listed = ", ".join(f"{label} = {item}" for item, label in stages.items())
        return f"Gainsight answers. Renewal stages: {listed[:600] or 'none listed'}."

    # -- writing -----------------------------------------------------------------------------------------------
    def compose(self, config: Config, operation: str, key: str, params: Mapping[str, object]) -> Call:
        return posting.compose(config, operation, key, params)

    def post(self, client: Client, config: Config, call: Call) -> Receipt:
        return posting.post(Session(client, config), call)

    def find_posted(self, client: Client, config: Config, call: Call) -> Receipt | None:
        return posting.find(Session(client, config), call)


def _select(session: Session, name: str) -> list[str]:
    """The fields to ask for: one that the tenant does not have would fail the whole query."""
    known = session.metadata(name).fields
    missing = [field for field in _NEEDED[name] if field not in known]
    if missing:
        raise Refused(f"Gainsight's {name} has no field {', '.join(missing)} any more.", "field_missing")
    return [*_NEEDED[name], *(field for field in _WANTED[name] if field.partition("__gr.")[0] in known)]


def _zone(config: Config) -> ZoneInfo:
    try:
        return ZoneInfo(config.get("time_zone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        raise Misunderstood("The connection's time zone is no IANA name.", "setting_invalid") from None


def _filter_value(since: int, config: Config) -> str:
    """A filter's text for an instant in milliseconds, a day early because its zone is the vendor's guess."""
    at = dt.datetime.fromtimestamp(since // 1000, dt.UTC) - dt.timedelta(seconds=OVERLAP_SECONDS)
    return max(at, BEGINNING).astimezone(_zone(config)).strftime("%Y-%m-%d %H:%M:%S")


def _ms(at: dt.datetime) -> int:
    return (at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
