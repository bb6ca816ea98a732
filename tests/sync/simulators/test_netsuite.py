"""The NetSuite simulator over real HTTP on loopback: what money depends on, and what it refuses."""

from __future__ import annotations

import hmac
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from sync.simulators import netsuite
from sync.simulators._http import Simulator
from sync.simulators.netsuite import tokens

Json = dict[str, Any]


class Account:
    """A small client of the simulator; knows only what an outsider knows."""

    def __init__(self, simulator: Simulator) -> None:
        self.url = simulator.url
        self.http = requests.Session()
        self.http.headers["Authorization"] = f"Bearer {self.token()}"

    def assertion(self, key: Any = None, alg: str = "ES256", kid: str = netsuite.CERTIFICATE_ID, **claims: Any) -> str:
        now = int(time.time())
        body = {
            "iss": netsuite.CLIENT_ID, "scope": ["rest_webservices"], "aud": self.url + netsuite.TOKEN_PATH,
            "iat": now, "exp": now + 600,
        } | claims  # fmt: skip
        return jwt.encode(body, key or tokens.demo_private_key_pem(), alg, headers={"kid": kid})

    def ask_token(self, assertion: str) -> requests.Response:
        form = {
            "grant_type": "client_credentials", "client_assertion_type": tokens.ASSERTION_TYPE,
            "client_assertion": assertion,
        }  # fmt: skip
        return requests.post(self.url + netsuite.TOKEN_PATH, data=form, timeout=5)

    def token(self) -> str:
        answer = self.ask_token(self.assertion())
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def load(self, *rows: tuple[str, Json]) -> requests.Response:
        lines = "\n".join(json.dumps({"collection": table, "object": row}) for table, row in rows)
        return requests.post(self.url + "/_sim/load", data=lines, timeout=30)

    def change(self, **wish: Any) -> requests.Response:
        return requests.post(self.url + "/_sim/change", json=wish, timeout=5)

    def fault(self, **wish: Any) -> None:
        requests.post(self.url + "/_sim/faults", json=wish, timeout=5).raise_for_status()

    def sql(self, query: str, *params: Any, **paging: int) -> requests.Response:
        return self.http.post(
            self.url + netsuite.SUITEQL_PATH, json={"q": query, "params": list(params)}, params=paging,
            headers={"Prefer": "transient"}, timeout=30,
        )  # fmt: skip

    def rows(self, query: str, *params: Any) -> list[Json]:
        answer = self.sql(query, *params)
        assert answer.status_code == 200, answer.text
        return [{k: v for k, v in item.items() if k != "links"} for item in answer.json()["items"]]

    def record(self, method: str, path: str, body: Json | None = None, **headers: str) -> requests.Response:
        headers = {"X-NetSuite-PropertyNameValidation": "Error"} | {k.replace("_", "-"): v for k, v in headers.items()}
        return self.http.request(method, f"{self.url}/services/rest/record/v1/{path}", json=body, headers=headers,
                                 timeout=10)  # fmt: skip

    def read(self, path: str) -> Json:
        answer = self.record("GET", path)
        assert answer.status_code == 200, answer.text
        body: Json = json.loads(answer.text, parse_float=Decimal)
        return body

    def credit(self, amount: str, key: str = "rvo-1", **more: Any) -> requests.Response:
        body = {
            "externalId": key, "tranDate": "2026-03-15",
            "item": {"items": [{"item": {"id": "9001"}, "amount": amount}]},
        } | more  # fmt: skip
        return self.record("POST", "invoice/700/!transform/creditMemo?replace=item", body)


def reason(answer: requests.Response) -> tuple[int, str, str]:
    """(status, o:errorCode, detail) of a refusal, from the documented body."""
    body = answer.json()
    assert body["status"] == answer.status_code
    detail = body["o:errorDetails"][0]
    return answer.status_code, detail["o:errorCode"], detail["detail"]


