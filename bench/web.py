"""The product's web server as `make up` runs it, in a process of its own, and signed deliveries for it."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.pull_and_apply import SECRETS
from launch.embedded import free_port
from launch.programs import web_server_command
from revops.people.actors import System
from sync.connections import connect
from sync.models import Connection


@contextmanager
def web_server(**variables: str) -> Iterator[int]:
    """Gives the port at 127.0.0.1."""
    port = free_port()
    environment = {**os.environ, "REVOPS_LOG_LEVEL": "ERROR", **variables}
    server = subprocess.Popen(web_server_command("127.0.0.1", port), env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait(port)
        yield port
    finally:
        server.terminate()
        server.wait()


def a_connection(slug: str) -> None:
    """A connection to Stripe that takes what is signed here."""
    if not Connection.objects.filter(pk=slug).exists():
        connect(
            slug=slug, vendor="stripe", base_url="http://127.0.0.1:8101", values=SECRETS, acting_user=System("bench"),
            started=True,
        )  # fmt: skip


def delivery(slug: str, number: int) -> bytes:
    """A whole request: an event of about 2 KB, validly signed now."""
    event = {
        "id": f"evt_bench{number:08}", "object": "event", "api_version": "2026-10-28.endive", "created": int(time.time()),
        "livemode": False, "pending_webhooks": 1, "type": "bench.unhandled", "request": {"id": None, "idempotency_key": None},
        "data": {"object": {"id": f"obj_{number}", "object": "bench", "filler": "x" * 1700}},
    }  # fmt: skip
    body = json.dumps(event).encode()
    stamp = str(int(time.time()))
    signature = hmac.new(SECRETS["webhook_secret"].encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    head = (
        f"POST /intake/{slug}/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nStripe-Signature: t={stamp},v1={signature}\r\n\r\n"
    )
    return head.encode() + body


def ask(wire: socket.socket, request: bytes) -> int:
    """Send a whole request and read the whole answer: its status."""
    wire.sendall(request)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += _more(wire)
    headers, _, rest = answer.partition(b"\r\n\r\n")
    if b"chunked" in headers.lower():
        while not rest.endswith(b"0\r\n\r\n"):
            rest += _more(wire)
    else:
        length = next(int(line[15:]) for line in headers.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        while len(rest) < length:
            rest += _more(wire)
    return int(headers.split()[1])


def _more(wire: socket.socket) -> bytes:
    if part := wire.recv(65536):
        return part
    raise ConnectionError("the server hung up")


def _wait(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("the server did not start within 30 seconds")
