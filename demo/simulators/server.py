"""The HTTP server of a simulator: uvicorn on the loopback, one asyncio thread; the vendor's calls run in worker threads.

uvicorn hands out the connection's transport, which a programmed fault needs to cut an answer with a TCP RST.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from pathlib import Path
from typing import Self

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import Server

from demo.simulators import control
from demo.simulators.deliveries import Target
from demo.simulators.store import Clock, Store
from demo.simulators.vendor import Vendor

HEAD_BYTES_MAX = 256 * 1024
"""Largest request line with headers; a query may stand in the address."""
IDLE_SECONDS = 120
STOP_SECONDS = 2


class PortTaken(Exception):
    """Something else listens on that port already."""


class Simulator:
    """One vendor, one port, one SQLite file. Port 0 takes a free one; `url` says which. Raises PortTaken."""

    def __init__(  # noqa: PLR0917
        self,
        vendor: type[Vendor],
        port: int = 0,
        data: Path = Path(),
        webhook_url: str = "",
        webhook_secret: str = "",
        clock: Clock = time.time,
    ) -> None:
        self._socket = _listen(port)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.store = Store(data / f"{vendor.name}.sqlite3", vendor.collections, clock)
        self.vendor = vendor(self.store, Target(webhook_url, webhook_secret))
        self.vendor.base_url = self.url
        self._application = Starlette(
            routes=[Mount("/_sim", routes=control.routes(self.vendor)), *self.vendor.routes()],
            exception_handlers={HTTPException: self._unknown},
        )
        self._application.router.redirect_slashes = False
        config = Config(
            self._serve, interface="asgi3", loop="asyncio", http=_Connection, ws="none", lifespan="off",
            proxy_headers=False, server_header=False, log_config=None, access_log=False,
            timeout_keep_alive=IDLE_SECONDS, timeout_graceful_shutdown=STOP_SECONDS,
            h11_max_incomplete_event_size=HEAD_BYTES_MAX,
        )  # fmt: skip
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="server", daemon=True)

    def start(self) -> Self:
        """Serve in the background."""
        self.vendor.deliveries.start()
        self._thread.start()
        self._server.listening.wait()
        return self

    def stop(self) -> None:
        """Close the port, finish the calls and the delivery in hand, fold the database."""
        self.vendor.stopping.set()
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        self.vendor.deliveries.stop()
        self.store.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Routes match the path as it was sent: an encoded slash in a key is no separator, one at the end means nothing.
        if scope["type"] == "http" and not _of_this_machine(scope):
            refused = Response("Only programs on this machine, by its own address.\n", 403, media_type="text/plain")
            await refused(scope, receive, send)
            return
        path = scope["raw_path"].decode().rstrip("/") or "/"
        await self._application(dict(scope) | {"path": path}, receive, send)

    async def _unknown(self, call: HttpRequest, error: Exception) -> Response:
        """No route: the vendor's own words for 404 and 405."""
        assert isinstance(error, HTTPException)
        if call.url.path.startswith("/_sim"):
            return control.refusal(error.status_code, f"no control call {call.method} {call.url.path}")
        status = error.status_code
        return await self.vendor.respond(
            call, lambda r, **_: self.vendor.trouble(r, status, f"Unrecognized request ({r.method}: {r.path})"), reads=True
        )


def _of_this_machine(scope: Scope) -> bool:
    """Not from a page in a browser, which may have been led here under a name of somebody else's."""
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    host = headers.get(b"host", "").rpartition(":")[0] or headers.get(b"host", "")
    return host in {"127.0.0.1", "localhost"} and b"origin" not in headers


def _listen(port: int) -> socket.socket:
    # asyncio sends small answers at once (TCP_NODELAY) only where the socket names its protocol.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen(128)
    except OSError as wrong:
        listening.close()
        raise PortTaken(f"port {port} cannot be used: {wrong.strerror}") from wrong
    return listening


class _Server(Server):
    """uvicorn's server, which tells when it answers."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept."""
        await super().startup(sockets)
        self.listening.set()


class _Connection(H11Protocol):
    """uvicorn's connection, whose transport every request finds as `state["transport"]`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """One more connection."""
        self.app_state = {"transport": transport}
        super().connection_made(transport)
