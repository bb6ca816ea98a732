"""The declared objects: their schemas are valid JSON Schema, and every recording fits them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from jsonschema import Draft202012Validator

from revops import strict_json
from sync.connectors import CONNECTORS
from sync.vendor.contract import Misunderstood
from sync.vendor.objects import DIALECT, schemas, understood, unknown_words
from tests.sync.connectors.talking import EVERY
from tests.sync.connectors.test_recordings import RECORDINGS, load, name_of

ROWS = {
    "customer": "customer",
    "accounting_period": "accountingperiod",
    "legal_entity": "subsidiary",
    "exchange_rate": "consolidatedexchangerate",
    "deletion": "deletedrecord",
}
RECORDS = {
    "customer": "company",
    "renewal": "gs_opportunity",
    "call_to_action": "call_to_action",
    "deletion": "record_delete_log",
}
SOBJECTS = {"customer": "Account", "contract": "Contract", "opportunity": "Opportunity"}


def parts(path: Path) -> Iterator[tuple[str, Any]]:
    """The vendor's objects in a recording, each with its name there."""
    connector, _, incoming, _ = load(path)
    body: Any = strict_json.parse(incoming.body)
    if incoming.kind == "hint":
        yield "hint", body
    elif connector.slug == "stripe" and incoming.kind == "event":
        name = body.get("object", "event")
        yield name, body
        if name == "event" and body["data"]["object"]["object"] in connector.objects:
            yield body["data"]["object"]["object"], body["data"]["object"]
    elif connector.slug == "stripe":
        yield body["object"]["object"], body["object"]
    elif connector.slug == "salesforce":
        yield SOBJECTS[incoming.object_type], body
    elif connector.slug == "gainsight":
        yield RECORDS[incoming.object_type], body["record"]
    elif connector.slug == "netsuite" and "transaction" in body:
        yield "transaction", body["transaction"]
        yield from (("nexttransactionlink", link) for link in body["applications"])
    elif connector.slug == "netsuite":
        yield ROWS[incoming.object_type], body["row"]
    else:
        yield "invoice" if incoming.kind == "read" else "change", body


@pytest.mark.parametrize("slug", sorted(EVERY))
def test_every_schema_is_valid_and_of_the_dialect_it_names(slug: str) -> None:
    found = schemas(EVERY[slug].objects)
    assert found
    for schema in found.values():
        assert schema["$schema"] == DIALECT
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("path", RECORDINGS, ids=name_of)
def test_a_recording_fits_the_declared_objects(path: Path) -> None:
    objects = EVERY[path.parent.name].objects
    for name, body in parts(path):
        Draft202012Validator(schemas(objects)[name]).validate(body)
        assert list(unknown_words(understood(objects[name], body, name))) == []


@pytest.mark.parametrize("slug", sorted(EVERY))
def test_every_declared_object_has_a_recording(slug: str) -> None:
    recorded = {name for path in RECORDINGS if path.parent.name == slug for name, _ in parts(path)}
    assert recorded == set(EVERY[slug].objects)


def test_a_word_from_the_future_is_kept_and_marked() -> None:
    body = dict(an_invoice(), status="haunted")
    found = understood(CONNECTORS["stripe"].objects["invoice"], body, "invoice")
    assert list(unknown_words(found)) == ["status"]
    assert found.model_dump()["status"] == "haunted"


def an_invoice() -> Mapping[str, Any]:
    """The Stripe invoice of a recording."""
    for path in RECORDINGS:
        for kind, body in parts(path) if path.parent.name == "stripe" else ():
            if kind == "invoice":
                return dict(body)
    raise AssertionError("no Stripe invoice is recorded")


@pytest.mark.parametrize(
    ("changes", "reason", "code"),
    [
        ({"total": "12"}, "invoice.total should be a whole number and is a text.", "field_changed"),
        ({"lines": {"data": [{"id": 7}]}}, "invoice.lines.data.0.id should be a text and is a number.", "field_changed"),
        ({"lines": {"data": {}}}, "invoice.lines.data should be a list and is an object.", "field_changed"),
        ({"total": None}, "invoice.total should be a whole number and is nothing.", "field_changed"),
    ],
)
def test_what_does_not_fit_is_misunderstood_with_its_path(changes: dict[str, object], reason: str, code: str) -> None:
    body = {**an_invoice(), **changes}
    with pytest.raises(Misunderstood) as wrong:
        understood(CONNECTORS["stripe"].objects["invoice"], body, "invoice")
    assert (wrong.value.reason, wrong.value.code) == (reason, code)


def test_a_missing_field_is_named() -> None:
    body = {name: value for name, value in an_invoice().items() if name != "currency"}
    with pytest.raises(Misunderstood) as wrong:
        understood(CONNECTORS["stripe"].objects["invoice"], body, "invoice")
    assert (wrong.value.reason, wrong.value.code) == ("invoice.currency should be there and is absent.", "field_missing")


def test_the_command_prints_them() -> None:
    printed = io.StringIO()
    call_command("schemas", "stripe", stdout=printed)
    found = json.loads(printed.getvalue())
    assert set(found) == {"stripe"}
    assert found["stripe"]["invoice"]["properties"]["total"]["type"] == "integer"
    with pytest.raises(CommandError, match="no connector zuora"):
        call_command("schemas", "zuora")
