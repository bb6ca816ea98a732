"""The OpenAPI document is valid, complete and true, and the pages that show it load nothing from elsewhere."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client

from revops.api.problems import MEDIA_TYPE, TITLES
from revops.api.schema import document
from tests.revops.api.caller import Caller

OPERATIONS = [(path, method) for path, methods in document()["paths"].items() for method in methods]


def operation(path: str, method: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["paths"][path][method]
    return found


@pytest.mark.slow
def test_the_generator_finds_nothing_to_warn_about() -> None:
    out = io.StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=out)
    made = yaml.safe_load(out.getvalue())
    assert made["openapi"].startswith("3.1")
    assert made["paths"].keys() == document()["paths"].keys()
    assert len(OPERATIONS) >= 25


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_each_operation_says_who_may_call_it_and_what_it_may_answer(path: str, method: str) -> None:
    found = operation(path, method)
    assert found["security"] == [{"bearer": []}]
    assert found["description"].strip()
    good = [status for status in found["responses"] if status < "400"]
    assert good
    assert all("application/json" in found["responses"][status]["content"] for status in good)
    wanted = {"400", "401", "404", "406", "429", "500", "503"}
    wanted |= {"403", "409", "413", "415", "422"} if method != "get" else set()
    wanted |= {"412", "428"} if method == "patch" else set()
    assert set(found["responses"]) - set(good) == wanted
    for status in wanted:
        answer = found["responses"][status]
        assert answer["content"] == {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        assert answer["description"] == TITLES[int(status)]
    assert {"429", "503"} == {
        status for status, answer in found["responses"].items() if "Retry-After" in answer.get("headers", {})
    }


def test_conditions_and_keys_are_documented() -> None:
    for path, method in OPERATIONS:
        required = {p["name"] for p in operation(path, method).get("parameters", []) if p["in"] == "header" and p.get("required")}
        if path in ("/api/v1/step-up/", "/api/v1/me/password/") or path.endswith("/try/"):
            # a proof is good once: it is never sent again; trying changes nothing
            continue
        assert required == {"post": {"Idempotency-Key"}, "patch": {"If-Match"}, "get": set()}[method], (path, method)
    for path, method in (("/api/v1/cases/{key}/", "get"), ("/api/v1/change-plans/{key}/", "get")):
        assert "ETag" in operation(path, method)["responses"]["200"]["headers"]


def test_lists_are_documented_as_pages() -> None:
    for path, method in OPERATIONS:
        found = operation(path, method)
        if method == "get" and not path.endswith(("{key}/", "/me/", "/connectors/")) and "ledger" not in path:
            names = {p["name"] for p in found["parameters"]}
            assert {"cursor", "page_size"} <= names, path
            reference = found["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
            page = document()["components"]["schemas"][reference.rpartition("/")[2]]
            assert set(page["properties"]) == {"next", "previous", "results"}


def test_money_is_documented_as_text() -> None:
    case = document()["components"]["schemas"]["Case"]["properties"]["money_at_risk"]
    assert {name: part["type"] for name, part in case["properties"].items()} == {"amount": "string", "currency": "string"}


def test_anybody_may_read_the_document() -> None:
    client = Client()
    as_yaml = client.get("/api/v1/schema/")
    assert as_yaml.status_code == 200
    as_json = client.get("/api/v1/schema/", headers={"Accept": "application/json"})
    assert yaml.safe_load(as_yaml.content)["paths"].keys() == json.loads(as_json.content)["paths"].keys()
    assert client.get("/api/v1/schema/", headers={"Authorization": "Bearer wrong"}).status_code == 200
    assert client.post("/api/v1/schema/").status_code == 405


class _Loaded(HTMLParser):
    """What a page loads, and what it has inline."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.addresses += [value for name in ("src", "href", "action") if (value := given.get(name))]
        self.inline += [f"{name}=" for name in given if name.startswith("on") or name == "style"]
        self._inside = tag if tag in ("script", "style") else ""

    def handle_data(self, data: str) -> None:
        if self._inside and data.strip():
            self.inline.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


def test_the_docs_load_nothing_from_elsewhere_and_have_nothing_inline() -> None:
    client = Client()
    answer = client.get("/api/docs/")
    assert answer.status_code == 200
    policy = answer["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    page = _Loaded()
    page.feed(answer.content.decode())
    assert page.inline == []
    assert len(page.addresses) == 6
    for address in page.addresses:
        assert re.fullmatch(r"/(?!/)\S+", address), address
        if address.startswith(settings.STATIC_URL):
            assert finders.find(address.removeprefix(settings.STATIC_URL)), address
        else:
            assert client.get(address).status_code == 200, address
    script = client.get("/api/docs/?script=")
    assert script["Content-Type"].startswith("application/javascript")
    assert b"/api/v1/schema/" in script.content
    assert not re.search(rb"https?://(?!www\.w3\.org)", script.content)


def test_hosts_that_are_not_ours_are_not_echoed() -> None:
    answer = Client(raise_request_exception=False).get("/api/docs/", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert b"evil" not in answer.content


def test_the_docs_are_reachable_without_their_last_slash() -> None:
    assert Client().get("/api/docs").status_code == 200
    assert Caller().get("schema").status_code == 200
