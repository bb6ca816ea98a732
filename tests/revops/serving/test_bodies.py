"""Request bodies at the web server that production uses: slow, broken off, too large, and many at once."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2
import pytest
from django.db import connection, transaction
from django.test import Client

from tests.accounts import as_owner
from tests.sync.processes import until, web_server
from tests.sync.stripe_sender import event, headers, rendered

if TYPE_CHECKING:
    from sync.models import Connection

SECRET = "a" * 32
CSRF = {"Cookie": f"revops-csrf={SECRET}", "X-CSRFToken": SECRET}
ROUTES = ("/intake/stripe/", "/sign-in/", "/preferences/", "/link/", "/api/v1/step-up/", "/nowhere/")


def opened(
    url: str, path: str, length: str = "Content-Length: 1000000", sent: bytes = b"{", at: str = "127.0.0.1", **given: str
) -> socket.socket:
    """A connection from that address on which the header of a request was sent, and a part of its body."""
    where = urlsplit(url)
    wire = socket.create_connection((where.hostname or "", where.port or 0), timeout=30, source_address=(at, 0))
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", length]
    lines += [f"{name}: {value}" for name, value in (CSRF | given).items()]
    wire.sendall("\r\n".join([*lines, "", ""]).encode() + sent)
    return wire


def answer_on(wire: socket.socket) -> tuple[int, bytes]:
    """The answer's status and content; 0 when it hung up without one."""
    answer = http.client.HTTPResponse(wire)
    try:
        answer.begin()
        return answer.status, answer.read()
    except (ConnectionError, http.client.HTTPException):
        return 0, b""


def delivered(url: str, number: int) -> int:
    """The status of a good delivery."""
    body = rendered(event(number))
    return httpx2.post(f"{url}/intake/stripe/", content=body, headers=headers(body), timeout=20, trust_env=False).status_code


def test_w34_clients_that_stall_cost_nobody_anything(web: str, stripe: Connection) -> None:
    with ExitStack() as held:
        started = time.monotonic()
        stalled = [held.enter_context(opened(web, path)) for path in ROUTES * 10]
        for number in range(6):
            asked = time.monotonic()
            assert delivered(web, number) == 202
            assert httpx2.get(f"{web}/healthz", trust_env=False).text == "ok\n"
            assert httpx2.get(f"{web}/api/v1/cases/", trust_env=False).status_code == 401
            assert time.monotonic() - asked < 8
        for wire in stalled[::2]:
            wire.sendall(b"{")  # a byte now and then changes nothing
        found = Counter(answer_on(wire)[0] for wire in stalled)
        assert found == {408: len(stalled)}
        assert all(wire.recv(1) == b"" for wire in stalled), "each is hung up on"
        assert time.monotonic() - started > 5


def test_the_memory_for_bodies_has_an_end_and_who_sends_at_once_gets_in(web: str, stripe: Connection) -> None:
    with ExitStack() as held:
        almost = b"x" * 999_999
        other = held.enter_context(opened(web, "/intake/stripe/", sent=almost, at="127.0.0.2"))
        wires = [held.enter_context(opened(web, "/intake/stripe/", sent=almost)) for _ in range(75)]
        given_up = wires[:5]
        started = time.monotonic()
        assert [answer_on(wire)[0] for wire in given_up] == [408] * 5
        assert time.monotonic() - started < 8, "before their time"
        assert delivered(web, 1) == 202
        for wire in (wires[-1], other):
            wire.sendall(b"x")
            assert answer_on(wire)[0] == 401, "the newest, and those of others, are read to their end"


@pytest.mark.parametrize("path", ROUTES)
def test_w11_too_large_is_refused_on_every_route_before_it_is_read(web: str, stripe: Connection, path: str) -> None:
    with opened(web, path, f"Content-Length: {1024 * 1024 + 1}", b"") as wire:
        assert answer_on(wire)[0] == 413
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with opened(web, path, "Transfer-Encoding: chunked", chunk * 16) as wire:
        wire.sendall(chunk)
        assert answer_on(wire)[0] in {413, 0}
    assert delivered(web, 1) == 202


