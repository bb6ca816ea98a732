"""A server on a loopback socket that answers as it is told, and our HTTP client pointed at it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sync.vendor.contract import Config
from sync.vendor.http import HttpClient, Limits

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
FAST = Limits(connect_seconds=0.5, read_seconds=0.5, total_seconds=1.0, size_max=10_000, attempts=2)


class Server:
    """Answers each request with the next of `answers` (bytes, or a function that is given the socket); the last one stays."""

    def __init__(self, *answers: bytes | Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        if self.tls is not None:
            try:
                connection = self.tls.wrap_socket(connection, server_side=True)
            except OSError:
                connection.close()
                return
        with connection:
            while request := self._request(connection):
                self.requests.append(request)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                try:
                    if not isinstance(answer, bytes):
                        answer(connection)
                        return
                    connection.sendall(answer)
                except OSError:
                    return

    @staticmethod
    def _request(connection: socket.socket) -> bytes:
        data = b""
        try:
            while b"\r\n\r\n" not in data:
                if not (part := connection.recv(65536)):
                    return b""
                data += part
            head, _, body = data.partition(b"\r\n\r\n")
            sizes = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
            while len(body) < sum(sizes):
                body += connection.recv(65536)
        except OSError:
            return b""
        return head + b"\r\n\r\n" + body

    def close(self) -> None:
        self._listener.close()


def client_of(url: str, limits: Limits = FAST, slug: str = "test", **settings: str) -> HttpClient:
    config = Config(slug, url, settings)
    return HttpClient(config, allow_loopback=True, secrets=settings.values(), limits=limits)


@contextmanager
def talking(
    *answers: bytes | Callable[[socket.socket], None], limits: Limits = FAST, **settings: str
) -> Iterator[tuple[Server, HttpClient]]:
    server = Server(*answers)
    with client_of(f"http://127.0.0.1:{server.port}", limits, f"test-{server.port}", **settings) as client:
        yield server, client
    server.close()
