"""Talking to the simulators' control API: plain JSON over HTTP on this computer. Decimals stay exact."""

from __future__ import annotations

import http.client
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

from demo.simulators.store import dumps, loads

Json = dict[str, Any]
VENDORS = ("stripe", "salesforce", "netsuite", "gainsight")
BATCH_BYTES = 1_000_000
PAGE = 1000
_STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class Unreachable(Exception):
    """A simulator does not answer; the text says which and what to do."""


class Refused(Exception):
    """A simulator answered with an error; the text is what it said."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Wire:
    """One simulator. `url` such as http://127.0.0.1:9101."""

    def __init__(self, vendor: str, url: str) -> None:
        self.vendor, self.url = vendor, url.rstrip("/")
        where = urlsplit(self.url)
        if where.scheme != "http" or not where.hostname:
            raise Unreachable(f"{url!r} is no address of a {vendor} simulator; write http://127.0.0.1:PORT.")
        self._host, self._port = where.hostname, where.port or 80
        self._connection: http.client.HTTPConnection | None = None

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One exchange; a kept connection that has gone stale is opened anew once. Raises Unreachable."""
        for attempt in (1, 2):
            if self._connection is None:
                self._connection = http.client.HTTPConnection(self._host, self._port, timeout=120)
            try:
                self._connection.request(method, path, body=body, headers=dict(headers or {}))
                response = self._connection.getresponse()
                return response.status, dict(response.getheaders()), response.read()
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                self._connection = None
                if attempt == 2 or not isinstance(error, _STALE):
                    said = f"The {self.vendor} simulator at {self.url} does not answer ({error}). Is it running?"
                    raise Unreachable(said) from None
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Let go of the kept connection; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def control(self, method: str, path: str, body: bytes | None = None) -> Any:
        """A call under `/_sim/`. Raises Refused with the simulator's own words."""
        status, _, answer = self.call(method, f"/_sim/{path}", body)
        value = loads(answer) if answer else None
        if status >= 400:
            said = value.get("error") if isinstance(value, dict) else value
            raise Refused(status, f"The {self.vendor} simulator refused {path}: {said}")
        return value

    # -- what the rehearsal needs ---------------------------------------------------------------------------------

    def load(self, documents: Iterable[tuple[str, Json]], *, emit: bool = False) -> Iterator[int]:
        """Store history in batches; yields how many objects each batch had."""
        lines: list[bytes] = []
        size = 0
        for collection, value in documents:
            line = dumps({"collection": collection, "object": value}).encode()
            lines.append(line)
            size += len(line)
            if size >= BATCH_BYTES:
                yield self._send(lines, emit)
                lines, size = [], 0
        if lines:
            yield self._send(lines, emit)

    def _send(self, lines: list[bytes], emit: bool) -> int:
        answer = self.control("POST", "load?emit=1" if emit else "load", b"\n".join(lines) + b"\n")
        return int(answer["loaded"])

    def change(self, collection: str, id: object, values: Mapping[str, Any], **options: Any) -> Json:
        """Change one object as a person or the vendor's engine would. `event=None` emits nothing."""
        wish = {"collection": collection, "id": str(id), "set": dict(values), **options}
        changed: Json = self.control("POST", "change", dumps(wish).encode())
        return changed

    def create(self, collection: str, value: Json, **options: Any) -> Json:
        """Make one object, with the vendor's event."""
        made: Json = self.control("POST", "change", dumps({"collection": collection, "object": value, **options}).encode())
        return made

    def objects(self, collection: str) -> Iterator[Json]:
        """Every stored object of a collection."""
        after = 0
        while True:
            page = self.control("GET", f"objects/{collection}?limit={PAGE}&after={after}")
            yield from page["objects"]
            if page["next"] is None:
                return
            after = page["next"]

    def object(self, collection: str, id: object) -> Json | None:
        """One stored object, None when there is none."""
        try:
            found: Json = self.control("GET", f"objects/{collection}/{quote(str(id), safe='')}")
        except Refused as refused:
            if refused.status == 404:
                return None
            raise
        return found

    def key(self) -> list[Json]:
        """The documents of the answer key that this simulator keeps."""
        found: list[Json] = self.control("GET", "key")
        return found

    def store_key(self, documents: Iterable[Json]) -> None:
        """Put documents into the answer key; the same id replaces."""
        lines = b"\n".join(dumps(document).encode() for document in documents)
        if lines:
            self.control("POST", "key", lines + b"\n")

    def health(self) -> Json:
        """Counts of objects and of undelivered webhooks."""
        found: Json = self.control("GET", "health")
        return found


@contextmanager
def connect(urls: Mapping[str, str]) -> Iterator[dict[str, Wire]]:
    """A wire to each simulator, checked to be the vendor it should be; closed at the end. Raises Unreachable."""
    wires: dict[str, Wire] = {}
    try:
        _open(wires, urls)
        yield wires
    finally:
        for wire in wires.values():
            wire.close()


def _open(wires: dict[str, Wire], urls: Mapping[str, str]) -> None:
    for vendor in VENDORS:
        if not urls.get(vendor):
            how = f"give --urls {vendor}=http://127.0.0.1:PORT or set REVOPS_SIM_{vendor.upper()}_URL"
            raise Unreachable(f"No address for the {vendor} simulator: {how}.")
        wires[vendor] = Wire(vendor, urls[vendor])
        name = wires[vendor].health().get("vendor")
        if name != vendor:
            raise Unreachable(f"{urls[vendor]} is the {name} simulator, not {vendor}.")


def urls_from(arguments: Iterable[str] = (), environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """`vendor=url` words over REVOPS_SIM_<VENDOR>_URL. Raises ValueError for a word of another form."""
    environ = os.environ if environ is None else environ
    urls = {vendor: environ.get(f"REVOPS_SIM_{vendor.upper()}_URL", "") for vendor in VENDORS}
    for word in arguments:
        vendor, equals, url = word.partition("=")
        if not equals or vendor not in VENDORS:
            raise ValueError(f"{word!r}: write stripe=http://127.0.0.1:PORT; vendors are {', '.join(VENDORS)}.")
        urls[vendor] = url
    return urls
