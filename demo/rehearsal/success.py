"""The story as Gainsight writes it down: users, companies, renewals, calls to action. Pure.

Picklist values are labels (the simulator turns them into item ids); dates ISO, moments epoch milliseconds, as its loader takes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from demo.rehearsal.crm import major
from demo.rehearsal.ids import gsid, seeded
from demo.rehearsal.names import people
from demo.rehearsal.story import Company, Customer, Renewal

Json = dict[str, Any]
Document = tuple[str, Json]

INDUSTRIES = {
    "Technology": "Software", "Manufacturing": "Manufacturing", "Financial Services": "Financial Services",
    "Healthcare": "Healthcare", "Retail": "Retail",
}  # fmt: skip


def user_gsid(number: int) -> str:
    """The Gainsight id of one of our people, the same in every rehearsal company."""
    return gsid(seeded("people", number), "1P01")


def millis(moment: dt.datetime) -> int:
    """Epoch milliseconds."""
    return int(moment.timestamp()) * 1000


def documents(company: Company) -> Iterator[Document]:
    """Users first, then what belongs to each customer."""
    since = millis(company.anchor - dt.timedelta(days=800))
    for number, (name, email) in enumerate(people()):
        first, _, last = name.partition(" ")
        yield "gsuser", {
            "Gsid": user_gsid(number), "Name": name, "FirstName": first, "LastName": last, "Email": email, "SFDCUserName": email,
            "IsActiveUser": True, "CreatedDate": since, "ModifiedDate": since,
        }  # fmt: skip
    for customer in company.customers:
        yield "company", company_document(company, customer)
        for renewal in customer.renewals:
            yield "gs_opportunity", renewal_document(customer, renewal)
        for place in range(len(customer.calls)):
            yield "call_to_action", _call(company, customer, place)


def company_document(company: Company, customer: Customer) -> Json:
    """A company; its revenue is what its running subscriptions cost a year. One in seven carries the short Salesforce id."""
    running = [s for s in customer.subscriptions if s.ended is None]
    coming = [r.closes for r in customer.renewals if not r.stage.startswith("Closed")]
    return {
        "Gsid": customer.gsid, "Name": customer.name, "SfdcAccountId": customer.crm[: 15 if customer.number % 7 == 3 else 18],
        "Industry": INDUSTRIES.get(customer.industry, "Other"), "CurrencyIsoCode": customer.entity.currency,
        "Arr": major(sum(s.annual(company.anchor) for s in running), customer.entity.places),
        "RenewalDate": min(coming).isoformat() if coming else None, "Stage": "Adopting" if running else "Churn",
        "Status": "Active" if running else "Churn", "ManagedAs": "Customer" if running else "Ex-customer",
        "OriginalContractDate": customer.joined.date().isoformat(), "Csm": user_gsid(customer.owner),
        "CreatedDate": millis(customer.joined), "ModifiedDate": millis(max(customer.joined, _touched(company, customer))),
    }  # fmt: skip


def _touched(company: Company, customer: Customer) -> dt.datetime:
    moments = [s.ended for s in customer.subscriptions if s.ended]
    moments += [change.at for s in customer.subscriptions for change in s.amendments]
    return max([m + dt.timedelta(hours=3) for m in moments if m < company.anchor - dt.timedelta(hours=3)] or [customer.joined])


def renewal_document(customer: Customer, renewal: Renewal) -> Json:
    """A renewal. While open the forecast counts, once closed the final amount."""
    target = major(renewal.target, customer.entity.places)
    closed, lost = renewal.stage.startswith("Closed"), renewal.stage == "Closed Lost"
    stages = {"Not Started": "Qualification", "In Progress": "Proposal", "On Hold": "Proposal"}
    return {
        "Gsid": renewal.gsid, "Name": renewal.name, "CompanyId": customer.gsid, "ExternalId": renewal.opportunity,
        "Type": "Renewal", "Stage": stages.get(renewal.stage, renewal.stage), "RenewalStage": renewal.stage,
        "CloseDate": renewal.closes.isoformat(), "TargetAmount": target, "ForecastAmount": None if closed else target,
        "FinalAmount": (Decimal(0) if lost else target) if closed else None, "CurrencyIsoCode": customer.entity.currency,
        "StartedDate__gc": renewal.started.isoformat() if renewal.started else None, "HoldReason__gc": renewal.hold_reason,
        "HoldReference__gc": None, "OwnerId": user_gsid(customer.owner), "Deleted": False,
        "CreatedDate": millis(renewal.created), "ModifiedDate": millis(renewal.touched),
    }  # fmt: skip


def _call(company: Company, customer: Customer, place: int) -> Json:
    name, kind, due, closed = customer.calls[place]
    created = min(due - dt.timedelta(days=14), company.anchor - dt.timedelta(hours=30))
    changed = due if closed and due < company.anchor else created
    return {
        "Gsid": gsid(seeded(company.seed, "call", customer.gsid, place), "1S01"), "Name": name, "CompanyId": customer.gsid,
        "EntityType": "COMPANY", "DueDate": millis(due), "IsClosed": closed, "IsImportant": kind == "Risk",
        "OwnerId": user_gsid(customer.owner), "PriorityId": "High" if kind == "Risk" else "Medium",
        "StatusId": "Closed Success" if closed else "New", "TypeId": kind,
        "ReasonId": "Renewal" if kind == "Renewal" else "Other", "CreatedDate": millis(created), "ModifiedDate": millis(changed),
    }  # fmt: skip
