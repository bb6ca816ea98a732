"""What every simulator shares: requests, routes, faults, effects. A vendor is one class.

A vendor declares its collections, its routes, how it lets a request in, how a change from outside the API happens
(`change`), and how a delivery is signed (`sign`). The base class adds the transaction around every call, the request
log, the record of effects, faults and the delivery queue; `server` and `control` put it on a port. Routing is
Starlette's; handlers are plain functions that run in worker threads.

A whole vendor, to copy from::

    class Acme(Vendor):
        name = "acme"
        collections = (Collection("orders", columns={"customer": "$.customer", "changed": "$.changedAt"}),)

        def admit(self, request):                       # every request, before anything else; None lets it in
            if request.headers.get("Authorization") != "Bearer acme-demo":
                return Response.of({"error": "unauthorised"}, 401)
            return None

        @route("GET", "/orders")
        def list_orders(self, request):                 # GET: a read, outside any transaction, subject to read lag
            found = self.store.select("orders", "customer = ?", [request.query.get("customer")], order="changed, id")
            return Response.of({"data": found})

        @route("POST", "/orders")
        def create_order(self, request):                # POST, PUT, PATCH, DELETE: one transaction, effects recorded
            order = request.json() | {"id": str(self.store.next_number("order"))}
            if "customer" not in order:
                raise Halt(Response.of({"error": "customer is missing"}, 400))      # rolls back, answers
            return Response.of(self.change("orders", None, order), 201)

        @route("POST", "/orders/query", reads=True)     # a POST that only reads
        @route("GET", "/orders/{id}")                   # path parameters arrive by name, percent-decoded

        def change(self, collection, before, after, event=DEFAULT):
            # The one place where an object changes: by the API above, and by the control API (/_sim/change,
            # /_sim/load?emit=1). before None: it is new (give it an id if it has none); after None: it is deleted.
            # event DEFAULT: emit what the vendor would; None: emit nothing; text: emit that.
            after = after | {"changedAt": self.now_text()}
            self.store.put(collection, after)
            if event is not None:
                self.deliver("order.changed", {"id": after["id"]})
            return after

        def sign(self, body, secret, at):               # headers of one delivery attempt; at = unix seconds
            return {"X-Acme-Signature": hmac.new(secret.encode(), body, "sha256").hexdigest()}

Other hooks have defaults: `release` (always runs after an admitted request), `around` (wrap the handler inside the
transaction, for idempotency), `effect_key` (what names the caller's command), `trouble` (the vendor's error body for
a bare status), `loading` (complete a document of loaded history), `delivered` (an attempt was answered).

`Simulator(Vendor, port, data)` runs one; `start()`/`stop()` serve tests inside a process.
Inside a transaction `store.select` sees the truth; outside it sees what the vendor's reads would show.
"""

from __future__ import annotations

import socket
import struct
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import Any, ClassVar, Final, TypeVar
from urllib.parse import parse_qsl, unquote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from demo.simulators.deliveries import Deliveries, Target
from demo.simulators.faults import Fault, Faults
from demo.simulators.store import Collection, Json, Store, dumps, loads

__all__ = ["DEFAULT", "Collection", "Halt", "Json", "Request", "Response", "Vendor", "dumps", "loads", "route"]


class Default(str):
    """The type of `DEFAULT`."""


DEFAULT: Final = Default("<the vendor's own choice>")
"""As an event: emit what the vendor would emit for such a change."""


@dataclass
class Request:
    """One call. `target` is the path with its query string, as received; `path` is not decoded."""

    method: str
    target: str
    headers: Headers
    body: bytes
    at: float
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The path without its query string."""
        return self.target.partition("?")[0]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Query parameters in order, repeats kept."""
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)

    @property
    def query(self) -> dict[str, str]:
        """Query parameters; the last of a repeated name wins."""
        return dict(self.pairs)

    def form(self) -> list[tuple[str, str]]:
        """The body as application/x-www-form-urlencoded pairs."""
        return parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)

    def json(self) -> Any:
        """The body as JSON, numbers with a fraction as Decimal. Raises ValueError."""
        return loads(self.body)


