"""Oracle NetSuite: the ERP's transactions, customers, accounting periods, exchange rates and subsidiaries; it takes our
credit memos.

Truth is SuiteQL, read by windows over `lastmodifieddate` that reach two hours back, keyed by (stamp, id). A hint from our
own SuiteScript only says where to look. Writes are create-only, under our key as external id.

NetSuite limits how many calls run at the same time (5 to 20 an account, shared by all integrations), not how many a minute: there
is no rate to declare, and a worker makes one call at a time.

Never: an offset over changing data; an update of a posted document.
"""

from __future__ import annotations

from sync.connectors.netsuite import models, read, translate, verify, write
from sync.vendor.contract import Connector, Setting
from sync.vendor.references import BILLING_SETTING, CRM_SETTINGS

NETSUITE = Connector(
    slug="netsuite",
    label="Oracle NetSuite",
    role="erp",
    settings=(
        Setting("client_id", "Client id", help="Of the integration record, OAuth 2.0 client credentials."),
        Setting("certificate_id", "Certificate id", help="As NetSuite shows it after the certificate was uploaded."),
        Setting("private_key", "Private key", sensitive=True, help="The certificate's RSA key, PEM."),
        Setting("webhook_secret", "Hint secret", sensitive=True, help="Shared with the SuiteScript that sends hints."),
        Setting("currency_ids", "Currency ids", help="ISO code = internal id, such as USD=1, EUR=2, JPY=3."),
        Setting("legal_entities", "Subsidiary codes", required=False, help="Internal id = our code, such as 1=US, 2=DE."),
        Setting("books_of", "Books kept here", required=False, help="Our codes of the companies. Empty: of every subsidiary."),
        Setting("credit_item_id", "Item of credit memos", default="9001"),
        Setting("time_zone", "Time zone of SuiteQL", default="UTC", help="IANA name; compare one lastmodifieddate with the UI."),
        Setting("accounting_book", "Primary accounting book", default="1"),
        *CRM_SETTINGS,
        BILLING_SETTING,
        Setting(
            "contract_number_field",
            "Field of the contract number",
            required=False,
            help="Of transactions: otherrefnum (NetSuite's PO number) or a custom body field. Empty: no field holds it.",
        ),
        Setting(
            "order_annual_field",
            "Recurring amount a year of a sales order",
            required=False,
            help="foreignamount where the order's amount is that, or a custom body field. Empty: orders do not state it.",
        ),
        Setting("order_term_field", "Months of a sales order", required=False, help="A custom body field."),
    ),
    check=read.check,
    translate=translate.translate,
    reads=read,
    pushes=verify,
    writes=write,
    objects=models.OBJECTS,
)