@pytest.mark.parametrize(
    ("length", "sent"),
    [
        pytest.param("Content-Length: 50", b"theme=dark", id="a length"),
        pytest.param("Content-Length: 50000", b"theme=dark", id="a large length"),
        pytest.param("Transfer-Encoding: chunked", b"a\r\ntheme=dark\r\n", id="chunks"),
        pytest.param("Transfer-Encoding: chunked", b"a\r\ntheme=dark\r\n5\r\nth", id="half a chunk"),
        pytest.param("Transfer-Encoding: chunked", b"a\r\ntheme=dark\r\nzz\r\n", id="no chunk"),
    ],
)
def test_w13_a_form_that_breaks_off_is_not_taken_for_a_whole_one(web: str, length: str, sent: bytes) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    with opened(web, "/preferences/", "Content-Length: 10", b"theme=dark", **form) as wire:
        assert answer_on(wire)[0] == 302, "the whole one is taken"
    with opened(web, "/preferences/", "Transfer-Encoding: chunked", b"a\r\ntheme=dark\r\n0\r\n\r\n", **form) as wire:
        assert answer_on(wire)[0] == 302
    with opened(web, "/preferences/", length, sent, **form) as wire:
        wire.shutdown(socket.SHUT_WR)
        assert answer_on(wire)[0] in {0, 400}


def test_the_server_says_that_it_lives_while_every_thread_is_busy(web: str, stripe: Connection) -> None:
    codes: list[int] = []
    with transaction.atomic():
        with as_owner(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE sync_deliverykey IN ACCESS EXCLUSIVE MODE")
        threads = [threading.Thread(target=lambda number=number: codes.append(delivered(web, number))) for number in range(12)]
        for thread in threads:
            thread.start()
        until(lambda: waiting_for_a_lock() >= 8, 10)
        started = time.monotonic()
        assert httpx2.get(f"{web}/healthz", trust_env=False, timeout=5).status_code == 200
        assert time.monotonic() - started < 1
    for thread in threads:
        thread.join()
    assert set(codes) <= {202, 503}


def waiting_for_a_lock() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return int(cursor.fetchone()[0])


@pytest.mark.django_db
def test_no_upload_reaches_the_disk(client: Client, tmp_path: Path, settings: object) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path / "none")  # type: ignore[attr-defined]
    large = tmp_path / "large"
    large.write_bytes(b"x" * 3_000_000)
    with large.open("rb") as file:
        answer = client.post("/preferences/", {"theme": "dark", "file": file})
    assert answer.status_code == 302


# --- what a request says of itself ------------------------------------------------------------------------------------


def test_what_proxies_say_is_believed_from_ours_alone(transactional_db: None) -> None:
    """A server that demands HTTPS, and is asked by its proxy and by somebody else."""
    with web_server(REVOPS_HTTPS="1", REVOPS_TRUSTED_PROXIES="127.0.0.2") as url, ExitStack() as open_ones:

        def at(address: str) -> httpx2.Client:
            transport = httpx2.HTTPTransport(local_address=address)
            return open_ones.enter_context(httpx2.Client(base_url=url, transport=transport))

        def told(client: httpx2.Client, name: str, value: str, path: str = "/") -> tuple[int, str]:
            answer = client.get(path, headers={name: value})
            return answer.status_code, answer.headers.get("location", "")[:8]

        proxy, other = at("127.0.0.2"), at("127.0.0.1")
        to_https = (301, "https://")
        assert told(proxy, "X-Forwarded-Proto", "https") == (302, "/sign-in")
        assert told(other, "X-Forwarded-Proto", "https") == to_https
        assert told(proxy, "X_Forwarded_Proto", "https") == to_https, "a name with an underscore is another name"
        for client in (proxy, other):
            assert told(client, "X-Forwarded-For", "127.0.0.1", "/metrics")[0] == 404
            assert told(client, "Accept", "*/*", "/metrics")[0] == 200


def test_answers_do_not_say_what_serves_them(web: str) -> None:
    for path in ("/sign-in/?next=%FF%2F", "/healthz", "/api/v1/cases/", "/intake/x/"):
        assert "granian" not in httpx2.get(f"{web}{path}", trust_env=False).headers.get("server", "")


def test_an_address_that_is_very_long_is_a_short_line_of_the_log(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "revops.request"):
        client.get("/" + "x" * 30_000)
    lines = [record for record in caplog.records if record.name == "revops.request"]
    assert [len(record.path) for record in lines] == [300]  # type: ignore[attr-defined]
