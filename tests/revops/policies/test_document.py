"""The policy document: read whole, refused with every problem named, and named itself by what it says."""

from __future__ import annotations

import datetime as dt
import hashlib
from decimal import Decimal

import pytest
from pydantic import ValidationError

from revops.detection.catalogue import EXCEPTIONS
from revops.money import Money
from revops.policies.document import DocumentInvalid, policies_of, version_of
from revops.policies.in_force import DEFAULTS, policies_in_force
from revops.policies.policies import Ownership
from revops.policies.process import Process
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


WRITTEN = "Write the amount with digits and one point, such as 1234.50."
DURATION = 'write a duration such as "30 minutes", "4 hours" or "3 days"'
UNKNOWN = "is not a currency code we know; use ISO 4217, such as EUR."
AMOUNT = 'checkpoints.tiers.2.from: write an amount such as "10000.00 USD"'
CASH, TWO = "processes.quote_to_cash", "needs two stages or more, each with a code of its own"
CODE = "write a code of small letters, digits and underscores"
LEFT = "ownership: no case is left for customer.* at *"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('critical = "4 hours"', "critical = 4", f"resolve_within.critical: {DURATION}"),
        ('critical = "4 hours"', 'critical = "4 hours or so"', f"resolve_within.critical: {DURATION}"),
        ('reporting_currency = "USD"', 'reporting_currency = "XXX"',
         "reporting_currency: write the three letters of a currency in use, such as USD"),
        ('from = "10000.00 USD"', "from = 1", f"{AMOUNT}: {WRITTEN}"),
        ('from = "10000.00 USD"', 'from = "1 000 USD"', f"{AMOUNT}: '000 USD' {UNKNOWN}"),
        ('from = "10000.00 USD"', 'from = "1 usd"', f"{AMOUNT}: 'usd' {UNKNOWN}"),
        ('code = "controller"', 'code = "amount"', "checkpoints: needs one tier or more, each with a code of its own"),
        ('code = "controller"', 'code = "The CFO"', f"checkpoints.tiers.2.code: {CODE}"),
        ('critical = "4 hours"\n', "", "resolve_within says nothing of critical"),
        ("[rules.default]", "[rules.other]", "rules needs a section default"),
        ('stage = "quoted"', 'stage = "dreamt"', "ownership: subscription has no stage dreamt"),
        ('needs = "contract"', 'needs = "agreement"', f"{CASH}: agreement must stand before posting, which needs it"),
        ('needs = "contract"', 'needs = "signature"', f"{CASH}: has no stage signature"),
        ('code = "invoice", label', 'code = "contract", label', f"{CASH}: {TWO}"),
        ('object = "contract", field = "*"', 'object = "customer", field = "*"', LEFT),
        ("[tolerance]", 'version = "1"\n[tolerance]', "version: not written by hand, it follows from what the document says"),
    ],
)  # fmt: skip
def test_a_problem_says_where_and_what_to_write(old: str, new: str, problem: str) -> None:
    with pytest.raises(DocumentInvalid) as refused:
        policies_of(document((old, new)))
    assert refused.value.problems[0] == problem
    assert str(refused.value) == "The policies cannot be used:\n" + "\n".join(f"- {each}" for each in refused.value.problems)


def test_two_severities_that_are_missing_are_named_in_order() -> None:
    with pytest.raises(DocumentInvalid, match="says nothing of high, low"):
        policies_of(document(('high = "1 day"\n', ""), ('low = "7 days"\n', "")))


def test_the_version_is_the_digest_of_what_is_said() -> None:
    text = '{"a":"für","b":{"c":1,"on":"2026-11-20"}}'
    said = {"b": {"on": dt.date(2026, 11, 20), "c": 1}, "a": "für"}
    assert version_of(said) == hashlib.sha256(text.encode()).hexdigest()


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(DocumentInvalid) as refused:
        policies_of(document(('critical = "4 hours"', 'critical = "soon"'), ('from = "10000.00 USD"', 'from = "much"')))
    assert [problem.split(":")[0] for problem in refused.value.problems] == [
        "resolve_within.critical",
        "checkpoints.tiers.2.from",
    ]
    first, second = refused.value.problems
    assert str(refused.value) == f"The policies cannot be used:\n- {first}\n- {second}"


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


def test_amounts_are_apart_by_their_difference_and_not_by_their_order() -> None:
    mine, ten = policies(), Money.parse("10", "EUR")
    assert mine.tolerance_for("EUR") == Money.parse("0.05", "EUR")
    for apart, beyond in (("9.95", False), ("10.05", False), ("9.94", True), ("10.06", True)):
        assert mine.beyond_tolerance(ten, Money.parse(apart, "EUR")) is beyond
        assert mine.beyond_tolerance(Money.parse(apart, "EUR"), ten) is beyond


