"""Salesforce: accounts, contracts and opportunities of the CRM, polled. We read only.

Truth is `SystemModstamp`: windows ordered by (stamp, id) that reach ten minutes back, because a row is stamped before its
transaction commits. `queryAll` brings the deleted rows too. A deleted account may be the loser of a merge; here it becomes a
tombstone, and the survivor comes as its own row.

Which fields an org has and shows us is asked of describe; what is not there is left out, and said when the connection is tried.

The daily total of calls depends on edition and licences, and is not published in one place: it is a setting.

Never: a write; a token sent to a host other than the connection's own.
"""

from __future__ import annotations

from sync.connectors.salesforce import declared, ids, models, read, translate
from sync.vendor.contract import Connector, Rate, Setting

SALESFORCE = Connector(
    slug="salesforce",
    label="Salesforce",
    role="crm",
    settings=(
        Setting("client_id", "Consumer key", help="Of an external client app with the client credentials flow."),
        Setting("client_secret", "Consumer secret", sensitive=True, steers=False),
        Setting("api_version", "API version", default="67.0"),
        Setting(
            "calls_per_day",
            "Calls a day",
            default="100000",
            help="Of the org's total, which others share: Setup, System Overview.",
        ),
        Setting("currency", "Currency", required=False, help="Only for orgs without multiple currencies: their one."),
        Setting(
            "legal_entity_field",
            "Field of the legal entity",
            required=False,
            maps=True,
            help="API name of the account's field, such as Legal_Entity__c. Empty: no field of an account says it.",
        ),
        Setting(
            "same_customer_connection",
            "Other CRM",
            required=False,
            names_connection=True,
            help="Name of the connection whose ids the next field holds.",
        ),
        Setting(
            "same_customer_field",
            "Field of the other CRM's id",
            required=False,
            maps=True,
            help="An account that has a value here is that customer of the other connection, and makes no account of its own.",
        ),
        *declared.SETTINGS,
        Setting("renewal_types", "Opportunity types that are renewals", default="Renewal", help="Separated by ;"),
    ),
    check=read.check,
    probe=read.probe,
    translate=translate.translate,
    reads=read,
    rates=(Rate("day", 100_000, seconds=24 * 3600, setting="calls_per_day"),),
    address="https://<domain>.my.salesforce.com",
    objects=models.OBJECTS,
    id_form=ids.full,
    stamp=translate.iso,
)
