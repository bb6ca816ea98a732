"""Reading Stripe: every collection once, then the event log, and one object by its id."""

from __future__ import annotations

import datetime as dt
import email.utils
import functools
import re
from collections.abc import Iterator, Mapping
from functools import partial

from revops import strict_json
from sync.connectors.stripe.auth import API_VERSION, get
from sync.connectors.stripe.translate import COLLECTIONS, EVENTS
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

SLICE = dt.timedelta(days=1)
EVENT_LOG = dt.timedelta(days=29)  # kept 30 days  # kept 30 days

_ID = re.compile(r"[A-Za-z0-9_]{1,100}", re.ASCII)

STREAMS: tuple[Stream, ...] = (Stream("events", tuple(COLLECTIONS), overlap_seconds=300, every_seconds=60),)


def pull(client: Client, config: Config, stream: str, watermark: str, now: dt.datetime) -> Iterator[Page]:
    """Watermark: `list <T0> <collection> <cursor>` while the first listing runs, then `events <second>`."""
    kind, _, rest = watermark.partition(" ")
    since = int(rest) if kind == "events" else 0
    if kind == "events" and since > (now - EVENT_LOG).timestamp():
        yield from _pull_events(client, config, since, now)
        return
    start, collection, cursor = (*rest.split(" "), "", "")[:3] if kind == "list" else (str(int(now.timestamp())), "", "")
    yield from _pull_everything(client, config, int(start), collection, cursor)


def _pull_everything(client: Client, config: Config, start: int, collection: str, cursor: str) -> Iterator[Page]:
    """Every collection, newest first, up to what was there at `start`; what happened meanwhile comes as events."""
    todo = list(COLLECTIONS)
    for object_type in todo[todo.index(collection) if collection in todo else 0 :]:
        path = COLLECTIONS[object_type][0]
        params = [("limit", "100")]
        params += [("created[lte]", str(start))] if object_type != "proration" else []
        params += [("status", "all")] if object_type == "subscription" else []
        following = todo[todo.index(object_type) + 1 : todo.index(object_type) + 2]
        for page in pages(f"Stripe's {path}", partial(_ask, client, config, path, params), cursor or None):
            items = tuple(_item(client, config, object_type, found, page.answer) for found in page.rows)
            if page.more:
                yield Page(items, f"list {start} {object_type} {page.after}", done=False)
            else:
                yield Page(items, f"list {start} {following[0]} " if following else f"events {start}", done=not following)
        cursor = ""


def _pull_events(client: Client, config: Config, since: int, now: dt.datetime) -> Iterator[Page]:
    """The event log in slices of a day, each newest first, so the watermark moves when a slice is complete."""
    overlap = STREAMS[0].overlap_seconds
    begin, end = since - overlap, int(now.timestamp()) + overlap
    while begin < end:
        stop = begin + int(SLICE.total_seconds())
        params = [("limit", "100"), ("created[gte]", str(begin))] + ([("created[lt]", str(stop))] if stop < end else [])
        reached: int | None = None
        for page in pages("Stripe's event log", partial(_ask, client, config, "/v1/events", params)):
            if reached is None:  # the vendor's clock when the newest page was made: nothing before it is missing but the late
                reached = stop if stop < end else int((_stated_date(page.answer) or now).timestamp())
            items = tuple(
                Item("event", event.text("id"), strict_json.dump(event.data), kind="event")
                for event in page.rows
                if any(pattern.fullmatch(event.text("type")) for pattern, _name in EVENTS)
            )
            since = since if page.more else max(since, reached)
            yield Page(items, f"events {since}", done=not page.more and stop >= end)
        begin = stop


