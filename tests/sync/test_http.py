"""The HTTP client against servers that misbehave on purpose, on loopback sockets."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sync.connector import Config, Refused, RetryLater, Unknown
from sync.http import HttpClient, Limits, check_base_url, is_allowed_address, retry_after

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


def test_too_many_requests_is_later_for_writes_too_and_says_when() -> None:
    busy = b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\nRetry-After: 7\r\n\r\n"
    with talking(busy) as (server, client):
        for method in ("GET", "POST"):
            with pytest.raises(RetryLater) as later:
                client.request(method, "/x")
            assert later.value.after_seconds == 7
        assert len(server.requests) == 2


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


# -- where it may talk to -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "https://user@api.example.com",
        "https://user:pass@api.example.com",
        "https://api.example.com/path",
        "https://api.example.com?x=1",
        "https://api.example.com#x",
        "https://api.example.com:22",
        "https://api.example.com:99999",
        "https://",
        "ftp://api.example.com",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//api.example.com",
        "https://api.example.com\r\nX: y",
        "https://api.\u0435xample.com",
        "https://api.example.com\\@evil.example",
        "https://[::1",
        "",
    ],
)
def test_i60_a_base_url_that_is_no_plain_https_origin_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        check_base_url(url)


def test_good_base_urls() -> None:
    assert check_base_url("https://API.example.com/") == "https://api.example.com"
    assert check_base_url("https://api.example.com:8443") == "https://api.example.com:8443"
    assert check_base_url("http://127.0.0.1:8123", allow_loopback=True) == "http://127.0.0.1:8123"


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "198.18.0.1", "0.0.0.0", "224.0.0.1",
        "240.0.0.1", "255.255.255.255", "192.0.2.1", "fe80::1", "fe80::1%eth0", "fd00::1", "::", "ff02::1",
        "::ffff:10.0.0.1", "::ffff:169.254.169.254", "2002:7f00:1::", "2001:0:53aa:64c:0:fbff:5601:1", "64:ff9b::a9fe:a9fe",
        "2001:db8::1", "not an address",
    ],
)  # fmt: skip
def test_i60_addresses_that_are_never_dialled(address: str) -> None:
    assert not is_allowed_address(address)
    assert not is_allowed_address(address, allow_loopback=True)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_i60_loopback_only_where_the_connection_says_so(address: str) -> None:
    assert not is_allowed_address(address)
    assert is_allowed_address(address, allow_loopback=True)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111"])
def test_public_addresses(address: str) -> None:
    assert is_allowed_address(address)


@pytest.mark.parametrize("found", [["127.0.0.1"], ["169.254.169.254"], ["8.8.8.8", "10.0.0.1"], [], ["::ffff:127.0.0.1"]])
def test_i60_a_host_that_resolves_to_a_forbidden_address_is_refused_before_anything_is_sent(found: list[str]) -> None:
    config = Config("rebinding", "https://api.example.com", {})
    with HttpClient(config, limits=FAST, resolver=lambda _host, _port: found) as client:
        for method in ("GET", "POST"):
            with pytest.raises(Refused) as refused:
                client.request(method, "/x")
            assert refused.value.code == "address_refused"


def test_i60_the_address_that_was_judged_is_the_one_that_is_dialled() -> None:
    """The name is resolved once a connection; a resolver that changes its mind is not asked again in between."""
    server = Server(OK)
    asked: list[str] = []

    def resolver(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    config = Config("pinned", f"http://vendor.invalid:{server.port}", {})
    with HttpClient(config, allow_loopback=True, limits=FAST, resolver=resolver) as client:
        assert client.request("POST", "/x").status == 200
    assert asked == ["vendor.invalid"]
    assert f"host: vendor.invalid:{server.port}".encode() in server.requests[0].lower()
    server.close()


def test_i60_without_tls_only_to_ourselves() -> None:
    config = Config("plain", "http://vendor.invalid:8080", {})
    with (
        HttpClient(config, allow_loopback=True, limits=FAST, resolver=lambda _host, _port: ["8.8.8.8"]) as client,
        pytest.raises(Refused),
    ):
        client.request("GET", "/x")


@pytest.mark.parametrize(
    "path", ["x", "//evil.example/x", "https://evil.example/x", "/../x", "/a/../b", "/\\evil", "/a b", "/\r\nX: y", "/\u00e9"]
)
def test_i60_a_path_stays_on_the_connections_origin(path: str) -> None:
    with talking(OK) as (server, client):
        with pytest.raises(Refused):
            client.request("GET", path)
        assert server.requests == []


def test_an_absolute_address_of_the_same_origin_is_fine() -> None:
    with talking(OK) as (server, client):
        assert client.request("GET", f"http://127.0.0.1:{server.port}/next?page=2").status == 200
        assert server.requests[0].startswith(b"GET /next?page=2 ")


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\x00b", "\u2603"])
def test_a_header_that_would_split_is_refused(value: str) -> None:
    with talking(OK) as (server, client):
        with pytest.raises(Refused):
            client.request("POST", "/x", headers={"X-Key": value})
        assert server.requests == []


# -- TLS ------------------------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> ssl.SSLContext:
    """A server context with a certificate for `name` that signed itself; `ca.pem` in the folder trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "key.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


@pytest.mark.parametrize(
    ("named", "trusted", "works"),
    [("vendor.invalid", True, True), ("vendor.invalid", False, False), ("other.invalid", True, False)],
    ids=["good", "self-signed", "wrong name"],
)
def test_tls_is_checked_against_the_name_and_not_the_dialled_address(
    tmp_path: Path, named: str, trusted: bool, works: bool
) -> None:
    server = Server(OK, tls=certificate(tmp_path, named))
    trust = ssl.create_default_context(cafile=str(tmp_path / "ca.pem")) if trusted else None
    config = Config("tls", f"https://vendor.invalid:{server.port}", {})
    with HttpClient(config, allow_loopback=True, limits=FAST, resolver=lambda _host, _port: ["127.0.0.1"], tls=trust) as client:
        if works:
            assert client.request("POST", "/x").status == 200
            assert client.request("GET", "/x").status == 200
        else:
            for method in ("GET", "POST"):
                with pytest.raises(RetryLater):
                    client.request(method, "/x", headers={"Authorization": "Bearer x"})
            assert server.requests == []
    server.close()


# -- memory, quota, secrets -----------------------------------------------------------------------------------------


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


def test_the_quota_says_later_instead_of_waiting() -> None:
    limits = Limits(connect_seconds=0.5, read_seconds=0.5, total_seconds=1.0, per_minute=3)
    with talking(OK, limits=limits) as (server, client):
        for _ in range(3):
            client.request("GET", "/x")
        with pytest.raises(RetryLater) as later:
            client.request("POST", "/x")
        assert later.value.code == "quota_used_up"
        assert 1 <= later.value.after_seconds <= 21
        assert len(server.requests) == 3


def test_the_quota_may_be_a_setting_of_the_connection() -> None:
    with talking(OK, calls_per_minute="1") as (server, client):
        client.request("GET", "/x")
        with pytest.raises(RetryLater):
            client.request("GET", "/x")
        assert len(server.requests) == 1
    with talking(OK, calls_per_minute="many") as (server, client):
        for _ in range(5):
            client.request("GET", "/x")
        assert len(server.requests) == 5


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
