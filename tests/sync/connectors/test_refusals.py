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
        # enum values from the future
        ("stripe", SUB, put(f"{S}.status", "hibernating"), "subscription.status holds a word"),
        ("stripe", SUB, put(f"{S}.items.data.0.price.recurring.usage_type", "x"), "recurring.usage_type holds a word"),
        ("stripe", SUB, put(f"{S}.items.data.0.price.recurring.interval", "decade"), "recurring.interval holds a word"),
        ("stripe", INV, put(f"{S}.status", "limbo"), "invoice.status holds a word"),
        ("stripe", INV, put(f"{S}.billing_reason", "whim"), "invoice.billing_reason holds a word"),
        ("stripe", "invoice_payment_paid", put(f"{S}.status", "half"), "invoice_payment.status holds a word"),
        ("stripe", "invoice_payment_paid", put(f"{S}.payment.type", "barter"), "payment.type holds a word"),
        ("stripe", "credit_note_created", put(f"{S}.status", "x"), "credit_note.status holds a word"),
        ("netsuite", "invoice_open", put(f"{ROW}.status", "Z"), "CustInvc.status holds a word"),
        ("netsuite", "payment_deposited", put(f"{ROW}.status", "Z"), "CustPymt.status holds a word"),
        ("netsuite", "accounting_period", put("row.closed", "maybe"), "accountingperiod.closed holds a word"),
        ("gainsight", "renewal_in_progress", put("labels.RenewalStage", "Dreaming"), "RenewalStage holds a word"),
        ("salesforce", "contract_activated", put("StatusCode", "Terminated"), "Contract.StatusCode holds a word"),
        # missing, renamed or changed fields
        ("stripe", SUB, drop(f"{S}.items"), "subscription.items should be an object and is absent"),
        ("stripe", SUB, put(f"{S}.currency", None), "subscription.currency should be a text and is nothing"),
        ("stripe", SUB, put(f"{S}.cancel_at_period_end", "no"), "should be true or false and is a text"),
        ("stripe", INV, drop(f"{S}.amount_remaining"), "amount_remaining should be a whole number and is absent"),
        ("stripe", INV, put(f"{S}.total", Decimal("1485.00")), "total should be a whole number and is a number"),
        ("stripe", INV, put(f"{S}.total", "148500"), "total should be a whole number and is a text"),
        ("stripe", INV, put(f"{S}.lines.data", ["il_1"]), "lines.data.0 should be an object and is a text"),
        ("stripe", INV, put(f"{S}.status_transitions", None), "status_transitions should be an object and is nothing"),
        ("stripe", INV, drop(f"{S}.pre_payment_credit_notes_amount"), "pre_payment_credit_notes_amount should be"),
        ("stripe", "invoice_payment_paid", drop(f"{S}.payment.payment_intent"), "payment_intent should be an id"),
        ("stripe", "invoiceitem_created", put(f"{S}.period", 7), "period should be an object and is a number"),
        ("stripe", "customer_updated", drop(f"{S}.balance"), "customer.balance should be a whole number"),
        ("stripe", INV, put("type", None), "event.type should be a text"),
        ("stripe", INV, put("data", []), "event.data should be an object and is a list"),
        ("stripe", INV, put(f"{S}.object", "quote"), "carries another object"),
        ("netsuite", "invoice_open", drop(f"{ROW}.foreignamount"), "foreignamount should be a text and is absent"),
        ("netsuite", "invoice_open", put(f"{ROW}.foreignamount", "12,50"), "should be a number written as text"),
        ("netsuite", "invoice_open", drop(f"{ROW}.status"), "status should be a text and is absent"),
        ("netsuite", "invoice_open", drop("applications"), "applications should be a list and is absent"),
        ("netsuite", "exchange_rate", put("row.currentrate", "0"), "exchange rate is not positive"),
        ("gainsight", "company", put("record.Arr", "14850"), "Arr should be a number and is a text"),
        ("gainsight", "company", put("record.CurrencyIsoCode", None), "CurrencyIsoCode should be a currency"),
        ("gainsight", "company", put("labels", {}), "pick-list item whose label we do not know"),
        ("gainsight", "renewal_in_progress", drop("record.CompanyId"), "CompanyId should be a text"),
        ("gainsight", "call_to_action", put("record.IsClosed", "no"), "IsClosed should be true or false"),
        ("salesforce", "account", drop("Name"), "Account.Name should be a text and is absent"),
        ("salesforce", "opportunity_renewal", put("Amount", "14850"), "Amount should be a number and is a text"),
        ("salesforce", "contract_activated", put("ContractTerm", Decimal("1.5")), "ContractTerm should be a whole number"),
        ("stripe", SUB, put(f"{S}.items.data.0.price.recurring.interval_count", 0), "interval_count should be a positive number"),
        ("netsuite", "accounting_period", put("row.startdate", 20261101), "startdate should be a day and is a number"),
        ("netsuite", "hint", put("id", "SO-1"), "hint.id should be an internal id"),
        ("gainsight", "hint", put("gsid", "!"), "hint.gsid should be a Gainsight id"),
        ("gainsight", "company", put("record.RenewalDate", []), "company.RenewalDate should be a moment and is a list"),
        ("salesforce", "account_merged_away", drop("SystemModstamp"), "Account.SystemModstamp should be a text and is absent"),
        # references and amounts that cannot be
        ("stripe", "customer_updated", put(f"{S}.metadata.salesforce_account_id", "0015500000Xyy06AAA"), "checksum is wrong"),
        ("stripe", "customer_updated", put(f"{S}.metadata.salesforce_account_id", "001 1G00000abcdAAA"), "not a Salesforce id"),
        ("gainsight", "company", put("record.SfdcAccountId", "001"), "not a Salesforce id"),
        ("salesforce", "account", put("Id", "0015500000Xyy06AA"), "not a Salesforce id"),
        ("stripe", INV, put(f"{S}.currency", "xxx"), "currency_unknown"),
        ("stripe", "invoice_isk", put(f"{S}.total", 150_050), "amount_decimals"),
        ("stripe", INV, put(f"{S}.total", 10**30), "amount_too_large"),
        ("netsuite", "invoice_jpy", put(f"{ROW}.foreignamount", "1200000.5"), "amount_decimals"),
        ("netsuite", "invoice_open", put(f"{ROW}.foreignamountunpaid", "1.00"), "do not add up"),
        ("netsuite", "invoice_paid", put(f"{ROW}.foreignamountunpaid", "0.01"), "do not add up"),
        # times that cannot be
        ("stripe", INV, put("created", 0), "no believable time"),
        ("stripe", INV, put("created", 10**14), "no believable time"),
        ("stripe", INV, put(f"{S}.due_date", -(10**18)), "no believable time"),
        ("netsuite", "invoice_open", put(f"{ROW}.modified", "2026-02-30 00:00:00"), "not a date and time"),
        ("netsuite", "invoice_open", put(f"{ROW}.trandate", "30/11/2026"), "not a day"),
        ("gainsight", "company", put("record.ModifiedDate", 10**18), "no believable time"),
        ("salesforce", "account", put("SystemModstamp", "2026-02-30T00:00:00.000+0000"), "not a date and time"),
        ("salesforce", "account", put("SystemModstamp", "2026-03-29T02:30:00"), "should be a date and time"),  # no zone
        ("salesforce", "account", put("SystemModstamp", "yesterday"), "SystemModstamp should be a date and time"),
        ("salesforce", "contract_activated", put("StartDate", "2026-13-01"), "not a day"),
        # somebody else's
        ("stripe", INV, put("account", "acct_other"), "belongs to another Stripe account"),
        ("stripe", INV, put("api_version", "2024-06-20"), "before basil"),
    ],
)
def test_w26_w27_w29_misunderstood_names_field_and_class(vendor: str, name: str, change: Change, says: str) -> None:
    answer = answer_to(vendor, name, change)
    assert isinstance(answer, Misunderstood)
    assert says in answer.reason


