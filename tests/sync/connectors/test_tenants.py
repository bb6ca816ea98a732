"""What differs from tenant to tenant, told by recordings that are changed in one place."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from revops import strict_json
from revops.ledger.facts import Fact
from revops.money import Money
from revops.reference import Ref
from sync.vendor.contract import Misunderstood
from tests.sync.connectors.test_recordings import HERE, load


def told(path: Path, *, settings: dict[str, str] | None = None, without: tuple[str, ...] = (), **over: Any) -> Fact:
    """The one fact of a recording whose record lacks and has other fields than recorded."""
    connector, config, incoming, recording = load(path)
    part = next(name for name in ("record", "row", "transaction") if name in recording["body"])
    record = {**recording["body"][part], **over}
    body = {**recording["body"], part: {name: value for name, value in record.items() if name not in without}}
    config = dataclasses.replace(config, settings={**config.settings, **(settings or {})})
    (fact,) = connector.translate(dataclasses.replace(incoming, body=strict_json.dump(body)), config)
    assert isinstance(fact, Fact)
    return fact


def test_a_gainsight_tenant_of_one_currency_names_none() -> None:
    path = HERE / "gainsight" / "renewal_in_progress.json"
    unnamed = told(path, without=("CurrencyIsoCode",))
    assert unnamed.unread["target_amount"].code == "field_missing"
    assert "target_amount" not in unnamed.fields
    target = told(path, without=("CurrencyIsoCode",), settings={"currency": "EUR"}).fields["target_amount"]
    assert isinstance(target, Money)
    assert target.currency == "EUR"
    kept = told(path, settings={"currency": "JPY"}).fields["target_amount"]
    assert isinstance(kept, Money)
    assert kept.currency != "JPY", "what the record says wins"


@pytest.mark.parametrize("theirs", ["LEGACY-CUST-015", "0015e00000AbCd1AAX", "4711"])
def test_another_systems_id_leaves_a_netsuite_customer_unlinked(theirs: str) -> None:
    assert "same_as" not in told(HERE / "netsuite" / "customer.json", externalid=theirs).refs


DECLARED = ("crm_connection", "billing_connection", "contract_number_field", "order_annual_field")


def undeclared(path: Path, **over: Any) -> Fact:
    """What a NetSuite connection says that declares nothing about other systems."""
    return told(path, settings=dict.fromkeys(DECLARED, ""), **over)


def test_the_po_number_of_an_invoice_is_no_contract_number_unless_declared() -> None:
    path = HERE / "netsuite" / "invoice_open.json"
    assert undeclared(path, otherrefnum="PO-4711").refs.keys() == {"customer", "sales_order"}
    declared = told(path, otherrefnum="PO-4711", custbody_contract="C-1", settings={"contract_number_field": "custbody_contract"})
    assert declared.refs["contract"] == (Ref.numbered("crm", "contract", "C-1"),)


def test_the_total_of_an_order_is_no_yearly_amount_unless_declared() -> None:
    path = HERE / "netsuite" / "sales_order.json"
    order = undeclared(path)
    assert "annual_amount" not in order.fields
    assert order.fields["total"] == told(path).fields["annual_amount"]
    own = told(
        path, custbody_arr="12000.00", custbody_term="36",
        settings={"order_annual_field": "custbody_arr", "order_term_field": "custbody_term"},
    ).fields  # fmt: skip
    assert (str(own["annual_amount"]), own["term_months"]) == ("12000.00 EUR", 36)
    assert own["total"] == order.fields["total"]


@pytest.mark.parametrize("setting", ["contract_number_field", "order_annual_field", "order_term_field"])
def test_a_declared_field_must_be_one_that_can_be_read(setting: str) -> None:
    with pytest.raises(Misunderstood, match="names no field that can be read"):
        told(HERE / "netsuite" / "sales_order.json", settings={setting: "id FROM transaction--"})


def test_ids_of_another_crm_are_taken_as_they_are_where_declared() -> None:
    guid = "0b4e7a52-6a8f-4c46-9a57-0f3d6f0e8c11"
    said = told(HERE / "netsuite" / "customer.json", externalid=guid, settings={"crm_id_form": "plain"})
    assert said.refs["same_as"] == (Ref("crm", "customer", guid),)


def test_a_subsidiary_whose_books_another_system_keeps() -> None:
    path = HERE / "netsuite" / "legal_entity.json"
    assert "keeps_books" not in told(path).fields
    assert told(path, settings={"books_of": "US"}).fields["keeps_books"] is False
    assert told(path, settings={"books_of": "US, DE"}).fields["keeps_books"] is True


def test_a_rejected_netsuite_payment_has_failed() -> None:
    assert told(HERE / "netsuite" / "payment_unapproved.json", status="R").fields["status"] == "failed"
