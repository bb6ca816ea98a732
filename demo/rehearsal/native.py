"""The simulators' own objects, read whole and indexed by account: what the judge looks at. Nothing of ours is consulted."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from demo.rehearsal.ids import to_18
from demo.rehearsal.wire import Wire

Json = dict[str, Any]
PLACES = {"USD": 2, "EUR": 2, "JPY": 0}


def moment(value: object) -> dt.datetime:
    """Unix seconds, `2026-03-01T10:15:00Z` or a plain day, as aware UTC."""
    if isinstance(value, int):
        return dt.datetime.fromtimestamp(value, dt.UTC)
    found = dt.datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


@dataclass
class Account:
    """One customer's native objects, by its Salesforce id."""

    crm: str
    invoices: list[Json] = field(default_factory=list)
    items: list[Json] = field(default_factory=list)
    subscriptions: list[Json] = field(default_factory=list)
    credit_notes: list[Json] = field(default_factory=list)
    erp: list[Json] = field(default_factory=list)
    """NetSuite transactions of every type."""
    contracts: list[Json] = field(default_factory=list)
    renewals: list[Json] = field(default_factory=list)
    """With the label of RenewalStage as `stage`."""


@dataclass
class Native:
    """Everything at one moment."""

    accounts: dict[str, Account]
    periods: list[Json]
    currencies: dict[int, str]
    credited: dict[int, Decimal]
    """NetSuite invoice id to what credit memos cover of it."""
    touched: dict[str, dt.datetime]
    """Stripe object id to the newest event that shows it."""


def read(wires: Mapping[str, Wire]) -> Native:
    """Read all four simulators."""
    accounts: dict[str, Account] = {}

    def account(crm: object) -> Account:
        id = to_18(str(crm))
        return accounts.setdefault(id, Account(id))

    stripe, netsuite = wires["stripe"], wires["netsuite"]
    owner = {c["id"]: str((c.get("metadata") or {}).get("salesforce_account_id") or c["id"]) for c in stripe.objects("customers")}
    for name, collection in (
        ("invoices", "invoices"),
        ("items", "invoiceitems"),
        ("subscriptions", "subscriptions"),
        ("credit_notes", "credit_notes"),
    ):
        for found in stripe.objects(collection):
            getattr(account(owner[found["customer"]]), name).append(found)
    touched: dict[str, dt.datetime] = {}
    for event in stripe.objects("events"):
        id, at = event["data"]["object"].get("id"), moment(event["created"])
        touched[id] = max(touched.get(id, at), at)
    entities = {c["id"]: str(c.get("externalid") or f"netsuite {c['id']}") for c in netsuite.objects("customer")}
    kinds: dict[int, str] = {}
    for row in netsuite.objects("transaction"):
        if row.get("foreigntotal") is None:
            continue  # a number was taken for it; nothing is entered yet
        kinds[row["id"]] = row["type"]
        if row.get("entity") in entities:
            account(entities[row["entity"]]).erp.append(row)
    credited: dict[int, Decimal] = defaultdict(Decimal)
    for link in netsuite.objects("nexttransactionlinelink"):
        if link.get("linktype") == "Payment" and kinds.get(link["nextdoc"]) == "CustCred":
            credited[link["previousdoc"]] += abs(Decimal(str(link.get("foreignamount") or 0)))
    for contract in wires["salesforce"].objects("Contract"):
        if not contract.get("IsDeleted"):
            account(contract["AccountId"]).contracts.append(contract)
    _read_renewals(wires["gainsight"], account)
    currencies = {row["id"]: str(row["symbol"]) for row in netsuite.objects("currency")}
    periods = netsuite.objects("accountingperiod")
    months = [p for p in periods if "T" not in (p.get("isyear"), p.get("isquarter"), p.get("isadjust"))]
    return Native(accounts, sorted(months, key=lambda p: str(p["startdate"])), currencies, dict(credited), touched)


def _read_renewals(gainsight: Wire, account: Any) -> None:
    labels = {item["Gsid"]: item["Name"] for item in gainsight.objects("picklist_items")}
    companies = {c["Gsid"]: c.get("SfdcAccountId") for c in gainsight.objects("company")}
    for renewal in gainsight.objects("gs_opportunity"):
        crm = companies.get(renewal.get("CompanyId"))
        if crm and not renewal.get("Deleted"):
            account(crm).renewals.append(renewal | {"stage": labels.get(renewal.get("RenewalStage"), "")})
