"""Who may say something (W1 to W9), under which key copies are one, and which copies say the same."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import pytest
from stripe import WebhookSignature

from sync.connectors import CONNECTORS
from sync.vendor.contract import Config, Former, Incoming, NotAuthentic, Refused, Unreadable
from tests.sync.connectors.talking import SETTINGS

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
AT = int(NOW.timestamp())
SECRET = "whsec_rehearsal"
EVENT = b'{"id": "evt_1", "object": "event", "livemode": false, "type": "ping", "pending_webhooks": 1}'


def config(vendor: str, **more: str) -> Config:
    return Config(vendor, "https://vendor.example", {**SETTINGS[vendor], **more})


def signed(body: bytes = EVENT, at: int = AT, secret: str = SECRET) -> str:
    header: str = WebhookSignature.generate_signature_header(body.decode(), secret, at)
    return header


def verify_stripe(header: str | None, body: bytes = EVENT, **settings: str) -> None:
    headers = {} if header is None else {"stripe-signature": header}
    CONNECTORS["stripe"].taking_pushes().verify(Incoming("event", body, headers), config("stripe", **settings), NOW)


def digest_of(body: bytes = EVENT, at: int = AT, secret: str = SECRET) -> str:
    return signed(body, at, secret).partition("v1=")[2]


@pytest.mark.parametrize("at", [AT, AT - 300, AT + 300])
def test_w4_stripe_takes_a_good_signature_within_five_minutes(at: int) -> None:
    verify_stripe(signed(at=at))


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "signature_missing"),
        ("", "signature_missing"),
        (signed(secret="whsec_wrong"), "signature_wrong"),
        (signed(at=AT - 360), "signature_time"),
        (signed(at=AT + 360), "signature_time"),
        (signed(at=AT + 86_400), "signature_time"),
        (f"v1={digest_of()}", "signature_time"),
        (f"t=1e9,v1={digest_of()}", "signature_time"),
        (f"t=-{AT},v1={digest_of()}", "signature_missing"),
        (f"t={AT:020d},v1={digest_of()}", "signature_time"),
        (f"t= {AT},v1={digest_of()}", "signature_missing"),
        (f"t={AT},t={AT},v1={digest_of()}", "signature_time"),
        (f"t={AT}", "signature_wrong"),
        (f"t={AT},v0={digest_of()}", "signature_wrong"),
        (f"t={AT},v1={digest_of()}\r\nX: y", "signature_missing"),
        (f"t={AT},v1={'0' * 8192}", "signature_missing"),
        (f"t={AT},v1={digest_of()}\x00", "signature_missing"),
    ],
    ids=range(17),
)
def test_i4_stripe_refuses_everything_else(header: str | None, code: str) -> None:
    with pytest.raises(NotAuthentic) as refused:
        verify_stripe(header)
    assert refused.value.code == code


def test_w3_stripe_refuses_the_signature_of_a_body_written_anew() -> None:
    with pytest.raises(NotAuthentic):
        verify_stripe(signed(), json.dumps(json.loads(EVENT)).replace(" ", "").encode())


def test_w6_one_good_signature_among_several_is_enough() -> None:
    verify_stripe(f"t={AT},v1={'0' * 64},v1={digest_of()}")


def test_w2_during_a_roll_both_secrets_sign_and_a_forgotten_one_does_not() -> None:
    def verify_while(until: dt.datetime, header: str) -> None:
        rolled = replace(config("stripe", webhook_secret="whsec_new"), former={"webhook_secret": Former(SECRET, until)})
        CONNECTORS["stripe"].taking_pushes().verify(Incoming("event", EVENT, {"stripe-signature": header}), rolled, NOW)

    later = NOW + dt.timedelta(seconds=1)
    verify_while(later, signed())
    verify_while(later, signed(secret="whsec_new"))
    with pytest.raises(NotAuthentic):
        verify_while(NOW, signed())
    with pytest.raises(NotAuthentic):
        verify_stripe(signed(), webhook_secret="whsec_new")
    with pytest.raises(NotAuthentic):
        verify_stripe(signed(secret=""), webhook_secret="")


@pytest.mark.parametrize(("mode", "livemode"), [("test", b"true"), ("live", b"false")])
def test_w8_an_event_of_the_other_mode_is_refused(mode: str, livemode: bytes) -> None:
    body = EVENT.replace(b"false", livemode)
    with pytest.raises(NotAuthentic) as refused:
        verify_stripe(signed(body), body, mode=mode)
    assert refused.value.code == "mode_wrong"
    verify_stripe(signed(body), body, mode="live" if mode == "test" else "test")


def test_w22_bytes_that_are_no_text_are_not_authentic_and_not_a_fault() -> None:
    with pytest.raises(NotAuthentic):
        verify_stripe(signed(), b"\xff\xfe")


# -- NetSuite's hints -----------------------------------------------------------------------------------------------

HINT: dict[str, Any] = {"type": "invoice", "id": "7", "event": "edit", "at": "x", "nonce": "0e0a2a53-3b0a-4a3f-9f0e-4f7f2f6d4c11"}


def verify_netsuite(stamp: str, signature: str, body: bytes) -> None:
    headers = {"x-netsuite-timestamp": stamp, "x-netsuite-signature": signature}
    CONNECTORS["netsuite"].taking_pushes().verify(Incoming("hint", body, headers), config("netsuite"), NOW)


def hint_signature(stamp: str, body: bytes, secret: str = "demo-netsuite-hint-secret") -> str:
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def test_i4_netsuite_takes_a_signed_hint_and_refuses_a_changed_one() -> None:
    body = json.dumps(HINT).encode()
    for at in (AT, AT - 300, AT + 300):
        verify_netsuite(str(at), hint_signature(str(at), body), body)
    wrong = [
        (str(AT), hint_signature(str(AT), body, "another")),
        (str(AT), hint_signature(str(AT + 1), body)),
        (str(AT - 301), hint_signature(str(AT - 301), body)),
        (str(AT + 301), hint_signature(str(AT + 301), body)),
        ("", hint_signature("", body)),
        ("soon", hint_signature("soon", body)),
        (str(AT), ""),
        (str(AT), "\xe9" * 64),
    ]
    for stamp, signature in wrong:
        with pytest.raises(NotAuthentic):
            verify_netsuite(stamp, signature, body)
    with pytest.raises(NotAuthentic):
        verify_netsuite(str(AT), hint_signature(str(AT), body), body + b" ")


def test_w9_gainsight_takes_its_token_only_and_also_a_week_later() -> None:
    def verify(token: str, **settings: str) -> None:
        headers = {"x-gainsight-token": token}
        later = NOW + dt.timedelta(days=7)
        CONNECTORS["gainsight"].taking_pushes().verify(Incoming("hint", b"{}", headers), config("gainsight", **settings), later)

    verify("demo-gainsight-hint-token")
    for token in ("", "demo-gainsight-hint-toke", "demo-gainsight-hint-token ", "\xe9"):
        with pytest.raises(NotAuthentic):
            verify(token)
    with pytest.raises(NotAuthentic):
        verify("", hint_token="")


def test_salesforce_takes_no_push_at_all() -> None:
    salesforce = CONNECTORS["salesforce"]
    assert salesforce.pushes is None
    with pytest.raises(Refused) as refused:
        salesforce.taking_pushes()
    assert refused.value.code == "no_push"


# -- keys and copies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", ["stripe", "netsuite", "gainsight"])
@pytest.mark.parametrize("body", [b"", b"[]", b'"text"', b"null", b"7", b"{}", b"\xff", b"[" * 1000, b'{"id": 7, "nonce": 7}'])
def test_a_body_without_a_key_is_unreadable(vendor: str, body: bytes) -> None:
    with pytest.raises(Unreadable):
        CONNECTORS[vendor].taking_pushes().dedup_key(Incoming("event", body))


def test_i5_the_keys_of_a_push() -> None:
    assert CONNECTORS["stripe"].taking_pushes().dedup_key(Incoming("event", EVENT)) == "evt_1"
    assert (
        CONNECTORS["netsuite"].taking_pushes().dedup_key(Incoming("hint", json.dumps(HINT).encode())) == f"hint:{HINT['nonce']}"
    )
    body = b'{"object": "company", "gsid": "1P02X", "modifiedDate": "2026-11-18T12:26:40Z"}'
    assert CONNECTORS["gainsight"].taking_pushes().dedup_key(Incoming("hint", body)) == "hint:company:1P02X:2026-11-18T12:26:40Z"


def test_w20_w21_a_body_that_will_be_set_aside_still_has_its_key() -> None:
    """Signed, so it must be stored: twice the same key, and a text that no column can keep."""
    for body in (b'{"id": "evt_1", "a": 1, "a": 2}', b'{"id": "evt_1", "name": "\\u0000"}'):
        assert CONNECTORS["stripe"].taking_pushes().dedup_key(Incoming("event", body)) == "evt_1"


def test_i5_i6_an_event_that_stripe_renders_anew_is_a_copy_and_another_amount_is_not() -> None:
    stripe = CONNECTORS["stripe"]
    pretty = json.dumps({**json.loads(EVENT), "pending_webhooks": 0}, indent=2, sort_keys=True).encode()
    assert stripe.content_digest(EVENT) == stripe.content_digest(pretty)
    assert stripe.content_digest(EVENT) != stripe.content_digest(EVENT.replace(b"ping", b"pong"))
    assert stripe.content_digest(b"\xff") == hashlib.sha256(b"\xff").hexdigest()
