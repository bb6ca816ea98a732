"""What every Stripe resource shares: keys, rate limit, idempotency, lists by cursor, expansion, events, webhooks."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import string
import threading
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from demo.simulators import vendor
from demo.simulators.stripe.parameters import Invalid, Params, decode, error
from demo.simulators.stripe.shapes import EVENT_NAMES, event_type, present, previous_attributes
from demo.simulators.vendor import DEFAULT, Collection, Halt, Json, Request, Response, route

API_VERSION = "2026-10-28.endive"
DAY_SECONDS = 86_400
NOT_PERMITTED = (
    "The provided key 'rk_test_*********************0000' does not have the required permissions for this endpoint"
    " on account 'acct_1Rehearsal'. Having the '{permission}' permission would allow this request to continue."
)
_ALPHABET = string.ascii_letters + string.digits
_BY_PREFIX = {
    "cus": "customers", "sub": "subscriptions", "in": "invoices", "ii": "invoiceitems", "inpay": "invoice_payments",
    "pi": "payment_intents", "cn": "credit_notes", "price": "prices", "prod": "products", "evt": "events",
}  # fmt: skip


_FILTERS = {
    "invoices": ("status", "customer", "subscription", "collection_method"), "credit_notes": ("customer", "invoice"),
}  # fmt: skip
"""Lists that take nothing but filters by column; the others have a handler of their own."""


def _columns(*names: str, **paths: str) -> dict[str, str]:
    return {name: f"$.{name}" for name in ("created", *names)} | paths


def _kind(name: str, key: str = "id", internal: bool = False, columns: Mapping[str, str] | None = None) -> Collection:
    """Every list is sorted by creation, whatever its filter."""
    return Collection(name, key, columns or {}, internal, sorted_by="created")


class Account(vendor.Vendor):
    """A Stripe account in test mode."""

    name = "stripe"
    default_secret = "whsec_rehearsal"
    collections = (
        _kind("customers", columns=_columns("email", "deleted")),
        _kind("products", columns=_columns("active")),
        _kind("prices", columns=_columns("active", "product", "currency", "lookup_key")),
        _kind("subscriptions", columns=_columns("customer", "status", "collection_method")),
        _kind(
            "invoices",
            columns=_columns(
                "customer", "status", "due_date", "collection_method",
                subscription="$.parent.subscription_details.subscription",
            ),
        ),
        _kind(
            "invoiceitems",
            columns=_columns("customer", "invoice", subscription="$.parent.subscription_details.subscription"),
        ),
        _kind(
            "invoice_payments",
            columns=_columns(
                "invoice", "status", payment_type="$.payment.type", payment_intent="$.payment.payment_intent",
                payment_record="$.payment.payment_record",
            ),
        ),
        _kind("payment_intents", columns=_columns("customer", "status")),
        _kind("credit_notes", columns=_columns("customer", "invoice", "status")),
        _kind("meters", columns=_columns("status", "event_name")),
        _kind(
            "meter_events",
            key="identifier",
            columns=_columns("event_name", "timestamp", customer="$.payload.stripe_customer_id"),
        ),
        _kind("events", columns=_columns("type", "pending_webhooks"), internal=True),
        _kind("idempotency_keys", columns=_columns(), internal=True),
        _kind("restricted", columns=_columns(), internal=True),
    )  # fmt: skip
    secret_key: ClassVar[str] = os.environ.get("STRIPE_SIM_KEY", "sk_test_rehearsal")
    requests_per_second: int = int(os.environ.get("STRIPE_SIM_REQUESTS_PER_SECOND", "1000"))

    def setup(self) -> None:
        """State that need not survive a restart."""
        self._lock = threading.Lock()
        self._keys_in_use: set[str] = set()
        self._recent: deque[float] = deque()
        self._local = threading.local()

    # -- letting a request in -------------------------------------------------------------------------------------

    def admit(self, request: Request) -> Response | None:
        """Key, rate limit, and the lock on the idempotency key, in that order."""
        request.notes["id"] = f"req_{_random(14)}"
        key = self._api_key(request)
        if key != self.secret_key:
            shown = f"{key[:8]}{'*' * 8}{key[-4:]}" if key else None
            message = f"Invalid API Key provided: {shown}" if shown else "You did not provide an API key."
            return error(401, message)
        lacks = self.store.get("restricted", request.path.removeprefix("/v1/").partition("/")[0])
        if request.method == "GET" and lacks:
            return error(403, NOT_PERMITTED.format(permission=lacks["permission"]))
        with self._lock:
            now = self.store.clock()
            while self._recent and self._recent[0] <= now - 1:
                self._recent.popleft()
            if self.requests_per_second and len(self._recent) >= self.requests_per_second:
                return error(429, "Request rate limit exceeded.", code="rate_limit")
            self._recent.append(now)
            name = self._idempotency_key(request)
            if name and len(name) > 255:
                return error(400, "Idempotency key may be at most 255 characters.", type="idempotency_error")
            if name and name in self._keys_in_use:
                message = f"There is currently another in-progress request using this Idempotent Key: {name}"
                return error(409, message, type="idempotency_error", code="idempotency_key_in_use")
            if name:
                self._keys_in_use.add(name)
        return None

    def release(self, request: Request) -> None:
        """Free the idempotency key; what this thread changes from now on has no API call behind it."""
        self._local.request = None
        with self._lock:
            self._keys_in_use.discard(self._idempotency_key(request) or "")

    def finish(self, request: Request, response: Response) -> None:
        """Every answer carries a request id and the API version."""
        response.headers["Request-Id"] = request.notes["id"]
        response.headers["Stripe-Version"] = request.headers.get("Stripe-Version", API_VERSION)

    def trouble(self, request: Request, status: int, message: str) -> Response:
        """A bare status in Stripe's error shape."""
        kind = "api_error" if status >= 500 else "invalid_request_error"
        code = {429: "rate_limit", 402: "card_declined"}.get(status)
        return error(status, message, type="card_error" if status == 402 else kind, code=code)

    @staticmethod
    def _api_key(request: Request) -> str:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                return b64decode(value).decode().partition(":")[0]
            except ValueError:
                return ""
        return value.strip() if scheme.lower() == "bearer" else ""

    # -- idempotency ----------------------------------------------------------------------------------------------

    @staticmethod
    def _idempotency_key(request: Request) -> str | None:
        return request.headers.get("Idempotency-Key") if request.method == "POST" else None

    def around(self, request: Request, handle: Callable[[], Response]) -> Response:
        """Replay what the key answered before; keep what it answers now, unless validation refused it."""
        self._local.request = request
        key = self._idempotency_key(request)
        if key is None:
            return handle()
        kept = self.store.get("idempotency_keys", key)
        if kept and kept["created"] > self.now() - DAY_SECONDS:
            if kept["digest"] != _digest(request):
                message = "Keys for idempotent requests can only be used with the same parameters they were first used"
                return error(400, f"{message} with. Try using a key other than '{key}'.", type="idempotency_error")
            headers = {"Content-Type": "application/json", "Idempotent-Replayed": "true"}
            return Response(kept["status"], kept["body"].encode(), headers)
        try:
            with self.store.transaction():
                response = handle()
        except Invalid as refused:
            return refused.response
        except Halt as refused:
            response = refused.response
        self.remember(request, response)
        return response

    def remember(self, request: Request, response: Response) -> None:
        """Keep an answer, a failure too, under the request's key for 24 hours."""
        key = self._idempotency_key(request)
        if key is None:
            return
        kept = {"id": key, "created": self.now(), "digest": _digest(request), "status": response.status_code}
        self.store.put("idempotency_keys", kept | {"body": bytes(response.body).decode()})

    # -- parameters, answers, objects -----------------------------------------------------------------------------

    def params(self, request: Request) -> Params:
        """Query parameters of a read or a DELETE, the form of anything else."""
        pairs = request.pairs + (request.form() if request.body else [])
        return Params(decode(pairs))

    def show(self, value: Json, params: Params) -> Response:
        """Answer one object, with long lists cut and `expand[]` done."""
        shown = present(value)
        for path in params.expand():
            self._expand(shown, path.split("."), path)
        return Response.of(shown)

    def find(self, collection: str, id: str, param: str = "id") -> Json:
        """The object, or Stripe's `resource_missing` (404 for the object itself, 400 when a parameter names it)."""
        found = self.store.get(collection, id)
        if found is None:
            noun = EVENT_NAMES.get(collection, collection).rpartition(".")[2]
            raise Invalid(f"No such {noun}: '{id}'", param, "resource_missing", 404 if param == "id" else 400)
        return found

    def new(self, prefix: str, object: str, **values: Any) -> Json:
        """A new object with the members that every object has."""
        fresh = {"id": new_id(prefix), "object": object, "created": self.now(), "livemode": False}
        return fresh | values

    def listing(
        self, collection: str, params: Params, where: str = "1", values: tuple[object, ...] = (), url: str | None = None
    ) -> Response:
        """One page, newest first: `limit` (1..100, default 10), `starting_after` or `ending_before`, `created[..]`."""
        limit = params.integer("limit")
        limit = 10 if limit is None else limit
        if not 1 <= limit <= 100:
            raise Invalid("This value must be between 1 and 100 (inclusive).", "limit", "parameter_invalid_integer")
        conditions, arguments = [f"({where})"], list(values)
        _range(params, "created", conditions, arguments)
        after, before = params.text("starting_after"), params.text("ending_before")
        if after and before:
            raise Invalid("You cannot use both `starting_after` and `ending_before`.", "starting_after")
        if after or before:
            row = self._cursor(collection, after or before or "", "starting_after" if after else "ending_before")
            conditions.append(f"(created, seq) {'<' if after else '>'} (?, ?)")
            arguments += [row["created"], row["seq"]]
        order = "created, seq" if before else "created DESC, seq DESC"
        found = self.store.select(collection, " AND ".join(conditions), arguments, order, limit + 1)
        page = found[:limit]
        if before:
            page.reverse()
        return self._page([present(item) for item in page], len(found) > limit, url or f"/v1/{collection}", params)

    def inner_listing(self, items: list[Json], params: Params, url: str) -> Response:
        """A page over a list that lives inside an object, in its own order."""
        limit = params.integer("limit") or 10
        if after := params.text("starting_after"):
            ids = [item["id"] for item in items]
            if after not in ids:
                raise Invalid(f"No such object: '{after}'", "starting_after", "resource_missing")
            items = items[ids.index(after) + 1 :]
        return self._page(items[:limit], len(items) > limit, url, params)

    def _page(self, data: list[Json], has_more: bool, url: str, params: Params) -> Response:
        page: Json = {"object": "list", "url": url, "has_more": has_more, "data": data}
        for path in params.expand():
            self._expand(page, path.split("."), path)
        return Response.of(page)

    def _cursor(self, collection: str, id: str, param: str) -> Any:
        table = self.store.collection(collection).table
        rows = self.store.rows(f"SELECT created, seq FROM {table} WHERE id = ?", [id])
        if not rows:
            raise Invalid(f"No such object: '{id}'", param, "resource_missing")
        return rows[0]

    def _expand(self, node: Any, path: list[str], whole: str) -> None:
        if isinstance(node, list):
            for item in node:
                self._expand(item, path, whole)
            return
        if not isinstance(node, dict) or not path:
            return
        name, rest = path[0], path[1:]
        if node.get("object") == "invoice" and name == "payments" and "payments" not in node:
            found = self.store.select("invoice_payments", "invoice = ?", [node["id"]], "created DESC, seq DESC")
            node["payments"] = {"object": "list", "url": "/v1/invoice_payments", "has_more": False, "data": found}
        if name not in node:
            raise Invalid(f"This property cannot be expanded ({whole}).", "expand")
        if isinstance(node[name], str):
            collection = _BY_PREFIX.get(node[name].partition("_")[0])
            found_one = self.store.get(collection, node[name]) if collection else None
            node[name] = present(found_one) if found_one else node[name]
        self._expand(node[name], rest, whole)

    @route("GET", "/v1/{collection}")
    def list_objects(self, request: Request, collection: str) -> Response:
        """A list with filters by column."""
        if collection not in _FILTERS:
            return self.trouble(request, 404, f"Unrecognized request URL (GET: /v1/{collection}).")
        return self.filtered(collection, self.params(request).only(*PAGING, *_FILTERS[collection]), *_FILTERS[collection])

    @route("GET", "/v1/{collection}/{id}")
    def retrieve_object(self, request: Request, collection: str, id: str) -> Response:
        """One object; a deleted customer is a stub."""
        if collection not in EVENT_NAMES:
            return self.trouble(request, 404, f"Unrecognized request URL (GET: /v1/{collection}/{id}).")
        found = self.find(collection, id)
        if found.get("deleted"):
            return Response.of({"id": id, "object": found["object"], "deleted": True})
        return self.show(found, self.params(request))

    def filtered(self, collection: str, params: Params, *names: str, where: str = "1") -> Response:
        """A page of the objects that meet `where` and whose columns are what the parameters of these names say."""
        given = {name: value for name in names if (value := params.text(name))}
        condition = " AND ".join([where, *(f"{name} = ?" for name in given)])
        return self.listing(collection, params, condition, tuple(given.values()))

    # -- changes and events ---------------------------------------------------------------------------------------

    def change(self, collection: str, before: Json | None, after: Json | None, event: str | None = DEFAULT) -> Json:
        """Store one change and emit its snapshot event with `previous_attributes`. Objects carry no updated time."""
        if after is None:
            assert before is not None
            self.store.remove(collection, str(before["id"]))
            stored = before
        else:
            stored = self.store.put(collection, self.loading(collection, after) if before is None else after)
        kind = event_type(collection, before, after) if event == DEFAULT else event
        if kind and collection in EVENT_NAMES and before != after:
            self.emit(kind, stored, before)
        return stored

    def loading(self, collection: str, fresh: Json) -> Json:
        """An object from outside gets what every object has."""
        if collection == "meter_events":
            return fresh
        prefix = {name: prefix for prefix, name in _BY_PREFIX.items()}.get(collection, "obj")
        noun = {"subscriptions": "subscription", "meters": "billing.meter"}.get(
            collection, EVENT_NAMES.get(collection, collection)
        )
        return {"id": new_id(prefix), "object": noun, "created": self.now(), "livemode": False, "metadata": {}} | fresh

    def emit(self, kind: str, value: Json, before: Json | None = None) -> Json:
        """Write the event and queue its webhook. The event shows the object as it is at this moment."""
        request: Request | None = getattr(self._local, "request", None)
        by_api = request is not None and "id" in request.notes
        data: Json = {"object": present(value)}
        if before is not None and kind.endswith(".updated"):
            data["previous_attributes"] = previous_attributes(present(before), present(value))
        event = self.new(
            "evt",
            "event",
            api_version=API_VERSION,
            data=data,
            pending_webhooks=1 if self.deliveries.target.url else 0,
            request={
                "id": request.notes["id"] if request and by_api else None,
                "idempotency_key": self._idempotency_key(request) if request else None,
            },
            type=kind,
        )
        self.store.put("events", event)
        self.deliver(kind, event, event["id"])
        return event

    def delivered(self, id: str, status: int) -> None:
        """A 2xx means that no webhook is pending any more."""
        event = self.store.get("events", id) if 200 <= status < 300 else None
        if event:
            self.store.put("events", event | {"pending_webhooks": 0})

    def sign(self, body: bytes, secret: str, at: int) -> Mapping[str, str]:
        """`Stripe-Signature: t=<unix>,v1=<hex HMAC-SHA256 of "<t>.<body>">`; the whole secret text is the key."""
        signature = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        return {"Stripe-Signature": f"t={at},v1={signature}", "User-Agent": "Stripe/1.0"}


def new_id(prefix: str) -> str:
    """`in_1Q...`: the prefix and 24 random letters and digits."""
    return f"{prefix}_1{_random(23)}"


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _digest(request: Request) -> str:
    return hashlib.sha256(f"{request.method} {request.path} {sorted(request.form())}".encode()).hexdigest()


def _range(params: Params, name: str, conditions: list[str], arguments: list[object]) -> None:
    """`created[gte]=5&created[lt]=9`."""
    signs = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    bounds = params.inner(name)
    if bounds is None:
        return
    for sign in bounds.only(*signs).values:
        conditions.append(f"{name} {signs[sign]} ?")
        arguments.append(bounds.integer(sign))


CURSOR = ("limit", "starting_after", "ending_before")
"""Parameters that every list takes."""
PAGING = (*CURSOR, "created")
"""Parameters of every list of objects of their own."""

__all__ = ["CURSOR", "DAY_SECONDS", "PAGING", "Account", "new_id"]
