"""Gainsight CS: companies, renewals and calls to action; it takes a hold or a release of a renewal.

Truth is polling by `ModifiedDate`. The zone in which the vendor reads a filter value is not documented, so windows reach back
a day and go on by record id, which needs no clock at all. A rule's push is an unsigned hint: read again.

Never: an offset over changing data; an answer judged by its HTTP status alone; a bulk write.
"""

from __future__ import annotations

from sync.connectors.gainsight import read as read_module
from sync.connectors.gainsight import translate as translate_module
from sync.connectors.gainsight import verify as verify_module
from sync.connectors.gainsight import write as write_module
from sync.vendor.contract import Setting
from sync.vendor.references import CRM_SETTINGS


class Gainsight:
    """See `sync.vendor.contract.Connector`."""

    slug = "gainsight"
    label = "Gainsight CS"
    role = "customer_success"
    settings: tuple[Setting, ...] = (
        Setting("client_id", "Client id", help="Of an M2M OAuth key."),
        Setting("client_secret", "Client secret", sensitive=True),
        Setting("hint_token", "Hint token", sensitive=True, help="The rule's header X-Gainsight-Token."),
        Setting("stage_on_hold_item", "Item id of stage On Hold", required=False, help="Starts with 1I00."),
        Setting("stage_in_progress_item", "Item id of stage In Progress", required=False, help="Starts with 1I00."),
        Setting("calls_per_minute", "Calls a minute", default="60", help="The tenant's 100 are shared with others."),
        Setting("currency", "Currency of the tenant", required=False, help="ISO code, where the tenant has one currency only."),
        Setting("time_zone", "Tenant time zone", default="UTC", help="IANA name; in which a date is a day."),
        *CRM_SETTINGS,
    )
    streams = read_module.STREAMS
    operations = write_module.OPERATIONS
    pushes = True
    content_types: tuple[str, ...] = ("application/json",)

    verify = staticmethod(verify_module.verify)
    dedup_key = staticmethod(verify_module.dedup_key)
    content_digest = staticmethod(verify_module.content_digest)
    translate = staticmethod(translate_module.translate)
    pull = staticmethod(read_module.pull)
    read = staticmethod(read_module.read)
    check = staticmethod(read_module.check)
    compose = staticmethod(write_module.compose)
    post = staticmethod(write_module.post)
    find_posted = staticmethod(write_module.find_posted)
