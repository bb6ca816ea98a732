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
from sync.connectors.stripe.models import Discount, InvoicePayment, Subscription
from sync.connectors.stripe.recurring import reference
from sync.connectors.stripe.translate import COLLECTIONS, EVENTS, event_key, may_pay_several, names_charges, paid_with
from sync.vendor.contract import (
    Client,
    Config,
    Item,
    Misunderstood,
    Page,
    Probed,
    Refused,
    Response,
    RetryLater,
    Stream,
    probed,
)
from sync.vendor.fields import Payload, item_of
from sync.vendor.objects import understood
from sync.vendor.paging import Listed, pages

SLICE = dt.timedelta(days=1)
EVENT_LOG = dt.timedelta(days=29)  # kept 30 days

NOTHING: Mapping[str, object] = {}
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
        path, params = _listing(config, object_type, start, 100)
        following = todo[todo.index(object_type) + 1 : todo.index(object_type) + 2]
        for page in pages(f"Stripe's {path}", partial(_ask, client, config, path, params), cursor or None):
            items = tuple(_item(client, config, object_type, found, page.answer) for found in page.rows)
            if page.more:
                yield Page(items, f"list {start} {object_type} {page.after}", done=False)
            else:
                yield Page(items, f"list {start} {following[0]} " if following else f"events {start}", done=not following)
        cursor = ""


def _listing(config: Config, object_type: str, start: int, limit: int) -> tuple[str, list[tuple[str, str]]]:
    """Where a collection is listed, and how: up to the second `start`; an invoice item may be dated, so all of them."""
    params = [("limit", str(limit))]
    params += [("created[lte]", str(start))] if object_type != "proration" else []
    params += [("status", "all")] if object_type == "subscription" else []
    params += _charges(config, object_type, "data.payment")
    return COLLECTIONS[object_type][0], params


def _charges(config: Config, object_type: str, where: str) -> list[tuple[str, str]]:
    """What asks for the payment intents of payments, which name their charges, where the connection says that it is wanted."""
    return [("expand[]", f"{where}.payment_intent")] if object_type == "payment" and names_charges(config) else []


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
                Item(
                    "event",
                    event_key(event.text("id"), event.data.get("api_version")),
                    strict_json.dump(event.data),
                    kind="event",
                )
                for event in page.rows
                if any(pattern.fullmatch(event.text("type")) for pattern, _name in EVENTS)
            )
            since = since if page.more else max(since, reached)
            yield Page(items, f"events {since}", done=not page.more and stop >= end)
        begin = stop


def _key(event: Payload) -> str:
    return event_key(event.text("id"), event.data.get("api_version"))


def read(client: Client, config: Config, object_type: str, external_id: str) -> Item | None:
    if object_type not in COLLECTIONS or not _ID.fullmatch(external_id):
        raise Misunderstood("A read of something that Stripe does not have.", "object_unknown")
    path = COLLECTIONS[object_type][0]
    if object_type == "payment" and not external_id.startswith("inpay_"):
        return _read_all_paid_with(client, config, external_id)
    answer = get(client, config, f"{path}/{external_id}", _charges(config, object_type, "payment"))
    if answer.status == 404:
        return None
    return _item(client, config, object_type, Payload(object_type, _object(answer)), answer)


def _read_all_paid_with(client: Client, config: Config, identity: str) -> Item | None:
    """Every invoice payment of one payment intent or payment record. Stripe has no filter by charge."""
    if identity.startswith(("ch_", "py_")):
        raise Misunderstood("Stripe does not find the invoice payment of a charge by the charge.", "reference_invalid")
    kind = "payment_intent" if identity.startswith("pi_") else "payment_record"
    params = [("limit", "100"), ("payment[type]", kind), (f"payment[{kind}]", identity)]
    params += _charges(config, "payment", "data.payment") if kind == "payment_intent" else []
    path, rows, answer = COLLECTIONS["payment"][0], list[Payload](), None
    for page in pages(f"Stripe's {path}", partial(_ask, client, config, path, params)):
        rows += page.rows
        answer = answer or page.answer
    if not rows:
        return None
    first, *others = sorted((row.data for row in rows), key=lambda row: str(row.get("id")))
    return _kept("payment", {**first, "others": others}, answer)


def _shared_payment(row: Mapping[str, object]) -> str | None:
    """What the invoice of this row was paid with, where it may pay other invoices too. A row that is not understood is kept as it
    is: the translation says why."""
    try:
        found = understood(InvoicePayment, row, "Stripe invoice_payment")
        return paid_with(found)[1] if may_pay_several(found) else None
    except Misunderstood:
        return None


