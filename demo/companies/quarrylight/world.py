"""Quarrylight Software, Inc.: two acquisitions, three people who key invoices each in their own way, and self-serve.

A script writes the CRM's id into Stripe's metadata in small letters. NetSuite's invoices are keyed by hand within three working
days, and say which of billing's they are in the memo or in the order number; charges alone come by a connector. Who has no
contract buys by the card, and all of these are one invoice a month in NetSuite.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from demo.companies.chain import DAY, Chain
from demo.companies.story import Json

CENTRAL = ZoneInfo("America/Chicago")
HOLIDAYS = (dt.date(2026, 11, 23), dt.date(2026, 11, 27))
"""Nobody keys from the first to the last of these days."""

NOTHING_KEYED = ", ".join(
    [*(f"2026-11-{day}" for day in range(23, 28)), *(f"2026-12-{day}" for day in range(21, 32)), "2027-01-01"]
)
"""Nobody keys on these days."""
SETTINGS = {
    "salesforce": {"connector": "salesforce", "settings": {"legal_entity_field": ""}},
    "gainsight": {
        "connector": "gainsight",
        "settings": {"crm_connection": "salesforce", "currency": "USD", "time_zone": "America/Chicago"},
    },
    "stripe": {
        "connector": "stripe",
        "settings": {
            "mode": "live", "crm_connection": "salesforce", "crm_id_key": "sfid", "contract_number_key": "",
            "erp_customer_key": "netsuite_customer_id", "erp_connection": "netsuite", "time_zone": "America/Chicago",
        },
    },
    "netsuite": {
        "connector": "netsuite",
        "settings": {
            "crm_connection": "salesforce", "billing_connection": "stripe", "currency_ids": "USD=1, CAD=3", "one_world": "no",
            "legal_entities": "", "time_zone": "America/Chicago", "crm_id_field": "none", "posting_days": "business days",
            "posting_takes_days": "3", "posting_zone": "America/Chicago", "holidays": NOTHING_KEYED,
            "billing_customer_field": "externalid", "billing_id_field": "memo", "billing_id_form": "stripe {id}, Stripe inv {id}",
        },
    },
}  # fmt: skip


class Quarrylight(Chain):
    """Its systems, in one story."""

    prefix, zone = "QL", CENTRAL
    lock_on, close_on = 10, 10

    def billing_metadata(self, account: str, entity: str) -> Json:
        return {"sfid": account.lower(), "netsuite_customer_id": entity}

    def entity_columns(self, account: str, entity: str, customer: str) -> Json:
        return {"externalid": customer}

    def subscription_metadata(self, number: str, won: str) -> Json:
        return {}

    def posted_at(self, finalized: dt.datetime) -> dt.datetime:
        """In the afternoon of the next day on which somebody keys."""
        return keyed_after(finalized, 1) + self.draw.minutes(0, 15)

    def invoice_columns(self, invoice: str, number: str) -> Json:
        told = str(self.billing.objects[invoice]["number"])
        return {"memo": f"stripe {invoice}", "otherrefnum": told.replace("-", "") if self.draw.happens(30) else told}

    def payment_columns(self, charge: str) -> Json:
        return {"externalid": charge}

    def credit_columns(self, note: str) -> Json:
        return {"memo": f"stripe {note}"}


def keyed_after(at: dt.datetime, days: int) -> dt.datetime:
    """15:00 in Chicago on that many working days after."""
    day = at.astimezone(CENTRAL).replace(hour=15, minute=0, second=0, microsecond=0)
    while days:
        day += DAY
        days -= day.weekday() < 5 and not HOLIDAYS[0] <= day.date() <= HOLIDAYS[1]
    return day.astimezone(dt.UTC)
