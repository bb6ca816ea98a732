"""Stripe Billing: customers, subscriptions, invoices, pending prorations, payments and credit notes, as it bills them.

Truth arrives by signed webhook and, so that no hole stays, by the event log (30 days). The first pull lists every
collection. A payment is what one payment intent or payment record pays, which may be several invoices. We read only: this
version posts nothing to Stripe.

Never: a write; trust in the order of events (see `envelope.version`).
"""

from __future__ import annotations

from sync.connectors.stripe import envelope, ids, models, read, translate, verify
from sync.vendor.contract import Connector, Rate, Setting
from sync.vendor.references import CRM_SETTINGS, ERP_CONNECTION, form_setting

STRIPE = Connector(
    slug="stripe",
    label="Stripe Billing",
    role="billing",
    settings=(
        Setting("api_key", "Restricted API key", sensitive=True, help="Starts with rk_; read access is enough."),
        Setting(
            "webhook_secret",
            "Webhook signing secret",
            sensitive=True,
            signs=True,
            help="Starts with whsec_.",
        ),
        Setting("mode", "Mode", default="test", choices=("test", "live"), help="Events of the other mode are refused."),
        Setting("account", "Account id", required=False, help="acct_..., when events of connected accounts may come in."),
        Setting(
            "calls_per_second",
            "Calls a second",
            default="25",
            help="Stripe allows 25 to one endpoint, and 100 in all (a sandbox 25).",
        ),
        Setting(
            "time_zone",
            "Time zone of the account",
            required=False,
            default="UTC",
            steers=False,
            help="IANA name, as Stripe shows it under Settings; the dates on its invoices are days there.",
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
        form_setting("contract_number_form", "How the contract number is written", "What stands around it"),
        Setting(
            "legal_entity_key",
            "Metadata key of the legal entity",
            required=False,
            default="legal_entity",
            help="Under which key of a customer's metadata our code of the company stands. Empty: no metadata holds it.",
        ),
        Setting(
            "payment_charges",
            "Read the charges of payments",
            default="no",
            choices=("no", "yes"),
            steers=False,
            maps=True,
            help="Yes where another system names a payment by its charge (ch_, py_). The key then reads payment intents too.",
        ),
        ERP_CONNECTION,
        Setting(
            "erp_customer_key",
            "Metadata key of the ERP's customer",
            required=False,
            steers=False,
            help="Under which key of a customer's metadata the ERP's id of the customer stands. Empty: no metadata holds it.",
        ),
        form_setting("erp_customer_form", "How the ERP's id of a customer is written", "What stands around it"),
    ),
    check=read.check,
    probe=read.probe,
    translate=translate.translate,
    reads=read,
    pushes=verify,
    rates=(Rate("second", 25, seconds=1, setting="calls_per_second"),),
    address="https://api.stripe.com",
    objects=models.OBJECTS,
    type_of_id=ids.type_of_id,
    stamp=envelope.stamp,
)
