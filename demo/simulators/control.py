"""The control API under ``/_sim/``: how a rehearsal loads history, makes changes, programs faults and asks what
really happened. Plain JSON, no authentication, loopback only. It is not logged as a vendor call.

A call is a function of the vendor and, for POST and PUT, the body's bytes; path and query parameters arrive by name, as text.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.routing import Route

from demo.simulators.vendor import DEFAULT, Json, Response, Vendor, dumps, loads

LOAD_BATCH = 100
Call = Callable[..., Any]


class Wrong(Exception):
    """The control request makes no sense; the text says why."""


def routes(vendor: Vendor) -> list[Route]:
    """The calls for one vendor."""
    return [Route(path, _endpoint(vendor, call), methods=[method]) for method, path, call in _CALLS]


def refusal(status: int, reason: str) -> Response:
    """An error answer."""
    return Response.of({"error": reason}, status)


def _endpoint(vendor: Vendor, call: Call) -> Callable[[HttpRequest], Any]:
    async def endpoint(request: HttpRequest) -> Response:
        given = [await request.body()] if request.method in ("POST", "PUT") else []
        named = dict(request.query_params) | {name: unquote(value) for name, value in request.path_params.items()}
        try:
            return Response.of(await run_in_threadpool(call, vendor, *given, **named))
        except (Wrong, ValueError, TypeError) as wrong:
            return refusal(400, str(wrong))
        except KeyError as missing:
            return refusal(404, str(missing.args[0]))

    return endpoint


def _json(body: bytes) -> Json:
    value = loads(body or b"{}")
    if not isinstance(value, dict):
        raise Wrong("the body must be a JSON object")
    return value


def _documents(body: bytes) -> Iterator[Json]:
    for number, line in enumerate(body.splitlines(), 1):
        if not line.strip():
            continue
        try:
            document = loads(line)
        except ValueError as wrong:
            raise Wrong(f"line {number}: {wrong}") from None
        if not isinstance(document, dict):
            raise Wrong(f"line {number}: not a JSON object")
        yield document


def _health(vendor: Vendor) -> Json:
    counts = {name: vendor.store.count(name) for name in vendor.store.collections}
    return {"vendor": vendor.name, "objects": counts, "undelivered": vendor.deliveries.undelivered()}


def _load(vendor: Vendor, body: bytes, emit: str = "") -> Json:
    """History: one transaction per batch of lines. The same id replaces. A wrong line stops, earlier batches stay."""
    loaded, documents = 0, _documents(body)
    while batch := list(islice(documents, LOAD_BATCH)):
        with vendor.store.transaction():
            for document in batch:
                if not isinstance(document.get("object"), dict) or "collection" not in document:
                    raise Wrong(f"object {loaded + 1}: needs collection and object")
                if emit == "1":
                    vendor.change(document["collection"], None, document["object"])
                else:
                    about = vendor.store.collection(document["collection"])
                    complete = vendor.loading(about.name, document["object"])
                    if about.key not in complete:
                        raise Wrong(f"object {loaded + 1}: no {about.key}")
                    vendor.store.put(about.name, complete)
                loaded += 1
    return {"loaded": loaded}


def _change(vendor: Vendor, body: bytes) -> Json:
    """Change, create (`object`) or delete (`"delete": true`) one object. Keys of `set` may be dotted paths.

    No `event`: what the vendor would emit. `"event": null`: nothing. Text: that type.
    """
    wish = _json(body)
    collection = wish.get("collection")
    if not isinstance(collection, str):
        raise Wrong("needs collection")
    event = wish.get("event", DEFAULT)
    with vendor.store.transaction():
        if "object" in wish:
            return vendor.change(collection, None, wish["object"], event)
        before = vendor.store.get(collection, str(wish.get("id")))
        if before is None:
            raise KeyError(f"no {collection} {wish.get('id')}")
        if wish.get("delete"):
            return vendor.change(collection, before, None, event)
        after = copy.deepcopy(before)
        for path, value in (wish.get("set") or {}).items():
            _assign(after, path, value)
        return vendor.change(collection, before, after, event)


def _assign(document: Json, path: str, value: Any) -> None:
    if path in document or "." not in path:
        document[path] = value
        return
    first, _, rest = path.partition(".")
    inner = document.get(first)
    if not isinstance(inner, dict):
        inner = document[first] = {}
    _assign(inner, rest, value)


def _objects(vendor: Vendor, collection: str, limit: str = "100", after: str = "0") -> Json:
    table = vendor.store.collection(collection).table
    rows = vendor.store.rows(f"SELECT seq, body FROM {table} WHERE seq > ? ORDER BY seq LIMIT ?", [int(after), int(limit)])
    return {"objects": [loads(row["body"]) for row in rows], "next": rows[-1]["seq"] if len(rows) == int(limit) else None}


def _object(vendor: Vendor, collection: str, id: str) -> Json:
    table = vendor.store.collection(collection).table
    rows = vendor.store.rows(f"SELECT body FROM {table} WHERE id = ?", [id])
    if not rows:
        raise KeyError(f"no {collection} {id}")
    found: Json = loads(rows[0]["body"])
    return found


def _log(vendor: Vendor, table: str, since: str, after: str) -> list[Json]:
    rows = vendor.store.rows(
        f"SELECT * FROM {table} WHERE at >= ? AND seq > ? ORDER BY seq LIMIT 100000", [float(since), int(after)]
    )
    return [dict(row) for row in rows]


def _requests(vendor: Vendor, since: str = "0", after: str = "0") -> list[Json]:
    """Vendor calls since a unix time or after a sequence number, oldest first."""
    return [row | {"reset": bool(row["reset"])} for row in _log(vendor, "requests", since, after)]


def _effects(vendor: Vendor, since: str = "0", after: str = "0") -> list[Json]:
    """What the vendor calls created, changed and deleted, oldest first."""
    return [row | {"object": loads(row.pop("body"))} for row in _log(vendor, "effects", since, after)]


def _deliveries(vendor: Vendor, after: str = "0") -> list[Json]:
    rows = vendor.store.rows("SELECT * FROM deliveries WHERE seq > ? ORDER BY seq LIMIT 10000", [int(after)])
    found = []
    for row in rows:
        item = dict(row)
        item["bytes"] = base64.b64encode(item.pop("body")).decode()
        item["headers"] = loads(item["headers"]) if item["headers"] else None
        found.append(item)
    return found


def _configure(vendor: Vendor, body: bytes) -> Json:
    vendor.deliveries.configure(_json(body))
    return {"ok": True}


def _store_key(vendor: Vendor, body: bytes) -> Json:
    stored = 0
    with vendor.store.transaction():
        for document in _documents(body):
            if "id" not in document:
                raise Wrong("an answer-key document needs an id")
            vendor.store.run(
                "INSERT INTO answer_key VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                [str(document["id"]), dumps(document)],
            )
            stored += 1
    return {"stored": stored}


def _key(vendor: Vendor) -> list[Json]:
    return [loads(row["body"]) for row in vendor.store.rows("SELECT body FROM answer_key ORDER BY rowid")]


_CALLS: tuple[tuple[str, str, Call], ...] = (
    ("GET", "/health", _health),
    ("POST", "/load", _load),
    ("POST", "/change", _change),
    ("GET", "/objects/{collection}", _objects),
    ("GET", "/objects/{collection}/{id}", _object),
    ("GET", "/requests", _requests),
    ("GET", "/effects", _effects),
    ("POST", "/faults", lambda vendor, body: {"id": vendor.faults.add(_json(body))}),
    ("GET", "/faults", lambda vendor: vendor.faults.listing()),
    ("DELETE", "/faults", lambda vendor: {"cleared": vendor.faults.clear()}),
    ("PUT", "/deliveries", _configure),
    ("GET", "/deliveries", _deliveries),
    ("POST", "/deliveries/redeliver", lambda vendor, body: {"found": vendor.deliveries.redeliver(_json(body)["ids"])}),
    ("POST", "/key", _store_key),
    ("GET", "/key", _key),
)
