"""Where the HTTP client may talk to, and whose certificate it believes."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sync.vendor.contract import Config, Refused, RetryLater
from sync.vendor.http import HttpClient, check_base_url, is_allowed_address
from tests.sync.misbehaving import FAST, OK, Server, talking


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
        "2001:db8::1", "3fff::1", "fec0::1", "5f00::1", "64:ff9b:1::1", "100::1", "192.0.0.9", "192.0.0.192", "192.88.99.1",
        "168.63.129.16", "::ffff:168.63.129.16", "100.100.100.200", "fd00:ec2::254", "not an address",
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


@pytest.mark.outside
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
@pytest.mark.outside
def test_i60_a_path_stays_on_the_connections_origin(path: str) -> None:
    with talking(OK) as (server, client):
        with pytest.raises(Refused):
            client.request("GET", path)
        assert server.requests == []


@pytest.mark.outside
def test_an_absolute_address_of_the_same_origin_is_fine() -> None:
    with talking(OK) as (server, client):
        assert client.request("GET", f"http://127.0.0.1:{server.port}/next?page=2").status == 200
        assert server.requests[0].startswith(b"GET /next?page=2 ")


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\x00b", "\u2603"])
@pytest.mark.outside
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
@pytest.mark.outside
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
