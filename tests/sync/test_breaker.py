"""The circuit breaker: when it opens, who may try, and where it shows."""

from __future__ import annotations

import threading

import pytest
from django.db import connection as database
from django.db import connections as databases
from django.test import Client

from sync.connections.breaker import FAILURES, StoredBreaker
from sync.models import Circuit, CircuitState, Connection
from sync.vendor.contract import Config, RetryLater, Unknown
from sync.vendor.http import HttpClient
from sync.workers.telemetry import inflow_figures
from tests.factories import person
from tests.revops.api.caller import token_for
from tests.sync.misbehaving import FAST, Server


def answer(status: int) -> bytes:
    return f"HTTP/1.1 {status} Said\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}".encode()


def call(*answers: bytes, method: str = "GET", times: int = 1) -> int:
    """Calls through the stored breaker of `stripe`, each over a client of its own. How many requests left."""
    vendor = Server(*answers)
    for _ in range(times):
        config = Config("stripe", f"http://127.0.0.1:{vendor.port}", {})
        with HttpClient(config, allow_loopback=True, limits=FAST, breaker=StoredBreaker("stripe")) as client:
            try:
                client.request(method, "/x")
            except (RetryLater, Unknown) as refused:
                if refused.code == "circuit_open":
                    break
    vendor.close()
    return len(vendor.requests)


def circuit() -> Circuit:
    return Circuit.objects.get(pk="stripe")


def probe_is_due() -> None:
    with database.cursor() as cursor:
        cursor.execute("UPDATE sync_circuit SET probe_at = clock_timestamp() - interval '1 second'")


def opened() -> None:
    call(answer(500), method="POST", times=FAILURES)
    assert circuit().state == CircuitState.OPEN


def test_failures_in_a_row_open_it_and_then_no_call_leaves(stripe: Connection) -> None:
    call(answer(500), method="POST", times=FAILURES - 1)
    assert (circuit().state, circuit().failures) == (CircuitState.CLOSED, FAILURES - 1)
    call(answer(500), method="POST")
    assert circuit().state == CircuitState.OPEN
    assert call(answer(200), method="POST") == 0
    assert "HTTP 500" in circuit().reason


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 409, 422, 429])
def test_an_answer_also_a_no_counts_as_an_answer(stripe: Connection, status: int) -> None:
    assert call(answer(status), times=3 * FAILURES) == 3 * FAILURES
    assert not Circuit.objects.exists()
    call(answer(500), method="POST", times=FAILURES - 1)
    call(answer(status))
    assert (circuit().state, circuit().failures) == (CircuitState.CLOSED, 0)


def test_an_unavailable_vendor_is_a_failure_also_when_it_says_so(stripe: Connection) -> None:
    call(answer(503), times=FAILURES)
    assert circuit().state == CircuitState.OPEN


def test_one_worker_tries_and_its_answer_closes_it(stripe: Connection) -> None:
    opened()
    probe_is_due()
    gate, said = threading.Barrier(8), []

    def worker() -> None:
        gate.wait()
        try:
            StoredBreaker("stripe").admit()
            said.append("admitted")
        except RetryLater as later:
            said.append(later.code)
        finally:
            databases.close_all()

    threads = [threading.Thread(target=worker) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["admitted", *["circuit_open"] * 7]
    assert circuit().state == CircuitState.HALF_OPEN
    probe_is_due()  # that worker died: its turn passes to another
    assert call(answer(404)) == 1
    assert (circuit().state, circuit().opened_at) == (CircuitState.CLOSED, None)


def test_a_failed_try_opens_it_for_longer(stripe: Connection) -> None:
    waits = []
    opened()
    for _ in range(3):
        waits.append(seconds_to_probe())
        probe_is_due()
        assert call(answer(500), method="POST") == 1
        assert circuit().state == CircuitState.OPEN
    assert waits == sorted(waits)
    assert waits[2] > 1.5 * waits[1] > 2 * waits[0] > 20


def seconds_to_probe() -> float:
    with database.cursor() as cursor:
        cursor.execute("SELECT EXTRACT(EPOCH FROM probe_at - clock_timestamp()) FROM sync_circuit")
        return float(cursor.fetchone()[0])


def test_it_shows_in_the_figures_on_the_page_and_in_the_api(stripe: Connection, client: Client) -> None:
    def figures() -> dict[tuple[str, ...], float]:
        figure = next(figure for figure in inflow_figures() if figure.name == "revops_connection_circuit")
        return dict(figure.samples)

    assert figures()["stripe", "closed"] == 1
    opened()
    assert figures()["stripe", "closed"] == 0
    assert figures()["stripe", "open"] == 1
    client.force_login(person("ada", "admin"))
    assert "does not answer" in client.get("/connections/").content.decode()
    key = token_for(person("tess", "admin"))
    (row,) = client.get("/api/v1/connections/", headers={"Authorization": f"Bearer {key}"}).json()["results"]
    assert (row["slug"], row["circuit"]["state"], row["circuit"]["failures"]) == ("stripe", "open", FAILURES)
