"""The control API under ``/_sim/``: how a rehearsal loads history, makes changes, programs faults and asks what
really happened. Plain JSON, no authentication, loopback only. It is not logged as a vendor call.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, unquote

from demo.simulators._frame import DEFAULT, Json, Response, Vendor, loads

LOAD_BATCH = 100


class Wrong(Exception):
    """The control request makes no sense; the text says why."""


def answer(vendor: Vendor, method: str, target: str, lines: Iterable[bytes]) -> Response:
    """Answer one control request. `lines` is the body, line by line."""
    path, _, query = target.partition("?")
    parts = [unquote(part) for part in path.split("/")[2:] if part]
    arguments = dict(parse_qsl(query))
    try:
        value = _dispatch(vendor, method, parts, arguments, lines)
    except (Wrong, ValueError, TypeError) as wrong:
        return Response.of({"error": str(wrong)}, 400)
    except KeyError as missing:
        return Response.of({"error": str(missing.args[0])}, 404)
    return Response.of(value)


def _dispatch(vendor: Vendor, method: str, parts: list[str], arguments: dict[str, str], lines: Iterable[bytes]) -> Any:
    match (method, *parts):
        case ("GET", "health"):
            return _health(vendor)
        case ("POST", "load"):
            return _load(vendor, lines, emit=arguments.get("emit") == "1")
        case ("POST", "change"):
            return _change(vendor, _body(lines))
        case ("GET", "objects", collection):
            return _objects(vendor, collection, int(arguments.get("limit", 100)), int(arguments.get("after", 0)))
        case ("GET", "objects", collection, id):
            return _object(vendor, collection, id)
        case ("GET", "requests"):
            return _log(vendor, "requests", arguments)
        case ("GET", "effects"):
            return _log(vendor, "effects", arguments)
        case ("POST", "faults"):
            return {"id": vendor.faults.add(_body(lines))}
        case ("GET", "faults"):
            return vendor.faults.listing()
        case ("DELETE", "faults"):
            return {"cleared": vendor.faults.clear()}
        case ("PUT", "deliveries"):
            vendor.deliveries.configure(_body(lines))
            return {"ok": True}
        case ("GET", "deliveries"):
            return _deliveries(vendor, arguments)
        case ("POST", "deliveries", "redeliver"):
            return {"found": vendor.deliveries.redeliver([str(id) for id in _body(lines)["ids"]])}
        case ("POST", "key"):
            return _store_key(vendor, lines)
        case ("GET", "key"):
            return [loads(row["body"]) for row in vendor.store.rows("SELECT body FROM answer_key ORDER BY rowid")]
    raise KeyError(f"no control call {method} /_sim/{'/'.join(parts)}")


def _body(lines: Iterable[bytes]) -> Json:
    body = loads(b"".join(lines) or b"{}")
    if not isinstance(body, dict):
        raise Wrong("the body must be a JSON object")
    return body


def _documents(lines: Iterable[bytes]) -> Iterator[Json]:
    for number, line in enumerate(lines, 1):
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


def _load(vendor: Vendor, lines: Iterable[bytes], emit: bool) -> Json:
    """History: one transaction per batch of lines. The same id replaces. A wrong line stops, earlier batches stay."""
    loaded, documents = 0, _documents(lines)
    while batch := list(islice(documents, LOAD_BATCH)):
        with vendor.store.transaction():
            for document in batch:
                if not isinstance(document.get("object"), dict) or "collection" not in document:
                    raise Wrong(f"object {loaded + 1}: needs collection and object")
                if emit:
                    vendor.change(document["collection"], None, document["object"])
                else:
                    about = vendor.store.collection(document["collection"])
                    complete = vendor.loading(about.name, document["object"])
                    if about.key not in complete:
                        raise Wrong(f"object {loaded + 1}: no {about.key}")
                    vendor.store.put(about.name, complete)
                loaded += 1
    return {"loaded": loaded}


def _change(vendor: Vendor, wish: Json) -> Json:
    """Change, create (`object`) or delete (`"delete": true`) one object. Keys of `set` may be dotted paths.

    No `event`: what the vendor would emit. `"event": null`: nothing. Text: that type.
    """
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


def _objects(vendor: Vendor, collection: str, limit: int, after: int) -> Json:
    table = vendor.store.collection(collection).table
    rows = vendor.store.rows(f"SELECT seq, body FROM {table} WHERE seq > ? ORDER BY seq LIMIT ?", [after, limit])
    return {"objects": [loads(row["body"]) for row in rows], "next": rows[-1]["seq"] if len(rows) == limit else None}


def _object(vendor: Vendor, collection: str, id: str) -> Json:
    table = vendor.store.collection(collection).table
    rows = vendor.store.rows(f"SELECT body FROM {table} WHERE id = ?", [id])
    if not rows:
        raise KeyError(f"no {collection} {id}")
    found: Json = loads(rows[0]["body"])
    return found


def _log(vendor: Vendor, table: str, arguments: dict[str, str]) -> list[Json]:
    """Rows of a log since a unix time (`since`) or after a sequence number (`after`), oldest first."""
    rows = vendor.store.rows(
        f"SELECT * FROM {table} WHERE at >= ? AND seq > ? ORDER BY seq LIMIT ?",
        [float(arguments.get("since", 0)), int(arguments.get("after", 0)), int(arguments.get("limit", 100_000))],
    )
    found = []
    for row in rows:
        item = dict(row)
        if "body" in item:
            item["object"] = loads(item.pop("body"))
        if "reset" in item:
            item["reset"] = bool(item["reset"])
        found.append(item)
    return found


def _deliveries(vendor: Vendor, arguments: dict[str, str]) -> list[Json]:
    rows = vendor.store.rows(
        "SELECT * FROM deliveries WHERE seq > ? ORDER BY seq LIMIT ?",
        [int(arguments.get("after", 0)), int(arguments.get("limit", 10_000))],
    )
    found = []
    for row in rows:
        item = dict(row)
        item["bytes"] = base64.b64encode(item.pop("body")).decode()
        item["headers"] = loads(item["headers"]) if item["headers"] else None
        found.append(item)
    return found


def _store_key(vendor: Vendor, lines: Iterable[bytes]) -> Json:
    stored = 0
    with vendor.store.transaction():
        for document in _documents(lines):
            if "id" not in document:
                raise Wrong("an answer-key document needs an id")
            vendor.store.run(
                "INSERT INTO answer_key VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                [str(document["id"]), Response.of(document).body.decode()],
            )
            stored += 1
    return {"stored": stored}