@pytest.mark.parametrize(
    ("vendor", "name", "change", "code"),
    [
        ("stripe", INV, put("type", "charge.succeeded"), "event_type"),
        ("stripe", INV, put("type", "invoice.upcoming"), "event_type"),
        ("stripe", INV, put("type", "invoice.transcended"), "event_type"),
        ("stripe", "thin_event", put("related_object.type", "billing.meter"), "event_type"),
        ("netsuite", "hint", put("type", "vendorBill"), "event_type"),
        ("netsuite", "invoice_open", put(f"{ROW}.type", "VendBill"), "transaction_type"),
        ("netsuite", "deleted_invoice", put("row.recordtype", "vendorbill"), "record_type"),
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


@pytest.mark.parametrize("path", RECORDINGS, ids=name_of)
@pytest.mark.parametrize("body", [b"[]", b'"x"', b"null", b"{}", b'{"id": 1, "id": 2}', b'{"a": "\\u0000"}', b"\xff", b"[" * 100])
def test_w24_w26_no_body_makes_a_connector_fall_over(path: Path, body: bytes) -> None:
    connector, config, incoming, _ = load(path)
    given = Incoming(incoming.kind, body, {}, incoming.received_at, incoming.object_type)
    with pytest.raises((Misunderstood, Ignored)):
        connector.translate(given, config)


CLASSES: tuple[object, ...] = (None, "x", -1, Decimal("1.5"), True, [], {}, [1])
SPOILS = {"dropped": drop} | {repr(value): functools.partial(put, value=value) for value in CLASSES}


@pytest.mark.parametrize("path", RECORDINGS, ids=name_of)
@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_w26_no_missing_or_changed_field_makes_a_connector_fall_over(path: Path, spoil: Callable[[str], Change]) -> None:
    """Every field of every recording, one at a time, dropped or replaced by a class of value: facts, or a clean answer."""
    connector, config, incoming, document = load(path)

    def walk(value: Any, steps: list[str]) -> list[str]:
        nested = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        found = [".".join(steps)] if steps else []
        for key, part in nested:
            if "." not in str(key):
                found += walk(part, [*steps, str(key)])
        return found

    for place in walk(document["body"], []):
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