def test_the_time_to_resolve_is_that_of_the_severity() -> None:
    mine = policies(('critical = "4 hours"', 'critical = "30 minutes"'))
    assert mine.resolution_time("critical") == dt.timedelta(minutes=30)
    assert mine.resolution_time("low") > mine.resolution_time("high") > mine.resolution_time("critical")


@pytest.mark.parametrize(
    ("object_type", "statuses", "stage"),
    [
        ("subscription", ["draft"], "*"),
        ("subscription", [], "*"),
        ("contract", ["activated"], "*"),
        ("nothing_of_ours", ["active"], "*"),
    ],
)
def test_where_no_status_means_a_stage_any_stage_is_meant(object_type: str, statuses: list[str], stage: str) -> None:
    assert policies_in_force().stage_of(object_type, statuses) == stage


def test_the_furthest_stage_counts_in_whatever_order_the_statuses_are_said() -> None:
    mine = policies_in_force()
    stages = mine.stages["subscription"]
    first, *_, last = stages
    assert first != last
    early, late = stages[first][0], stages[last][0]
    assert mine.stage_of("subscription", [early]) == first
    assert mine.stage_of("subscription", [late]) == last
    assert mine.stage_of("subscription", [early, late, "unheard"]) == last
    assert mine.stage_of("subscription", [late, early]) == last


def owned(field: str, stage: str) -> Ownership:
    line = {"object": "invoice", "field": field, "stage": stage, "owner": "billing", "why": "Because."}
    return Ownership.model_validate(line)


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        (("invoice", "total", "open"), True),
        (("invoice", "total", "*"), False),
        (("invoice", "due_on", "open"), False),
        (("payment", "total", "open"), False),
    ],
)
def test_a_line_of_ownership_fits_its_object_field_and_stage(asked: tuple[str, str, str], fits: bool) -> None:
    line = owned(field="total", stage="open")
    assert line.fits(*asked) is fits
    wide = owned(field="*", stage="*")
    assert wide.fits(*asked) is (asked[0] == "invoice")


@pytest.mark.parametrize(
    ("object_type", "field", "stage", "owner"),
    [
        ("subscription", "annual_amount", "quoted", "crm"),
        ("subscription", "annual_amount", "booked", "billing"),
        ("invoice", "total", "*", "billing"),
        ("invoice", "posting_period", "*", "erp"),
        ("renewal", "stage", "*", "customer_success"),
    ],
)
def test_the_first_line_of_ownership_that_fits_decides(object_type: str, field: str, stage: str, owner: str) -> None:
    mine = policies_in_force()
    line = mine.ownership_of(object_type, field, stage)
    assert (line.object_type, line.owner) == (object_type, owner)
    assert line == next(each for each in mine.ownership.lines if each.fits(object_type, field, stage))
    assert mine.owner_for(object_type, field, stage) == owner


def test_what_nobody_declared_is_said_by_its_name() -> None:
    mine = policies_in_force()
    process = mine.process("quote_to_cash")
    for asked, words in (
        (lambda: mine.process("renewal"), "no process renewal is declared"),
        (lambda: mine.ownership_of("quote", "total", "*"), "nobody declared who owns quote.total"),
        (lambda: process.stage("dreamt"), "quote_to_cash has no stage dreamt"),
        (lambda: process.limit("dreamt"), "quote_to_cash has no stage dreamt"),
        (lambda: process.prerequisite("contract", "posting"), "quote_to_cash does not say that contract needs posting"),
    ):
        with pytest.raises(LookupError) as unknown:
            asked()
        assert unknown.value.args == (words,)


def test_a_stage_without_a_limit_takes_no_time() -> None:
    stages = [{"code": "one", "label": "One"}, {"code": "two", "label": "Two", "limit": "2 days"}]
    owned = [{"owner": "crm", **stage} for stage in stages]
    wants = {"stage": "two", "needs": "one", "why": "Because.", "grace": dt.timedelta(hours=3)}
    process = Process.model_validate({"code": "p", "label": "P", "stages": owned, "prerequisites": [wants]})
    assert process.limit("one") == dt.timedelta(0)
    assert process.limit("two") == dt.timedelta(days=2)
    assert process.prerequisite("two", "one").grace == dt.timedelta(hours=3)


def test_every_section_is_of_a_rule_that_exists() -> None:
    assert set(policies_in_force().rules) - {"default"} == set(EXCEPTIONS)


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
