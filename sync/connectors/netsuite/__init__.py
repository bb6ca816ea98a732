"""Oracle NetSuite: the ERP's transactions, customers, accounting periods, exchange rates and subsidiaries; it takes our
credit memos.

Truth is SuiteQL, read by windows over `lastmodifieddate` that reach two hours back, keyed by (stamp, id). A hint from our
own SuiteScript only says where to look. Writes are create-only, under our key as external id.

NetSuite limits how many calls run at the same time (5 to 20 an account, shared by all integrations), not how many a minute: there
is no rate to declare, and a worker makes one call at a time.

Never: an offset over changing data; an update of a posted document.
"""

from __future__ import annotations

from sync.connectors.netsuite import check, declared, models, read, translate, verify, write
from sync.vendor.contract import READ_LAG, Connector, Setting
from sync.vendor.habits import HABIT_SETTINGS
from sync.vendor.references import BILLING_SETTINGS, CRM_SETTINGS

NETSUITE = Connector(
    slug="netsuite",
    label="Oracle NetSuite",
    role="erp",
    settings=(
        Setting("client_id", "Client id", help="Of the integration record, OAuth 2.0 client credentials."),
        Setting("certificate_id", "Certificate id", help="As NetSuite shows it after the certificate was uploaded."),
        Setting("private_key", "Private key", sensitive=True, steers=False, lines=6, help="The certificate's RSA key, PEM."),
        Setting(
            "webhook_secret", "Hint secret", sensitive=True, signs=True, help="Shared with the SuiteScript that sends hints."
        ),
        Setting("currency_ids", "Currency ids", help="ISO code = internal id, such as USD=1, EUR=2, JPY=3."),
        Setting(
            "one_world",
            "OneWorld",
            default="yes",
            choices=("yes", "no"),
            help="Whether the account has subsidiaries. Without them nothing of them is read or sent.",
        ),
        Setting("legal_entities", "Subsidiary codes", required=False, help="Internal id = our code, such as 1=US, 2=DE."),
        Setting(
            "books_of",
            "Books kept here",
            required=False,
            steers=False,
            help="Our codes of the companies. Empty: of every subsidiary.",
        ),
        Setting(
            "credit_item_id",
            "Item of credit memos",
            required=False,
            posts=True,
            help="Internal id of the item whose income account a credit memo reduces. Without it no credit memo is composed.",
        ),
        *(
            Setting(
                f"credit_{field}_id",
                f"{field.capitalize()} of credit memos",
                required=False,
                help="Internal id, where a credit memo needs one. Empty: none is sent.",
            )
            for field in write.SEGMENTS
        ),
        Setting(
            "time_zone",
            "Time zone of SuiteQL",
            default="UTC",
            steers=False,
            help="IANA name; compare one lastmodifieddate with the UI.",
        ),
        Setting("accounting_book", "Primary accounting book", default="1", steers=False),
        *CRM_SETTINGS,
        *BILLING_SETTINGS,
        *declared.SETTINGS,
        *HABIT_SETTINGS,
        Setting(READ_LAG, "Seconds until reads show a write", required=False, help="As measured. Empty: 30."),
    ),
    check=check.check,
    translate=translate.translate,
    reads=read,
    pushes=verify,
    writes=write,
    address="https://<account>.suitetalk.api.netsuite.com",
    objects=models.OBJECTS,
    stamp=translate.version,
)
