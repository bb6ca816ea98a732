"""Reading Gainsight: windows over ModifiedDate that go on by record id, the delete logs, and one record by its id."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from revops import strict_json
from sync.connectors.gainsight.auth import Session
from sync.connectors.gainsight.models import COMPANY_FIELDS, HOLD_FIELDS, STARTED_FIELD
from sync.connectors.gainsight.objects import ROWS, Condition, forget, metadata, query
from sync.connectors.gainsight.translate import GSID, OBJECTS, moment, stage_of, zone_of
from sync.vendor.contract import (
    Client,
    Config,
    Item,
    Misunderstood,
    Page,
    Probed,
    Refused,
    Stream,
    probed,
)
from sync.vendor.fields import Payload, item_of
from sync.vendor.paging import Listed, pages
from sync.vendor.references import place

Read = tuple[Item, Payload]
"""A record as an item, and as it came."""
OVERLAP_SECONDS = 24 * 3600
DELETE_LOGS = ("record_delete_log", "record_delete_log_high_volume")
_LOGGED = ("RecordId", "DeletedOn", "ObjectName")
BEGINNING = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)

# Per object: fields we cannot do without, then fields that a tenant may not have.
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "company": ("Gsid", "Name", "ModifiedDate"),
    "gs_opportunity": ("Gsid", "CompanyId", "RenewalStage", "ModifiedDate"),
    "call_to_action": ("Gsid", "Name", "CompanyId", "IsClosed", "ModifiedDate"),
}
_WANTED: Mapping[str, tuple[str, ...]] = {
    "company": ("CurrencyIsoCode", "Stage", "Status", "Csm__gr.Name", "CreatedDate"),
    "gs_opportunity": (
        "Name",
        "ExternalId",
        "Type",
        "CloseDate",
        "TargetAmount",
        "ForecastAmount",
        "CurrencyIsoCode",
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

STREAMS: tuple[Stream, ...] = (
    Stream("companies", ("customer",), overlap_seconds=OVERLAP_SECONDS, every_seconds=120),
    Stream("renewals", ("renewal",), overlap_seconds=OVERLAP_SECONDS, every_seconds=120),
    Stream("ctas", ("call_to_action",), overlap_seconds=OVERLAP_SECONDS, every_seconds=300),
    Stream("deletions", (), overlap_seconds=OVERLAP_SECONDS, every_seconds=3600),
)


def pull(client: Client, config: Config, stream: str, watermark: str, now: dt.datetime) -> Iterator[Page]:
    """Watermark: `load <ms> <last id>` during the first load, then `since <ms>` (vendor's ModifiedDate)."""
    session = Session(client, config)
    if stream == "deletions":
        yield from _pull_deletions(session, watermark)
        return
    kind, _, rest = watermark.partition(" ")
    started, _, cursor = rest.partition(" ") if kind == "load" else (str(_ms(now)), "", "")
    since = int(rest) if kind == "since" else None
    object_type = _STREAMS[stream]
    window = [("ModifiedDate", "GTE", [_filter_value(since, config)])] if since is not None else []
    latest = since or 0

    def ask(place: str | None) -> Listed[Read, str]:
        conditions = [*window, ("Gsid", "GT", [place])] if place else window
        found = _read_page(session, object_type, conditions)
        return Listed(found, len(found) == ROWS, found[-1][1].text("Gsid") if found else None)

    for page in pages(f"Gainsight's list of {stream}", ask, cursor or None):
        stamps = [_ms(_moment(row, "ModifiedDate")) for _item, row in page.rows if row.has("ModifiedDate")]
        latest = max([latest, *stamps])
        at_end = f"since {latest if since is not None else started}"
        midway = watermark if since is not None else f"load {started} {page.after}"
        yield Page(tuple(item for item, _row in page.rows), midway if page.more else at_end, done=not page.more)


def _read_page(session: Session, object_type: str, conditions: Sequence[Condition]) -> list[Read]:
    name = OBJECTS[object_type]
    found = query(session, name, _select(session, name), conditions, order=["Gsid"])
    return [(_item(session, object_type, row), Payload(f"Gainsight {name}", row)) for row in found]


def _item(session: Session, object_type: str, record: dict[str, object]) -> Item:
    """A record with the labels of its pick-list values: the ids mean nothing outside the tenant."""
    known = metadata(session, OBJECTS[object_type]).items
    labels = {field: items[str(record[field])] for field, items in known.items() if str(record.get(field)) in items}
    return item_of(object_type, str(record.get("Gsid")), {"record": record, "labels": labels})


def _pull_deletions(session: Session, watermark: str) -> Iterator[Page]:
    """The delete logs, kept for 15 days; few lines, so by offset."""
    since = int(watermark.partition(" ")[2]) if watermark else None
    conditions = [("DeletedOn", "GTE", [_filter_value(since, session.config)])] if since is not None else []
    latest, items = since or 0, []

    def ask(offset: int | None) -> Listed[dict[str, object], int]:
        place = offset or 0
        rows = query(session, log, _LOGGED, conditions, order=["DeletedOn", "RecordId"], offset=place)
        return Listed(rows, len(rows) == ROWS, place + len(rows))

    for log in DELETE_LOGS:
        for row in (row for page in pages(f"Gainsight's {log}", ask) for row in page.rows):
            latest = max(latest, _ms(_moment(Payload("Gainsight delete log", row), "DeletedOn")))
            key = f"deletion:{row.get('RecordId')}:{row.get('DeletedOn')}"
            items.append(Item("deletion", key, strict_json.dump({"record": row})))
    yield Page(tuple(items), f"since {latest}" if latest else watermark, done=True)


def read(client: Client, config: Config, object_type: str, external_id: str) -> Item | None:
    if object_type not in OBJECTS or not GSID.fullmatch(external_id):
        raise Misunderstood("A read of something that Gainsight does not have.", "object_unknown")
    found = _read_page(Session(client, config), object_type, [("Gsid", "EQ", [external_id])])
    return found[0][0] if found else None


def check(client: Client, config: Config) -> str:
    zone_of(config)
    session = Session(client, config)
    forget(session, "gs_opportunity")
    stages = metadata(session, "gs_opportunity").items.get("RenewalStage", {})
    listed = ", ".join(f"{label} = {item}" for item, label in stages.items())
    return f"Gainsight answers. Renewal stages: {listed[:600] or 'none listed'}."


def probe(client: Client, config: Config) -> Iterator[Probed]:
    """One record of each object, and the way that a long list goes on; one line of each delete log."""
    session = Session(client, config)
    for stream, object_type in _STREAMS.items():
        forget(session, OBJECTS[object_type])
        yield probed(stream, partial(_try, session, OBJECTS[object_type]))
    for log in DELETE_LOGS:
        yield probed(f"deletions: {log}", partial(_try_log, session, log))


def _try(session: Session, name: str) -> str:
    select = _select(session, name)
    for conditions in ([], [("ModifiedDate", "GTE", [_filter_value(0, session.config)]), ("Gsid", "GT", ["0"])]):
        query(session, name, select, conditions, order=["Gsid"], limit=1)
    left_out = [field for field in _wanted(name, session.config) if field not in select]
    said = [f"without {', '.join(left_out)}, which Gainsight does not describe"] if left_out else []
    labels = metadata(session, name).items.get("RenewalStage", {}).values()
    if unknown := sorted(label for label in labels if stage_of(label, session.config) is None):
        said.append(f"these stages are none that the ledger knows: {', '.join(unknown)}")
    return "; ".join(said)


def _try_log(session: Session, log: str) -> str:
    query(session, log, _LOGGED, [], order=["DeletedOn", "RecordId"], limit=1)
    return ""


def _wanted(name: str, config: Config) -> list[str]:
    """The fields that a tenant may not have, with those that its administrator made and the connection names."""
    settings = {"gs_opportunity": (*HOLD_FIELDS, STARTED_FIELD), "company": COMPANY_FIELDS[1:]}.get(name, ())
    return list(dict.fromkeys([*_WANTED[name], *filter(None, (place(config, setting) for setting in settings))]))


def _needed(name: str, config: Config) -> list[str]:
    """The fields without which an object cannot be read, and the one that ties a company to the CRM."""
    crm = place(config, "crm_id_field") if name == "company" else ""
    return [*_NEEDED[name], *([crm] if crm else [])]


def _select(session: Session, name: str) -> list[str]:
    """The fields to ask for: one that the tenant does not have would fail the whole query."""
    known = metadata(session, name).fields
    needed = _needed(name, session.config)
    missing = [field for field in needed if field not in known]
    if missing:
        raise Refused(f"Gainsight's {name} has no field {', '.join(missing)} any more.", "field_missing")
    wanted = (field for field in _wanted(name, session.config) if field.partition("__gr.")[0] in known)
    return list(dict.fromkeys([*needed, *wanted]))


def _filter_value(since: int, config: Config) -> str:
    """A filter's text for an instant in milliseconds, a day early because its zone is the vendor's guess."""
    at = dt.datetime.fromtimestamp(since // 1000, dt.UTC) - dt.timedelta(seconds=OVERLAP_SECONDS)
    return max(at, BEGINNING).astimezone(zone_of(config)).strftime("%Y-%m-%d %H:%M:%S")


def _moment(row: Payload, field: str) -> dt.datetime:
    value = row.data.get(field)
    return moment(value if isinstance(value, str) else row.number(field), row.where(field))


def _ms(at: dt.datetime) -> int:
    return (at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