def company() -> list[tuple[str, Json]]:
    """One subsidiary in EUR, one invoice of 1,190.50 USD in March 2026, February closed."""
    months = [("214", "Feb 2026", "2026-02-01", "2026-02-28", "T"), ("215", "Mar 2026", "2026-03-01", "2026-03-31", "F")]
    base = {"isquarter": "F", "isyear": "F", "isadjust": "F", "isposting": "T", "arlocked": "F", "alllocked": "F"}
    periods = [
        ("accountingperiod", base | {"id": i, "periodname": n, "startdate": s, "enddate": e, "closed": c})
        for i, n, s, e, c in months
    ]
    now = "2026-03-02T08:00:00Z"
    return [
        ("currency", {"id": 1, "name": "US Dollar", "symbol": "USD", "currencyprecision": 2}),
        ("currency", {"id": 2, "name": "Euro", "symbol": "EUR", "currencyprecision": 2}),
        ("currency", {"id": 3, "name": "Yen", "symbol": "JPY", "currencyprecision": 0}),
        ("subsidiary", {"id": 2, "name": "Meridian GmbH", "currency": 2}),
        *periods,
        ("customer", {"id": 50, "entityid": "C50", "companyname": "Acme", "currency": 1, "subsidiary": 2,
                      "externalid": "001000000000001AAA", "isinactive": "F", "lastmodifieddate": now}),
        ("transaction", {"id": 700, "type": "CustInvc", "tranid": "INV700", "status": "A", "entity": 50, "currency": 1,
                         "exchangerate": "0.9173", "trandate": "2026-03-02", "postingperiod": 215, "posting": "T",
                         "externalid": "in_700", "otherrefnum": "C-00000001", "foreigntotal": "1190.50",
                         "foreignamountunpaid": "1190.50", "lastmodifieddate": now}),
        ("transactionline", {"transaction": 700, "id": 0, "uniquekey": 1, "mainline": "T", "subsidiary": 2,
                             "entity": 50, "foreignamount": "1190.50", "foreignamountunpaid": "1190.50"}),
        ("transactionline", {"transaction": 700, "id": 1, "uniquekey": 2, "mainline": "F", "subsidiary": 2, "item": 9001,
                             "quantity": 1, "rate": "1190.50", "foreignamount": "-1190.50"}),
    ]  # fmt: skip


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    with Simulator(netsuite.Vendor, 0, tmp_path) as running:
        yield running


@pytest.fixture
def account(simulator: Simulator) -> Account:
    account = Account(simulator)
    answer = account.load(*company())
    assert answer.status_code == 200, answer.text
    return account


def credit_memos(account: Account) -> list[Json]:
    return account.rows("SELECT id, externalid, status FROM transaction WHERE type = 'CustCred'")


# -- who may come in ------------------------------------------------------------------------------------------------


def test_token_is_granted_for_a_signed_assertion_and_expires_in_is_text(account: Account) -> None:
    body = account.ask_token(account.assertion()).json()
    assert body["expires_in"] == "3600"
    assert body["token_type"] == "bearer"


@pytest.mark.parametrize(
    "wrong",
    [
        {"kid": "another"},
        {"aud": "https://elsewhere.invalid/token"},
        {"iss": "somebody"},
        {"scope": ["suite_analytics"]},
        {"exp": 1_000_000_000},
        {"exp": 4_000_000_000},
    ],
    ids=lambda wrong: "-".join(f"{k}" for k in wrong),
)
def test_token_is_refused_for_a_wrong_assertion(account: Account, wrong: Json) -> None:
    answer = account.ask_token(account.assertion(**wrong))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_rs256_and_foreign_keys_are_refused(account: Account) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for alg in ("RS256", "PS256"):
        assert account.ask_token(account.assertion(key, alg)).json()["error"] == "invalid_grant"


def test_expired_token_is_invalid_login(account: Account) -> None:
    assert account.sql("SELECT id FROM customer").status_code == 200
    account.change(collection="settings", object={"id": "settings", "forget_tokens": True})
    assert reason(account.sql("SELECT id FROM customer"))[:2] == (401, "INVALID_LOGIN")
    account.change(collection="settings", object={"id": "settings", "token_seconds": 0})
    account.http.headers["Authorization"] = f"Bearer {account.token()}"
    assert account.sql("SELECT id FROM customer").status_code == 401


