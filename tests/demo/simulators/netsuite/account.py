"""A NetSuite account seen from outside: a small client of the simulator and the company that it holds."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

import jwt
import requests

from demo.simulators import netsuite
from demo.simulators.netsuite import tokens
from demo.simulators.server import Simulator

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


def credit_memos(account: Account) -> list[Json]:
    return account.rows("SELECT id, externalid, status FROM transaction WHERE type = 'CustCred'")
