"""The HTTP client against servers that misbehave on purpose, on loopback sockets."""

from __future__ import annotations

import datetime as dt
import socket
import struct
import time
from collections.abc import Callable

import pytest

from sync.vendor.contract import Config, Refused, RetryLater, Unknown
from sync.vendor.http import HttpClient, Limits, retry_after
from tests.sync.misbehaving import FAST, OK, Server, client_of, talking

pytestmark = pytest.mark.outside


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silence(_connection: socket.socket) -> None:
    time.sleep(1.5)


def drip(connection: socket.socket) -> None:
    """One byte at a time: each read is in time, the whole never is."""
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def hang_up(_connection: socket.socket) -> None:
    return


TORN = [
    reset,
    silence,
    drip,
    hang_up,
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20000,
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx",
    b"nonsense\r\n\r\n",
    b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 502 Bad\r\nContent-Length: 6\r\n\r\n<html>",
    b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 7\r\n\r\n",
]
NAMES = ["reset", "silence", "drip", "hang-up", "short", "large", "gzip", "nonsense", "500", "502", "503"]


def close_after(answer: bytes | Callable[[socket.socket], None]) -> bytes | Callable[[socket.socket], None]:
    if not isinstance(answer, bytes):
        return answer

    def send(connection: socket.socket) -> None:
        connection.sendall(answer)

    return send


@pytest.mark.parametrize("answer", TORN, ids=NAMES)
def test_i36_after_an_unsafe_request_every_torn_answer_is_unknown_and_sent_once(
    answer: bytes | Callable[[socket.socket], None],
) -> None:
    with talking(close_after(answer)) as (server, client):
        started = time.monotonic()
        with pytest.raises(Unknown):
            client.request("POST", "/x", content=b"{}")
        assert time.monotonic() - started < 2.5
        assert len(server.requests) == 1


@pytest.mark.parametrize("answer", TORN, ids=NAMES)
def test_after_a_safe_request_it_is_tried_again_and_then_later(answer: bytes | Callable[[socket.socket], None]) -> None:
    with talking(close_after(answer)) as (server, client):
        with pytest.raises(RetryLater):
            client.request("POST", "/query", content=b"{}", safe=True)
        assert 1 <= len(server.requests) <= FAST.attempts


def test_a_safe_request_gets_the_second_answer() -> None:
    with talking(reset, OK) as (server, client):
        assert client.request("GET", "/x").json() == {}
        assert len(server.requests) == 2


def test_a_refused_connection_means_that_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with client_of(f"http://127.0.0.1:{port}") as client:
        for method in ("GET", "POST"):
            with pytest.raises(RetryLater):
                client.request(method, "/x")


def test_too_many_requests_says_when_and_of_a_write_not_whether_it_happened() -> None:
    busy = b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\nRetry-After: 7\r\n\r\n"
    with talking(busy) as (server, client):
        with pytest.raises(RetryLater) as later:
            client.request("GET", "/x")
        assert (later.value.after_seconds, client.write_left) == (7, False)
        with pytest.raises(Unknown) as unknown:
            client.request("POST", "/x")
        assert (unknown.value.after_seconds, client.write_left) == (7, True)
        assert len(server.requests) == 2


def test_a_write_that_finds_no_connection_has_not_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with HttpClient(Config("x", f"http://127.0.0.1:{port}", {}), allow_loopback=True) as client:
        with pytest.raises(RetryLater):
            client.request("POST", "/x")
        assert not client.write_left


NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0", 1),
        ("-1", 30),
        ("999999999", 3600),
        ("9" * 400, 3600),
        ("abc", 30),
        ("", 30),
        (None, 30),
        ("1.5", 30),
        ("\u0667", 30),
        ("Mon, 23 Nov 2026 12:01:00 GMT", 60),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 1),
        ("Mon, 23 Nov 2099 11:00:00 GMT", 3600),
        ("Mon, 99 Nov 2026 11:00:00 GMT", 30),
    ],
)
def test_retry_after_is_honoured_and_clamped(header: str | None, seconds: int) -> None:
    assert retry_after(header, NOW) == seconds


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_i60_redirects_are_not_followed(status: int) -> None:
    answer = f"HTTP/1.1 {status} Moved\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n".encode()
    with talking(answer) as (server, client):
        with pytest.raises(Refused):
            client.request("GET", "/x")
        with pytest.raises(Unknown):
            client.request("POST", "/x")
        assert len(server.requests) == 2


