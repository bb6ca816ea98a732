"""What goes wrong: effects before a torn answer, read lag, changes from inside the account, signed hints."""

from __future__ import annotations

import hmac
import json
import sqlite3
import threading
import time
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from demo.simulators import netsuite
from demo.simulators.server import Simulator
from tests.demo.simulators.netsuite.account import Account, Json, credit_memos, reason


def test_effect_then_reset_leaves_exactly_one_credit_memo(account: Account) -> None:
    account.fault(match={"method": "POST", "path": "!transform"}, reset="after")
    with pytest.raises(requests.ConnectionError):
        account.credit("190.50")
    found = account.read("creditMemo/eid:rvo-1")
    assert found["total"] == Decimal("190.50")
    assert account.credit("190.50").status_code == 400
    assert len(credit_memos(account)) == 1
    effects = requests.get(account.url + "/_sim/effects", timeout=5).json()
    made = [e for e in effects if e["collection"] == "transaction" and e["kind"] == "created"]
    assert [(e["key"], e["object"]["type"]) for e in made] == [("rvo-1", "CustCred")]


def test_commit_then_500_is_committed(account: Account) -> None:
    account.fault(match={"method": "POST", "path": "!transform"}, status=500, after_effect=True)
    assert account.credit("190.50").status_code == 500
    assert len(credit_memos(account)) == 1
    account.fault(match={"method": "POST", "path": "!transform"}, status=500)
    assert account.credit("190.50", key="rvo-9").status_code == 500
    assert len(credit_memos(account)) == 1


def test_read_lag_hides_the_memo_but_not_its_external_id(account: Account) -> None:
    account.fault(match={"method": "POST", "path": "!transform"}, read_lag_seconds=1.5)
    assert account.credit("190.50").status_code == 204
    assert account.record("GET", "creditMemo/eid:rvo-1").status_code == 404
    assert credit_memos(account) == []
    assert account.rows("SELECT foreignamountunpaid AS n FROM transaction WHERE id = 700") == [{"n": "1190.50"}]
    assert "already exists" in reason(account.credit("190.50"))[2]
    deadline = time.monotonic() + 10
    while not credit_memos(account):
        assert time.monotonic() < deadline
    assert account.read("invoice/700")["amountRemaining"] == Decimal("1000.00")
    assert len(credit_memos(account)) == 1


def test_idempotency_key_counts_only_when_asynchronous(account: Account) -> None:
    key = {"X_NetSuite_Idempotency_Key": "9f0c6a80-0000-4000-8000-000000000001"}
    body: Json = {"tranDate": "2026-03-15", "item": {"items": [{"item": {"id": "9001"}, "amount": "1.00"}]}}
    path = "invoice/700/!transform/creditMemo?replace=item"
    for _ in range(2):
        assert account.record("POST", path, body, **key).status_code == 204
    assert len(credit_memos(account)) == 2
    first = account.record("POST", path, body, Prefer="respond-async", **key)
    assert (first.status_code, first.headers["Preference-Applied"]) == (202, "respond-async")
    second = account.record("POST", path, body, Prefer="respond-async", **key)
    assert reason(second)[1] == "IDEMPOTENCY_ERROR"
    assert second.headers["Location"] == first.headers["Location"]
    assert len(credit_memos(account)) == 3
    result = account.http.get(first.headers["Location"] + "/task/1/result", timeout=5)
    assert result.status_code == 204
    assert "/creditMemo/" in result.headers["Location"]


def test_change_from_inside_the_account_is_stamped_and_settles(account: Account) -> None:
    before = account.rows("SELECT TO_CHAR(lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') AS lm FROM transaction WHERE id = 700")
    payment = {"type": "CustPymt", "status": "C", "entity": 50, "currency": 1, "foreigntotal": "90.50",
               "externalid": "pi_7", "trandate": "2026-03-20"}  # fmt: skip
    made = account.change(collection="transaction", object=payment).json()
    link = {"previousdoc": 700, "previousline": 0, "nextdoc": made["id"], "nextline": 0, "linktype": "Payment",
            "foreignamount": "90.50"}  # fmt: skip
    assert account.change(collection="nexttransactionlinelink", object=link).status_code == 200
    assert account.read("invoice/700")["amountRemaining"] == Decimal("1100.00")
    after = account.rows("SELECT TO_CHAR(lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') AS lm FROM transaction WHERE id = 700")
    assert after[0]["lm"] > before[0]["lm"]
    deliveries = requests.get(account.url + "/_sim/deliveries", timeout=5).json()
    assert [d["type"] for d in deliveries] == ["customerPayment", "customerPayment"]


def test_hint_is_signed_and_names_the_record(account: Account) -> None:
    heard: list[tuple[Json, bytes]] = []
    arrived = threading.Event()

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            arrived.set()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        target = {"url": f"http://127.0.0.1:{server.server_address[1]}/intake"}
        requests.put(account.url + "/_sim/deliveries", json=target, timeout=5).raise_for_status()
        assert account.credit("10.00").status_code == 204
        assert arrived.wait(10)
    finally:
        server.shutdown()
        server.server_close()
    headers, raw = heard[0]
    signed = f"{headers['X-Netsuite-Timestamp']}.".encode() + raw
    assert headers["X-Netsuite-Signature"] == hmac.new(netsuite.HINT_SECRET.encode(), signed, "sha256").hexdigest()
    hint = json.loads(raw)
    assert (hint["type"], hint["id"], hint["event"]) == ("creditMemo", "701", "create")
    assert set(hint) == {"type", "id", "event", "at", "nonce"}


def test_money_is_never_a_binary_float_on_disk(account: Account, simulator: Simulator) -> None:
    account.credit("190.55")
    with sqlite3.connect(simulator.store.path) as connection:
        kinds = connection.execute("SELECT DISTINCT typeof(foreigntotal), typeof(exchangerate) FROM ns_transaction").fetchall()
        amounts = connection.execute("SELECT DISTINCT typeof(amount) FROM ns_transactionaccountingline").fetchall()
    assert kinds == [("text", "text")]
    assert amounts == [("text",)]
