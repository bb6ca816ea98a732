"""Whose word counts: one line decides for every field that a system may state, and what people are shown follows it."""

from __future__ import annotations

import itertools

import pytest

from revops.detection.registry import RULES
from revops.detection.rule import ledger_of
from revops.ledger.models import SystemRole
from revops.ledger.types import TYPES
from revops.ownership.owners import owner_of, ownership_of
from revops.people.models import Role
from tests.revops import world
from tests.revops.api.caller import Caller, body

STAGES = ("*", "quoted", "booked")
FIELDS = [(name, field) for name, declared in TYPES.items() for field in declared.fields]


@pytest.mark.parametrize(("object_type", "field"), FIELDS)
def test_every_field_that_a_system_may_state_has_one_owner(object_type: str, field: str) -> None:
    for stage in STAGES:
        line = ownership_of(object_type, field, stage)
        assert line.role in SystemRole.values
        assert line.why.endswith(".")


def test_every_line_decides_something_and_names_what_exists() -> None:
    for name, declared in TYPES.items():
        deciding = {declared.owner(field, stage) for field, stage in itertools.product(declared.fields, STAGES)}
        assert [line for line in declared.owners if line not in deciding] == [], name
        for line in declared.owners:
            assert line.field in {"*", *declared.fields}, line


@pytest.mark.parametrize(
    ("object_type", "field", "stage", "role"),
    [
        ("subscription", "annual_amount", "quoted", "crm"),
        ("subscription", "annual_amount", "booked", "billing"),
        ("subscription", "annual_amount", "*", "billing"),
        ("invoice", "total", "*", "billing"),
        ("invoice", "posting_period", "*", "erp"),
        ("invoice", "amount_remaining", "*", "erp"),
        ("renewal", "stage", "*", "customer_success"),
        ("customer", "name", "*", "crm"),
        ("customer", "renewal_on", "*", "customer_success"),
        ("payment", "amount", "*", "erp"),
    ],
)
def test_who_owns_what(object_type: str, field: str, stage: str, role: str) -> None:
    assert owner_of(object_type, field, stage) == role


@pytest.mark.parametrize("unknown", ["quote", "", "*", "Invoice"])
def test_what_nobody_declared_has_no_owner(unknown: str) -> None:
    with pytest.raises(LookupError, match="nobody declared"):
        owner_of(unknown, "total")


@pytest.mark.parametrize("code", RULES)
def test_a_rule_names_the_declared_owner_of_what_it_compares(code: str) -> None:
    rule, compared = RULES[code], 0
    for example in rule.fires_on:
        for finding in rule.find(ledger_of(example), example.now):
            for difference in finding.differences:
                kinds = {record.object_type for record, _ in difference.values}
                owners = {owner_of(kind, difference.field) for kind in kinds if difference.field in TYPES[kind].fields}
                assert not owners or difference.owner in owners, (difference.field, kinds)
                compared += bool(owners)
    assert compared or not any(finding.differences for e in rule.fires_on for finding in rule.find(ledger_of(e), e.now))


def test_the_owner_is_shown_with_the_difference(db: None) -> None:
    world.systems()
    _, case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    shown = body(Caller(world.person("pat", Role.APPROVER)).get(f"cases/{case.pk}/"))
    owners = {line["field"]: line["owner"] for line in shown["evidence"]["differences"]}
    assert {"total", "amount_remaining"} <= set(owners)
    assert {field: owner_of("invoice", field) for field in owners if field in TYPES["invoice"].fields}.items() <= owners.items()
