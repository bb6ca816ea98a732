"""Every rule carries its own proof: what it fires on and what it stays silent on."""

from __future__ import annotations

import pytest

from revops.detection.registry import RULES
from revops.detection.rule import Example, Rule, ledger_of

FIRES = [pytest.param(rule, example, id=f"{rule.code}: {example.name}") for rule in RULES.values() for example in rule.fires_on]
SILENT = [pytest.param(rule, example, id=f"{rule.code}: {example.name}") for rule in RULES.values() for example in rule.silent_on]


def _counts(rule: Rule, example: Example) -> tuple[int, int]:
    findings = list(rule.find(ledger_of(example), example.now))
    broken = [finding for finding in findings if finding.is_due(example.now)]
    return len(broken), len(findings) - len(broken)


@pytest.mark.parametrize(("rule", "example"), FIRES)
def test_rule_fires(rule: Rule, example: Example) -> None:
    assert example.finds > 0, "an example in fires_on must say how much it finds"
    assert _counts(rule, example) == (example.finds, example.waits)


@pytest.mark.parametrize(("rule", "example"), SILENT)
def test_rule_stays_silent(rule: Rule, example: Example) -> None:
    assert example.finds == 0
    assert _counts(rule, example) == (0, example.waits)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.code)
def test_rule_brings_its_proof_and_its_words(rule: Rule) -> None:
    assert min(len(rule.fires_on), len(rule.silent_on)) >= 2
    assert rule.sentence.endswith(".")
    assert rule.playbook.means.endswith(".")
    assert len(rule.playbook.check) >= 2


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.code)
def test_identity_does_not_depend_on_the_order_in_which_records_are_read(rule: Rule) -> None:
    for example in rule.fires_on:
        ledger = ledger_of(example)
        turned = ledger_of(Example(example.name, tuple(reversed(example.facts)), example.now))
        prints = {finding.fingerprint(rule.code) for finding in rule.find(ledger, example.now)}
        assert prints == {finding.fingerprint(rule.code) for finding in rule.find(turned, example.now)}
        assert len(prints) == example.finds + example.waits
