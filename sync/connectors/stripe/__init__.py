"""Stripe Billing: customers, subscriptions, invoices, pending prorations, payments and credit notes, as it bills them.

Truth arrives by signed webhook and, so that no hole stays, by the event log (30 days). The first pull lists every
collection. We read only: this version posts nothing to Stripe.

Never: a write; trust in the order of events (see `translate.version`).
"""

from __future__ import annotations

from revops.postings.changes import Change
from sync.connectors.stripe import read as read_module
from sync.connectors.stripe import translate as translate_module
from sync.connectors.stripe import verify as verify_module
from sync.vendor.contract import Call, Client, Config, Operation, Receipt, Refused, Setting
from sync.vendor.references import CRM_SETTINGS


class Stripe:
    """See `sync.vendor.contract.Connector`."""

    slug = "stripe"
    label = "Stripe Billing"
    role = "billing"
    settings: tuple[Setting, ...] = (
        Setting("api_key", "Restricted API key", sensitive=True, help="Starts with rk_; read access is enough."),
        Setting(
            "webhook_secret",
            "Webhook signing secrets",
            sensitive=True,
            help="Starts with whsec_. While a secret is being rolled, give both with a space between.",
        ),
        Setting("mode", "Mode", default="test", help="test or live. Events of the other mode are refused."),
        Setting("account", "Account id", required=False, help="acct_..., when events of connected accounts may come in."),
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
    )
    streams = read_module.STREAMS
    operations: tuple[Operation, ...] = ()
    pushes = True
    content_types: tuple[str, ...] = ("application/json",)

    verify = staticmethod(verify_module.verify)
    dedup_key = staticmethod(verify_module.dedup_key)
    content_digest = staticmethod(verify_module.content_digest)
    translate = staticmethod(translate_module.translate)
    pull = staticmethod(read_module.pull)
    read = staticmethod(read_module.read)
    check = staticmethod(read_module.check)

    # -- writing: not in this version --------------------------------------------------------------------------
    def compose(self, config: Config, key: str, change: Change) -> Call:
        raise Refused("Nothing is posted to Stripe in this version.", "operation_unknown")

    def post(self, client: Client, config: Config, call: Call) -> Receipt:
        raise Refused("Nothing is posted to Stripe in this version.", "operation_unknown")

    def find_posted(self, client: Client, config: Config, call: Call) -> Receipt | None:
        raise Refused("Nothing is posted to Stripe in this version.", "operation_unknown")
