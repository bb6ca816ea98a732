"""What a log line may hold: one request id, and no secret."""

from __future__ import annotations

import json
import logging

import pytest
from django.conf import settings
from django.test import Client

from revops.logs import MASK, logging_configuration, masked


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ({"Authorization": "Bearer abcdefghijklmnop"}, "abcdefghijklmnop"),
        ({"nested": [{"client_secret": "s3cr3t-value"}]}, "s3cr3t-value"),
        ("calling with sk_test_abcdefghijk now", "sk_test_abcdefghijk"),
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA=="),
        ("postgresql://revops:hunter2@host/revops", "hunter2"),
        ({"Stripe-Signature": "t=1,v1=0123456789"}, "0123456789"),
    ],
)
def test_a_secret_never_reaches_a_line(value: object, secret: str) -> None:
    text = json.dumps(masked(value))
    assert secret not in text
    assert MASK in text


def test_what_is_not_secret_stays_readable() -> None:
    plain = {"account": "Halden Robotics GmbH", "amount": "12.30", "path": "/intake/stripe/", "attempts": 3}
    assert masked(plain) == plain


def line_of(record: logging.LogRecord) -> dict[str, object]:
    logging_configuration("INFO")
    formatter = settings.LOGGING["formatters"]["json"]
    made = formatter["()"](foreign_pre_chain=formatter["foreign_pre_chain"], processors=formatter["processors"])
    parsed: dict[str, object] = json.loads(made.format(record))
    return parsed


def test_a_line_is_json_and_masked() -> None:
    record = logging.getLogger("revops.test").makeRecord(
        "revops.test",
        logging.INFO,
        __file__,
        1,
        "connected",
        (),
        None,
        extra={"api_key": "0123456789abcdef", "system": "stripe"},
    )
    line = line_of(record)
    assert line["event"] == "connected"
    assert line["api_key"] == MASK
    assert line["system"] == "stripe"
    assert str(line["timestamp"]).endswith("Z")


@pytest.mark.django_db
def test_each_request_has_one_id(client: Client) -> None:
    given = client.get("/sign-in/", headers={"X-Request-Id": "from-the-proxy-1"})
    assert given["X-Request-Id"] == "from-the-proxy-1"
    made = client.get("/sign-in/", headers={"X-Request-Id": 'evil" injected'})
    assert len(made["X-Request-Id"]) == 32