def read(client: Client, config: Config, object_type: str, external_id: str) -> Item | None:
    if object_type not in COLLECTIONS or not _ID.fullmatch(external_id):
        raise Misunderstood("A read of something that Stripe does not have.", "object_unknown")
    path = COLLECTIONS[object_type][0]
    if object_type == "payment" and not external_id.startswith("inpay_"):
        return _read_payment_by_intent(client, config, external_id)
    answer = get(client, config, f"{path}/{external_id}", [])
    if answer.status == 404:
        return None
    return _item(client, config, object_type, Payload(object_type, _object(answer)), answer)


def _read_payment_by_intent(client: Client, config: Config, intent: str) -> Item | None:
    params = [("payment[type]", "payment_intent"), ("payment[payment_intent]", intent), ("limit", "1")]
    page = _ask(client, config, "/v1/invoice_payments", params, None)
    return _item(client, config, "payment", page.rows[0], page.answer) if page.rows else None


def _item(client: Client, config: Config, object_type: str, found: Payload, answer: Response | None) -> Item:
    """An object with the vendor's second of reading: objects carry no stamp of their own."""
    whole = dict(found.data)
    embedded = {"invoice": "lines", "subscription": "items"}.get(object_type)
    if embedded and found.maybe_child(embedded).data.get("has_more") is True:
        whole[embedded] = _rest(client, config, found.child(embedded), found.text("id"), object_type)
    body: dict[str, object] = {"object": whole}
    if (at := _stated_date(answer)) is not None:
        body = {"read_at": int(at.timestamp()), **body}
    return item_of(object_type, found.text("id"), body)


def _rest(client: Client, config: Config, first: Payload, owner: str, object_type: str) -> Mapping[str, object]:
    """An embedded list in full: Stripe embeds only the first handful."""
    path, extra = f"/v1/invoices/{owner}/lines", []
    if object_type == "subscription":
        path, extra = "/v1/subscription_items", [("subscription", owner)]
    data = [part.data for part in first.children("data")]
    last = Payload(path, data[-1]).text("id") if data else None
    for page in pages(f"Stripe's {path}", partial(_ask, client, config, path, [("limit", "100"), *extra]), last):
        data += [part.data for part in page.rows]
    return {**first.data, "data": data, "has_more": False}


def _ask(client: Client, config: Config, path: str, params: list[tuple[str, str]], place: str | None) -> Listed[Payload, str]:
    """One page of a list, after the object `place`."""
    answer = get(client, config, path, [*params, *([("starting_after", place)] if place else [])])
    page = Payload("Stripe list", _object(answer))
    try:
        rows, more = list(page.children("data")), page.flag("has_more")
        return Listed(rows, more, rows[-1].text("id") if rows else None, answer)
    except Misunderstood as error:
        raise RetryLater(error.reason, 60, "unreadable_answer") from None


def check(client: Client, config: Config) -> str:
    live = config.get("mode", "test") == "live"
    key = config.get("api_key")
    if key[:3] in {"sk_", "rk_"} and key[3:8] in {"live_", "test_"} and (key[3:8] == "live_") != live:
        raise Refused("The API key belongs to the other mode (test or live).", "mode_wrong")
    newest = _ask(client, config, "/v1/events", [("limit", "1")], None).rows
    if newest and newest[0].flag("livemode") != live:
        raise Refused("Stripe answers from the other mode (test or live).", "mode_wrong")
    return f"Stripe answers in {'live' if live else 'test'} mode with version {API_VERSION}."


def _object(answer: Response) -> Mapping[str, object]:
    value = answer.json()
    if not isinstance(value, dict):
        raise RetryLater("Stripe's answer is no object.", 60, "unreadable_answer")
    return value


def _stated_date(answer: Response | None) -> dt.datetime | None:
    """The vendor's clock, from the Date header."""
    return _read_date(answer.headers.get("date", "")) if answer else None


@functools.lru_cache(maxsize=8)
def _read_date(header: str) -> dt.datetime | None:
    """Asked for each object of a page, and the same for all of them."""
    try:
        return email.utils.parsedate_to_datetime(header).astimezone(dt.UTC)
    except (ValueError, TypeError):
        return None
