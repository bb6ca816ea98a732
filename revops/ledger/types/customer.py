"""A customer as one system keeps it. Customers are tied to accounts: see `accounts.link`. `same_as` are customers of other
systems that it follows; `known_as` are those that follow it, where they refer to nobody themselves. One that neither refers to
another system's nor is named by one follows its `parent`, the customer of the same system that it is a part of. One that
was merged away is deleted and names the customer that it was merged into."""

from __future__ import annotations

from revops.ledger.object_type import Field, ObjectType, Owner, Role, Summary

TYPE = ObjectType(
    code="customer",
    label="Customer",
    fields={
        "name": Field("text"),
        "currency": Field("text"),
        "legal_entity": Field("text"),
        "status": Field("text", coded=True),
        "arr": Field("money", "ARR"),
        "renewal_on": Field("date"),
        "stage": Field("text", coded=True),
        "balance": Field("money"),
        "delinquent": Field("flag"),
        "owner_name": Field("text"),
    },
    roles={
        "same_as": Role(("customer",), "Same customer as"),
        "known_as": Role(("customer",), "Known elsewhere as"),
        "parent": Role(("customer",), "Part of"),
        "merged_into": Role(("customer",), "Merged into"),
    },
    owners=(
        Owner("billing", "Recurring revenue is what billing will invoice.", "arr"),
        Owner("erp", "Receivables are kept in the ERP.", "balance"),
        Owner("customer_success", "Customer success runs the renewal.", "renewal_on"),
        Owner("crm", "The CRM is the master of customer data."),
    ),
    headline=("arr",),
    summary=(Summary("customer_success", "arr", "ARR"), Summary("customer_success", "renewal_on", "Renewal")),
    position=10,
)
