"""The intake over HTTP, through the server that production uses. Case numbers are those of the list of bad input (W1 to W33)."""

from __future__ import annotations

import concurrent.futures
import datetime as dt
import http.client
import json
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2
import pytest
from django.db import connection, transaction

from revops.ledger.models import SourceRecord
from revops.people.actors import System
from sync import connections
from sync.applying.drain import process_round
from sync.intake import inbox
from sync.models import Connection, Delivery
from sync.vendor.contract import Incoming, NotAuthentic
from tests.accounts import as_owner
from tests.revops.attacker import refusal_of
from tests.sync.processes import until, web_server
from tests.sync.stripe_sender import SECRET, event, headers, rendered, signature

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def http_client(web: str, stripe: Connection) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=web, timeout=20, trust_env=False) as client:
        yield client


def post(client: httpx2.Client, body: bytes, given: dict[str, str] | None = None, slug: str = "stripe") -> httpx2.Response:
    return client.post(f"/intake/{slug}/", content=body, headers=headers(body) if given is None else given)


def kept_rows() -> list[Delivery]:
    return list(Delivery.objects.order_by("id"))


def test_i3_a_delivery_is_stored_as_it_came_before_it_is_answered(http_client: httpx2.Client) -> None:
    body = rendered(event(1, "Ünïted Ärrows"))
    answer = post(http_client, body)
    assert answer.status_code == 202
    row = Delivery.objects.get()
    assert answer.json() == {"stored": True, "delivery": row.pk}
    assert (bytes(row.body), row.dedup_key, row.state, row.copies) == (body, "evt_00000001", "pending", 1)
    assert len(row.trace_id) == 32
    assert "stripe-signature" in row.headers  # so that it can be verified again


def odd_bodies() -> dict[str, bytes]:
    text = rendered(event(1)).decode()
    return {
        "NUL": text.replace("Aurora", "Aur\\u0000ora").encode(),
        "half a surrogate pair": text.replace("Aurora", "Aur\\ud800ora").encode(),
        "one key twice": text.replace('"balance": 0', '"balance": 0, "balance": 7').encode(),
        "escapes and blanks": text.replace("Aurora", "\\u0041urora").replace("\n", " \r\n\t").encode(),
        "numbers written at length": text.replace('"balance": 0', '"balance": 0e0').encode(),
    }


@pytest.mark.parametrize("case", list(odd_bodies()))
def test_i3_signed_bytes_are_kept_untouched_whatever_they_spell(http_client: httpx2.Client, case: str) -> None:
    body = odd_bodies()[case]
    assert post(http_client, body).status_code == 202
    row = Delivery.objects.get()
    assert bytes(row.body) == body
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_typeof(body)::text, encode(sha256(body), 'hex') = digest FROM sync_delivery")
        assert cursor.fetchone() == ("bytea", True)


def test_i3_what_was_kept_is_neither_changed_nor_removed(http_client: httpx2.Client) -> None:
    assert post(http_client, rendered(event(1))).status_code == 202
    changes = ("body = 'x'::bytea", "digest = 'x'", "dedup_key = 'x'")
    keys = ("UPDATE sync_deliverykey SET key = 'another'", "DELETE FROM sync_deliverykey")
    for refused in (*(f"UPDATE sync_delivery SET {change}" for change in changes), "DELETE FROM sync_delivery", *keys):
        with transaction.atomic():
            assert "permission denied" in refusal_of(refused)
            with as_owner():
                assert "Cannot" in refusal_of(refused)
    assert bytes(Delivery.objects.get().body) == rendered(event(1))


def test_i4_what_was_kept_can_be_verified_again_and_a_changed_byte_shows(http_client: httpx2.Client) -> None:
    assert post(http_client, rendered(event(1))).status_code == 202
    row = Delivery.objects.get()
    handle = connections.handle("stripe")
    assert handle is not None
    told = Incoming("event", bytes(row.body), row.headers, row.received_at)
    handle.connector.taking_pushes().verify(told, handle.config, row.received_at)
    changed = Incoming("event", bytes(row.body).replace(b"Aurora", b"aurora"), row.headers, row.received_at)
    with pytest.raises(NotAuthentic):
        handle.connector.taking_pushes().verify(changed, handle.config, row.received_at)


