"""What a connector does not understand it says so: which field, and what class of value it found; never the value."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from revops import strict_json
from revops.ledger.facts import Fact
from sync.connectors.stripe import minor_units
from sync.vendor.contract import Config, Connector, Ignored, Incoming, Misunderstood, Reread
from tests.sync.connectors.test_recordings import HERE, RECORDINGS, load, name_of

Change = Callable[[Any], None]


def recording(vendor: str, name: str) -> tuple[Connector, Config, Incoming, Any]:
    connector, config, incoming, document = load(HERE / vendor / f"{name}.json")
    return connector, config, incoming, document["body"]


def answer_to(vendor: str, name: str, change: Change, **settings: str) -> Misunderstood | Ignored:
    """What the connector raises for a recording that was changed."""
    connector, config, incoming, body = recording(vendor, name)
    body = copy.deepcopy(body)
    change(body)
    given = Incoming(incoming.kind, strict_json.dump(body), {}, incoming.received_at, incoming.object_type)
    config = Config(config.slug, config.base_url, {**config.settings, **settings}, config.id_forms)
    with pytest.raises((Misunderstood, Ignored)) as raised:
        connector.translate(given, config)
    assert isinstance(raised.value, (Misunderstood, Ignored))
    return raised.value


def _reach(body: Any, path: str) -> tuple[Any, Any]:
    """What holds the last step of the path, and that step: a name, or a place in a list."""
    *steps, last = path.split(".")
    for step in steps:
        body = body[int(step)] if isinstance(body, list) else body[step]
    return body, int(last) if isinstance(body, list) else last


def put(path: str, value: object) -> Change:
    def change(body: Any) -> None:
        holder, last = _reach(body, path)
        holder[last] = value

    return change


def drop(path: str) -> Change:
    def change(body: Any) -> None:
        holder, last = _reach(body, path)
        del holder[last]

    return change


S, SUB, INV = "data.object", "subscription_upgraded", "invoice_finalized"
ROW = "transaction"


@pytest.mark.parametrize(
    ("vendor", "name", "change", "says"),
    [
        # words and fields that say which object it is
        ("stripe", "invoice_payment_paid", put(f"{S}.payment.type", "barter"), "payment.type holds a word"),
        ("stripe", "invoice_payment_paid", drop(f"{S}.payment.payment_intent"), "payment_intent should be an id"),
        ("stripe", INV, put("type", None), "event.type should be a text"),
        ("stripe", INV, put("data", []), "event.data should be an object and is a list"),
        ("stripe", INV, put(f"{S}.object", "quote"), "carries another object"),
        ("netsuite", "invoice_open", drop("applications"), "applications should be a list and is absent"),
        ("netsuite", "exchange_rate", put("row.currentrate", "0"), "exchange rate is not positive"),
        ("gainsight", "renewal_in_progress", drop("record.CompanyId"), "CompanyId should be a text"),
        ("netsuite", "hint", put("id", "SO-1"), "hint.id should be an internal id"),
        ("gainsight", "hint", put("gsid", "!"), "hint.gsid should be a Gainsight id"),
        ("salesforce", "account_merged_away", drop("SystemModstamp"), "Account.SystemModstamp should be a text and is absent"),
        # references that cannot be
        ("salesforce", "account", put("Id", "0015500000Xyy06AA"), "not a Salesforce id"),
        # times that cannot be
        ("salesforce", "account", put("Id", "0015500000Xyy06AAA"), "checksum is wrong"),
        ("stripe", INV, put("created", 0), "no believable time"),
        ("stripe", INV, put("created", 10**14), "no believable time"),
        ("netsuite", "invoice_open", put(f"{ROW}.modified", "2026-02-30 00:00:00"), "not a date and time"),
        ("gainsight", "company", put("record.ModifiedDate", 10**18), "no believable time"),
        ("salesforce", "account", put("SystemModstamp", "2026-02-30T00:00:00.000+0000"), "not a date and time"),
        ("salesforce", "account", put("SystemModstamp", "2026-03-29T02:30:00"), "should be a date and time"),  # no zone
        ("salesforce", "account", put("SystemModstamp", "yesterday"), "SystemModstamp should be a date and time"),
        # somebody else's
        ("stripe", INV, put("account", "acct_other"), "belongs to another Stripe account"),
    ],
)
def test_w26_w27_w29_misunderstood_names_field_and_class(vendor: str, name: str, change: Change, says: str) -> None:
    answer = answer_to(vendor, name, change)
    assert isinstance(answer, Misunderstood)
    assert says in answer.reason


def said(vendor: str, name: str, change: Change | None = None, **settings: str) -> Fact:
    """The first fact of a recording, changed or as it is."""
    connector, config, incoming, body = recording(vendor, name)
    body = copy.deepcopy(body)
    if change is not None:
        change(body)
    given = Incoming(incoming.kind, strict_json.dump(body), {}, incoming.received_at, incoming.object_type)
    fact = connector.translate(given, Config(config.slug, config.base_url, {**config.settings, **settings}, config.id_forms))[0]
    assert isinstance(fact, Fact)
    return fact


@pytest.mark.parametrize(
    ("vendor", "name", "change", "unread", "code"),
    [
        ("stripe", SUB, put(f"{S}.status", "hibernating"), "status", "value_unknown"),
        (
            "stripe",
            SUB,
            put(f"{S}.items.data.0.price.recurring.usage_type", "x"),
            "quantity usage_based items annual_amount",
            "value_unknown",
        ),
        ("stripe", SUB, put(f"{S}.items.data.0.price.recurring.interval", "decade"), "annual_amount", "value_unknown"),
        ("stripe", INV, put(f"{S}.status", "limbo"), "status", "value_unknown"),
        ("stripe", INV, put(f"{S}.billing_reason", "whim"), "billing_reason", "value_unknown"),
        ("stripe", "invoice_payment_paid", put(f"{S}.status", "half"), "status", "value_unknown"),
        ("stripe", "credit_note_created", put(f"{S}.status", "x"), "status", "value_unknown"),
        ("netsuite", "invoice_open", put(f"{ROW}.status", "Z"), "status", "value_unknown"),
        ("netsuite", "payment_deposited", put(f"{ROW}.status", "Z"), "status", "value_unknown"),
        ("netsuite", "accounting_period", put("row.closed", "maybe"), "closed", "value_unknown"),
        ("salesforce", "contract_activated", put("StatusCode", "Terminated"), "status", "value_unknown"),
        (
            "stripe",
            SUB,
            drop(f"{S}.items"),
            "period_start_at period_end_at quantity usage_based items annual_amount",
            "field_missing",
        ),
        ("stripe", SUB, put(f"{S}.currency", None), "annual_amount", "field_changed"),
        ("stripe", SUB, put(f"{S}.cancel_at_period_end", "no"), "cancel_at_period_end set_to_end ends_at", "field_changed"),
        ("stripe", INV, drop(f"{S}.amount_remaining"), "amount_remaining", "field_missing"),
        ("stripe", INV, put(f"{S}.total", Decimal("1485.00")), "total", "field_changed"),
        ("stripe", INV, put(f"{S}.total", "148500"), "total", "field_changed"),
        ("stripe", INV, put(f"{S}.lines.data", ["il_1"]), "proration_items", "field_changed"),
        ("stripe", INV, put(f"{S}.status_transitions", None), "finalized_at", "field_changed"),
        ("stripe", INV, drop(f"{S}.pre_payment_credit_notes_amount"), "credited", "field_missing"),
        ("stripe", "invoiceitem_created", put(f"{S}.period", 7), "period_start_at period_end_at", "field_changed"),
        ("stripe", "customer_updated", drop(f"{S}.balance"), "balance", "field_missing"),
        (
            "netsuite",
            "invoice_open",
            drop(f"{ROW}.foreignamount"),
            "total amount_due amount_paid amount_remaining credited",
            "field_missing",
        ),
        (
            "netsuite",
            "invoice_open",
            put(f"{ROW}.foreignamount", "12,50"),
            "total amount_due amount_paid amount_remaining credited",
            "field_changed",
        ),
        ("netsuite", "invoice_open", drop(f"{ROW}.status"), "status", "field_missing"),
        ("gainsight", "company", put("record.Arr", "14850"), "arr", "field_changed"),
        ("gainsight", "company", put("record.CurrencyIsoCode", None), "arr", "field_missing"),
        ("gainsight", "company", put("labels", {}), "status stage", "value_unknown"),
        ("gainsight", "call_to_action", put("record.IsClosed", "no"), "is_closed", "field_changed"),
        ("salesforce", "account", drop("Name"), "name", "field_missing"),
        ("salesforce", "opportunity_renewal", put("Amount", "14850"), "amount", "field_changed"),
        ("salesforce", "contract_activated", put("ContractTerm", Decimal("1.5")), "term_months", "field_changed"),
        (
            "stripe",
            SUB,
            put(f"{S}.items.data.0.price.recurring.interval_count", 0),
            "period_start_at period_end_at quantity usage_based items annual_amount",
            "field_changed",
        ),
        ("netsuite", "accounting_period", put("row.startdate", 20261101), "start_on", "field_changed"),
        ("gainsight", "company", put("record.RenewalDate", []), "renewal_on", "field_changed"),
        (
            "stripe",
            INV,
            put(f"{S}.currency", "xxx"),
            "total amount_due amount_paid amount_remaining credited",
            "currency_unknown",
        ),
        ("stripe", "invoice_isk", put(f"{S}.total", 150_050), "total", "amount_decimals"),
        ("stripe", INV, put(f"{S}.total", 10**30), "total", "amount_too_large"),
        (
            "netsuite",
            "invoice_open",
            put(f"{ROW}.foreignamountunpaid", "1.00"),
            "amount_due amount_paid amount_remaining credited",
            "amounts_inconsistent",
        ),
        (
            "netsuite",
            "invoice_paid",
            put(f"{ROW}.foreignamountunpaid", "0.01"),
            "amount_due amount_paid amount_remaining credited",
            "amounts_inconsistent",
        ),
        (
            "stripe",
            "customer_updated",
            put(f"{S}.metadata.salesforce_account_id", "0015500000Xyy06AAA"),
            "same_as",
            "reference_invalid",
        ),
        (
            "stripe",
            "customer_updated",
            put(f"{S}.metadata.salesforce_account_id", "001 1G00000abcdAAA"),
            "same_as",
            "reference_invalid",
        ),
        ("gainsight", "company", put("record.SfdcAccountId", "001"), "same_as", "reference_invalid"),
        ("stripe", INV, put(f"{S}.due_date", -(10**18)), "due_on", "time_invalid"),
        ("netsuite", "invoice_open", put(f"{ROW}.trandate", "30/11/2026"), "issued_on", "time_invalid"),
        ("salesforce", "contract_activated", put("StartDate", "2026-13-01"), "start_on", "time_invalid"),
    ],
)
def test_w26_w27_w29_one_value_that_cannot_be_read_costs_the_others_nothing(
    vendor: str, name: str, change: Change, unread: str, code: str
) -> None:
    whole, part = said(vendor, name), said(vendor, name, change)
    names = set(unread.split())
    assert {field for field, found in part.unread.items() if found.code == code} == names == set(part.unread)
    before = {field: value for field, value in whole.fields.items() if field not in names | REST_ON_OTHERS}
    assert {field: value for field, value in part.fields.items() if field not in REST_ON_OTHERS} == before
    assert part.refs == {role: targets for role, targets in whole.refs.items() if role not in names}


REST_ON_OTHERS = frozenset({"annual_basis", "applied", "currency", "issued_on"})
"""Fields that say something else, or nothing, with a value that they rest on."""


@pytest.mark.parametrize(
    ("vendor", "name", "change", "code"),
    [
        ("stripe", INV, put("type", "charge.succeeded"), "event_type"),
        ("stripe", INV, put("type", "invoice.upcoming"), "event_type"),
        ("stripe", INV, put("type", "invoice.transcended"), "event_type"),
        ("stripe", "thin_event", put("related_object.type", "billing.meter"), "event_type"),
        ("netsuite", "hint", put("type", "vendorBill"), "event_type"),
        ("netsuite", "invoice_open", put(f"{ROW}.type", "VendBill"), "transaction_type"),
        ("netsuite", "deleted_invoice", put("row.type", "vendorbill"), "record_type"),
        ("gainsight", "hint", put("object", "timeline"), "event_type"),
        ("gainsight", "renewal_in_progress", put("record.Type", "Upsell"), "opportunity_type"),
        ("gainsight", "deleted_company", put("record.ObjectName", "Scorecard"), "record_type"),
    ],
)
def test_w25_ignored_has_a_reason(vendor: str, name: str, change: Change, code: str) -> None:
    answer = answer_to(vendor, name, change)
    assert isinstance(answer, Ignored)
    assert answer.code == code
    assert answer.reason


@pytest.mark.parametrize(
    ("vendor", "field", "word"),
    [
        *(("netsuite", "type", word) for word in ("invoice", "creditMemo", "customerPayment", "salesOrder", "customer")),
        ("netsuite", "type", "accountingPeriod"),
        *(("gainsight", "object", word) for word in ("company", "gs_opportunity", "call_to_action")),
    ],
)
def test_what_a_hint_names_is_read_by_a_stream(vendor: str, field: str, word: str) -> None:
    connector, config, incoming, body = recording(vendor, "hint")
    put(field, word)(body)
    (again,) = connector.translate(Incoming("hint", strict_json.dump(body), {}, incoming.received_at), config)
    assert isinstance(again, Reread)
    assert again.object_type in {kind for stream in connector.streams for kind in stream.object_types}


BODIES = (b"[]", b'"x"', b"null", b"{}", b'{"id": 1, "id": 2}', b'{"a": "\\u0000"}', b"\xff", b"[" * 100)


@pytest.mark.parametrize("path", RECORDINGS, ids=name_of)
def test_w24_w26_no_body_makes_a_connector_fall_over(path: Path) -> None:
    connector, config, incoming, _ = load(path)
    for body in BODIES:
        given = Incoming(incoming.kind, body, {}, incoming.received_at, incoming.object_type)
        with pytest.raises((Misunderstood, Ignored)):
            connector.translate(given, config)


CLASSES: tuple[object, ...] = (None, "x", -1, Decimal("1.5"), True, [], {}, [1])
SPOILS: tuple[Callable[[str], Change], ...] = tuple(functools.partial(put, value=value) for value in CLASSES)


@pytest.mark.parametrize("path", RECORDINGS, ids=name_of)
def test_w26_no_missing_or_changed_field_makes_a_connector_fall_over(path: Path) -> None:
    """Every field of every recording, one at a time, dropped, and replaced by values of other classes, which the fields of a
    recording share between them: facts, or a clean answer."""
    connector, config, incoming, document = load(path)

    def walk(value: Any, steps: list[str]) -> list[str]:
        nested = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        found = [".".join(steps)] if steps else []
        for key, part in nested:
            if "." not in str(key):
                found += walk(part, [*steps, str(key)])
        return found

    places = walk(document["body"], [])
    for place, spoil in [(place, each) for turn, place in enumerate(places) for each in (drop, *SPOILS[turn % 3 :: 3])]:
        body = copy.deepcopy(document["body"])
        spoil(place)(body)
        given = Incoming(incoming.kind, strict_json.dump(body), {}, incoming.received_at, incoming.object_type)
        try:
            connector.translate(given, config)
        except (Misunderstood, Ignored) as answer:
            assert answer.reason  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("currency", "minor", "amount"),
    [
        ("JPY", 1200, "1200"),
        ("KRW", 5, "5"),
        ("KWD", 5120, "5.120"),
        ("BHD", 10, "0.010"),
        ("EUR", 1050, "10.50"),
        ("ISK", 150000, "1500"),
        ("UGX", 500, "5"),
        ("HUF", 1050, "10.50"),
        ("MGA", 7, "7.00"),
    ],
)
def test_stripe_counts_minor_units_its_own_way(currency: str, minor: int, amount: str) -> None:
    assert minor_units.to_money(minor, currency, "x").as_json() == {"amount": amount, "currency": currency}


@pytest.mark.parametrize(("currency", "minor"), [("ISK", 150), ("UGX", 501), ("XXX", 1), ("usd", 1)])
def test_stripe_amounts_that_cannot_be_are_misunderstood(currency: str, minor: int) -> None:
    with pytest.raises(Misunderstood):
        minor_units.to_money(minor, currency, "x")


def test_a_customer_without_references_says_so_and_is_no_guess() -> None:
    connector, config, incoming, body = recording("stripe", "customer_updated")
    put("data.object.metadata", {})(body)
    fact = connector.translate(Incoming("event", strict_json.dump(body), {}, incoming.received_at), config)[0]
    assert isinstance(fact, Fact)
    assert fact.refs == {}