def test_sixth_call_at_once_is_429_without_retry_after(account: Account) -> None:
    account.fault(match={"path": "suiteql"}, times=5, delay_seconds=0.8)
    auth = {"Authorization": str(account.http.headers["Authorization"]), "Prefer": "transient"}

    def ask(_: int) -> requests.Response:
        return requests.post(account.url + netsuite.SUITEQL_PATH, json={"q": "SELECT id FROM customer"}, headers=auth,
                             timeout=10)  # fmt: skip

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    refused = [a for a in answers if a.status_code == 429]
    assert len(refused) == 3
    assert all("Retry-After" not in a.headers for a in refused)
    assert account.sql("SELECT id FROM customer").status_code == 200


# -- SuiteQL --------------------------------------------------------------------------------------------------------


def test_suiteql_needs_prefer_transient(account: Account) -> None:
    answer = account.http.post(account.url + netsuite.SUITEQL_PATH, json={"q": "SELECT id FROM customer"}, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["o:errorDetails"][0]["o:errorHeader"] == "Prefer"


def test_suiteql_speaks_text_and_leaves_nulls_out(account: Account) -> None:
    query = """SELECT t.ID, t.status, t.trandate, t.memo, t.foreigntotal,
                      TO_CHAR(t.lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') AS lm, BUILTIN.DF(t.entity) AS customer,
                      BUILTIN.DF(t.status) AS status_name, NVL(t.memo, 'none') AS note
               FROM transaction t WHERE t.lastmodifieddate >= TO_TIMESTAMP(?, 'YYYY-MM-DD HH24:MI:SS')
               AND t.type = ? ORDER BY t.lastmodifieddate, t.id"""
    assert account.rows(query, "2026-03-01 00:00:00", "CustInvc") == [
        {
            "id": "700", "status": "A", "trandate": "3/2/2026", "foreigntotal": "1190.50", "lm": "2026-03-02 08:00:00",
            "customer": "Acme", "status_name": "Invoice : Open", "note": "none",
        }
    ]  # fmt: skip
    assert account.rows(query, "2026-03-02 08:00:01", "CustInvc") == []


@pytest.mark.parametrize(
    ("condition", "params", "found"),
    [
        ("t.status = 'CustInvc:A'", [], 1),
        ("t.status IN (?, ?)", ["CustInvc:A", "CustInvc:B"], 1),
        ("t.status = 'CustInvc:B'", [], 0),
        ("t.trandate >= '3/2/2026'", [], 1),
        ("t.trandate > ?", ["3/2/2026"], 0),
        ("t.trandate = TO_DATE('2026-03-02', 'YYYY-MM-DD')", [], 1),
        ("t.foreigntotal > 200", [], 1),
        ("t.foreigntotal = 1190.5", [], 1),
        ("t.id > ?", ["699"], 1),
        ("t.id > ?", [700], 0),
        ("t.lastmodifieddate > SYSDATE - 7", [], 0),
        ("EXISTS (SELECT 1 FROM transactionline tl WHERE tl.transaction = t.id AND tl.mainline = 'T')", [], 1),
    ],
)
def test_suiteql_conditions(account: Account, condition: str, params: list[Any], found: int) -> None:
    assert len(account.rows(f"SELECT t.id FROM transaction t WHERE {condition}", *params)) == found


def test_suiteql_sums_exactly(account: Account) -> None:
    account.load(*[
        ("transactionline", {"transaction": 700, "id": n, "uniquekey": n, "mainline": "F", "foreignamount": "0.1"})
        for n in range(10, 13)
    ])  # fmt: skip
    query = "SELECT SUM(foreignamount) AS total FROM transactionline WHERE id >= 10"
    assert account.rows(query) == [{"total": "0.3"}]
    assert account.rows(query + " HAVING SUM(foreignamount) <> 0.3") == []
    assert account.rows(query + " HAVING SUM(foreignamount) > 1 OR SUM(NVL(rate, 0)) > 0 OR ABS(SUM(foreignamount)) > 1") == []


def test_suiteql_pages_by_multiples_of_limit(account: Account) -> None:
    account.load(*[("customer", {"id": n, "entityid": f"C{n}"}) for n in range(1000, 1025)])
    query = "SELECT id FROM customer ORDER BY id"
    seen: list[str] = []
    for offset in (0, 10, 20):
        body = account.sql(query, limit=10, offset=offset).json()
        assert (body["totalResults"], body["offset"]) == (26, offset)
        assert body["hasMore"] == (offset < 20) == any(link["rel"] == "next" for link in body["links"])
        assert body["count"] == len(body["items"])
        seen += [item["id"] for item in body["items"]]
    assert seen == ["50", *map(str, range(1000, 1025))]
    assert reason(account.sql(query, limit=10, offset=5))[:2] == (400, "INVALID_PARAMETER")
    assert account.sql(query, limit=1001).status_code == 400


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("SELECT id FROM nosuchtable", "'nosuchtable' was not found"),
        ("SELECT nosuchcolumn FROM customer c", "Unknown identifier 'nosuchcolumn'"),
        ("DELETE FROM customer", "only SELECT"),
        ("SELECT id FROM customer LIMIT 5", "unsupported"),
        ("SELECT id FROM customer; SELECT 1", "unsupported"),
        ("SELECT * FROM ns_customer", "Invalid search type"),
        ("SELECT sim_key FROM customer", "Invalid search type"),
    ],
)
def test_suiteql_refuses(account: Account, query: str, text: str) -> None:
    status, code, detail = reason(account.sql(query))
    assert (status, code) == (400, "INVALID_PARAMETER")
    assert text in detail


