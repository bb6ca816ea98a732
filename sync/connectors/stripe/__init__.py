"""Stripe Billing: customers, subscriptions, invoices, pending prorations, payments and credit notes, as it bills them.

Truth arrives by signed webhook and, so that no hole stays, by the event log (30 days). The first pull lists every
collection. We read only: this version posts nothing to Stripe.

Never: a write; trust in the order of events (see `translate.version`).
"""

from __future__ import annotations

from sync.connectors.stripe import read, translate, verify
from sync.vendor.contract import Connector, Setting

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
    ),
    check=read.check,
    translate=translate.translate,
    reads=read,
    pushes=verify,
    models="sync.connectors.stripe.models",
)
