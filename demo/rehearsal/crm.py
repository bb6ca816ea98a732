"""The story as Salesforce writes it down: accounts, contracts, opportunities, our own users. Pure.

Times are ISO UTC as the platform shows them; amounts are JSON numbers with the currency's decimals.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from demo.rehearsal.ids import salesforce_id, seeded
from demo.rehearsal.names import domain, people
from demo.rehearsal.story import Company, Contract, Customer, Renewal

Json = dict[str, Any]
Document = tuple[str, Json]

STATUSES = {"InApproval": "In Approval Process", "Draft": "Draft", "Activated": "Activated"}
_DAY = dt.timedelta(days=1)


def stamp(moment: dt.datetime) -> str:
    """`2026-03-01T10:15:00.000+0000`."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def major(minor: int, places: int) -> Decimal:
    """Whole minor units as an amount in major units with the currency's decimals."""
    return Decimal(minor).scaleb(-places)


def user_id(number: int) -> str:
    """The Salesforce id of one of our people, the same in every rehearsal company."""
    return salesforce_id(seeded("people", number), "005")


def documents(company: Company) -> Iterator[Document]:
    """Custom fields first, then users, then what belongs to each customer."""
    for number, (name, email) in enumerate(people()):
        first, _, last = name.partition(" ")
        user = {"Id": user_id(number), "Name": name, "FirstName": first, "LastName": last, "Email": email, "Username": email}
        yield "User", user | {"IsActive": True, **_stamps(company.anchor - 800 * _DAY)}
    for iso, decimals in (("USD", 2), ("EUR", 2), ("JPY", 0)):
        rate = {"USD": "1", "EUR": "0.9", "JPY": "151"}[iso]
        yield "CurrencyType", {
            "Id": salesforce_id(seeded("currency", iso), "01L"), "IsoCode": iso, "ConversionRate": Decimal(rate),
            "DecimalPlaces": decimals, "IsCorporate": iso == "USD", "IsActive": True, **_stamps(company.anchor - 800 * _DAY),
        }  # fmt: skip
    for customer in company.customers:
        yield from _of_customer(company, customer)


def _stamps(created: dt.datetime, changed: dt.datetime | None = None) -> Json:
    last = stamp(max(created, changed or created))
    return {"CreatedDate": stamp(created), "LastModifiedDate": last, "SystemModstamp": last, "IsDeleted": False}


def _of_customer(company: Company, customer: Customer) -> Iterator[Document]:
    currency, places = customer.entity.currency, customer.entity.places
    signed = min(c.created for c in customer.contracts)
    yield "Account", {
        "Id": customer.crm, "Name": customer.name, "Type": "Customer", "CurrencyIsoCode": currency,
        "Legal_Entity__c": customer.entity.code, "Industry": customer.industry, "Website": f"https://{domain(customer.number)}",
        "OwnerId": user_id(customer.owner), "BillingCountry": customer.entity.country, "MasterRecordId": None, "ParentId": None,
        **_stamps(signed - 40 * _DAY, customer.changed()),
    }  # fmt: skip
    for contract in customer.contracts:
        if contract.known:
            yield "Contract", contract_document(customer, contract)
    for subscription in customer.subscriptions:
        contract = subscription.contract
        amount = major(int(subscription.price.unit) * subscription.quantity * 12 // subscription.rhythm.months, places)
        yield "Opportunity", _opportunity(
            customer, salesforce_id(seeded(company.seed, "new", contract.id), "006"),
            f"{customer.name}: {subscription.plan.label}", kind="New Business", stage="Closed Won", amount=amount,
            closes=contract.start, contract=contract, created=contract.created - 30 * _DAY, changed=contract.created,
        )  # fmt: skip
        for change in subscription.amendments:
            more = subscription.annual(change.at) * (change.after - change.before) // max(1, change.after)
            won = change.contract.status == "Activated"
            yield "Opportunity", _opportunity(
                customer, salesforce_id(seeded(company.seed, "upgrade", change.contract.id), "006"),
                f"{customer.name}: {change.after} seats", kind="Upgrade", stage="Closed Won" if won else "Negotiation/Review",
                amount=major(more, places), closes=change.at.date(), contract=change.contract,
                created=change.contract.created - 9 * _DAY, changed=change.contract.created,
            )  # fmt: skip
    for renewal in customer.renewals:
        yield "Opportunity", renewal_opportunity(customer, renewal)


def contract_document(customer: Customer, contract: Contract) -> Json:
    """A contract; its end date follows from start and term."""
    return {
        "Id": contract.id, "AccountId": customer.crm, "ContractNumber": contract.number, "Status": STATUSES[contract.status],
        "StatusCode": contract.status, "StartDate": contract.start.isoformat(), "ContractTerm": contract.months,
        "ActivatedDate": stamp(contract.activated) if contract.activated else None, "CurrencyIsoCode": customer.entity.currency,
        "ActivatedById": user_id(customer.owner) if contract.activated else None, "OwnerId": user_id(customer.owner),
        "Description": contract.kind, **_stamps(contract.created, contract.activated),
    }  # fmt: skip


STAGES = {
    "Not Started": "Qualification", "In Progress": "Proposal/Price Quote", "On Hold": "Proposal/Price Quote",
    "Closed Won": "Closed Won", "Closed Lost": "Closed Lost",
}  # fmt: skip
"""Renewal stage in customer success to the opportunity's stage."""


def renewal_opportunity(customer: Customer, renewal: Renewal) -> Json:
    """The opportunity behind a renewal."""
    return _opportunity(
        customer, renewal.opportunity, renewal.name, kind="Renewal", stage=STAGES[renewal.stage],
        amount=major(renewal.target, customer.entity.places), closes=renewal.closes, contract=None, created=renewal.created,
        changed=renewal.touched,
    )  # fmt: skip


def _opportunity(
    customer: Customer, id: str, name: str, *, kind: str, stage: str, amount: Decimal, closes: dt.date,
    contract: Contract | None, created: dt.datetime, changed: dt.datetime,
) -> Json:  # fmt: skip
    return {
        "Id": id, "AccountId": customer.crm, "Name": name, "Type": kind, "StageName": stage,
        "IsClosed": stage.startswith("Closed"), "IsWon": stage == "Closed Won", "Amount": amount, "CloseDate": closes.isoformat(),
        "ContractId": contract.id if contract and contract.known else None, "CurrencyIsoCode": customer.entity.currency,
        "OwnerId": user_id(customer.owner), **_stamps(created, changed),
    }  # fmt: skip
