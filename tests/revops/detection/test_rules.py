"""Every rule carries its own proof: what it finds, about which records, for how much and due when, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from revops.detection.blind import Need
from revops.detection.examples import Example, Expected, ledger_of
from revops.detection.registry import RULES
from revops.detection.rule import Finding, Rule
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.policies.in_force import policies_in_force
from revops.reference import Ref

POLICIES = policies_in_force()
FIRES = [pytest.param(rule, example, id=f"{rule.code}: {example.name}") for rule in RULES.values() for example in rule.fires_on]
SILENT = [pytest.param(rule, example, id=f"{rule.code}: {example.name}") for rule in RULES.values() for example in rule.silent_on]


def found(rule: Rule, example: Example) -> list[Finding]:
    return list(rule.findings(ledger_of(example), POLICIES, example.now))


def told(finding: Finding) -> Expected:
    """A finding in the words of an example."""
    subjects = tuple(f"{record.system} {record.object_type} {record.external_id}" for record in finding.subjects)
    amount = finding.amount
    if amount is None:
        return Expected(None, subjects, finding.due_at)
    return Expected(str(amount.amount), subjects, finding.due_at, amount.currency)


def key(expected: Expected) -> tuple[str, ...]:
    return expected.subjects


@pytest.mark.parametrize(("rule", "example"), [*FIRES, *SILENT])
def test_a_rule_finds_what_its_example_says_and_nothing_else(rule: Rule, example: Example) -> None:
    """Amount, subjects and due time of every finding."""
    expected = [replace(each, amount=None if each.money is None else str(each.money.amount)) for each in example.expect]
    assert sorted((told(finding) for finding in found(rule, example)), key=key) == sorted(expected, key=key)


@pytest.mark.parametrize(("rule", "example"), FIRES)
def test_an_example_that_fires_has_a_finding_that_is_due(rule: Rule, example: Example) -> None:
    assert [each for each in example.expect if each.due <= example.now]
    for finding in found(rule, example):
        assert finding.is_due(finding.due_at)
        assert str(finding.sentence).endswith(".")


@pytest.mark.parametrize(("rule", "example"), SILENT)
def test_an_example_that_is_silent_has_nothing_due(rule: Rule, example: Example) -> None:
    assert [each for each in example.expect if each.due <= example.now] == []


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.code)
def test_rule_brings_its_proof_and_its_words(rule: Rule) -> None:
    assert min(len(rule.fires_on), len(rule.silent_on)) >= 2
    assert any(each.amount is not None for example in rule.fires_on for each in example.expect), "some money is at risk"
    assert rule.sentence.endswith(".")
    assert str(rule.tolerance(POLICIES))
    assert rule.playbook.means.endswith(".")
    assert len(rule.playbook.check) >= 2
    assert [Need.of(text) for text in rule.needs], "what the rule is blind without"


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.code)
def test_identity_does_not_depend_on_the_order_in_which_records_are_read(rule: Rule) -> None:
    for example in rule.fires_on:
        turned = replace(example, stated=tuple(reversed(example.stated)))
        prints = {finding.fingerprint(rule.code) for finding in found(rule, example)}
        assert prints == {finding.fingerprint(rule.code) for finding in found(rule, turned)}
        assert len(prints) == len(example.expect)


class Watched(AccountLedger):
    """A ledger that remembers which object types were asked for, or answered with."""

    asked: set[str] = set()

    def of(self, object_type: str, role: str | None = None, *, deleted: bool = False) -> list[LedgerRecord]:
        Watched.asked.add(object_type)
        return super().of(object_type, role, deleted=deleted)

    def find(self, ref: Ref) -> LedgerRecord | None:
        Watched.asked.add(ref.object_type)
        return super().find(ref)

    def pointing_at(
        self, target: Ref | LedgerRecord, role: str, object_type: str | None = None, *, deleted: bool = False
    ) -> list[LedgerRecord]:
        found = super().pointing_at(target, role, object_type, deleted=deleted)
        Watched.asked |= {object_type} if object_type else {record.object_type for record in found}
        return found


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.code)
def test_a_rule_declares_every_object_type_that_it_reads(rule: Rule) -> None:
    Watched.asked = set()
    for example in (*rule.fires_on, *rule.silent_on):
        ledger = ledger_of(example)
        watched = Watched(
            ledger.account_id, ledger.currency, ledger.legal_entity_code, ledger.records, "", ledger.entities, ledger.elsewhere,
            habits=ledger.habits,
        )  # fmt: skip
        assert len(list(rule.find(watched, POLICIES, example.now))) == len(example.expect)
    assert Watched.asked | {"legal_entity"} == rule.reads | {"legal_entity"}


def test_a_rule_runs_when_what_it_reads_moved_and_when_nobody_says_what_did() -> None:
    rule = RULES["invoice_not_posted"]
    assert rule.runs_on(frozenset({"renewal", "invoice"}))
    assert rule.runs_on(frozenset())
    assert not rule.runs_on(frozenset({"renewal", "contract"}))
