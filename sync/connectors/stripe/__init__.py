"""Stripe Billing: customers, subscriptions, invoices, pending prorations, payments and credit notes, as it bills them.

Truth arrives by signed webhook and, so that no hole stays, by the event log (30 days). The first pull lists every
collection. We read only: this version posts nothing to Stripe.

Never: a write; trust in the order of events (see `translate.version`).
"""

from __future__ import annotations

from sync.connectors.stripe import models, read, translate, verify
from sync.vendor.contract import Connector, Rate, Setting
from sync.vendor.references import CRM_SETTINGS

STRIPE = Connector(
    slug="stripe",
    label="Stripe Billing",
    role="billing",
    settings=(
        Setting("api_key", "Restricted API key", sensitive=True, help="Starts with rk_; read access is enough."),
        Setting(
            "webhook_secret",
            "Webhook signing secrets",
            sensitive=True,
            help="Starts with whsec_. While a secret is being rolled, give both with a space between.",
        ),
        Setting("mode", "Mode", default="test", help="test or live. Events of the other mode are refused."),
        Setting("account", "Account id", required=False, help="acct_..., when events of connected accounts may come in."),
        Setting(
            "calls_per_second",
            "Calls a second",
            default="25",
            help="Stripe allows 25 to one endpoint, and 100 in all (a sandbox 25).",
        ),
        *CRM_SETTINGS,
        Setting(
            "crm_id_key",
            "Metadata key of the CRM's id",
            required=False,
            default="salesforce_account_id",
            help="Under which key of a customer's metadata the CRM's id of the customer stands.",
        ),
        Setting(
            "contract_number_key",
            "Metadata key of the contract number",
            required=False,
            help="Of subscriptions and invoices. Empty: no metadata holds a contract number.",
        ),
    ),
    check=read.check,
    translate=translate.translate,
    reads=read,
    pushes=verify,
    rates=(Rate("second", 25, seconds=1, setting="calls_per_second"),),
    objects=models.OBJECTS,
)
