"""What 500 slow clients cost everybody else: each sends the header of a request and then one byte a second, to every route that
reads a body, and begins anew when it is hung up on.

Measured are `/healthz`, signed deliveries and a page, each at a steady rate over one connection, without the slow clients before
and after, and beside them. All come from the address of the slow ones, which is the worst case.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection as Pipe

from django.conf import settings
from django.core.management import call_command
from django.test import Client, override_settings

from bench.figure import Figure, p50_p95
from bench.web import a_connection, ask, delivery, web_server
from revops.access.grants import grant_role
from revops.people.actors import System
from revops.people.models import User
from revops.serving.bodies import BODY_SECONDS

CLIENTS = 500
SECONDS = 120.0
QUIET_SECONDS = 30.0
"""Before, and once more after."""
SLUG = "bench-slow"
ROUTES = (
    f"/intake/{SLUG}/", "/sign-in/", "/sign-in/second/", "/preferences/", "/link/", "/confirm/", "/me/password/",
    "/approvals/CP-00001/approve/", "/deliveries/replay/", "/api/v1/step-up/", "/api/v1/cases/1/notes/",
)  # fmt: skip
PAGE = "/me/"
Probes = dict[str, tuple[Callable[[int], bytes], float, int]]
"""Name -> the request, how many a second, and the status that is wanted."""


def run(scale: float = 1.0) -> Iterator[Figure]:
    """The 95th percentile of each beside that without slow clients, and how long the server bears with one of them."""
    clients = max(round(CLIENTS * scale), 20)
    quiet_seconds, seconds = max(QUIET_SECONDS * scale, 1.0), max(SECONDS * scale, BODY_SECONDS + 2)
    a_connection(SLUG)
    with tempfile.TemporaryDirectory(prefix="revops-bench-") as static:
        with override_settings(STATIC_ROOT=static):
            call_command("collectstatic", verbosity=0, interactive=False)
        with web_server(REVOPS_STATIC_ROOT=static) as port:
            probes = _probes()
            before = _measure(port, probes, quiet_seconds)
            ours, theirs = multiprocessing.Pipe()
            attack = multiprocessing.Process(target=_attack, args=(port, clients, theirs))
            attack.start()
            assert ours.poll(60), "the slow clients did not start"
            ours.recv()
            during = _measure(port, probes, seconds)
            ours.send("stop")
            borne = ours.recv()
            attack.join()
            after = _measure(port, probes, quiet_seconds)
    for name in probes:
        quiet, beside = p50_p95(before[name] + after[name]), p50_p95(during[name])
        against = f"p95 {quiet[1] * 1000:.1f} ms without slow clients"
        yield Figure(f"slow_clients_{name}", beside[1] * 1000, "ms", against, beside[1] / quiet[1])
    yield Figure("slow_clients_borne", max(borne), "s", f"deadline {BODY_SECONDS:g} s", max(borne) / BODY_SECONDS)


def _probes() -> Probes:
    user, _ = User.objects.get_or_create(username="bench@rehearsal.example")
    grant_role(user, "finance_analyst", acting_user=System("bench"))
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(user)
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    get = "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\n{}\r\n"
    return {
        "healthz": (lambda _: get.format("/healthz", "").encode(), 20, 200),
        "delivery": (lambda number: delivery(SLUG, number), 20, 202),
        "page": (lambda _: get.format(PAGE, f"Cookie: {cookie}\r\n").encode(), 10, 200),
    }


def _measure(port: int, probes: Probes, seconds: float) -> dict[str, list[float]]:
    """Seconds of each answer, all probes at once. One that falls behind skips what it has missed."""
    found: dict[str, list[float]] = {name: [] for name in probes}
    problems: list[str] = []

    def drive(name: str) -> None:
        request, rate, wanted = probes[name]
        end = time.monotonic() + seconds
        with socket.create_connection(("127.0.0.1", port), timeout=30) as wire:
            ask(wire, request(time.time_ns() // 1000))  # warms up
            while time.monotonic() < end:
                sent = request(time.time_ns() // 1000)
                start = time.perf_counter()
                status = ask(wire, sent)
                took = time.perf_counter() - start
                if status != wanted:
                    problems.append(f"{name} answered {status}")
                found[name].append(took)
                time.sleep(max(1 / rate - took, 0))

    threads = [threading.Thread(target=drive, args=(name,)) for name in probes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, problems[0]
    return found


def _attack(port: int, clients: int, told: Pipe) -> None:
    """Slow clients until told to stop; then for how many seconds each connection was borne, also those that ended with that."""
    asyncio.run(_slow(port, clients, told))


async def _slow(port: int, clients: int, told: Pipe) -> None:
    borne: list[float] = []
    open_ones: set[int] = set()
    all_there, stop = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().add_reader(told.fileno(), stop.set)

    async def one(number: int) -> None:
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            route = ROUTES[number % len(ROUTES)]
            head = "POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
            writer.write(head.format(route).encode())
            started = time.monotonic()
            open_ones.add(number)
            if len(open_ones) == clients:
                all_there.set()
            hung_up = asyncio.create_task(reader.read())
            try:
                while not hung_up.done():
                    writer.write(b"{")
                    await asyncio.wait([hung_up], timeout=1)
                await hung_up
            except OSError:
                pass
            finally:
                borne.append(time.monotonic() - started)
                hung_up.cancel()
                writer.close()

    tasks = [asyncio.create_task(one(number)) for number in range(clients)]
    await all_there.wait()
    told.send("all there")
    await stop.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    told.send(borne)
