"""Who may come in: tokens, and how many calls at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from demo.simulators import netsuite
from tests.demo.simulators.netsuite.account import Account, Json, reason


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
