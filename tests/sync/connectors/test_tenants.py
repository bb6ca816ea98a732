"""What differs from tenant to tenant, told by recordings that are changed in one place."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from revops import strict_json
from revops.ledger.facts import Fact
from revops.money import Money
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
    with pytest.raises(Misunderstood, match="a currency beside an amount"):
        told(path, without=("CurrencyIsoCode",))
    target = told(path, without=("CurrencyIsoCode",), settings={"currency": "EUR"}).fields["target_amount"]
    assert isinstance(target, Money)
    assert target.currency == "EUR"
    kept = told(path, settings={"currency": "JPY"}).fields["target_amount"]
    assert isinstance(kept, Money)
    assert kept.currency != "JPY", "what the record says wins"


@pytest.mark.parametrize("theirs", ["LEGACY-CUST-015", "0015e00000AbCd1AAX", "4711"])
def test_another_systems_id_leaves_a_netsuite_customer_unlinked(theirs: str) -> None:
    assert "crm_account" not in told(HERE / "netsuite" / "customer.json", externalid=theirs).refs


def test_a_rejected_netsuite_payment_has_failed() -> None:
    assert told(HERE / "netsuite" / "payment_unapproved.json", status="R").fields["status"] == "failed"
