"""Whose word counts: one line decides for every field that a system may state, and what people are shown follows it."""

from __future__ import annotations

import itertools

import pytest

from revops.detection.examples import ledger_of
from revops.detection.registry import RULES
from revops.ledger.models import SystemRole
from revops.ledger.ownership import ownership_of
from revops.ledger.types import TYPES
from revops.people.models import Role
from revops.policies.in_force import policies_in_force
from tests.revops import world
from tests.revops.api.caller import Caller, body

POLICIES = policies_in_force()
OWNERS = POLICIES.ownership.lines
STAGES = ("*", "quoted", "booked")
FIELDS = [(name, field) for name, declared in TYPES.items() for field in declared.fields]


@pytest.mark.parametrize(("object_type", "field"), FIELDS)
def test_every_field_that_a_system_may_state_has_one_owner(object_type: str, field: str) -> None:
    for stage in STAGES:
        line = POLICIES.ownership_of(object_type, field, stage)
        assert line.owner in SystemRole.values
        assert line.why.endswith(".")


def test_every_line_decides_something_and_names_what_exists() -> None:
    asked = itertools.product(FIELDS, STAGES)
    deciding = [POLICIES.ownership_of(*pair, stage) for pair, stage in asked]
    assert [line for line in OWNERS if line not in deciding] == []
    assert {line.object_type for line in OWNERS} == set(TYPES)
    for line in OWNERS:
        assert line.field in {"*", *TYPES[line.object_type].fields}, line


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
    assert POLICIES.owner_for(object_type, field, stage) == role


@pytest.mark.parametrize("unknown", ["quote", "", "*", "Invoice"])
def test_what_nobody_declared_has_no_owner(unknown: str) -> None:
    with pytest.raises(LookupError, match="nobody declared"):
        POLICIES.owner_for(unknown, "total", "*")


@pytest.mark.parametrize("code", RULES)
def test_a_rule_names_the_declared_owner_of_what_it_compares(code: str) -> None:
    rule, compared = RULES[code], 0
    for example in rule.fires_on:
        for finding in rule.find(ledger_of(example), POLICIES, example.now):
            for difference in finding.differences:
                kinds = {record.object_type for record, _ in difference.values}
                owners = {
                    POLICIES.owner_for(kind, difference.field, "*") for kind in kinds if difference.field in TYPES[kind].fields
                }
                assert not owners or difference.owner in owners, (difference.field, kinds)
                compared += bool(owners)
    assert compared or not any(finding.differences for e in rule.fires_on for finding in rule.find(ledger_of(e), POLICIES, e.now))


def test_the_owner_is_shown_with_the_difference(db: None) -> None:
    world.systems()
    _, case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    shown = body(Caller(world.person("pat", Role.APPROVER)).get(f"cases/{case.pk}/"))
    owners = {line["field"]: line["owner"] for line in shown["evidence"]["differences"]}
    assert {"total", "amount_remaining"} <= set(owners)
    known = [field for field in owners if field in TYPES["invoice"].fields]
    assert {field: POLICIES.owner_for("invoice", field, "*") for field in known}.items() <= owners.items()


@pytest.mark.parametrize(
    ("statuses", "stage"),
    [(["pending"], "quoted"), (["incomplete"], "quoted"), (["active"], "booked"), (["pending", "active"], "booked"),
     (["ended", "incomplete"], "booked"), ([], "*"), ([None, "never heard of"], "*")],
)  # fmt: skip
def test_an_object_is_at_the_furthest_stage_that_a_system_says(statuses: list[object], stage: str) -> None:
    assert POLICIES.stage_of("subscription", statuses) == stage
    assert POLICIES.stage_of("invoice", statuses) == "*"


def test_the_shipped_policies_say_what_the_object_types_declare() -> None:
    for (object_type, field), stage in itertools.product(FIELDS, STAGES):
        declared = TYPES[object_type].owner(field, stage)
        line = POLICIES.ownership_of(object_type, field, stage)
        assert (line.owner, line.why) == (declared.role, declared.why), (object_type, field, stage)


def test_where_the_policies_say_nothing_the_object_type_decides() -> None:
    silent = POLICIES.model_copy(update={"ownership": POLICIES.ownership.model_copy(update={"lines": ()})})
    line = ownership_of(silent, "invoice", "posting_period", "*")
    assert (line.owner, line.why) == ("erp", "The ERP decides the posting period.")
    with pytest.raises(LookupError, match="nobody declared"):
        ownership_of(silent, "quote", "total", "*")