class Response(HttpResponse):
    """One answer: Starlette's, with the status first."""

    def __init__(self, status: int = 200, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(body, status, headers)

    @classmethod
    def of(cls, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """A JSON answer."""
        return Response(status, dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})


class Torn(Response):
    """The connection is cut with a TCP RST: before any answer or, given an answer, in the middle of its body."""

    def __init__(self, answer: Response | None = None) -> None:
        super().__init__()
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what is to arrive, then close with linger 0: the peer sees ECONNRESET, not an orderly end."""
        if self._answer is not None:
            body = bytes(self._answer.body)
            head = {"status": self._answer.status_code, "headers": self._answer.raw_headers}
            await send({"type": "http.response.start", **head})
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        transport = scope["state"]["transport"]
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        while (await receive())["type"] != "http.disconnect":
            pass


class Halt(Exception):
    """Raised by a handler: undo what it did and answer this."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


Handler = Callable[..., Response]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Mark:
    """A method and a path that a handler answers; `reads` calls change nothing."""

    method: str
    path: str
    reads: bool


def route(method: str, path: str, *, reads: bool = False) -> Callable[[F], F]:
    """Mark a method of a vendor as the handler of a Starlette path: `{name}` is one segment, `{name:path}` also slashes.

    GET is a read. Set `reads` for a POST that only asks.
    """

    def mark(function: F) -> F:
        marks = getattr(function, "_marks", ())
        function._marks = (*marks, Mark(method, path, reads or method == "GET"))  # type: ignore[attr-defined]
        return function

    return mark


class Vendor:
    """Base of every simulated vendor. Subclasses say what differs."""

    name: ClassVar[str] = ""
    collections: ClassVar[Sequence[Collection]] = ()
    default_secret: ClassVar[str] = ""
    """Signs deliveries when no secret was given."""

    def __init__(self, store: Store, target: Target) -> None:
        self.store = store
        self.faults = Faults()
        target.secret = target.secret or self.default_secret
        self.deliveries = Deliveries(store, self.sign, target, self.delivered)
        self.base_url = ""
        """`http://127.0.0.1:port`, once the server listens."""
        self.stopping = Event()
        """Set when the simulator ends; a programmed delay ends with it."""
        self.setup()

    # -- hooks ----------------------------------------------------------------------------------------------------

    def setup(self) -> None:
        """Once, after the store is open: read options, plant reference data."""

    def admit(self, request: Request) -> Response | None:
        """Authentication, rate limits, locks. An answer refuses the request; None lets it in."""
        return None

    def release(self, request: Request) -> None:
        """Runs once after every admitted request, whatever happened."""

    def around(self, request: Request, handle: Callable[[], Response]) -> Response:
        """Wrap a writing call, inside its transaction. Not called for reads."""
        return handle()

    def remember(self, request: Request, response: Response) -> None:
        """A fault with `stored` answered this writing call; runs inside a transaction."""

    def finish(self, request: Request, response: Response) -> None:
        """Add headers that every answer of this vendor carries."""

    def change(self, collection: str, before: Json | None, after: Json | None, event: str | None = DEFAULT) -> Json:
        """Make one change as the vendor would: stamp, store, emit. See the module's docstring."""
        about = self.store.collection(collection)
        if after is None:
            assert before is not None
            self.store.remove(collection, str(before[about.key]))
            return before
        return self.store.put(collection, after)

    def loading(self, collection: str, document: Json) -> Json:
        """A document that `/_sim/load` is about to store as history, without any event: complete or normalise it."""
        return document

    def sign(self, body: bytes, secret: str, at: int) -> Mapping[str, str]:
        """Headers of one delivery attempt."""
        return {}

    def delivered(self, id: str, status: int) -> None:
        """The receiver answered a delivery attempt (0: not at all). Runs inside a transaction."""

    def effect_key(self, request: Request) -> str | None:
        """What the caller named its command: kept in the log of requests and of effects."""
        return request.headers.get("Idempotency-Key")

    def trouble(self, request: Request, status: int, message: str) -> Response:
        """The vendor's error body for a bare status (unknown path, wrong method, a fault without a body)."""
        return Response.of({"error": message}, status)

    # -- for vendors ----------------------------------------------------------------------------------------------

    def deliver(self, type: str, body: Json, id: str | None = None) -> str:
        """Queue a webhook or hint with the transaction in hand. Returns the delivery's id."""
        return self.deliveries.queue(type, dumps(body).encode(), id)

    def now(self) -> int:
        """Unix seconds."""
        return int(self.store.clock())

    # -- the way of one request -----------------------------------------------------------------------------------

    def routes(self) -> list[Route]:
        """The routes of all marked methods; literal paths before patterns: /credit_notes/preview, /credit_notes/{id}."""
        found = sorted(self._marked(), key=lambda each: each[0].path.count("{"))
        return [Route(mark.path, self._endpoint(handler, mark.reads), methods=[mark.method]) for mark, handler in found]

    def _marked(self) -> Iterator[tuple[Mark, Handler]]:
        for owner in type(self).__mro__:
            for name, member in vars(owner).items():
                for mark in getattr(member, "_marks", ()):
                    yield mark, getattr(self, name)

    def _endpoint(self, handler: Handler, reads: bool) -> Callable[[HttpRequest], Any]:
        async def endpoint(call: HttpRequest) -> Response:
            return await self.respond(call, handler, reads=reads)

        return endpoint

    async def respond(self, call: HttpRequest, handler: Handler, *, reads: bool) -> Response:
        """Answer one call in a worker thread."""
        query = call.scope["query_string"].decode()
        target = call.scope["raw_path"].decode() + (f"?{query}" if query else "")
        request = Request(call.method, target, call.headers, await call.body(), self.store.clock())
        parameters = {name: unquote(value) for name, value in call.path_params.items()}
        return await run_in_threadpool(self.answer, request, partial(handler, request, **parameters), reads=reads)

    def answer(self, request: Request, handle: Callable[[], Response], *, reads: bool) -> Response:
        """Let in, fault, transaction, handler, log."""
        response: Response | None = None
        try:
            response = self.admit(request)
            if response is None:
                try:
                    response = self._faulty(request, handle, reads)
                finally:
                    self.release(request)
            self.finish(request, response)
            return response
        finally:
            self._log(request, response)

    def _faulty(self, request: Request, handle: Callable[[], Response], reads: bool) -> Response:
        fault = self.faults.take(request.method, request.target)
        if fault is None:
            return self._perform(request, handle, reads)
        if not fault.after_effect:
            self.stopping.wait(fault.delay_seconds)
        if fault.reset == "before":
            return Torn()
        if fault.status and not fault.after_effect and not fault.reset:
            response = self._forced(request, fault, fault.status)
            if fault.stored:
                with self.store.transaction():
                    self.remember(request, response)
            return response
        response = self._perform(request, handle, reads, fault.read_lag_seconds)
        if fault.after_effect:
            self.stopping.wait(fault.delay_seconds)
        if fault.reset:
            return Torn(response if fault.reset == "during" else None)
        return self._forced(request, fault, fault.status) if fault.status else response

    def _forced(self, request: Request, fault: Fault, status: int) -> Response:
        if fault.body is None:
            response = self.trouble(request, status, "Programmed fault")
        else:
            response = Response(status, fault.body.encode(), {"Content-Type": "application/json"})
        response.headers.update(fault.headers)
        return response

    def _perform(self, request: Request, handle: Callable[[], Response], reads: bool, read_lag_seconds: float = 0) -> Response:
        try:
            if reads:
                return handle()
            with self.store.transaction(read_lag_seconds) as effects:
                response = self.around(request, handle)
                for effect in effects:
                    self.store.run(
                        "INSERT INTO effects (at, method, path, key, collection, id, kind, body)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                        [request.at, request.method, request.path, self.effect_key(request), effect.collection,
                         effect.id, effect.kind, dumps(effect.body)],
                    )  # fmt: skip
                return response
        except Halt as halt:
            return halt.response
        except Exception:
            traceback.print_exc()  # a mistake in the simulator: nothing was stored
            return self.trouble(request, 500, "The simulator failed; its error output says why.")

    def _log(self, request: Request, response: Response | None) -> None:
        path, _, query = request.target.partition("?")
        torn = response is None or isinstance(response, Torn)
        status = None if response is None or torn else response.status_code
        self.store.run(
            "INSERT INTO requests (at, method, path, query, status, reset, key, seconds)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [request.at, request.method, path, query, status, int(torn), self.effect_key(request),
             round(self.store.clock() - request.at, 6)],
        )  # fmt: skip
