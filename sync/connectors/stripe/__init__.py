"""Stripe Billing: customers, subscriptions, invoices, pending prorations, payments and credit notes, as it bills them.

Truth arrives by signed webhook and, so that no hole stays, by the event log (30 days). The first pull lists every
collection. We read only: this version posts nothing to Stripe.

Never: a write; trust in the order of events (see `translation.version`).
"""

from __future__ import annotations

import datetime as dt
import email.utils
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence

from revops.errors import Rejected
from revops.ledger.facts import Fact
from sync.connectors.stripe.translation import TRANSLATORS, Said
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
    Response,
    RetryLater,
    Setting,
    Stream,
    Unreadable,
)
from sync.vendor.fields import Payload

API_VERSION = "2026-10-28.endive"
OLDEST_VERSION = "2025-03-31"  # basil: the shapes that the translation reads
TOLERANCE_SECONDS = 300
SLICE = dt.timedelta(days=1)
EVENT_LOG = dt.timedelta(days=29)  # kept 30 days

_HEADER = re.compile(r"[a-z0-9]{1,10}=[0-9A-Za-z]{1,128}(?:,[a-z0-9]{1,10}=[0-9A-Za-z]{1,128}){0,19}", re.ASCII)
_STAMP = re.compile(r"[0-9]{10}", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9_]{1,100}", re.ASCII)

# Event type prefix -> the object it carries. `invoice.upcoming` has no stored invoice behind it.
_EVENTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"customer\.(created|updated|deleted)"), "customer"),
    (
        re.compile(
            r"customer\.subscription\.(created|updated|deleted|paused|resumed|pending_update_applied|"
            r"pending_update_expired|trial_will_end)"
        ),
        "subscription",
    ),
    (
        re.compile(
            r"invoice\.(created|updated|deleted|finalized|finalization_failed|sent|paid|payment_succeeded|payment_failed|"
            r"payment_action_required|payment_attempt_required|overdue|overpaid|voided|marked_uncollectible|will_be_due)"
        ),
        "invoice",
    ),
    (re.compile(r"invoiceitem\.(created|updated|deleted)"), "invoiceitem"),
    (re.compile(r"invoice_payment\.paid"), "invoice_payment"),
    (re.compile(r"credit_note\.(created|updated|voided)"), "credit_note"),
)

# Our object type -> collection, Stripe's object name. The order is the order of the first listing.
_COLLECTIONS: Mapping[str, tuple[str, str]] = {
    "customer": ("/v1/customers", "customer"),
    "subscription": ("/v1/subscriptions", "subscription"),
    "invoice": ("/v1/invoices", "invoice"),
    "proration": ("/v1/invoiceitems", "invoiceitem"),
    "payment": ("/v1/invoice_payments", "invoice_payment"),
    "credit_memo": ("/v1/credit_notes", "credit_note"),
}
_OURS = {name: object_type for object_type, (_path, name) in _COLLECTIONS.items()}


