"""The shared quota: one limit for all processes, by class of call, and what holds while Redis is away."""

from __future__ import annotations

import logging
from collections.abc import Callable
from uuid import uuid4

import pytest
import redis
from django.conf import settings

from sync.vendor import quota as quotas
from sync.vendor.contract import Config, Rate, RetryLater
from sync.vendor.http import HttpClient
from sync.vendor.quota import SharedQuota
from tests.sync.misbehaving import FAST, Server

pytestmark = pytest.mark.outside

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
MINUTE = Rate("minute", 3, setting="calls_per_minute")
QUERIES = Rate("queries", 1, seconds=600, paths=("/query",))


def server() -> redis.Redis:
    return quotas.server(settings.REDIS_URL)


def nowhere() -> redis.Redis:
    return quotas.server("redis://127.0.0.1:1/0")


def config(**values: str) -> Config:
    return Config(f"quota-{uuid4().hex[:8]}", "http://127.0.0.1:1", values)


def left(quota: SharedQuota, path: str = "/x", most: int = 100) -> int:
    """How many calls go before one is held back."""
    for count in range(most):
        try:
            quota.take("GET", path)
        except RetryLater:
            return count
    return most


def test_two_processes_share_one_limit() -> None:
    one = config()
    ours, theirs = (SharedQuota(one, [MINUTE], server) for _ in range(2))
    ours.take("GET", "/x")
    theirs.take("GET", "/x")
    ours.take("GET", "/x")
    for quota in (ours, theirs):
        with pytest.raises(RetryLater) as later:
            quota.take("GET", "/x")
        assert later.value.code == "quota_used_up"
        assert 1 <= later.value.after_seconds <= 21
    assert left(SharedQuota(config(), [MINUTE], server)) == 3


def test_a_setting_of_the_connection_says_another_number_and_nonsense_does_not() -> None:
    assert left(SharedQuota(config(calls_per_minute="5"), [MINUTE], server)) == 5
    for nonsense in ("many", "0", "-1", ""):
        assert left(SharedQuota(config(calls_per_minute=nonsense), [MINUTE], server)) == 3


def test_a_call_that_one_class_holds_back_is_counted_in_no_class() -> None:
    quota = SharedQuota(config(), [MINUTE, QUERIES], server)
    quota.take("POST", "/query/1")
    with pytest.raises(RetryLater) as later:
        quota.take("POST", "/query/2")
    assert later.value.after_seconds > 500
    assert left(quota, "/other") == 2


@pytest.mark.parametrize(("calls", "share"), [("12", 3), ("2", 1)])
def test_without_redis_a_quarter_holds_and_it_is_said(calls: str, share: int, caplog: pytest.LogCaptureFixture) -> None:
    one = config(calls_per_minute=calls)
    with caplog.at_level(logging.WARNING, logger="sync.vendor.quota"):
        quota = SharedQuota(one, [MINUTE], nowhere)
        assert left(quota) == share
        with pytest.raises(RetryLater, match="Redis is away"):
            quota.take("GET", "/x")
    assert [record for record in caplog.records if "shared quota" in record.getMessage()][1:] == []
    assert len(caplog.records) == 1


def test_a_call_over_the_quota_never_reaches_the_vendor() -> None:
    vendor = Server(OK)
    one = Config(f"quota-{uuid4().hex[:8]}", f"http://127.0.0.1:{vendor.port}", {})
    ask: Callable[[], redis.Redis] = server
    with HttpClient(one, allow_loopback=True, limits=FAST, quota=SharedQuota(one, [MINUTE], ask)) as client:
        for _ in range(3):
            client.request("GET", "/x")
        with pytest.raises(RetryLater) as later:
            client.request("POST", "/x")
    assert later.value.code == "quota_used_up"
    assert len(vendor.requests) == 3
