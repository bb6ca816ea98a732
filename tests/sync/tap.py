"""A tap on the wire between us and a vendor: forwards every byte and keeps what we sent, connection by connection."""

from __future__ import annotations

import selectors
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Tap:
    """`url` is where to connect to instead of the vendor."""

    url: str = ""
    sent: list[bytearray] = field(default_factory=list)

    def requests(self, method: str, path: str) -> list[tuple[dict[str, str], bytes]]:
        """Headers (names in lower case) and body of each request of that kind that left, in order; a write has a connection
        of its own."""
        found = []
        for each in self.sent:
            head, _, body = bytes(each).partition(b"\r\n\r\n")
            line, *rest = head.decode().split("\r\n")
            if line.startswith(f"{method} ") and path in line:
                pairs = (header.split(":", 1) for header in rest)
                found.append(({name.strip().lower(): value.strip() for name, value in pairs}, body))
        return found


@contextmanager
def tapped(vendor_url: str) -> Iterator[Tap]:
    """A tap in front of the vendor at that address."""
    where, tap = urlsplit(vendor_url), Tap()

    class Wire(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            kept = bytearray()
            tap.sent.append(kept)
            client: socket.socket = self.request
            address = (where.hostname or "", where.port or 0)
            with socket.create_connection(address) as vendor, selectors.DefaultSelector() as both:
                both.register(client, selectors.EVENT_READ, vendor)
                both.register(vendor, selectors.EVENT_READ, client)
                while _forward(both, client, kept):
                    pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Wire) as server:
        tap.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield tap
        finally:
            server.shutdown()
            thread.join()


def _forward(both: selectors.BaseSelector, client: socket.socket, kept: bytearray) -> bool:
    """Pass on what is there. False when one end is gone."""
    for key, _ in both.select():
        source, target = key.fileobj, key.data
        assert isinstance(source, socket.socket)
        try:
            data = source.recv(65536)
            if not data:
                return False
            if source is client:
                kept += data
            target.sendall(data)
        except OSError:
            return False
    return True
