"""The HTTP server of a simulator: HTTP/1.1 with keep-alive, one thread per connection, loopback only."""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from demo.simulators import _control
from demo.simulators._deliveries import Target
from demo.simulators._frame import Request, Reset, Response, Vendor
from demo.simulators._store import Clock, Store

BODY_BYTES_MAX = 32 * 1024 * 1024
"""Largest body of a vendor call. The control API streams and has no limit."""


class PortTaken(Exception):
    """Something else listens on that port already."""


class Simulator:
    """One vendor, one port, one SQLite file. Port 0 takes a free one; `url` says which."""

    def __init__(  # noqa: PLR0917
        self,
        vendor: type[Vendor],
        port: int = 0,
        data: Path = Path(),
        webhook_url: str = "",
        webhook_secret: str = "",
        clock: Clock = time.time,
    ) -> None:
        try:
            self._server = _Server(("127.0.0.1", port), _Handler)
        except OSError as wrong:
            raise PortTaken(f"port {port} cannot be used: {wrong.strerror}") from wrong
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.store = Store(data / f"{vendor.name}.sqlite3", vendor.collections, clock)
        self.vendor = self._server.vendor = vendor(self.store, Target(webhook_url, webhook_secret))
        self.vendor.base_url = self.url
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="server", daemon=True)

    def start(self) -> Self:
        """Serve in the background."""
        self.vendor.deliveries.start()
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close the port, finish the delivery in hand, fold the database."""
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self.vendor.deliveries.stop()
        self.store.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    vendor: Vendor

    def __init__(self, *arguments: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        """One more open connection."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """One less."""
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End every connection that is still kept alive."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is daily business; anything else prints its traceback as usual."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "simulator"
    sys_version = ""
    timeout = 120
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server
    headers: Message

    def _serve(self) -> None:
        started = self.server.vendor.store.clock()
        lines = self._lines()
        if self.path.startswith("/_sim/"):
            response = _control.answer(self.server.vendor, self.command, self.path, lines)
            self._drain(lines)
        else:
            body = self._whole()
            if body is None:
                self.close_connection = True
                response = Response(413)
            else:
                request = Request(self.command, self.path, self.headers, body, started)
                try:
                    response = self.server.vendor.answer(request)
                except Reset:
                    self._reset()
                    return
        self._send(response)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != 204:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD" and response.status != 204:
            self.wfile.write(response.body)
        self.wfile.flush()

    def _reset(self) -> None:
        """Close with linger 0: the peer sees ECONNRESET, not an orderly end."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    # -- the body -------------------------------------------------------------------------------------------------

    def _chunks(self) -> Iterator[bytes]:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while size := int(self.rfile.readline(64).split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline(8)
            while self.rfile.readline(1024) not in (b"\r\n", b"\n", b""):
                pass
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left and (piece := self.rfile.read(min(left, 65536))):
            left -= len(piece)
            yield piece

    def _lines(self) -> Iterator[bytes]:
        rest = b""
        for piece in self._chunks():
            *whole, rest = (rest + piece).split(b"\n")
            yield from (line + b"\n" for line in whole)
        if rest:
            yield rest

    def _whole(self) -> bytes | None:
        body = bytearray()
        for piece in self._chunks():
            body += piece
            if len(body) > BODY_BYTES_MAX:
                return None
        return bytes(body)

    def _drain(self, lines: Iterator[bytes]) -> None:
        for _ in lines:
            pass

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: the request log is in the database."""
