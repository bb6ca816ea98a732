"""What all connectors stand on: authentication, paging and signatures."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Callable

import pytest

from sync.vendor.auth import AccessKey, Certificate, ClientSecret, Token, bearer, call
from sync.vendor.contract import Config, NotAuthentic, Refused, RetryLater, Unknown
from sync.vendor.http import HttpClient
from sync.vendor.paging import Listed, pages
from sync.vendor.signing import check_hmac, check_time, check_token
from tests.sync.misbehaving import FAST, Server, client_of

pytestmark = pytest.mark.outside

NOW = dt.datetime(2026, 11, 20, 10, 0, tzinfo=dt.UTC)
STAMP = str(int(NOW.timestamp()))


def answer(status: int, body: str = "{}") -> bytes:
    return f"HTTP/1.1 {status} Said\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode()


def token(value: str, more: str = "") -> bytes:
    return answer(200, f'{{"access_token": "{value}"{more}}}')


SECRET = Token("Vendor", "/token", ClientSecret())
BASIC = Token("Vendor", "/token", ClientSecret(basic=True))


# -- authentication -------------------------------------------------------------------------------------------------


def asked(authentication: Token | AccessKey, *answers: bytes, calls: int = 1) -> list[bytes]:
    """The requests that the vendor got for some authenticated calls."""
    vendor = Server(*answers)
    with client(vendor) as http:
        for _ in range(calls):
            call(http, http_config(vendor), authentication, "GET", "/x")
    return vendor.requests


def client(vendor: Server) -> HttpClient:
    return client_of(f"http://127.0.0.1:{vendor.port}", FAST, f"kit-{vendor.port}", **VALUES)


def http_config(vendor: Server) -> Config:
    return Config(f"kit-{vendor.port}", f"http://127.0.0.1:{vendor.port}", VALUES)


VALUES = {"client_id": "the-client", "client_secret": "the-secret", "api_key": "the-key"}


def test_a_key_goes_as_it_is() -> None:
    assert b"authorization: bearer the-key" in asked(bearer("api_key"), answer(200))[0].lower()
    assert b"x-access-key: the-key" in asked(AccessKey("X-Access-Key", "api_key"), answer(200))[0].lower()


def test_a_rejected_key_is_not_sent_again() -> None:
    assert len(asked(bearer("api_key"), answer(401))) == 1


def test_a_token_is_asked_for_once_and_used_until_it_is_rejected() -> None:
    requests = asked(SECRET, token("first"), answer(200), calls=3)
    assert [request.split()[1] for request in requests] == [b"/token", b"/x", b"/x", b"/x"]
    assert b"client_secret=the-secret" in requests[0]
    assert all(b"Bearer first" in request for request in requests[1:])


def test_basic_authorization_keeps_the_secret_out_of_the_form() -> None:
    (first, *_) = asked(BASIC, token("first"), answer(200))
    assert b"authorization: basic " in first.lower()
    assert b"the-secret" not in first


def test_a_rejected_token_is_renewed_once() -> None:
    requests = asked(SECRET, token("first"), answer(401), token("second"), answer(200))
    assert [request.split()[1] for request in requests] == [b"/token", b"/x", b"/token", b"/x"]
    assert b"Bearer second" in requests[3]


def test_a_token_that_is_rejected_again_is_refused_and_not_shown() -> None:
    vendor = Server(token("first"), answer(401), token("second"), answer(401))
    with client(vendor) as http, pytest.raises(Refused) as refused:
        call(http, http_config(vendor), SECRET, "POST", "/x", content=b"{}", safe=True)
    assert refused.value.code == "credentials_refused"
    assert "second" not in refused.value.reason
    assert len(vendor.requests) == 4


def test_a_write_with_a_token_that_is_rejected_is_not_sent_again() -> None:
    vendor = Server(token("first"), answer(401), token("second"), answer(200))
    with client(vendor) as http:
        with pytest.raises(Unknown) as unknown:
            call(http, http_config(vendor), SECRET, "POST", "/x", content=b"{}")
        assert unknown.value.code == "token_rejected"
        assert len(vendor.requests) == 2
        assert call(http, http_config(vendor), SECRET, "GET", "/x").status == 200, "the next call asks for a new token"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (answer(400), Refused),
        (answer(200, "[]"), RetryLater),
        (answer(200, '{"access_token": 7}'), RetryLater),
        (answer(200, '{"access_token": "first", "expires_in": "soon"}'), RetryLater),
    ],
)
def test_an_answer_without_a_token_is_no_token(said: bytes, expected: type[Exception]) -> None:
    with pytest.raises(expected):
        asked(SECRET, said)


@pytest.mark.parametrize("stated", [', "expires_in": 3600', ', "expires_in": "3600"', ', "expires_in": 3600.0', ""])
def test_a_lifetime_may_be_a_number_a_text_or_left_out(stated: str) -> None:
    assert len(asked(SECRET, token("first", stated), answer(200), calls=2)) == 3


def test_a_key_that_is_no_key_is_said_before_anything_is_sent() -> None:
    vendor = Server(answer(200))
    with client(vendor) as http, pytest.raises(Refused, match="readable PEM key"):
        call(http, http_config(vendor), Token("Vendor", "/token", Certificate(scope=("all",))), "GET", "/x")
    assert vendor.requests == []


# -- paging ---------------------------------------------------------------------------------------------------------


def listing(*following: tuple[bool, str | None]) -> Callable[[str | None], Listed[int, str]]:
    """A vendor's listing whose n-th page says (more, where)."""
    answers = iter(enumerate(following))

    def ask(place: str | None) -> Listed[int, str]:
        number, (more, after) = next(answers)
        return Listed([number], more, after)

    return ask