def _item(client: Client, config: Config, object_type: str, found: Payload, answer: Response | None) -> Item:
    """An object with the vendor's second of reading: objects carry no stamp of their own."""
    whole = dict(found.data)
    if object_type == "payment":
        shared = _shared_payment(whole)
        if shared and (read := _read_all_paid_with(client, config, shared)) is not None:
            return read
    discounted = object_type == "subscription" and _is_discounted(found)
    if discounted:
        again = get(client, config, f"/v1/subscriptions/{found.text('id')}", list(_DISCOUNTS))
        if again.status == 200:
            answer, found = again, Payload(object_type, _object(again))
            whole = dict(found.data)
    embedded = {"invoice": "lines", "subscription": "items"}.get(object_type)
    if embedded and found.maybe_child(embedded).data.get("has_more") is True:
        whole[embedded] = _rest(client, config, found.child(embedded), found.text("id"), object_type, expand=discounted)
    beside = {"coupons": _coupons(client, config, whole)} if discounted else {}
    return _kept(object_type, whole, answer, beside)


_DISCOUNTS = (("expand[]", "discounts"), ("expand[]", "items.data.discounts"))
"""A list and an event only name the discounts of a subscription. What is expanded is at most four levels deep, so that the coupon
behind a discount is asked for by itself."""


def _is_discounted(found: Payload) -> bool:
    data = found.maybe_child("items").data.get("data")
    items = data if isinstance(data, list) else []
    return bool(found.data.get("discounts")) or any(isinstance(item, dict) and item.get("discounts") for item in items)


def _coupons(client: Client, config: Config, whole: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The coupons behind the discounts of a subscription, each once. One that cannot be read is left out: then the yearly amount
    is not known, and the rest of the subscription is."""
    try:
        found = understood(Subscription, whole, "Stripe subscription")
        named = [*(found.discounts or ()), *(each for item in found.items.data for each in item.discounts or ())]
        wanted = {reference(each.source.coupon) for each in named if isinstance(each, Discount)}
    except Misunderstood:
        return []
    coupons: list[Mapping[str, object]] = []
    for identity in sorted(each for each in wanted if each and _ID.fullmatch(each)):
        try:
            answer = get(client, config, f"/v1/coupons/{identity}", [("expand[]", "applies_to")])
        except Refused:
            continue
        coupons += [_object(answer)] if answer.status == 200 else []
    return coupons


def _kept(object_type: str, whole: Mapping[str, object], answer: Response | None, beside: Mapping[str, object] = NOTHING) -> Item:
    body: dict[str, object] = {"object": whole, **beside}
    if (at := _stated_date(answer)) is not None:
        body = {"read_at": int(at.timestamp()), **body}
    return item_of(object_type, str(whole.get("id")), body)


def _rest(client: Client, config: Config, first: Payload, owner: str, object_type: str, *, expand: bool) -> Mapping[str, object]:
    """An embedded list in full: Stripe embeds only the first handful. `expand`: with the discounts of its items."""
    path, extra = _embedded(owner, object_type)
    extra += [("expand[]", "data.discounts")] if expand else []
    data = [part.data for part in first.children("data")]
    last = Payload(path, data[-1]).text("id") if data else None
    for page in pages(f"Stripe's {path}", partial(_ask, client, config, path, [("limit", "100"), *extra]), last):
        data += [part.data for part in page.rows]
    return {**first.data, "data": data, "has_more": False}


def _embedded(owner: str, object_type: str) -> tuple[str, list[tuple[str, str]]]:
    """Where the whole of an embedded list is listed."""
    if object_type == "subscription":
        return "/v1/subscription_items", [("subscription", owner)]
    return f"/v1/invoices/{owner}/lines", []


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


def probe(client: Client, config: Config) -> Iterator[Probed]:
    """One row of the event log, of every collection, and of the two lists that a long object is completed from."""
    stream, start = STREAMS[0].name, int(dt.datetime.now(dt.UTC).timestamp())
    first: dict[str, str] = {}

    def one(path: str, params: list[tuple[str, str]], object_type: str = "") -> str:
        if rows := _ask(client, config, path, params, None).rows:
            first[object_type] = rows[0].text("id")
        return ""

    def rest(object_type: str) -> str:
        if object_type not in first:
            return f"not asked for: there is no {object_type} yet"
        path, extra = _embedded(first[object_type], object_type)
        return one(path, [("limit", "1"), *extra])

    yield probed(stream, partial(one, "/v1/events", [("limit", "1")]))
    for object_type in COLLECTIONS:
        path, params = _listing(config, object_type, start, 1)
        yield probed(f"{stream}: {path.rpartition('/')[2]}", partial(one, path, params, object_type))
    yield probed(f"{stream}: subscription_items", partial(rest, "subscription"))
    yield probed(f"{stream}: invoice lines", partial(rest, "invoice"))


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
