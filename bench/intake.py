"""Durable webhook intake per second over HTTP, beside bare single-row commits of the same body.

The server is what `make up` runs (granian, WSGI, one worker, eight threads) in a process of its own; the client is sixteen
keep-alive connections from another process. Every body is about 2 KB, unique and validly signed beforehand. Client, server and
PostgreSQL share the machine, and the client is written in Python, so the figure is a floor.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psycopg
from django.db import connection

from bench.figure import Figure, p50_p95
from bench.pull_and_apply import SECRETS
from revops.people.actors import System
from revops.postgresql.roles import as_owner
from sync.connections import connect
from sync.models import Connection, Delivery

EVENTS = 12_000
CONNECTIONS = 16
SLUG = "bench-intake"


def run(scale: float = 1.0) -> Iterator[Figure]:
    """Deliveries per second and latency at 16 in flight; rows are counted afterwards."""
    if not Connection.objects.filter(pk=SLUG).exists():
        connect(
            slug=SLUG, vendor="stripe", base_url="http://127.0.0.1:8101", values=SECRETS, acting_user=System("bench"),
            loopback_allowed=True,
        )  # fmt: skip
    events = round(EVENTS * scale)
    bodies = [_body(number) for number in range(events)]
    bare_one, bare_many = _bare(bodies, 1), _bare(bodies, CONNECTIONS)
    port = _free_port()
    server = subprocess.Popen(_server(port), env={**os.environ, "REVOPS_LOG_LEVEL": "ERROR"}, stdout=subprocess.DEVNULL)
    try:
        _wait(port)
        queue: multiprocessing.Queue[tuple[float, list[float], int]] = multiprocessing.Queue()
        client = multiprocessing.Process(target=_client, args=(port, bodies, queue))
        client.start()
        took, latencies, refused = queue.get(timeout=300)
        client.join()
    finally:
        server.terminate()
        server.wait()
    stored = Delivery.objects.filter(connection=SLUG).count()
    assert stored == events, f"{stored} rows for {events} deliveries"
    assert refused == 0, f"{refused} were not answered 202"
    rate = events / took
    p50, p95 = p50_p95(latencies)
    yield Figure("intake", rate, "deliveries/s", f"single-row commits, 1 connection: {bare_one:.0f}/s", rate / bare_one)
    yield Figure("intake_16", rate, "deliveries/s", f"single-row commits, 16 connections: {bare_many:.0f}/s", rate / bare_many)
    yield Figure("intake_p95", p95 * 1000, "ms", f"p50 {p50 * 1000:.1f} ms", p95 / p50)


def _server(port: int) -> list[str]:
    options = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--blocking-threads", "8"]
    return [sys.executable, "-m", "granian", *options, "--no-ws", "--log-level", "error", "revops.wsgi:application"]


def _body(number: int) -> tuple[bytes, bytes]:
    event = {
        "id": f"evt_bench{number:08}", "object": "event", "api_version": "2026-10-28.endive", "created": int(time.time()),
        "livemode": False, "pending_webhooks": 1, "type": "bench.unhandled", "request": {"id": None, "idempotency_key": None},
        "data": {"object": {"id": f"obj_{number}", "object": "bench", "filler": "x" * 1700}},
    }  # fmt: skip
    body = json.dumps(event).encode()
    stamp = str(int(time.time()))
    signature = hmac.new(SECRETS["webhook_secret"].encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return body, f"t={stamp},v1={signature}".encode()


def _client(port: int, bodies: list[tuple[bytes, bytes]], queue: multiprocessing.Queue[tuple[float, list[float], int]]) -> None:
    latencies: list[list[float]] = [[] for _ in range(CONNECTIONS)]
    refused = [0] * CONNECTIONS

    def drive(index: int) -> None:
        wire = socket.create_connection(("127.0.0.1", port))
        for body, signature in bodies[index::CONNECTIONS]:
            head = (
                f"POST /intake/{SLUG}/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\nStripe-Signature: {signature.decode()}\r\n\r\n"
            )
            start = time.perf_counter()
            wire.sendall(head.encode() + body)
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += wire.recv(4096)
            headers, _, rest = answer.partition(b"\r\n\r\n")
            if b"chunked" in headers.lower():
                while not rest.endswith(b"0\r\n\r\n"):
                    rest += wire.recv(4096)
            else:
                length = next(int(line[15:]) for line in headers.split(b"\r\n") if line.lower().startswith(b"content-length:"))
                while len(rest) < length:
                    rest += wire.recv(4096)
            latencies[index].append(time.perf_counter() - start)
            refused[index] += not headers.startswith(b"HTTP/1.1 202")

    threads = [threading.Thread(target=drive, args=(index,)) for index in range(CONNECTIONS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.put((time.perf_counter() - start, [sample for part in latencies for sample in part], sum(refused)))


def _bare(bodies: list[tuple[bytes, bytes]], connections: int) -> float:
    """Single-row inserts with one commit each, prepared, one thread a connection."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS bench CASCADE; CREATE SCHEMA bench")
        cursor.execute("CREATE TABLE bench.bare (id bigserial PRIMARY KEY, key text UNIQUE, body bytea NOT NULL)")
        cursor.execute("GRANT USAGE ON SCHEMA bench TO revops_application")
        cursor.execute("GRANT INSERT ON bench.bare TO revops_application")
        cursor.execute("GRANT USAGE ON SEQUENCE bench.bare_id_seq TO revops_application")
    rows = bodies[: len(bodies) // 2]

    def drive(index: int) -> None:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as wire:
            for number, (body, _) in enumerate(rows[index::connections]):
                wire.execute("INSERT INTO bench.bare (key, body) VALUES (%s, %s)", (f"{index}-{number}", body), prepare=True)

    threads = [threading.Thread(target=drive, args=(index,)) for index in range(connections)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(rows) / (time.perf_counter() - start)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("the server did not start within 30 seconds")
