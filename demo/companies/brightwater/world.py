"""Brightwater Analytics, Inc.: one operating company whose systems are tied together by packaged connectors.

Salesforce's accounts and orders go to NetSuite, where `custentity_celigo_sfio_sf_id` holds the account's id. Stripe's own
connector posts its invoices, charges and credit notes there within minutes, with Stripe's ids as external ids, and writes
NetSuite's ids back into Stripe's metadata. Gainsight copies the CRM every night.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from demo.companies.chain import DAY, Chain
from demo.companies.erp import Document
from demo.companies.story import Json

NEW_YORK, CHICAGO = ZoneInfo("America/New_York"), ZoneInfo("America/Chicago")

SETTINGS = {
    "salesforce": {
        "connector": "salesforce",
        "settings": {
            "legal_entity_field": "", "erp_customer_field": "celigo_sfnsio__NetSuite_Id__c", "erp_connection": "netsuite",
        },
    },
    "gainsight": {
        "connector": "gainsight",
        "settings": {"crm_connection": "salesforce", "currency": "USD", "time_zone": "America/Chicago"},
    },
    "stripe": {
        "connector": "stripe",
        "settings": {
            "mode": "live", "crm_connection": "salesforce", "crm_id_key": "salesforce_account_id",
            "contract_number_key": "salesforce_contract_number", "erp_customer_key": "netsuite_customer_id",
            "erp_connection": "netsuite", "time_zone": "America/New_York",
        },
    },
    "netsuite": {
        "connector": "netsuite",
        "settings": {
            "crm_connection": "salesforce", "billing_connection": "stripe", "currency_ids": "USD=1, GBP=2, CAD=3",
            "legal_entities": "2=BW", "time_zone": "America/New_York", "credits_with_payment": "yes",
            "crm_id_field": "custentity_celigo_sfio_sf_id", "billing_id_field": "externalid",
        },
    },
}  # fmt: skip


class Brightwater(Chain):
    """Its systems, in one story."""

    prefix, zone, subsidiary, orders = "BW", NEW_YORK, "2", True
    abroad = ("USD", "USD", "USD", "GBP")

    def account_fields(self, customer: str, entity: str) -> Json:
        return {"celigo_sfnsio__NetSuite_Id__c": entity}

    def billing_metadata(self, account: str, entity: str) -> Json:
        return {"salesforce_account_id": account, "netsuite_customer_id": entity}

    def entity_columns(self, account: str, entity: str, customer: str) -> Json:
        return {"custentity_celigo_sfio_sf_id": account}

    def success_at(self, at: dt.datetime) -> dt.datetime:
        """The nightly job: 02:00 in Chicago."""
        local = at.astimezone(CHICAGO)
        run = local.replace(hour=2, minute=0, second=0, microsecond=0)
        return (run if run > local else run + DAY).astimezone(dt.UTC)

    def subscription_metadata(self, number: str, won: str) -> Json:
        return {"salesforce_contract_number": number, "salesforce_opportunity_id": won}

    def invoice_columns(self, invoice: str, number: str) -> Json:
        tranid = self.billing.objects[invoice]["number"]
        return {"externalid": invoice, "memo": f"Stripe: {invoice}", "tranid": tranid}

    def payment_columns(self, charge: str) -> Json:
        return {"externalid": charge, "memo": f"Stripe: {charge}"}

    def credit_columns(self, note: str) -> Json:
        return {"externalid": note, "memo": f"Stripe: {note}"}

    def when_posted(self, at: dt.datetime, invoice: str, document: Document) -> None:
        self.billing.synced(at, invoice, netsuite_invoice_id=document.id)
