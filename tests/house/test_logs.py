"""What a log line may hold: one request id, and no secret."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import IntegrityError, connection
from django.test import Client, RequestFactory

from revops.identity.models import UserSession
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
def test_each_request_has_an_id_of_ours_and_the_caller_s_beside_it(client: Client, lines: io.StringIO) -> None:
    for offered in ("from-the-proxy-1", 'evil" injected'):
        assert len(client.get("/sign-in/", headers={"X-Request-Id": offered})["X-Request-Id"]) == 32
    plain, odd = [json.loads(line) for line in lines.getvalue().splitlines()][-2:]
    assert plain["caller_request_id"] == "from-the-proxy-1"
    assert "caller_request_id" not in odd


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the loggers write while the test runs, as the product formats it."""
    formatter = settings.LOGGING["formatters"]["json"]
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(formatter["()"](foreign_pre_chain=formatter["foreign_pre_chain"], processors=formatter["processors"]))
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


@pytest.mark.django_db
def test_an_address_is_logged_without_its_question(client: Client, lines: io.StringIO) -> None:
    """What somebody searched for, or a token in the wrong place, is in no line."""
    asked = "/nowhere/?q=Halden&token=in-the-wrong-place"
    assert client.get(asked).status_code == 404
    logging.getLogger("django.request").error("it broke", extra={"request": RequestFactory().get(asked), "status_code": 500})
    written = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert {"path": "/nowhere/", "status": 404}.items() <= written[0].items()
    assert written[-1]["event"] == "it broke"
    assert "wrong-place" not in lines.getvalue()
    assert "Halden" not in lines.getvalue()


@pytest.mark.django_db
def test_whoever_floods_the_door_fills_no_log(client: Client, lines: io.StringIO) -> None:
    for _ in range(5):
        assert client.post("/intake/nobody/", b"{}", content_type="application/json").status_code == 404
        assert client.get("/queue/", headers={"Host": "evil.example"}).status_code == 400
    written = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert len(written) == 5  # one line an answer of ours, without trace; deliveries that are turned away are counted
    assert {line["status"] for line in written} == {400}
    assert "Traceback" not in lines.getvalue()


def test_rings_of_the_doorbell_are_no_news_and_failed_tasks_are() -> None:
    assert not logging.getLogger("celery.app.trace").isEnabledFor(logging.INFO)
    assert not logging.getLogger("celery.worker.strategy").isEnabledFor(logging.INFO)
    assert logging.getLogger("celery.app.trace").isEnabledFor(logging.ERROR)
    assert logging.getLogger("celery.worker.consumer").isEnabledFor(logging.INFO)


def test_the_databases_log_and_ours_hold_no_row(transactional_db: None, lines: io.StringIO) -> None:
    """A statement that fails holds a session's key or what a vendor said; PostgreSQL would write down both it and the row."""
    row = ["a-session-key-of-somebody", "data of the session"]
    for _ in range(2):
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO identity_usersession (session_key, session_data, expire_date, address, browser) "
                    "VALUES (%s, %s, now(), '', '')",
                    row,
                )
        except IntegrityError:
            logging.getLogger("revops.test").exception("it broke")
    assert UserSession.objects.count() == 1
    own = Path(os.environ["REVOPS_TEST_SERVERS"], "postgres.log").read_text()
    assert "duplicate key value violates unique constraint" in own
    assert "duplicate key value violates unique constraint" in lines.getvalue()
    for text in (own, lines.getvalue()):
        assert not [value for value in row if value in text]