def test_i59_secrets_and_cookies_are_not_kept_with_the_headers(http_client: httpx2.Client) -> None:
    body = rendered(event(1))
    extra = {"Cookie": "session=1", "Authorization": "Bearer abc", "X-Gainsight-Token": "secret"}
    assert post(http_client, body, headers(body) | extra).status_code == 202
    assert set(Delivery.objects.get().headers) <= {"content-type", "stripe-signature", "user-agent"}


# --- W1 to W9: authenticity --------------------------------------------------------------------------------------------


def refused_signatures() -> dict[str, str]:
    body = rendered(event(1))
    now = time.time()
    good = signature(body).split(",")[1]
    return {
        "W1 none": "",
        "W2 another secret": signature(body, "whsec_of_another"),
        "W3 of the same JSON written anew": signature(json.dumps(event(1)).encode()),
        "W4 six minutes old": signature(body, at=now - 360),
        "W4 six minutes ahead": signature(body, at=now + 360),
        "W4 a day ahead": signature(body, at=now + 86400),
        "W5 no time": good,
        "W5 time in scientific notation": f"t=1e9,{good}",
        "W5 negative time": f"t=-5,{good}",
        "W5 time of twenty digits": f"t={'9' * 20},{good}",
        "W5 time in other digits": f"t=١٢٣٤٥٦٧٨٩٠,{good}",
        "W7 only the weak scheme": signature(body, scheme="v0"),
        "W8 of another connection": signature(body, "whsec_production"),
        "W32 eight kilobytes": "t=1," + "v1=" + "a" * 8000,
    }


@pytest.mark.parametrize("case", list(refused_signatures()))
def test_i4_what_is_not_authentic_leaves_no_row(http_client: httpx2.Client, case: str) -> None:
    value = refused_signatures()[case].encode()
    given: list[tuple[bytes, bytes]] = [(b"Content-Type", b"application/json")]
    given += [(b"Stripe-Signature", value)] if value else []
    answer = http_client.post("/intake/stripe/", content=rendered(event(1)), headers=given)
    assert answer.status_code == 401
    assert answer.json()["stored"] is False
    assert kept_rows() == []


def test_w6_two_signatures_of_which_one_is_good(http_client: httpx2.Client) -> None:
    body = rendered(event(1))
    good, other = signature(body), signature(body, "whsec_old")
    assert post(http_client, body, JSON | {"Stripe-Signature": f"{other},{good.split(',')[1]}"}).status_code == 202


def test_w8_an_event_of_the_other_mode(http_client: httpx2.Client) -> None:
    assert post(http_client, rendered(event(1, livemode=True))).status_code == 401
    assert kept_rows() == []


def test_w9_i5_the_same_delivery_again_is_one_row_and_one_more_receipt(http_client: httpx2.Client) -> None:
    body = rendered(event(1))
    first = post(http_client, body)
    again = post(http_client, body)
    assert (again.status_code, again.json()) == (202, first.json())
    assert Delivery.objects.get().copies == 2


# --- W10 to W16: form --------------------------------------------------------------------------------------------------


def test_w10_an_empty_body(http_client: httpx2.Client) -> None:
    assert post(http_client, b"").status_code == 400


def raw(url: str, head: str, *parts: bytes, read: bool = True) -> tuple[int, float]:
    """Send bytes as they are; the status that came back (0: hung up) and the seconds it took."""
    where = urlsplit(url)
    started = time.monotonic()
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=15) as wire:
        wire.sendall(f"{head}\r\nHost: 127.0.0.1\r\n".encode())
        try:
            for part in parts:
                wire.sendall(part)
            answer = http.client.HTTPResponse(wire)
            answer.begin()
        except (ConnectionError, http.client.HTTPException, TimeoutError):
            return 0, time.monotonic() - started
        return answer.status, time.monotonic() - started


def test_w11_too_large_is_refused_before_it_is_read(http_client: httpx2.Client, web: str) -> None:
    body = b"x" * (1024 * 1024 + 1)
    assert post(http_client, body).status_code == 413
    # Announced but never sent: the answer must not wait for it.
    status, seconds = raw(
        web, "POST /intake/stripe/ HTTP/1.1", b"Content-Type: application/json\r\nContent-Length: 50000000\r\n\r\n", b"{"
    )
    assert status == 413
    assert seconds < 5