class Stripe:
    """See `sync.vendor.contract.Connector`."""

    slug = "stripe"
    label = "Stripe Billing"
    role = "billing"
    settings: tuple[Setting, ...] = (
        Setting("api_key", "Restricted API key", sensitive=True, help="Starts with rk_; read access is enough."),
        Setting(
            "webhook_secret",
            "Webhook signing secrets",
            sensitive=True,
            help="Starts with whsec_. While a secret is being rolled, give both with a space between.",
        ),
        Setting("mode", "Mode", default="test", help="test or live. Events of the other mode are refused."),
        Setting("account", "Account id", required=False, help="acct_..., when events of connected accounts may come in."),
    )
    streams: tuple[Stream, ...] = (Stream("events", tuple(_COLLECTIONS), overlap_seconds=300, every_seconds=60),)
    operations: tuple[Operation, ...] = ()
    pushes = True
    content_types: tuple[str, ...] = ("application/json",)

    # -- what comes in -----------------------------------------------------------------------------------------
    def verify(self, incoming: Incoming, config: Config, now: dt.datetime) -> None:
        header = incoming.headers.get("stripe-signature", "")
        if not _HEADER.fullmatch(header):
            raise NotAuthentic("The Stripe-Signature header is missing or malformed.", "signature_missing")
        stamps = [value for name, _, value in (part.partition("=") for part in header.split(",")) if name == "t"]
        if len(stamps) != 1 or not _STAMP.fullmatch(stamps[0]):
            raise NotAuthentic("The signature has no readable timestamp.", "signature_time")
        if abs(int(now.timestamp()) - int(stamps[0])) > TOLERANCE_SECONDS:
            raise NotAuthentic("The signature is too old or from the future.", "signature_time")
        offered = [value for name, _, value in (part.partition("=") for part in header.split(",")) if name == "v1"]
        signed = stamps[0].encode() + b"." + incoming.body
        secrets = config.get("webhook_secret").split()
        expected = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
        if not any(hmac.compare_digest(value, good) for value in offered for good in expected):
            raise NotAuthentic("The signature does not match.", "signature_wrong")
        self._check_mode(incoming.body, config)

    @staticmethod
    def _check_mode(body: bytes, config: Config) -> None:
        try:
            livemode = payload.peek(body).get("livemode")
        except Unreadable:
            return  # authentic but no message: said by `dedup_key`
        if isinstance(livemode, bool) and livemode != (config.get("mode", "test") == "live"):
            raise NotAuthentic("The event belongs to the other mode (test or live).", "mode_wrong")

    def dedup_key(self, incoming: Incoming) -> str:
        key = payload.peek(incoming.body).get("id")
        if not isinstance(key, str) or not _ID.fullmatch(key):
            raise Unreadable("The body is no Stripe event: it has no id.")
        return key

    def content_digest(self, body: bytes) -> str:
        try:
            return strict_json.content_digest(payload.message(body), ("pending_webhooks",))
        except Misunderstood:
            return hashlib.sha256(body).hexdigest()

    def translate(self, incoming: Incoming, config: Config) -> Sequence[Fact | Reread]:
        body = Payload("body", payload.message(incoming.body))
        try:
            if incoming.kind == "read":
                return [self._from_read(body, incoming)]
            if body.data.get("object") == "v2.core.event":
                return [self._from_thin(Payload("event", body.data))]
            return [self._from_event(Payload("event", body.data), config)]
        except Rejected as error:
            raise Misunderstood(f"A fact cannot be kept: {error.message}", error.code) from None

    @staticmethod
    def _from_read(body: Payload, incoming: Incoming) -> Fact | Reread:
        name = _COLLECTIONS.get(incoming.object_type, ("", ""))[1]
        if not name:
            raise Misunderstood("A read of a kind of object that this connector does not read.", "object_unknown")
        at = body.epoch("read_at") if body.has("read_at") else incoming.received_at
        return TRANSLATORS[name](Payload(f"Stripe {name}", body.child("object").data), Said(at, is_read=True))

    @staticmethod
    def _from_event(event: Payload, config: Config) -> Fact | Reread:
        event_type = event.text("type")
        name = next((target for pattern, target in _EVENTS if pattern.fullmatch(event_type)), "")
        if not name:
            raise Ignored(f"Events of type {payload.word(event_type)} say nothing that the ledger keeps.", "event_type")
        if (version := event.maybe_text("api_version")) and version[:10] < OLDEST_VERSION:
            raise Misunderstood("The webhook endpoint renders events in a version from before basil.", "api_version")
        if event.has("account") and event.text("account") != config.get("account"):
            raise Misunderstood("The event belongs to another Stripe account.", "account_wrong")
        data = event.child("data")
        found = data.child("object")
        if found.text("object") != name:
            raise Misunderstood(f"An event about {name} carries another object.", "field_changed")
        said = Said(
            at=event.epoch("created"),
            is_read=False,
            deleted=event_type.endswith(".deleted"),
            changed=frozenset(data.maybe_child("previous_attributes").data) if event_type.endswith("updated") else None,
            is_creation=event_type.endswith(".created"),
        )
        return TRANSLATORS[name](Payload(f"Stripe {name}", found.data), said)

    @staticmethod
    def _from_thin(event: Payload) -> Reread:
        related = event.maybe_child("related_object")
        ours = _OURS.get(related.maybe_text("type") or "")
        if ours is None:
            raise Ignored("A thin event about an object that the ledger does not keep.", "event_type")
        return Reread(ours, related.text("id"))

    # -- reading -----------------------------------------------------------------------------------------------
    def pull(self, client: Client, config: Config, stream: str, watermark: str, now: dt.datetime) -> Iterator[Page]:
        """Watermark: `list <T0> <collection> <cursor>` while the first listing runs, then `events <second>`."""
        kind, _, rest = watermark.partition(" ")
        since = int(rest) if kind == "events" else 0
        if kind == "events" and since > (now - EVENT_LOG).timestamp():
            yield from self._pull_events(client, config, since, now)
            return
        start, collection, cursor = (*rest.split(" "), "", "")[:3] if kind == "list" else (str(int(now.timestamp())), "", "")
        yield from self._pull_everything(client, config, int(start), collection, cursor)

    def _pull_everything(self, client: Client, config: Config, start: int, collection: str, cursor: str) -> Iterator[Page]:
        """Every collection, newest first, up to what was there at `start`; what happened meanwhile comes as events."""
        todo = list(_COLLECTIONS)
        for object_type in todo[todo.index(collection) if collection in todo else 0 :]:
            while True:
                params = [("limit", "100"), ("created[lte]", str(start))]
                params += [("starting_after", cursor)] if cursor else []
                params += [("status", "all")] if object_type == "subscription" else []
                if object_type == "proration":
                    params = [(name, value) for name, value in params if name != "created[lte]"]
                answer = self._get(client, config, _COLLECTIONS[object_type][0], params)
                data, more = _list(answer)
                items = tuple(self._item(client, config, object_type, found, answer) for found in data)
                cursor = data[-1].text("id") if data else ""
                if more and cursor:
                    yield Page(items, f"list {start} {object_type} {cursor}", done=False)
                    continue
                break
            following = todo[todo.index(object_type) + 1 : todo.index(object_type) + 2]
            cursor = ""
            if following:
                yield Page(items, f"list {start} {following[0]} ", done=False)
            else:
                yield Page(items, f"events {start}", done=True)

    def _pull_events(self, client: Client, config: Config, since: int, now: dt.datetime) -> Iterator[Page]:
        """The event log in slices of a day, each newest first, so the watermark moves when a slice is complete."""
        overlap = self.streams[0].overlap_seconds
        begin, end = since - overlap, int(now.timestamp()) + overlap
        while begin < end:
            stop = begin + int(SLICE.total_seconds())
            cursor, reached = "", since
            while True:
                params = [("limit", "100"), ("created[gte]", str(begin))]
                params += [("created[lt]", str(stop))] if stop < end else []
                params += [("starting_after", cursor)] if cursor else []
                answer = self._get(client, config, "/v1/events", params)
                if not cursor:  # the vendor's clock when the newest page was made: nothing before it is missing but the late
                    reached = int(_date(answer, now).timestamp()) if stop >= end else stop
                data, more = _list(answer)
                items = tuple(
                    Item("event", event.text("id"), strict_json.dump(event.data), kind="event")
                    for event in data
                    if any(pattern.fullmatch(event.text("type")) for pattern, _name in _EVENTS)
                )
                cursor = data[-1].text("id") if data else ""
                if not more or not cursor:
                    break
                yield Page(items, f"events {since}", done=False)
            since = max(since, reached)
            begin = stop
            yield Page(items, f"events {since}", done=begin >= end)

    def read(self, client: Client, config: Config, object_type: str, external_id: str) -> Item | None:
        if object_type not in _COLLECTIONS or not _ID.fullmatch(external_id):
            raise Misunderstood("A read of something that Stripe does not have.", "object_unknown")
        path = _COLLECTIONS[object_type][0]
        if object_type == "payment" and not external_id.startswith("inpay_"):
            return self._read_payment_by_intent(client, config, external_id)
        answer = self._get(client, config, f"{path}/{external_id}", [])
        if answer.status == 404:
            return None
        return self._item(client, config, object_type, Payload(object_type, _object(answer)), answer)

    def _read_payment_by_intent(self, client: Client, config: Config, intent: str) -> Item | None:
        params = [("payment[type]", "payment_intent"), ("payment[payment_intent]", intent), ("limit", "1")]
        answer = self._get(client, config, "/v1/invoice_payments", params)
        data, _more = _list(answer)
        return self._item(client, config, "payment", data[0], answer) if data else None

    def _item(self, client: Client, config: Config, object_type: str, found: Payload, answer: Response) -> Item:
        """An object with the vendor's second of reading: objects carry no stamp of their own."""
        whole = dict(found.data)
        embedded = {"invoice": "lines", "subscription": "items"}.get(object_type)
        if embedded and found.maybe_child(embedded).data.get("has_more") is True:
            whole[embedded] = self._rest(client, config, found.child(embedded), found.text("id"), object_type)
        body: dict[str, object] = {"object": whole}
        if (at := _stated_date(answer)) is not None:
            body = {"read_at": int(at.timestamp()), **body}
        digest = strict_json.content_digest(body)
        return Item(object_type, f"{object_type}:{found.text('id')}:{digest[:32]}", strict_json.dump(body))

    def _rest(self, client: Client, config: Config, first: Payload, owner: str, object_type: str) -> Mapping[str, object]:
        """An embedded list in full: Stripe embeds only the first handful."""
        path, extra = f"/v1/invoices/{owner}/lines", []
        if object_type == "subscription":
            path, extra = "/v1/subscription_items", [("subscription", owner)]
        data = [part.data for part in first.children("data")]
        more = True
        while more and data:
            cursor = Payload(path, data[-1]).text("id")
            answer = self._get(client, config, path, [("limit", "100"), ("starting_after", cursor), *extra])
            page, more = _list(answer)
            data += [part.data for part in page]
            more = more and bool(page)
        return {**first.data, "data": data, "has_more": False}

    @staticmethod
    def _get(client: Client, config: Config, path: str, params: list[tuple[str, str]]) -> Response:
        headers = {"Authorization": f"Bearer {config.get('api_key')}", "Stripe-Version": API_VERSION}
        answer = client.request("GET", path, headers=headers, params=params)
        if answer.status == 200 or (answer.status == 404 and path.count("/") == 3):
            return answer
        code = _error_code(answer)
        if answer.status == 409 or code in {"rate_limit", "lock_timeout"}:
            raise RetryLater(f"Stripe is busy with {path} ({code}).", 30, "vendor_busy")
        if answer.status in {401, 403}:
            raise Refused("Stripe does not accept the API key for this.", "credentials_refused")
        raise Refused(f"Stripe refused {path} with HTTP {answer.status} ({code}).", "vendor_refused")

    def check(self, client: Client, config: Config) -> str:
        live = config.get("mode", "test") == "live"
        key = config.get("api_key")
        if key[:3] in {"sk_", "rk_"} and key[3:8] in {"live_", "test_"} and (key[3:8] == "live_") != live:
            raise Refused("The API key belongs to the other mode (test or live).", "mode_wrong")
        data, _more = _list(self._get(client, config, "/v1/events", [("limit", "1")]))
        if data and data[0].flag("livemode") != live:
            raise Refused("Stripe answers from the other mode (test or live).", "mode_wrong")
        return f"Stripe answers in {'live' if live else 'test'} mode with version {API_VERSION}."

    # -- writing: not in this version --------------------------------------------------------------------------
    def compose(self, config: Config, operation: str, key: str, params: Mapping[str, object]) -> Call:
        raise Refused("Nothing is posted to Stripe in this version.", "operation_unknown")

    def post(self, client: Client, config: Config, call: Call) -> Receipt:
        raise Refused("Nothing is posted to Stripe in this version.", "operation_unknown")

    def find_posted(self, client: Client, config: Config, call: Call) -> Receipt | None:
        raise Refused("Nothing is posted to Stripe in this version.", "operation_unknown")


def _object(answer: Response) -> Mapping[str, object]:
    value = answer.json()
    if not isinstance(value, dict):
        raise RetryLater("Stripe's answer is no object.", 60, "unreadable_answer")
    return value


def _list(answer: Response) -> tuple[list[Payload], bool]:
    page = Payload("Stripe list", _object(answer))
    try:
        return list(page.children("data")), page.flag("has_more")
    except Misunderstood as error:
        raise RetryLater(error.reason, 60, "unreadable_answer") from None


def _error_code(answer: Response) -> str:
    try:
        found = strict_json.parse(answer.body, allow_unsafe_text=True)
    except strict_json.StrictJsonError:
        return "no error object"
    error = found.get("error") if isinstance(found, dict) else None
    return payload.word(error.get("code") or error.get("type")) if isinstance(error, dict) else "no error object"


def _stated_date(answer: Response) -> dt.datetime | None:
    """The vendor's clock, from the Date header."""
    try:
        return email.utils.parsedate_to_datetime(answer.headers.get("date", "")).astimezone(dt.UTC)
    except (ValueError, TypeError):
        return None


def _date(answer: Response, fallback: dt.datetime) -> dt.datetime:
    return _stated_date(answer) or fallback
