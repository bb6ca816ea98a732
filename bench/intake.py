"""Durable webhook intake per second over HTTP, beside bare single-row commits of the same body.

The server is what `make up` runs, in a process of its own; the client is sixteen
keep-alive connections from another process. Every body is about 2 KB, unique and validly signed beforehand. Client, server and
PostgreSQL share the machine, and the client is written in Python, so the figure is a floor.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import threading
import time
from collections.abc import Iterator

import psycopg
from django.db import connection

from bench.figure import Figure, p50_p95
from bench.web import a_connection, ask, delivery, web_server
from revops.postgresql.roles import as_owner
from sync.models import Delivery

EVENTS = 12_000
CONNECTIONS = 16
SLUG = "bench-intake"


def run(scale: float = 1.0) -> Iterator[Figure]:
    """Deliveries per second and latency at 16 in flight; rows are counted afterwards."""
    a_connection(SLUG)
    events = round(EVENTS * scale)
    requests = [delivery(SLUG, number) for number in range(events)]
    bodies = [request.partition(b"\r\n\r\n")[2] for request in requests]
    bare_one, bare_many = _bare(bodies, 1), _bare(bodies, CONNECTIONS)
    with web_server() as port:
        queue: multiprocessing.Queue[tuple[float, list[float], int]] = multiprocessing.Queue()
        client = multiprocessing.Process(target=_client, args=(port, requests, queue))
        client.start()
        took, latencies, refused = queue.get(timeout=300)
        client.join()
    stored = Delivery.objects.filter(connection=SLUG).count()
    assert stored == events, f"{stored} rows for {events} deliveries"
    assert refused == 0, f"{refused} were not answered 202"
    rate = events / took
    p50, p95 = p50_p95(latencies)
    yield Figure("intake", rate, "deliveries/s", f"single-row commits, 1 connection: {bare_one:.0f}/s", rate / bare_one)
    yield Figure("intake_16", rate, "deliveries/s", f"single-row commits, 16 connections: {bare_many:.0f}/s", rate / bare_many)
    yield Figure("intake_p95", p95 * 1000, "ms", f"p50 {p50 * 1000:.1f} ms", p95 / p50)


def _client(port: int, requests: list[bytes], queue: multiprocessing.Queue[tuple[float, list[float], int]]) -> None:
    latencies: list[list[float]] = [[] for _ in range(CONNECTIONS)]
    refused = [0] * CONNECTIONS

    def drive(index: int) -> None:
        wire = socket.create_connection(("127.0.0.1", port))
        for request in requests[index::CONNECTIONS]:
            start = time.perf_counter()
            status = ask(wire, request)
            latencies[index].append(time.perf_counter() - start)
            refused[index] += status != 202

    threads = [threading.Thread(target=drive, args=(index,)) for index in range(CONNECTIONS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.put((time.perf_counter() - start, [sample for part in latencies for sample in part], sum(refused)))


def _bare(bodies: list[bytes], connections: int) -> float:
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
            for number, body in enumerate(rows[index::connections]):
                wire.execute("INSERT INTO bench.bare (key, body) VALUES (%s, %s)", (f"{index}-{number}", body), prepare=True)

    threads = [threading.Thread(target=drive, args=(index,)) for index in range(connections)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(rows) / (time.perf_counter() - start)