def test_hidden_table_looks_like_a_missing_one(account: Account) -> None:
    assert account.sql("SELECT id FROM systemnote").status_code == 200
    account.change(collection="settings", object={"id": "settings", "hidden_tables": ["systemnote"]})
    assert "was not found" in reason(account.sql("SELECT id FROM systemnote"))[2]


def test_bulk_load_is_fast_and_strict(account: Account) -> None:
    rows = [
        ("transaction", {"id": n, "type": "CustInvc", "status": "B", "entity": 50, "currency": 1, "externalid": f"in_{n}",
                         "foreigntotal": "10.00", "lastmodifieddate": "2026-01-05T00:00:00Z"})
        for n in range(10_000, 30_000)
    ]  # fmt: skip
    started = time.monotonic()
    assert account.load(*rows).json() == {"loaded": 20_000}
    assert time.monotonic() - started < 20
    assert account.rows("SELECT COUNT(*) AS n FROM transaction") == [{"n": "20001"}]
    assert account.load(("transaction", {"id": 9, "nonsense": 1})).status_code == 400
    assert account.load(("transaction", {"id": 9, "type": "CustInvc", "externalid": "in_700"})).status_code == 400


# -- records and money ----------------------------------------------------------------------------------------------


def test_record_shows_the_same_row_as_suiteql(account: Account) -> None:
    invoice = account.read("invoice/eid:in_700")
    assert invoice["id"] == "700"
    assert (invoice["total"], invoice["amountRemaining"], invoice["amountPaid"]) == (Decimal("1190.50"),) * 2 + (0,)
    assert invoice["status"] == {"id": "A", "refName": "Open"}
    assert invoice["entity"]["externalId"] == "001000000000001AAA"
    assert "items" not in invoice["item"]
    lines = account.read("invoice/700?expandSubResources=true")["item"]["items"]
    assert [line["amount"] for line in lines] == [Decimal("1190.50")]
    assert set(account.read("invoice/700?fields=total")) == {"links", "id", "total"}
    assert reason(account.record("GET", "invoice/eid:nope"))[:2] == (404, "NONEXISTENT_ID")
    assert account.record("GET", "creditMemo/700").status_code == 404