def test_w11_the_largest_body_is_taken(http_client: httpx2.Client) -> None:
    found = event(1)
    found["data"]["object"]["description"] = "x" * (1024 * 1024 - len(rendered(event(1, data=event(1)["data"]))) - 60)
    body = rendered(found)
    assert 1024 * 1024 - 200 < len(body) <= 1024 * 1024
    assert post(http_client, body).status_code == 202


def chunked(body: bytes, size: int = 1000) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def test_w12_a_chunked_delivery_without_length_is_taken(http_client: httpx2.Client) -> None:
    body = rendered(event(1))
    answer = http_client.post("/intake/stripe/", content=chunked(body), headers=headers(body))
    assert answer.status_code == 202
    assert bytes(Delivery.objects.get().body) == body


def test_w12_chunks_without_end(web: str, http_client: httpx2.Client) -> None:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    head = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    status, seconds = raw(web, "POST /intake/stripe/ HTTP/1.1", head, *[chunk] * 40)
    assert status in {0, 413}
    assert seconds < 10
    assert post(http_client, rendered(event(1))).status_code == 202  # the server is well


@pytest.mark.parametrize(
    ("lengths", "parts"),
    [
        pytest.param("Content-Length: 12\r\nTransfer-Encoding: chunked", b"2\r\n{}\r\n0\r\n\r\n", id="both"),
        pytest.param("Content-Length: -1", b"{}", id="negative"),
        pytest.param("Content-Length: 1e3", b"{}", id="no number"),
        pytest.param("Content-Length: 5\r\nContent-Length: 7", b"{}     ", id="two"),
    ],
)
def test_w13_lengths_that_contradict(web: str, http_client: httpx2.Client, lengths: str, parts: bytes) -> None:
    head = f"Content-Type: application/json\r\nConnection: close\r\n{lengths}\r\n\r\n".encode()
    status, _seconds = raw(web, "POST /intake/stripe/ HTTP/1.1", head, parts)
    assert status in {0, 400, 401}
    assert kept_rows() == []


def test_w13_a_body_that_breaks_off(web: str, http_client: httpx2.Client) -> None:
    body = rendered(event(1))
    given = "".join(f"{name}: {value}\r\n" for name, value in headers(body).items())
    where = urlsplit(web)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=5) as wire:
        wire.sendall(f"POST /intake/stripe/ HTTP/1.1\r\nHost: a\r\n{given}Content-Length: {len(body)}\r\n\r\n".encode())
        wire.sendall(body[:100])
    assert post(http_client, rendered(event(2))).status_code == 202
    assert [row.dedup_key for row in kept_rows()] == ["evt_00000002"]


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, gzip"])
def test_w14_compressed(http_client: httpx2.Client, encoding: str) -> None:
    body = rendered(event(1))
    assert post(http_client, body, headers(body) | {"Content-Encoding": encoding}).status_code == 415


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/xml"]
)
def test_w15_other_types(http_client: httpx2.Client, content_type: str) -> None:
    body = rendered(event(1))
    given = headers(body) | {"Content-Type": content_type}
    if not content_type:
        del given["Content-Type"]
    assert post(http_client, body, given).status_code == 415


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "HEAD"])
def test_w16_other_methods(http_client: httpx2.Client, method: str) -> None:
    answer = http_client.request(method, "/intake/stripe/")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("slug", ["nobody", "Stripe", "stripe%00", "x" * 300])
def test_no_such_connection(http_client: httpx2.Client, slug: str) -> None:
    assert post(http_client, rendered(event(1)), slug=slug).status_code == 404


# --- W17 to W28: content, well signed -------------------------------------------------------------------------------------


def unreadable_bodies() -> dict[str, bytes]:
    text = rendered(event(1)).decode()
    return {
        "W17 nested 200,000 deep": b"[" * 200_000,
        "W17 nested inside the event": text.replace('"data": {', '"deep": ' + "[" * 100 + "]" * 100 + ', "data": {').encode(),
        "W18 a number of 5,000 digits": text.replace('"balance": 0', '"balance": ' + "9" * 5000).encode(),
        "W19 a number beyond any": text.replace('"balance": 0', '"balance": 1e400').encode(),
        "W19 not a number": text.replace('"balance": 0', '"balance": NaN').encode(),
        "W22 byte order mark": b"\xef\xbb\xbf" + text.encode(),
        "W22 UTF-16": text.encode("utf-16"),
        "W22 not UTF-8": text.replace("Aurora", "Aur\u00ff").encode("latin-1"),
        "W24 an array": b"[]",
        "W24 a text": b'"evt_1"',
        "W24 null": b"null",
        "no JSON": b"evt_1",
        "half a JSON": text.encode()[:-10],
        "no id": rendered({"object": "event"}),
    }


