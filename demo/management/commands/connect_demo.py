"""`manage.py connect_demo`: connect the four simulators of the rehearsal company. REVOPS_DEMO=1 only."""

from __future__ import annotations

import argparse
import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from demo.simulators.netsuite.tokens import demo_private_key_pem
from revops.errors import Rejected
from revops.people.actors import System
from sync.connections import change_connection, client_for, config_of, connect, connector_of
from sync.connectors.gainsight.auth import Session
from sync.connectors.gainsight.objects import metadata
from sync.models import Connection
from sync.vendor.contract import ConnectorAnswer

VENDORS = ("salesforce", "gainsight", "stripe", "netsuite")
ACTOR = System("demo")


def values_for(vendor: str, webhook_secret: str) -> dict[str, str]:
    """The settings with which a vendor's simulator is reached. They are published, and guard made-up data only."""
    return {
        "salesforce": {
            "client_id": "rehearsal-consumer-key", "client_secret": "rehearsal-consumer-secret",
            "legal_entity_field": "Legal_Entity__c",
        },
        "gainsight": {
            "client_id": "demo-client-id", "client_secret": "demo-client-secret", "hint_token": webhook_secret,
            "crm_connection": "salesforce", "hold_reason_field": "HoldReason__gc",
            "hold_reference_field": "HoldReference__gc", "started_field": "StartedDate__gc",
        },
        "stripe": {
            "api_key": "sk_test_rehearsal", "webhook_secret": webhook_secret, "mode": "test", "calls_per_second": "1000",
            "crm_connection": "salesforce", "crm_id_key": "salesforce_account_id", "contract_number_key": "contract_number",
        },
        "netsuite": {
            "client_id": "demo-client-id", "certificate_id": "demo-certificate", "private_key": demo_private_key_pem(),
            "webhook_secret": webhook_secret, "currency_ids": "USD=1, EUR=2, JPY=3", "legal_entities": "1=US, 2=DE, 3=JP",
            "credit_item_id": "9001",
            # What this company keeps where: contract numbers in the PO field, the amount of a year as the amount of an order.
            "crm_connection": "salesforce", "billing_connection": "stripe", "contract_number_field": "otherrefnum",
            "order_annual_field": "foreignamount",
        },
    }[vendor]  # fmt: skip


class Command(BaseCommand):
    help = "Connect the rehearsal company's four simulators; addresses that changed are updated (REVOPS_DEMO=1 only)."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        told = "otherwise REVOPS_SIM_STRIPE_URL and so on"
        parser.add_argument("--urls", nargs="*", default=[], metavar="VENDOR=URL", help=told)

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.REVOPS_DEMO:
            raise CommandError("connect_demo allows connections to this machine itself: only with REVOPS_DEMO=1.")
        given = dict(pair.split("=", 1) for pair in options["urls"] if "=" in pair)
        for vendor in VENDORS:
            variable = f"REVOPS_SIM_{vendor.upper()}_URL"
            url = given.get(vendor) or os.environ.get(variable, "")
            if not url:
                raise CommandError(f"Say where the {vendor} simulator is: {vendor}=http://127.0.0.1:PORT, or set {variable}.")
            secret = os.environ.get(f"REVOPS_SIM_{vendor.upper()}_SECRET", f"rehearsal-{vendor}-secret")
            try:
                self.stdout.write(f"{vendor:<11} {self._connect(vendor, url, secret)}")
            except (Rejected, ConnectorAnswer) as refused:
                raise CommandError(f"{vendor}: {refused}") from None

    def _connect(self, vendor: str, url: str, secret: str) -> str:
        connection = Connection.objects.filter(pk=vendor).first()
        values = values_for(vendor, secret)
        if connection is None:
            connection = connect(slug=vendor, vendor=vendor, base_url=url, values=values, acting_user=ACTOR, started=True)
        elif connection.base_url != url:
            connection = change_connection(vendor, base_url=url, values=values, acting_user=ACTOR)
        elif lacking := _lacking(connection, values):
            connection = change_connection(vendor, values=lacking, acting_user=ACTOR)
        if vendor == "gainsight" and not connection.settings.get("stage_on_hold_item"):
            connection = change_connection(vendor, values=_stage_items(connection), acting_user=ACTOR)
        with client_for(connection) as client:
            return connector_of(connection).check(client, config_of(connection))


def _lacking(connection: Connection, values: dict[str, str]) -> dict[str, str]:
    """The settings that it was never given: its connector did not have them yet, or had a default."""
    public = {setting.name for setting in connector_of(connection).settings if not setting.sensitive}
    return {name: value for name, value in values.items() if name in public - connection.settings.keys()}


def _stage_items(connection: Connection) -> dict[str, str]:
    """The pick-list items of the renewal stages: every tenant has its own, so they are asked for."""
    with client_for(connection) as client:
        items = metadata(Session(client, config_of(connection)), "gs_opportunity").items
    by_label = {label: item for item, label in items.get("RenewalStage", {}).items()}
    try:
        return {"stage_on_hold_item": by_label["On Hold"], "stage_in_progress_item": by_label["In Progress"]}
    except KeyError as missing:
        raise CommandError(f"Gainsight lists no renewal stage {missing}.") from None