def test_credit_memo_settles_the_invoice_to_the_cent(account: Account) -> None:
    answer = account.credit("190.50")
    assert (answer.status_code, answer.content) == (204, b"")
    memo = account.read("creditMemo/" + answer.headers["Location"].rsplit("/", 1)[1])
    assert (memo["total"], memo["applied"], memo["unapplied"]) == (Decimal("190.50"), Decimal("190.50"), 0)
    assert (memo["status"]["id"], memo["externalId"], memo["createdFrom"]["id"]) == ("B", "rvo-1", "700")
    assert account.read("invoice/700")["amountRemaining"] == Decimal("1000.00")
    link = "SELECT previousdoc, nextdoc, linktype, foreignamount FROM nexttransactionlink"
    expected = [{"previousdoc": "700", "nextdoc": memo["id"], "linktype": "Payment", "foreignamount": "190.50"}]
    assert account.rows(link) == account.rows(link.replace("next", "previous", 0)) == expected
    assert account.rows("SELECT foreignamountunpaid FROM transactionline WHERE transaction = 700 AND mainline = 'T'") == [
        {"foreignamountunpaid": "1000.00"}
    ]


def test_ledger_of_a_credit_memo_balances_in_base_currency(account: Account) -> None:
    items = {"items": [{"item": {"id": "9001"}, "amount": amount} for amount in ("33.33", "33.33", "33.34")]}
    assert account.credit("", item=items).status_code == 204
    sides = account.rows(
        "SELECT debit, credit, amount FROM transactionaccountingline WHERE transaction = 701 ORDER BY transactionline"
    )
    assert sum(Decimal(side["amount"]) for side in sides) == 0
    assert sides[0]["credit"] == "91.73"
    assert sum(Decimal(side.get("debit", "0")) for side in sides) == Decimal("91.73")


def test_full_credit_closes_and_taking_it_back_opens_again(account: Account) -> None:
    account.credit("1190.50")
    assert account.read("invoice/700")["status"]["id"] == "B"
    body = {"apply": {"items": [{"doc": {"id": "700"}, "apply": False}]}}
    assert account.record("PATCH", "creditMemo/eid:rvo-1", body).status_code == 204
    invoice = account.read("invoice/700")
    assert (invoice["status"]["id"], invoice["amountRemaining"]) == ("A", Decimal("1190.50"))
    assert account.read("creditMemo/eid:rvo-1")["status"]["id"] == "A"
    assert account.rows("SELECT previousdoc FROM nexttransactionlink") == []


def test_over_application_is_refused_and_leaves_nothing(account: Account) -> None:
    apply = {"items": [{"doc": {"id": "700"}, "apply": True, "amount": "1190.51"}]}
    status, code, _ = reason(account.credit("2000.00", apply=apply))
    assert (status, code) == (400, "USER_ERROR")
    assert credit_memos(account) == []
    apply["items"][0]["amount"] = "1190.50"
    assert account.credit("1190.49", apply=apply).status_code == 400
    assert account.read("invoice/700")["amountRemaining"] == Decimal("1190.50")
    assert account.credit("1190.50", apply=apply).status_code == 204


def test_payment_applies_and_cannot_be_used_twice(account: Account) -> None:
    body = {
        "externalId": "pi_1", "customer": {"id": "50"}, "payment": "100.10", "currency": {"id": "1"},
        "exchangeRate": "0.9", "tranDate": "2026-03-20", "apply": {"items": [{"doc": {"id": "700"}, "amount": "100.10"}]},
    }  # fmt: skip
    assert account.record("POST", "customerPayment", body).status_code == 204
    assert account.read("invoice/700")["amountRemaining"] == Decimal("1090.40")
    payment = account.read("customerPayment/eid:pi_1?expandSubResources=true")
    assert (payment["payment"], payment["unapplied"]) == (Decimal("100.10"), 0)
    assert payment["apply"]["items"][0]["doc"]["id"] == "700"
    more = {"apply": {"items": [{"doc": {"id": "700"}, "amount": "100.11"}]}}
    assert account.record("PATCH", "customerPayment/eid:pi_1", more).status_code == 400
    assert account.record("DELETE", "invoice/700").status_code == 400
    assert account.record("DELETE", "customerPayment/eid:pi_1").status_code == 204
    assert account.read("invoice/700")["amountRemaining"] == Decimal("1190.50")
    assert account.rows("SELECT recordtype, name FROM deletedrecord") == [{"recordtype": "customerpayment", "name": "PYMT701"}]


