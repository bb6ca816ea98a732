"""Every parameter of every operation of the API, with every hostile text: a refusal, or an answer; never a failure of ours.

The operations and their bodies are those of the published document; which parameters an address reads is seen, not listed.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.db import transaction

from revops.api.schema import document
from tests.revops.api.caller import Caller, Company
from tests.revops.hostile import HOSTILE, names_read, share

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
ROLE_OF = {"approve": "approver", "reject": "approver", "audit": "auditor", "connections": "auditor", "people": "admin",
           "access-proposals": "admin", "delegations": "approver", "invitations": "admin"}  # fmt: skip
FITTING = {"string": "2026-11-28", "integer": 1, "number": "1.00", "boolean": True, "array": [], "object": {}}


def operations(company: Company, *methods: str) -> list[tuple[Caller, str, str, dict[str, Any]]]:
    """Caller, method, path of something that exists, and the properties of its body."""
    keys = {"accounts": company.case.account_id, "records": company.record.pk, "cases": company.case.pk,
            "change-plans": company.plan.pk, "postings": company.posting.pk, "deliveries": company.delivery.pk,
            "connections": "netsuite", "people": company.people["cs_analyst"].pk}  # fmt: skip
    said, found = dict(document()), []
    callers: dict[str, Caller] = {}
    for path, item in said["paths"].items():
        words = path.strip("/").split("/")
        role = next((ROLE_OF[word] for word in reversed(words) if word in ROLE_OF), "finance_analyst")
        if role not in callers:
            callers[role] = company[role]
        for method in methods:
            if method in item:
                content = item[method].get("requestBody", {}).get("content", {}).get("application/json", {})
                found.append((callers[role], method, filled(path, keys.get(words[2], 1)), properties(said, content)))
    return found


def filled(path: str, key: object) -> str:
    start, brace, rest = path.partition("{")
    return f"{start}{key}{filled(rest.partition('}')[2], 1)}" if brace else path


def properties(said: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    schema = content.get("schema", {})
    if "$ref" in schema:
        schema = said["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    found: dict[str, Any] = schema.get("properties", {})
    return found


class Walk:
    """Asks, takes back what was changed, and collects what failed."""

    def __init__(self) -> None:
        self.asked = 0
        self.failed: list[tuple[str, str, str, str, int]] = []

    def ask(self, caller: Caller, method: str, path: str, name: str, text: str, **said: Any) -> set[str]:
        if self.asked % 100 == 0:
            cache.clear()  # the courtesy limit of requests is not what is tried here
        self.asked += 1
        with names_read() as seen, transaction.atomic():
            answer = caller.call(method.upper(), path, **said)
            transaction.set_rollback(True)
        if answer.status_code >= 500 or answer.status_code == 429:
            self.failed.append((method, path, name, text[:40], answer.status_code))
        return seen


def test_no_parameter_of_the_api_makes_it_fail(company: Company) -> None:
    walk, turn = Walk(), 0
    walked_once: set[str] = set()
    for caller, method, path, _ in operations(company, "get"):
        known = set(walked_once)
        waiting = walk.ask(caller, method, path, "", "")
        while waiting - known:
            name = min(waiting - known)
            known.add(name)
            turn += 1
            for text in share(turn):
                sent = urlencode({name: text}, errors="surrogatepass")
                waiting |= walk.ask(caller, method, f"{path}?{sent}", name, text)
        walked_once |= known & {"cursor", "page_size"}  # one reader for all lists
    assert walk.failed == []
    assert walk.asked > 160, "the lists and their filters were walked"


def test_no_field_of_a_body_makes_it_fail(company: Company) -> None:
    walk = Walk()
    for caller, method, path, fields in operations(company, "post", "patch", "put", "delete"):
        fitting = {name: FITTING.get(str(field.get("type", "string")), "x") for name, field in fields.items()}
        for turn, name in enumerate(fields):
            for text in share(turn, dear=True):
                headers = {"Idempotency_Key": f"hostile-{walk.asked:08d}", "If_Match": '"v1"'}
                walk.ask(caller, method, path, name, text, content=json.dumps({**fitting, name: text}), **headers)
    assert walk.failed == []
    assert walk.asked > 45, "the bodies were walked"


@pytest.mark.parametrize("header", ["Idempotency_Key", "If_Match", "X_Request_Id", "Accept", "Content_Type", "Accept_Language"])
def test_no_header_makes_it_fail(company: Company, header: str) -> None:
    walk = Walk()
    sendable = [text for text in HOSTILE if text.isascii() and text.isprintable() and text]
    for caller, method, path, _ in operations(company, "post")[:6]:  # headers are read in one place for all
        for text in sendable:
            walk.ask(caller, method, path, header, text, content="{}", **{header: text})
    assert walk.failed == []
