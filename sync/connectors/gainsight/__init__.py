"""Gainsight CS: companies, renewals and calls to action; it takes a hold or a release of a renewal.

Truth is polling by `ModifiedDate`. The zone in which the vendor reads a filter value is not documented, so windows reach back
a day and go on by record id, which needs no clock at all. A rule's push is an unsigned hint: read again.

Never: an offset over changing data; an answer judged by its HTTP status alone; a bulk write.
"""

from __future__ import annotations

from sync.connectors.gainsight import models, read, translate, verify, write
from sync.vendor.contract import Connector, Rate, Setting
from sync.vendor.references import CRM_SETTINGS

GAINSIGHT = Connector(
    slug="gainsight",
    label="Gainsight CS",
    role="customer_success",
    settings=(
        Setting("client_id", "Client id", help="Of an M2M OAuth key."),
        Setting("client_secret", "Client secret", sensitive=True),
        Setting("hint_token", "Hint token", sensitive=True, help="The rule's header X-Gainsight-Token."),
        Setting("stage_on_hold_item", "Item id of stage On Hold", required=False, help="Starts with 1I00."),
        Setting("stage_in_progress_item", "Item id of stage In Progress", required=False, help="Starts with 1I00."),
        Setting("calls_per_minute", "Calls a minute", default="60", help="The tenant's 100 are shared with others."),
        Setting("currency", "Currency of the tenant", required=False, help="ISO code, where the tenant has one currency only."),
        Setting("time_zone", "Tenant time zone", default="UTC", help="IANA name; in which a date is a day."),
        *CRM_SETTINGS,
    ),
    check=read.check,
    translate=translate.translate,
    reads=read,
    pushes=verify,
    writes=write,
    rates=(Rate("minute", 60, setting="calls_per_minute"), Rate("day", 50_000, seconds=24 * 3600)),
    objects=models.OBJECTS,
)