def test_transform_without_replace_appends_lines(account: Account) -> None:
    body = {"externalId": "rvo-2", "tranDate": "2026-03-15", "item": {"items": [{"item": {"id": "9001"}, "amount": 5}]}}
    assert account.record("POST", "invoice/700/!transform/creditMemo", body).status_code == 204
    assert account.read("creditMemo/eid:rvo-2")["total"] == Decimal("1195.50")


def test_transform_keeps_taxes_credits_and_their_accounts(account: Account) -> None:
    lines = [("700.00", None, "400", "F"), ("-200.00", "9001", "400", "F"), ("95.00", None, "2200", "T")]
    account.load(
        ("transaction", {"id": 710, "type": "CustInvc", "status": "A", "entity": 50, "currency": 1, "exchangerate": "1",
                         "trandate": "2026-03-02", "postingperiod": 215, "foreigntotal": "595.00"}),
        ("transactionline", {"transaction": 710, "id": 0, "mainline": "T", "subsidiary": 2, "foreignamount": "595.00"}),
        *[("transactionline", {"transaction": 710, "id": n, "mainline": "F", "taxline": tax, "item": item,
                               "foreignamount": str(-Decimal(value)), "expenseaccount": ledger})
          for n, (value, item, ledger, tax) in enumerate(lines, 1)],
    )  # fmt: skip
    body = {"externalId": "rvo-5", "tranDate": "2026-03-15"}
    assert account.record("POST", "invoice/710/!transform/creditMemo", body).status_code == 204
    memo = account.read("creditMemo/eid:rvo-5")
    assert (memo["total"], memo["taxTotal"], memo["subtotal"]) == (Decimal("595.00"), Decimal("95.00"), Decimal("500.00"))
    booked = account.rows(
        "SELECT a.account, a.amount FROM transactionaccountingline a WHERE a.transaction = ? ORDER BY a.transactionline",
        memo["id"],
    )
    assert [(row["account"], row["amount"]) for row in booked] == [
        ("119", "-595.00"), ("400", "700.00"), ("400", "-200.00"), ("2200", "95.00"),
    ]  # fmt: skip
    assert account.read("invoice/710")["amountRemaining"] == 0


def test_external_id_is_unique_within_its_type(account: Account) -> None:
    assert account.credit("10.00").status_code == 204
    status, _, detail = reason(account.credit("10.00"))
    assert status == 400
    assert "This record already exists" in detail
    assert len(credit_memos(account)) == 1
    assert reason(account.credit("1.00", key="a|b"))[1] == "INVALID_CONTENT"
    payment = {"externalId": "rvo-1", "customer": {"id": "50"}, "payment": 1, "exchangeRate": 1, "tranDate": "2026-03-15"}
    assert account.record("POST", "customerPayment", payment).status_code == 204


@pytest.mark.parametrize("lock", ["closed", "alllocked", "arlocked"])
def test_closed_or_locked_period_is_refused(account: Account, lock: str) -> None:
    account.change(collection="accountingperiod", id="214", set={"closed": "F", lock: "T"})
    status, code, detail = reason(account.credit("10.00", tranDate="2026-02-10"))
    assert (status, code) == (400, "INVALID_CONTENT")
    assert "Feb 2026" in detail
    assert reason(account.credit("10.00", postingPeriod={"id": "214"}))[1] == "INVALID_CONTENT"
    account.change(collection="accountingperiod", id="214", set={lock: "F"})
    assert account.credit("10.00", tranDate="2026-02-10").status_code == 204


def test_document_in_a_period_locked_later_cannot_be_changed(account: Account) -> None:
    account.credit("10.00")
    account.change(collection="accountingperiod", id="215", set={"arlocked": "T"})
    assert account.record("PATCH", "creditMemo/eid:rvo-1", {"memo": "x"}).status_code == 400
    account.change(collection="accountingperiod", id="215", set={"allownonglchanges": "T"})
    assert account.record("PATCH", "creditMemo/eid:rvo-1", {"memo": "x"}).status_code == 204
    assert account.record("PATCH", "creditMemo/eid:rvo-1", {"tranDate": "2026-03-16"}).status_code == 400
    assert account.record("DELETE", "creditMemo/eid:rvo-1").status_code == 400