@pytest.mark.parametrize("status", [200, 204, 300, 400, 401, 403, 404, 409, 412])
def test_other_statuses_are_the_connectors_to_judge(status: int) -> None:
    length = b"" if status == 204 else b"Content-Length: 2\r\n"
    body = b"" if status == 204 else b"{}"
    with talking(b"HTTP/1.1 " + str(status).encode() + b" X\r\n" + length + b"\r\n" + body) as (_, client):
        assert client.request("POST", "/x").status == status


def test_a_login_page_in_a_200_is_no_answer() -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"
    with talking(page) as (_, client):
        with pytest.raises(RetryLater):
            client.request("GET", "/x").json()
        with pytest.raises(Unknown):
            client.request("POST", "/x").json()


def test_writes_never_reuse_a_connection_and_reads_do() -> None:
    with talking(OK) as (server, client):
        for _ in range(3):
            client.request("GET", "/x")
        assert server.connections == 1
        for _ in range(3):
            client.request("POST", "/x")
        assert server.connections == 4


def test_it_asks_for_plain_bytes_and_sends_what_it_was_given() -> None:
    with talking(OK) as (server, client):
        client.request("POST", "/x?y=1", headers={"X-Key": "k"}, params=[("a", "b c"), ("a", "d")], content=b'{"n":1.10}')
        head = server.requests[0].lower()
        assert b"accept-encoding: identity" in head
        assert b"x-key: k" in head
        assert b"a=b" in head
        assert server.requests[0].endswith(b'{"n":1.10}')


# -- memory, secrets ------------------------------------------------------------------------------------------------


def test_values_are_remembered_per_connection_and_credentials_until_they_expire() -> None:
    url = "http://127.0.0.1:9999"
    with client_of(url, slug="memory", secret="one") as client, client_of(url, slug="memory", secret="one") as same:
        client.remember("token", "abc", 60)
        assert same.remembered("token") == "abc"
        with client_of(url, slug="memory", secret="two") as other:
            assert other.remembered("token") is None
        same.forget("token")
        assert client.remembered("token") is None
        client.remember("token", "abc", 0)
        assert client.remembered("token") is None


def test_i59_no_secret_in_what_is_raised() -> None:
    with talking(reset, api_key="rk_test_secret") as (_, client):
        client.remember("token", "token-of-the-day", 60)
        for method in ("GET", "POST"):
            with pytest.raises((RetryLater, Unknown)) as raised:
                client.request(
                    method,
                    "/x/rk_test_secret/token-of-the-day",
                    headers={"Authorization": "Bearer rk_test_secret"},
                    params={"key": "rk_test_secret"},
                    content=b"rk_test_secret",
                )
            assert isinstance(raised.value, (RetryLater, Unknown))
            text = f"{raised.value.reason} {raised.value!r} {raised.value.__cause__!r}"
            assert "rk_test_secret" not in text
            assert "token-of-the-day" not in text
            assert "[secret]" in text


def test_repetitions_share_the_total_deadline() -> None:
    server = Server(drip)
    limits = Limits(connect_seconds=0.5, read_seconds=5.0, total_seconds=1.0, attempts=3)
    started = time.monotonic()
    with client_of(f"http://127.0.0.1:{server.port}", limits) as client, pytest.raises(RetryLater):
        client.request("GET", "/slow")
    assert time.monotonic() - started < 1.9


def test_all_requests_of_a_client_share_its_time() -> None:
    server = Server(OK)
    config = Config("late", f"http://127.0.0.1:{server.port}", {})
    with HttpClient(config, allow_loopback=True, limits=FAST, within_seconds=0) as client:
        for method in ("GET", "POST"):
            with pytest.raises(RetryLater, match="time for it is used up") as refused:
                client.request(method, "/late")
            assert refused.value.code == "out_of_time"
    assert server.requests == []