def test_pages_come_until_the_vendor_says_the_last() -> None:
    found = list(pages("the list", listing((True, "a"), (True, "b"), (False, None))))
    assert [page.rows for page in found] == [[0], [1], [2]]


@pytest.mark.parametrize(
    ("following", "kept", "words"),
    [
        ([(True, "a"), (True, "a")], 1, "leads back"),
        ([(True, "a"), (True, "b"), (True, "a")], 2, "leads back"),
        ([(True, "start")], 0, "leads back"),
        ([(True, "a"), (True, None)], 1, "not where"),
    ],
)
def test_a_listing_that_does_not_advance_ends(following: list[tuple[bool, str | None]], kept: int, words: str) -> None:
    came: list[Listed[int, str]] = []
    with pytest.raises(RetryLater, match=words) as later:
        came.extend(pages("the list", listing(*following), "start"))
    assert (len(came), later.value.code) == (kept, "paging_loop")


# -- signatures -----------------------------------------------------------------------------------------------------


def signed(secret: str, body: bytes = b"body") -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_a_signature_under_any_of_the_secrets_is_good() -> None:
    check_hmac(b"body", ["0" * 64, signed("new")], ["old", "new"])
    check_hmac(b"body", [signed("old").upper()], ["old", "new"])


@pytest.mark.parametrize("offered", [[], [""], ["0" * 64], [signed("another")], [signed("old", b"another")], ["é" * 64]])
def test_another_signature_is_not(offered: list[str]) -> None:
    with pytest.raises(NotAuthentic):
        check_hmac(b"body", offered, ["old", "new"])


def test_without_a_secret_nothing_is_authentic() -> None:
    with pytest.raises(NotAuthentic):
        check_hmac(b"body", [signed("")], [""])
    with pytest.raises(NotAuthentic):
        check_token("", "X-Token", [""])


@pytest.mark.parametrize(("seconds", "fine"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_a_signature_is_good_for_its_time(seconds: int, fine: bool) -> None:
    stamp = str(int(STAMP) + seconds)
    if fine:
        check_time(stamp, NOW, 300)
    else:
        with pytest.raises(NotAuthentic):
            check_time(stamp, NOW, 300)


@pytest.mark.parametrize("stamp", ["", "now", "12345", STAMP + "0", " " + STAMP[1:], "-" + STAMP[1:]])
def test_a_stamp_that_is_none_is_refused(stamp: str) -> None:
    with pytest.raises(NotAuthentic):
        check_time(stamp, NOW, 300)
