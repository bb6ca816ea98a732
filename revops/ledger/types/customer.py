"""A customer as one system keeps it. Customers are tied to accounts: see `accounts.link`."""

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
    roles={"same_as": Role(("customer",), "Same customer as")},
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
