"""What every rule stands on: the identity of a finding, when it is due, when a rule must look, and reading a record's fields."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import replace

import pytest

from revops.detection.registry import RULES
from revops.detection.rule import Finding, Rule, inputs_as_json, money, rounding, text
from revops.ledger.facts import Value
from revops.ledger.view import LedgerRecord
from revops.money import Money
from revops.policies.in_force import policies_in_force
from revops.sentences import Template, render

AT = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


def record(system: str, external_id: str) -> LedgerRecord:
    fields: dict[str, Value] = {"total": Money.parse("1", "EUR"), "number": "INV-1", "quantity": 3}
    return LedgerRecord(system, system, "invoice", external_id, fields, {}, AT, AT)


def finding(*subjects: LedgerRecord) -> Finding:
    return Finding(subjects, rounding(policies_in_force()), AT)


def test_the_identity_of_a_finding_is_made_of_its_rule_its_note_and_its_subjects() -> None:
    """It is stored with the case: another way of writing it would make every open case a new one."""
    erp, billing = record("erp", "7"), record("billing", "in_1")
    written = "a_rule\x1ea note\x1ebilling\x1finvoice\x1fin_1\x1eerp\x1finvoice\x1f7"
    noted = replace(finding(erp, billing), subject_note="a note")
    assert noted.fingerprint("a_rule") == hashlib.sha256(written.encode()).hexdigest()
    assert finding(erp, billing).fingerprint("a_rule") == finding(billing, erp).fingerprint("a_rule")
    others = [finding(erp), finding(billing), finding(erp, billing), noted]
    assert len({each.fingerprint("a_rule") for each in others} | {finding(erp).fingerprint("b_rule")}) == 5


def test_a_finding_is_due_from_its_due_time_on() -> None:
    second = dt.timedelta(seconds=1)
    assert [finding().is_due(AT + late * second) for late in (-1, 0, 1)] == [False, True, True]


def test_a_field_of_another_kind_is_not_read() -> None:
    invoice = record("erp", "7")
    assert money(invoice, "total") == Money.parse("1", "EUR")
    assert [money(invoice, name) for name in ("number", "quantity", "nothing")] == [None, None, None]
    assert text(invoice, "number") == "INV-1"
    assert [text(invoice, name) for name in ("total", "quantity", "nothing")] == ["", "", ""]


def test_what_a_finding_was_computed_from_is_kept_by_name_and_value() -> None:
    named, days = Template("finding.tolerance", frozenset()), Template("finding.days", frozenset())
    assert inputs_as_json({named: Money.parse("0.05", "EUR"), days: 3}) == [
        {"name": "finding.tolerance", "value": {"money": {"amount": "0.05", "currency": "EUR"}}},
        {"name": "finding.days", "value": 3},
    ]
    assert inputs_as_json({}) == []


def test_the_tolerance_is_said_for_currencies_with_and_without_decimals() -> None:
    assert render(rounding(policies_in_force())) == "0.05 (1 in currencies without decimals)"


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.code)
def test_a_rule_runs_when_something_moved_that_it_reads_or_when_nobody_says_what(rule: Rule) -> None:
    assert rule.runs_on(frozenset())
    assert rule.runs_on(frozenset({next(iter(rule.reads)), "unheard_of"}))
    assert not rule.runs_on(frozenset({"unheard_of"}))
