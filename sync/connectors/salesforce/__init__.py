"""Salesforce: accounts, contracts and opportunities of the CRM, polled. We read only.

Truth is `SystemModstamp`: windows ordered by (stamp, id) that reach ten minutes back, because a row is stamped before its
transaction commits. `queryAll` brings the deleted rows too. A deleted account may be the loser of a merge; here it becomes a
tombstone, and the survivor comes as its own row.

Never: a write; a token sent to a host other than the connection's own.
"""

from __future__ import annotations

import datetime as dt
import hashlib

from revops.postings.changes import Change
from sync.connectors.salesforce import read as read_module
from sync.connectors.salesforce import translate as translate_module
from sync.vendor.contract import Call, Client, Config, Incoming, NotAuthentic, Operation, Receipt, Refused, Setting, Unreadable


class Salesforce:
    """See `sync.vendor.contract.Connector`."""

    slug = "salesforce"
    label = "Salesforce"
    role = "crm"
    settings: tuple[Setting, ...] = (
        Setting("client_id", "Consumer key", help="Of an external client app with the client credentials flow."),
        Setting("client_secret", "Consumer secret", sensitive=True),
        Setting("api_version", "API version", default="67.0"),
        Setting("currency", "Currency", required=False, help="Only for orgs without multiple currencies: their one."),
        Setting("legal_entity_field", "Field of the legal entity", required=False, default="Legal_Entity__c"),
        Setting(
            "same_customer_connection", "Other CRM", required=False, help="Slug of the connection whose ids the next field holds."
        ),
        Setting(
            "same_customer_field",
            "Field of the other CRM's id",
            required=False,
            help="An account that has a value here is that customer of the other connection, and makes no account of its own.",
        ),
        Setting("renewal_types", "Opportunity types that are renewals", default="Renewal", help="Separated by ;"),
    )
    streams = read_module.STREAMS
    operations: tuple[Operation, ...] = ()
    pushes = False
    content_types: tuple[str, ...] = ()

    def verify(self, incoming: Incoming, config: Config, now: dt.datetime) -> None:
        raise NotAuthentic("Salesforce is polled; it pushes nothing to us.", "no_push")

    def dedup_key(self, incoming: Incoming) -> str:
        raise Unreadable("Salesforce is polled; it pushes nothing to us.", "no_push")

    def content_digest(self, body: bytes) -> str:
        return hashlib.sha256(body).hexdigest()

    translate = staticmethod(translate_module.translate)
    pull = staticmethod(read_module.pull)
    read = staticmethod(read_module.read)
    check = staticmethod(read_module.check)

    # -- writing: not in this version --------------------------------------------------------------------------
    def compose(self, config: Config, key: str, change: Change) -> Call:
        raise Refused("Nothing is posted to Salesforce in this version.", "operation_unknown")

    def post(self, client: Client, config: Config, call: Call) -> Receipt:
        raise Refused("Nothing is posted to Salesforce in this version.", "operation_unknown")

    def find_posted(self, client: Client, config: Config, call: Call) -> Receipt | None:
        raise Refused("Nothing is posted to Salesforce in this version.", "operation_unknown")
