"""`docs/vendor_calls.md` lists every request that a connector makes, each with its public source or as unproven.

The tests of the connectors talk through `ListedClient`, which fails on a request that is not listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.connectors import CONNECTORS
from tests.sync.connectors.listed import listed, names_of, unlisted
from tests.sync.connectors.talking import talking


def test_every_row_belongs_to_a_connector_and_says_its_source_or_unproven() -> None:
    rows = listed()
    assert {row.vendor for row in rows} == set(CONNECTORS)
    assert len({(row.vendor, row.method, row.path) for row in rows}) == len(rows)
    assert [row for row in rows if len(row.source.split()) == 1 and not row.source.startswith(("`", "unproven"))] == []


@pytest.mark.parametrize(
    ("method", "path", "names", "missing"),
    [
        ("GET", "/v1/invoices/in_1/lines", {"limit"}, ""),
        ("GET", "/v1/invoices/in_1/lines", {"created"}, "GET /v1/invoices/{id}/lines: created"),
        ("GET", "/v1/invoice_payments", {"payment[type]", "payment[charge]"}, "GET /v1/invoice_payments: payment[charge]"),
        ("GET", "/v1/charges/ch_1", set(), "GET /v1/charges/ch_1"),
        ("POST", "/v1/invoices/in_1/lines", set(), "POST /v1/invoices/in_1/lines"),
        ("GET", "/v1/customers/cus_1/sources/1", set(), "GET /v1/customers/cus_1/sources/1"),
    ],
)
def test_what_is_not_listed_is_named(method: str, path: str, names: set[str], missing: str) -> None:
    assert unlisted("stripe", method, path, names) == missing


def test_the_names_are_those_of_the_query_and_of_the_body() -> None:
    assert names_of("/x?keys=Gsid", None, b'{"records":[{"Gsid":"1"}]}', "application/json") == {"keys", "records"}
    assert names_of("/x", [("limit", "1")], b"grant_type=a&scope=", "application/x-www-form-urlencoded") == {
        "limit",
        "grant_type",
    }
    assert names_of("/x", {"q": "SELECT"}, None, "") == {"q"}


@pytest.mark.outside
def test_a_connectors_test_fails_on_a_request_that_is_not_listed(tmp_path: Path) -> None:
    with talking("stripe", tmp_path) as talk:
        assert talk.client.request("GET", "/v1/events", params={"limit": "1"}).status == 401
        with pytest.raises(AssertionError, match="does not list GET /v1/balance"):
            talk.client.request("GET", "/v1/balance")
        assert talk.calls("GET", "/v1/balance") == 0