@pytest.mark.parametrize("case", list(unreadable_bodies()))
def test_signed_but_unreadable(http_client: httpx2.Client, case: str) -> None:
    answer = post(http_client, unreadable_bodies()[case])
    assert answer.status_code == 400
    assert kept_rows() == []


def test_w23_a_million_keys_and_keys_without_end(http_client: httpx2.Client) -> None:
    many = b'{"id":"evt_1",' + b",".join(b'"%x":1' % number for number in range(70_000)) + b"}"
    long = b'{"id":"evt_2","' + b"k" * 1_000_000 + b'":1}'
    for body in (many, long):
        started = time.monotonic()
        assert post(http_client, body).status_code in {202, 400}
        assert time.monotonic() - started < 5


def test_w28_i6_the_same_id_with_another_body_is_kept_beside_it(http_client: httpx2.Client) -> None:
    first, second = rendered(event(1, "one name")), rendered(event(1, "another name"))
    assert post(http_client, first).status_code == 202
    for _ in range(2):  # the second one twice: one row
        assert post(http_client, second).status_code == 202
    original, other = kept_rows()
    assert (bytes(original.body), bytes(other.body)) == (first, second)
    assert other.conflicts_with_id == original.pk
    assert (other.state, other.reason_code, other.copies) == ("quarantined", "key_conflict", 2)
    assert original.copies == 1


def test_i5_the_same_event_rendered_anew_is_a_copy(http_client: httpx2.Client) -> None:
    assert post(http_client, rendered(event(1, pending_webhooks=2))).status_code == 202
    assert post(http_client, json.dumps(event(1, pending_webhooks=0)).encode()).status_code == 202
    assert Delivery.objects.get().copies == 2


def test_i5_fifty_copies_at_once_are_one_row(web: str, stripe: Connection) -> None:
    body = rendered(event(1))

    def send(_: int) -> int:
        return httpx2.post(f"{web}/intake/stripe/", content=body, headers=headers(body), timeout=20, trust_env=False).status_code

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        assert set(pool.map(send, range(50))) == {202}
    assert Delivery.objects.get().copies == 50


