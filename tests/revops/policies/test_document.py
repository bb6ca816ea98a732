"""The policy document: read whole, refused with every problem named, and named itself by what it says."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from pydantic import ValidationError

from revops.detection.connections import CONNECTION_RULES
from revops.detection.registry import RULES
from revops.money import Money
from revops.policies.document import DocumentInvalid, policies_of
from revops.policies.in_force import DEFAULTS, policies_in_force
from revops.sentences import spoken
from tests.revops.policies.documents import document, policies


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('critical = "4 hours"', "critical = 4", "resolve_within.critical: write a duration"),
        ('critical = "4 hours"', 'critical = "4.5 hours"', "resolve_within.critical: write a duration"),
        ('critical = "4 hours"', 'critical = "-4 hours"', "resolve_within.critical: write a duration"),
        ('critical = "4 hours"\n', "", "resolve_within says nothing of critical"),
        ("minor_units = 5", "minor_units = -1", "tolerance.minor_units: "),
        ("minor_units = 5", "minor_units = 5.5", "tolerance.minor_units: "),
        ("minor_units = 5", "minor_unit = 5", "tolerance.minor_unit: Extra inputs"),
        ('reporting_currency = "USD"', 'reporting_currency = "usd"', "reporting_currency: write the three letters"),
        ('from = "10000.00 USD"', 'from = "10000.001 USD"', "checkpoints.tiers.2.from: write an amount"),
        ('from = "10000.00 USD"', "from = 10000.00", "checkpoints.tiers.2.from: write an amount"),
        ('from = "10000.00 USD"', 'from = "10000.00"', "checkpoints.tiers.2.from: write an amount"),
        ('role = "controller"', 'role = "ceo"', "checkpoints.tiers.2.role: "),
        ('code = "controller"', 'code = "amount"', "checkpoints: needs one tier or more, each with a code of its own"),
        ('severity = "critical"', 'severity = "fatal"', "rules.close_on_stale_subscription.severity: "),
        ('team = "customer_success"', 'team = "sales"', "rules.renewal_before_amendment.team: "),
        ("[rules.default]", "[rules.other]", "rules needs a section default"),
        ('needs = "contract"', 'needs = "agreement"', "processes.quote_to_cash: agreement must stand before posting"),
        ('needs = "contract"', 'needs = "posting"', "processes.quote_to_cash: posting must stand before posting"),
        ('needs = "contract"', 'needs = "signature"', "processes.quote_to_cash: has no stage signature"),
        ('code = "invoice", label', 'code = "contract", label', "processes.quote_to_cash: needs two stages or more"),
        ('activated in the CRM."', 'activated in the CRM"', "why: write a sentence that ends with a full stop"),
        ('stage = "quoted"', 'stage = "dreamt"', "ownership: subscription has no stage dreamt"),
        ('object = "contract", field = "*"', 'object = "customer", field = "*"', "ownership: no case is left for customer.*"),
        ('owner = "billing", why = "Recurring', 'owner = "stripe", why = "Recurring', "ownership.lines.1.owner: "),
        ("[tolerance]", 'version = "1"\n[tolerance]', "version: not written by hand"),
        ("[tolerance]", "[tolerance", "not readable as TOML"),
    ],
)  # fmt: skip
def test_a_document_that_cannot_be_used_is_refused_and_says_where(old: str, new: str, problem: str) -> None:
    with pytest.raises(DocumentInvalid) as refused:
        policies_of(document((old, new)))
    assert problem in str(refused.value)


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(DocumentInvalid) as refused:
        policies_of(document(('critical = "4 hours"', 'critical = "soon"'), ('from = "10000.00 USD"', 'from = "much"')))
    assert [problem.split(":")[0] for problem in refused.value.problems] == [
        "resolve_within.critical",
        "checkpoints.tiers.2.from",
    ]


def test_the_version_follows_what_is_said_and_not_how_it_is_laid_out() -> None:
    shipped = policies()
    assert shipped == policies_in_force()
    assert policies_of(document() + "\n# a remark\n").version == shipped.version
    assert policies(("minor_units = 5", "minor_units   =   5 # cents")).version == shipped.version
    assert policies(("minor_units = 5", "minor_units = 6")).version != shipped.version
    assert len(shipped.version) == 64


def test_policies_cannot_be_changed() -> None:
    mine = policies()
    with pytest.raises(ValidationError, match="frozen"):
        mine.reporting_currency = "EUR"
    with pytest.raises(TypeError):
        mine.rules["default"] = mine.rules["invoice_not_posted"]  # type: ignore[index]
    with pytest.raises(TypeError):
        mine.stages["invoice"] = {}  # type: ignore[index]


def test_the_tolerance_is_counted_in_minor_units_of_the_currency() -> None:
    mine = policies(
        ("minor_units = 5", "minor_units = 7"), ("minor_units_without_decimals = 1", "minor_units_without_decimals = 3")
    )
    assert mine.tolerance_for("EUR") == Money(Decimal("0.07"), "EUR")
    assert mine.tolerance_for("JPY") == Money(Decimal(3), "JPY")
    assert mine.tolerance_for("BHD") == Money(Decimal("0.007"), "BHD")
    ten = Money.parse("10", "EUR")
    assert not mine.beyond_tolerance(ten, Money.parse("10.07", "EUR"))
    assert mine.beyond_tolerance(ten, Money.parse("9.92", "EUR"))
    assert mine.beyond_tolerance(ten, Money.parse("10", "USD"))


def test_a_rule_without_a_section_is_judged_as_the_default() -> None:
    mine = policies(('severity = "medium"', 'severity = "low"'))
    assert mine.rule("the_twenty_eighth_rule") == mine.rules["default"]
    assert mine.rule("the_twenty_eighth_rule").severity == "low"
    assert mine.rule("renewal_before_amendment").team == "customer_success"


def test_every_section_is_of_a_rule_that_exists() -> None:
    assert set(policies_in_force().rules) - {"default"} == {*RULES, *CONNECTION_RULES}


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (dt.timedelta(0), "0 hours"),
        (dt.timedelta(minutes=1), "1 minute"),
        (dt.timedelta(minutes=90), "90 minutes"),
        (dt.timedelta(hours=1), "1 hour"),
        (dt.timedelta(hours=24), "24 hours"),
        (dt.timedelta(hours=47), "47 hours"),
        (dt.timedelta(days=2), "2 days"),
        (dt.timedelta(days=7), "7 days"),
    ],
)
def test_durations_in_words(duration: dt.timedelta, words: str) -> None:
    assert spoken(duration) == words


def test_the_document_can_be_read_from_the_top_down() -> None:
    text = DEFAULTS.read_text(encoding="utf-8")
    assert max(len(line) for line in text.splitlines()) <= 140
    for word in ("tolerance", "resolve_within", "rules", "processes", "checkpoints", "connections", "stages", "ownership"):
        assert f"[{word}" in text
