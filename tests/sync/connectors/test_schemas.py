"""The declared objects: their schemas are valid JSON Schema, and every recording fits them."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from jsonschema import Draft202012Validator

from revops import strict_json
from sync.connectors import CONNECTORS
from sync.vendor.contract import Incoming, Misunderstood
from sync.vendor.objects import DIALECT, schemas, understood, unknown_words, whole
from tests.sync.connectors.talking import EVERY
from tests.sync.connectors.test_recordings import RECORDINGS, load, name_of, spoken

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
    yield from parts_of(connector.slug, incoming, strict_json.parse(incoming.body))


def parts_of(slug: str, incoming: Incoming, body: Any) -> Iterator[tuple[str, Any]]:
    if incoming.kind == "hint":
        yield "hint", body
    elif slug == "stripe" and incoming.kind == "event":
        name = body.get("object", "event")
        yield name, body
        if name == "event" and body["data"]["object"]["object"] in EVERY[slug].objects:
            yield body["data"]["object"]["object"], body["data"]["object"]
    elif slug == "stripe":
        yield ("deleted_customer" if body["object"].get("deleted") else body["object"]["object"]), body["object"]
    elif slug == "salesforce":
        yield SOBJECTS[incoming.object_type], body
    elif slug == "gainsight":
        yield RECORDS[incoming.object_type], body["record"]
    elif slug == "netsuite" and "transaction" in body:
        yield "transaction", body["transaction"]
        yield from (("nexttransactionlinelink", link) for link in body["applications"])
    elif slug == "netsuite":
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


TELLS_THE_KIND = {"object"}
"""Stripe's name of an object, by which its model is chosen."""
NAMED_BY_SETTINGS = {"Legal_Entity__c", "HoldReason__gc", "HoldReference__gc", "StartedDate__gc"}


def told(path: Path, change: Callable[[str, dict[str, Any]], None]) -> list[dict[str, object]]:
    """What a recording says after each of its vendor's objects was changed in place."""
    connector, config, incoming, _ = load(path)
    body: Any = strict_json.parse(incoming.body)
    for name, found in list(parts_of(connector.slug, incoming, body)):
        change(name, found)
    given = replace(incoming, body=strict_json.dump(body))
    return [spoken(answer) for answer in connector.translate(given, config)]


@pytest.mark.parametrize("path", RECORDINGS, ids=name_of)
def test_what_is_not_declared_is_not_read(path: Path) -> None:
    declared = schemas(EVERY[path.parent.name].objects)

    def only_declared(name: str, found: dict[str, Any]) -> None:
        for field in set(found) - set(declared[name]["properties"]) - TELLS_THE_KIND - NAMED_BY_SETTINGS:
            del found[field]

    assert told(path, only_declared) == told(path, lambda name, found: None)


@pytest.mark.parametrize("path", RECORDINGS, ids=name_of)
def test_a_needed_field_that_is_not_there_is_named_or_what_rests_on_it_is_marked(path: Path) -> None:
    """Without what says which object it is there is no fact. Without anything else, no other value changes."""
    declared = schemas(EVERY[path.parent.name].objects)
    whole_answers = told(path, lambda kind, found: None)
    needed = {(name, field) for name, _ in parts(path) for field in declared[name].get("required", ())}
    for name, field in needed - {("deleted_customer", "deleted")}:

        def drop(kind: str, found: dict[str, Any], name: str = name, field: str = field) -> None:
            if kind == name:
                found.pop(field)

        try:
            answers = told(path, drop)
        except Misunderstood as wrong:
            assert re.search(rf"{field} should be .* and is absent", wrong.reason), (name, field, wrong.reason)  # noqa: PT017
            assert wrong.code in ("field_missing", "field_changed")  # noqa: PT017
            continue
        for answer, before in zip(answers, whole_answers, strict=True):
            kept, stated = answer.get("fields", {}), before.get("fields", {})
            assert isinstance(kept, dict)
            assert isinstance(stated, dict)
            assert kept.items() <= stated.items() or "unread" in answer, (name, field)
            assert answer.get("unread") or kept == stated, (name, field)


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
        ({"lines": {"data": [{}]}}, "invoice.lines.data.0.id should be a text and is absent.", "field_missing"),
        ({"customer": 7}, "invoice.customer should be an id and is a number.", "field_changed"),
        ({"created": 7}, "invoice.created is no believable time.", "time_invalid"),
        ({"created": "7"}, "invoice.created should be a time and is a text.", "field_changed"),
        ({"total": None}, "invoice.total should be a whole number and is nothing.", "field_changed"),
    ],
)
def test_what_does_not_fit_is_misunderstood_with_its_path(changes: dict[str, object], reason: str, code: str) -> None:
    body = {**an_invoice(), **changes}
    with pytest.raises(Misunderstood) as wrong:
        whole(CONNECTORS["stripe"].objects["invoice"], body, "invoice")
    assert (wrong.value.reason, wrong.value.code) == (reason, code)


def test_a_missing_field_is_named() -> None:
    body = {name: value for name, value in an_invoice().items() if name != "currency"}
    with pytest.raises(Misunderstood) as wrong:
        whole(CONNECTORS["stripe"].objects["invoice"], body, "invoice")
    assert (wrong.value.reason, wrong.value.code) == ("invoice.currency should be a text and is absent.", "field_missing")


def test_the_command_prints_them() -> None:
    printed = io.StringIO()
    call_command("schemas", "stripe", stdout=printed)
    found = json.loads(printed.getvalue())
    assert set(found) == {"stripe"}
    assert found["stripe"]["invoice"]["properties"]["total"]["type"] == "integer"
    with pytest.raises(CommandError, match="no connector zuora"):
        call_command("schemas", "zuora")
