"""Ferrobyte Controls LLC: fields of its own everywhere, two integrators of which one is dead, and batches.

The CRM's id stands in Stripe's metadata in 15 characters, in NetSuite behind a prefix. A contract's number is spelt four ways.
What billing's id of a NetSuite invoice is, a custom body field says behind a prefix; the external id is only a batch's key.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from demo.companies.chain import DAY, HOUR, MINUTE, Chain
from demo.companies.crm import day_ms
from demo.companies.story import Json

PACIFIC = ZoneInfo("America/Los_Angeles")

SETTINGS = {
    "salesforce": {
        "connector": "salesforce",
        "settings": {"legal_entity_field": "", "subscription_field": "Billing_Sub_Id__c"},
    },
    "gainsight": {
        "connector": "gainsight",
        "settings": {
            "crm_connection": "salesforce", "currency": "USD", "time_zone": "America/Chicago", "arr_field": "ARR_USD__gc",
            "renewal_date_field": "Renewal_On__gc",
        },
    },
    "stripe": {
        "connector": "stripe",
        "settings": {
            "mode": "live", "crm_connection": "salesforce", "crm_id_key": "fx_crm", "contract_number_key": "fx_ctr",
            "contract_number_form": "C{id}",
            "time_zone": "America/Los_Angeles",
        },
    },
    "netsuite": {
        "connector": "netsuite",
        "settings": {
            "crm_connection": "salesforce", "billing_connection": "stripe", "currency_ids": "USD=1", "one_world": "no",
            "legal_entities": "", "time_zone": "America/Los_Angeles", "posting_days": "business days",
            "posting_zone": "America/Los_Angeles", "crm_id_field": "custentity_sfdc_account",
            "crm_id_pattern": "SFDC:{id}",
            "billing_id_field": "custbody_bill_key", "billing_id_form": "ST|{id}",
            "contract_number_field": "custbody_ctr_no",
        },
    },
}  # fmt: skip


class Ferrobyte(Chain):
    """Its systems, in one story."""

    prefix, zone = "FB", PACIFIC
    lock_on, close_on = 6, 6

    def account_fields(self, customer: str, entity: str) -> Json:
        return {}

    def billing_metadata(self, account: str, entity: str) -> Json:
        return {"fx_crm": account[:15], "fx_erp": self._number_of(entity)}

    def _number_of(self, entity: str) -> str:
        """The ERP's number of a customer, which is not its id."""
        return str(int(entity) + 4930)

    def entity_columns(self, account: str, entity: str, customer: str) -> Json:
        prefix = "sfdc:" if self.draw.happens(10) else "SFDC:"
        return {"entityid": self._number_of(entity), "custentity_sfdc_account": prefix + account[:15]}

    def success_fields(self, arr: int, renewal: dt.date | None) -> Json:
        """The standard fields hold what was true in 2021."""
        return {
            "ARR_USD__gc": arr, "Renewal_On__gc": day_ms(renewal), "Arr": 1200, "RenewalDate": day_ms(dt.date(2021, 12, 31)),
            "Stage": "1I00LIVE",
        }  # fmt: skip

    def success_id(self, account: str) -> str:
        return account[:15]

    def contract_fields(self, annual: int) -> Json:
        return {"Billing_Sub_Id__c": None}

    def subscription_metadata(self, number: str, won: str) -> Json:
        return {"fx_ctr": f"C{int(number)}"} if number else {}

    def when_subscribed(self, at: dt.datetime, contract: str, subscription: str) -> None:
        self.crm.change(at, contract, Billing_Sub_Id__c=subscription)

    def posted_at(self, finalized: dt.datetime) -> dt.datetime:
        """The next batch: 20 minutes past the hour, from 06:20 to 22:20 Pacific, on working days."""
        return next_batch(finalized) + self.draw.seconds(20, 240)

    def invoice_columns(self, invoice: str, number: str) -> Json:
        series = self.draw.number("batch", 10, 3)
        told = self.billing.objects[invoice]["number"]
        return {
            "externalid": f"B2026-{series:04d}-{self.draw.between(1, 31):02d}", "memo": f"{told} renewal",
            "custbody_bill_key": f"ST|{invoice}", "custbody_ctr_no": str(int(number)) if number else None,
            "otherrefnum": str(4_500_230_000 + self.draw.between(0, 999)),
        }  # fmt: skip

    def payment_columns(self, charge: str) -> Json:
        return {"memo": "card"}

    def credit_columns(self, note: str) -> Json:
        return {"custbody_bill_key": f"ST|{note}"}


def next_batch(at: dt.datetime) -> dt.datetime:
    """The first batch after that moment."""
    local = at.astimezone(PACIFIC)
    run = local.replace(minute=20, second=0, microsecond=0)
    while run <= local or not 6 <= run.hour <= 22 or run.weekday() >= 5:
        run += HOUR
    return run.astimezone(dt.UTC)


def night(at: dt.datetime) -> dt.datetime:
    """01:00 Pacific after that moment: wires are told to billing."""
    local = at.astimezone(PACIFIC)
    run = local.replace(hour=1, minute=0, second=0, microsecond=0)
    return (run if run > local else run + DAY).astimezone(dt.UTC) + MINUTE
