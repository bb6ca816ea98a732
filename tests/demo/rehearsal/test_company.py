"""The imagined company: the same from the same values, and each vendor's writing of it consistent in itself."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

import pytest

from demo.rehearsal import load
from demo.rehearsal.company import imagine
from demo.rehearsal.ids import check_characters
from demo.rehearsal.plants import count_for

Json = dict[str, Any]
ANCHOR = dt.datetime(2026, 11, 23, 21, 28, tzinfo=dt.UTC)
ANCHORS = [
    ANCHOR,
    dt.datetime(2026, 11, 1, 0, 30, tzinfo=dt.UTC),
    dt.datetime(2027, 1, 1, 0, 0, 5, tzinfo=dt.UTC),
    dt.datetime(2028, 2, 29, 12, 0, tzinfo=dt.UTC),
    dt.datetime(2026, 3, 31, 9, 0, tzinfo=dt.UTC),
]
SEEDS = [1, 2, 7, 4711]


def _written(seed: int, accounts: int = 60, anchor: dt.datetime = ANCHOR) -> dict[str, dict[str, list[Json]]]:
    """vendor -> collection -> objects."""
    found: dict[str, dict[str, list[Json]]] = {}
    for vendor, listed in load.documents(imagine(seed, accounts, anchor)).items():
        for collection, value in listed:
            found.setdefault(vendor, {}).setdefault(collection, []).append(value)
    return found


def test_same_seed_same_bytes() -> None:
    first, second = (b"\n".join(load.lines(imagine(5, 40, ANCHOR))) for _ in range(2))
    assert first == second
    assert first != b"\n".join(load.lines(imagine(6, 40, ANCHOR)))
    assert first != b"\n".join(load.lines(imagine(5, 40, ANCHOR + dt.timedelta(hours=1))))


@pytest.mark.parametrize("anchor", ANCHORS, ids=str)
@pytest.mark.parametrize("accounts", [10, 12, 40, 75])
def test_every_size_and_day_has_its_contradictions(anchor: dt.datetime, accounts: int) -> None:
    for seed in SEEDS:
        company = imagine(seed, accounts, anchor)
        assert len(company.customers) == accounts == len({customer.name for customer in company.customers})
        planted = [one for one in company.planted if one.ripens is None]
        wanted = count_for(accounts)
        assert wanted >= (2 if accounts >= 40 else 1)
        assert set(Counter(one.rule for one in planted).values()) == {wanted}
        assert len({one.rule for one in planted}) == 5
        assert all(one.ripens is None or one.ripens > anchor for one in company.planted)


def test_too_small_or_naive_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two"):
        imagine(1, 1, ANCHOR)
    with pytest.raises(ValueError, match="aware"):
        imagine(1, 12, ANCHOR.replace(tzinfo=None))
    assert not [one for one in imagine(1, 9, ANCHOR).planted if one.ripens is None]


def test_salesforce_check_characters() -> None:
    # The vendor's algorithm on an id of its public documentation.
    assert check_characters("001A0000006Vm9r") == "IAC"


@pytest.mark.parametrize("seed", SEEDS)
def test_stripe_invoices_add_up(seed: int) -> None:
    stripe = _written(seed)["stripe"]
    paid: dict[str, int] = defaultdict(int)
    for payment in stripe["invoice_payments"]:
        paid[payment["invoice"]] += payment["amount_paid"]
    credited: dict[str, int] = defaultdict(int)
    for note in stripe["credit_notes"]:
        credited[note["invoice"]] += note["amount"]
    items = {item["id"]: item for item in stripe["invoiceitems"]}
    for invoice in stripe["invoices"]:
        lines = invoice["lines"]["data"]
        taxes = sum(tax["amount"] for line in lines for tax in line["taxes"])
        assert invoice["subtotal"] == sum(line["amount"] for line in lines)
        assert invoice["total"] == invoice["subtotal"] + taxes
        assert taxes == sum(tax["amount"] for tax in invoice["total_taxes"])
        assert invoice["amount_paid"] == paid[invoice["id"]]
        assert invoice["pre_payment_credit_notes_amount"] == credited[invoice["id"]]
        if invoice["status"] in ("open", "paid", "uncollectible"):
            left = invoice["total"] - paid[invoice["id"]] - credited[invoice["id"]]
            assert invoice["amount_remaining"] == left >= 0
            assert (invoice["status"] == "paid") == (left == 0)
            assert invoice["number"]
        for line in lines:
            details = line["parent"]["invoice_item_details"]
            if details is not None:
                item = items[details["invoice_item"]]
                assert (item["invoice"], item["amount"]) == (invoice["id"], line["amount"])
    assert {"open", "paid", "void", "draft"} <= {invoice["status"] for invoice in stripe["invoices"]}


@pytest.mark.parametrize("seed", SEEDS)
def test_stripe_references_resolve(seed: int) -> None:
    stripe = _written(seed)["stripe"]
    ids = {name: {one["id"] for one in objects} for name, objects in stripe.items()}
    assert all(len(ids[name]) == len(stripe[name]) for name in stripe)
    for invoice in stripe["invoices"]:
        assert invoice["customer"] in ids["customers"]
        parent = invoice["parent"]
        assert parent is None or parent["subscription_details"]["subscription"] in ids["subscriptions"]
    for payment in stripe["invoice_payments"]:
        assert payment["invoice"] in ids["invoices"]
        assert payment["payment"]["payment_intent"] in ids["payment_intents"]
    for item in stripe["invoiceitems"]:
        assert item["invoice"] is None or item["invoice"] in ids["invoices"]
    for subscription in stripe["subscriptions"]:
        assert all(item["price"]["id"] in ids["prices"] for item in subscription["items"]["data"])
        assert subscription["latest_invoice"] in ids["invoices"]


@pytest.mark.parametrize("seed", SEEDS)
def test_events_end_where_the_objects_stand(seed: int) -> None:
    stripe = _written(seed)["stripe"]
    events = stripe["events"]
    assert [event["created"] for event in events] == sorted(event["created"] for event in events)
    assert min(event["created"] for event in events) > (ANCHOR - dt.timedelta(days=30)).timestamp()
    assert max(event["created"] for event in events) <= ANCHOR.timestamp()
    last = {event["data"]["object"]["id"]: event for event in events if event["type"].startswith("invoice.")}
    invoices = {invoice["id"]: invoice for invoice in stripe["invoices"]}
    moving = ("status", "number", "total", "amount_paid", "amount_remaining", "pre_payment_credit_notes_amount")
    for id, event in last.items():
        assert {name: event["data"]["object"][name] for name in moving} == {name: invoices[id][name] for name in moving}
    for event in events:
        if event["type"].endswith(".updated"):
            assert event["data"]["previous_attributes"], event["type"]


@pytest.mark.parametrize("seed", SEEDS)
def test_netsuite_balances_and_links_resolve(seed: int) -> None:
    netsuite = _written(seed)["netsuite"]
    headers = {row["id"]: row for row in netsuite["transaction"]}
    assert len(headers) == len(netsuite["transaction"])
    sums: dict[int, Decimal] = defaultdict(Decimal)
    mains: dict[int, Json] = {}
    for line in netsuite["transactionline"]:
        sums[line["transaction"]] += Decimal(line["foreignamount"])
        if line["mainline"] == "T":
            assert line["transaction"] not in mains
            mains[line["transaction"]] = line
    assert mains.keys() == headers.keys()
    assert not any(sums.values())
    ledger: dict[int, Decimal] = defaultdict(Decimal)
    for side in netsuite["transactionaccountingline"]:
        ledger[side["transaction"]] += Decimal(side["debit"] or 0) - Decimal(side["credit"] or 0)
    assert not any(ledger.values())
    applied: dict[int, Decimal] = defaultdict(Decimal)
    used: dict[int, Decimal] = defaultdict(Decimal)
    for link in netsuite["nexttransactionlinelink"]:
        assert headers[link["previousdoc"]]["type"] == link["previoustype"] == "CustInvc"
        assert headers[link["nextdoc"]]["type"] == link["nexttype"]
        assert headers[link["nextdoc"]]["entity"] == headers[link["previousdoc"]]["entity"]
        applied[link["previousdoc"]] += Decimal(link["foreignamount"])
        used[link["nextdoc"]] += Decimal(link["foreignamount"])
    for id, row in headers.items():
        total = abs(Decimal(row["foreigntotal"]))
        assert Decimal(mains[id]["foreignamount"]) == Decimal(row["foreigntotal"])
        if row["type"] == "CustInvc":
            assert Decimal(row["foreignamountpaid"]) == applied[id] <= total
            assert Decimal(row["foreignamountunpaid"]) == total - applied[id]
            assert row["status"] == ("V" if row["void"] == "T" else "A" if total - applied[id] else "B")
        elif row["type"] in ("CustPymt", "CustCred"):
            assert used[id] <= total


@pytest.mark.parametrize("seed", SEEDS)
def test_the_systems_name_one_another(seed: int) -> None:
    written = _written(seed)
    accounts = {account["Id"] for account in written["salesforce"]["Account"]}
    assert {customer["metadata"]["salesforce_account_id"] for customer in written["stripe"]["customers"]} == accounts
    assert {customer["externalid"] for customer in written["netsuite"]["customer"]} == accounts
    assert {company["SfdcAccountId"][:15] for company in written["gainsight"]["company"]} == {id[:15] for id in accounts}
    opportunities = {opportunity["Id"] for opportunity in written["salesforce"]["Opportunity"]}
    assert all(renewal["ExternalId"] in opportunities for renewal in written["gainsight"]["gs_opportunity"])
    known = {
        name: {one["id"] for one in written["stripe"][name]}
        for name in ("invoices", "subscriptions", "payment_intents", "credit_notes")
    }
    kinds = {"CustInvc": "invoices", "SalesOrd": "subscriptions", "CustPymt": "payment_intents", "CustCred": "credit_notes"}
    for row in written["netsuite"]["transaction"]:
        assert row["externalid"] in known[kinds[row["type"]]]
    yen = [row for row in written["netsuite"]["transaction"] if row["currency"] == 3]
    assert yen
    assert not any("." in row["foreigntotal"] for row in yen)


def test_periods_are_closed_in_order() -> None:
    periods = [p for p in _written(1)["netsuite"]["accountingperiod"] if p["isyear"] == "F"]
    assert len(periods) == 36
    by_start = {p["startdate"]: (p["closed"], p["alllocked"], p["arlocked"]) for p in periods}
    assert by_start["2026-09-01"] == ("T", "T", "T")
    assert by_start["2026-10-01"] == ("F", "F", "T")
    assert by_start["2026-11-01"] == ("F", "F", "F")
    assert all(p["lastmodifieddate"] <= ANCHOR.strftime("%Y-%m-%dT%H:%M:%SZ") for p in periods)


def test_default_size_is_ten_to_fourteen_thousand_business_objects() -> None:
    written = _written(1, accounts=400)
    parts: tuple[str, ...] = (
        "transactionline",
        "transactionaccountingline",
        "nexttransactionlinelink",
        "events",
        "payment_intents",
    )
    parts += ("consolidatedexchangerate", "customersubsidiaryrelationship")
    count = sum(len(objects) for vendor in written.values() for name, objects in vendor.items() if name not in parts)
    assert 10_000 <= count <= 14_000