def test_misspelt_field_is_an_error_or_dropped(account: Account) -> None:
    status, code, detail = reason(account.credit("10.00", mmemo="x"))
    assert (status, code, "mmemo" in detail) == (400, "INVALID_CONTENT", True)
    body = {"externalId": "rvo-3", "tranDate": "2026-03-15", "mmemo": "x"}
    answer = account.record("POST", "invoice/700/!transform/creditMemo", body,
                            X_NetSuite_PropertyNameValidation="Warning")  # fmt: skip
    assert answer.status_code == 204
    assert "mmemo" in answer.headers["Warning"]


def test_journal_must_balance(account: Account) -> None:
    account.load(("account", {"id": 600, "fullname": "Rent"}))
    lines = [{"account": {"id": "600"}, "debit": "10.00"}, {"account": {"id": "400"}, "credit": "9.99"}]
    body = {
        "externalId": "je-1", "subsidiary": {"id": "2"}, "currency": {"id": "2"}, "tranDate": "2026-03-31",
        "line": {"items": lines},
    }  # fmt: skip
    assert "not in balance" in reason(account.record("POST", "journalEntry", body))[2]
    lines[1]["credit"] = "10.00"
    assert account.record("POST", "journalEntry", body).status_code == 204
    shown = account.read("journalEntry/eid:je-1?expandSubResources=true")["line"]["items"]
    assert [(line.get("debit"), line.get("credit")) for line in shown] == [(Decimal("10.00"), None), (None, Decimal("10.00"))]


def test_put_by_external_id_creates_then_updates(account: Account) -> None:
    body = {"entity": {"id": "50"}, "tranDate": "2026-03-05", "exchangeRate": "0.9",
            "item": {"items": [{"item": {"id": "9001"}, "amount": "12.30"}]}}  # fmt: skip
    assert account.record("PUT", "invoice/eid:in_701", body).status_code == 204
    assert account.record("PUT", "invoice/eid:in_701?replace=item", body | {"memo": "again"}).status_code == 204
    invoice = account.read("invoice/eid:in_701")
    assert (invoice["memo"], invoice["total"]) == ("again", Decimal("12.30"))
    assert account.record("PATCH", "invoice/eid:in_701", {"item": body["item"]}).status_code == 204
    assert account.read("invoice/eid:in_701")["total"] == Decimal("24.60")


def test_customer_and_collection(account: Account) -> None:
    body = {"companyName": "Beta", "externalId": "001000000000002AAA", "subsidiary": {"id": "2"}, "currency": {"id": "1"}}
    answer = account.record("POST", "customer", body)
    assert answer.status_code == 204
    beta = account.read("customer/eid:001000000000002AAA")
    assert (beta["companyName"], beta["subsidiary"]["id"]) == ("Beta", "2")
    relation = "SELECT subsidiary FROM customersubsidiaryrelationship WHERE entity = ? AND isprimarysub = 'T'"
    assert account.rows(relation, beta["id"]) == [{"subsidiary": "2"}]
    listed = account.read('customer?q=companyName IS "Beta"')
    assert [set(item) for item in listed["items"]] == [{"links", "id"}]
    assert listed["totalResults"] == 1
    assert reason(account.record("GET", 'customer?q=dateCreated AFTER "2026-01-01"'))[2] == "Unparseable date: 2026-01-01"
    assert account.read("customer/50")["balance"] == Decimal("1190.50")
    assert account.record("POST", "accountingPeriod", {}).status_code == 405


# -- what goes wrong ------------------------------------------------------------------------------------------------


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
    link = {"previousdoc": 700, "nextdoc": made["id"], "linktype": "Payment", "foreignamount": "90.50"}
    assert account.change(collection="nexttransactionlink", object=link).status_code == 200
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