BILLION_LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>&b;</soapenv:Body></soapenv:Envelope>"""


@pytest.mark.parametrize("content_type", ["text/xml", "application/soap+xml", "application/json"])
def test_w30_a_soap_message_meets_no_parser(http_client: httpx2.Client, content_type: str) -> None:
    """Salesforce is read, it pushes nothing here: it has no intake address, and no other one takes XML."""
    connections.connect(
        slug="salesforce", vendor="salesforce", base_url="https://login.salesforce.com", acting_user=System("tests"),
        values={"client_id": "x", "client_secret": "y"},
    )  # fmt: skip
    given = {"Content-Type": content_type, "SOAPAction": '""', "Stripe-Signature": signature(BILLION_LAUGHS)}
    assert post(http_client, BILLION_LAUGHS, given, slug="salesforce").status_code == 404
    assert post(http_client, BILLION_LAUGHS, given).status_code == (400 if content_type == "application/json" else 415)
    assert kept_rows() == []


# --- W32, W33: headers and floods ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [b"a\r\nX-Injected: 1", b"a\x00b"])
def test_w32_header_bytes_that_break_lines(web: str, http_client: httpx2.Client, value: bytes) -> None:
    body = rendered(event(1))
    head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n".encode()
    status, _seconds = raw(web, "POST /intake/stripe/ HTTP/1.1", head + b"Stripe-Signature: " + value + b"\r\n\r\n", body)
    assert status in {0, 400, 401}
    assert kept_rows() == []


def test_w33_a_flood_of_forgeries_is_told_to_wait_and_good_ones_do_not_notice(stripe: Connection) -> None:
    body = rendered(event(1))
    forged = headers(body, secret="whsec_forged")
    with web_server() as url, httpx2.Client(base_url=url, timeout=20, trust_env=False) as client:
        answers = [post(client, body, forged) for _ in range(200)]
        assert {answer.status_code for answer in answers} == {401, 429}
        assert int(next(a for a in answers if a.status_code == 429).headers["retry-after"]) >= 1
        started = time.monotonic()
        assert post(client, body).status_code == 202
        assert time.monotonic() - started < 1
        assert Delivery.objects.count() == 1  # no row a request

        def counted() -> bool:
            post(client, body, forged)  # counting is a by-product of refusing
            return sum(stripe.tallies.filter(status__in=[401, 429]).values_list("count", flat=True)) >= 200

        until(counted)
        assert stripe.tallies.count() <= 4


# --- I2: our own fault ---------------------------------------------------------------------------------------------------


def test_i2_without_a_database_the_answer_is_503_within_five_seconds(stripe: Connection) -> None:
    body = rendered(event(1))
    with web_server(DATABASE_URL="postgresql://postgres@/revops?host=/nonexistent") as url:
        started = time.monotonic()
        answer = httpx2.post(f"{url}/intake/stripe/", content=body, headers=headers(body), timeout=20, trust_env=False)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert time.monotonic() - started < 5 + 3  # and the server's end


def test_i2_a_row_that_cannot_be_locked_in_time_is_503(web: str, stripe: Connection) -> None:

    body = rendered(event(1))
    with httpx2.Client(base_url=web, timeout=20, trust_env=False) as client:
        assert post(client, body).status_code == 202
        with transaction.atomic():
            Delivery.objects.select_for_update().get()
            started = time.monotonic()
            answer = post(client, body)
            assert time.monotonic() - started < 5
        assert answer.status_code == 503
        assert post(client, body).status_code == 202  # the connection is well again


def test_i47_redis_down_neither_holds_nor_fails_a_delivery(stripe: Connection) -> None:
    body = rendered(event(1))
    with web_server(REDIS_URL="redis://127.0.0.1:1/0") as url, httpx2.Client(base_url=url, trust_env=False) as client:
        post(client, body)
        started = time.monotonic()
        for number in range(2, 12):
            assert post(client, rendered(event(number))).status_code == 202
        assert time.monotonic() - started < 2
    assert inbox.conservation().pending == 11


def test_i59_the_secret_is_not_in_the_answers(http_client: httpx2.Client) -> None:
    answer = post(http_client, b"{}", JSON | {"Stripe-Signature": "t=1,v1=00"})
    assert SECRET not in answer.text


def test_i5_one_event_in_two_api_versions_is_a_copy(http_client: httpx2.Client) -> None:
    """Two endpoints side by side, or an endpoint and the event log: each has its own version of one event."""
    for version in ("2026-10-28.endive", "2025-09-30.clover"):
        other = event(1, api_version=version, request={"id": f"req_{version}", "idempotency_key": None})
        other["data"]["object"]["rendered_for"] = version
        assert post(http_client, rendered(other)).status_code == 202
    assert Delivery.objects.get().copies == 2


def test_i6_another_happening_in_another_version_is_kept_beside_it(http_client: httpx2.Client) -> None:
    for version, created in (("2026-10-28.endive", 1_790_000_000), ("2025-09-30.clover", 1_790_000_001)):
        assert post(http_client, rendered(event(1, api_version=version, created=created))).status_code == 202
    assert [row.reason_code for row in Delivery.objects.order_by("pk")] == ["", "key_conflict"]


@pytest.mark.parametrize("versions", [("2024-06-20", "2026-10-28.endive"), ("2026-10-28.endive", "2024-06-20")])
def test_a_rendering_that_we_read_counts_whichever_comes_first(http_client: httpx2.Client, versions: tuple[str, str]) -> None:
    for version in versions:
        assert post(http_client, rendered(event(1, api_version=version))).status_code == 202
    process_round(dt.datetime.now(dt.UTC))
    found = {row.dedup_key: row.state for row in Delivery.objects.all()}
    assert found == {"evt_00000001": "applied", "evt_00000001@before-basil": "pending"}
    assert SourceRecord.objects.get().fields["name"] == "Aurora Ltd"
