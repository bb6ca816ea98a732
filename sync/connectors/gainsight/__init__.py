"""Gainsight CS: companies, renewals and calls to action; it takes a hold or a release of a renewal.

Truth is polling by `ModifiedDate`. The zone in which the vendor reads a filter value is not documented, so windows reach back
a day and go on by record id, which needs no clock at all. A rule's push is an unsigned hint: read again.

Never: an offset over changing data; an answer judged by its HTTP status alone; a bulk write.
"""

from __future__ import annotations

from collections.abc import Iterator

from sync.connectors.gainsight import models, read, translate, verify, write
from sync.connectors.gainsight.models import CRM_ID_FIELD, FIELD, RENEWAL_STAGE
from sync.vendor.contract import READ_LAG, Client, Config, Connector, Probed, Rate, Setting
from sync.vendor.references import CRM_SETTINGS, judge_places, judge_words

OWN_FIELD = "API name of a field that your administrator made on GS Opportunity, such as {}. Empty: there is none."


def probe(client: Client, config: Config) -> Iterator[Probed]:
    """Each stream, and what a hold and a release need."""
    yield from read.probe(client, config)
    yield from write.probe(client, config)


GAINSIGHT = Connector(
    slug="gainsight",
    label="Gainsight CS",
    role="customer_success",
    settings=(
        Setting("client_id", "Client id", help="Of an M2M OAuth key."),
        Setting("client_secret", "Client secret", sensitive=True, steers=False),
        Setting("hint_token", "Hint token", sensitive=True, signs=True, help="The rule's header X-Gainsight-Token."),
        Setting("stage_on_hold_item", "Item id of stage On Hold", required=False, help="Starts with 1I00."),
        Setting("stage_in_progress_item", "Item id of stage In Progress", required=False, help="Starts with 1I00."),
        Setting("hold_reason_field", "Field of the hold's reason", required=False, help=OWN_FIELD.format("HoldReason__gc")),
        Setting(
            "hold_reference_field", "Field of the hold's reference", required=False, help=OWN_FIELD.format("HoldReference__gc")
        ),
        Setting(
            "started_field",
            "Field of the day the renewal was started",
            required=False,
            steers=False,
            help=OWN_FIELD.format("StartedDate__gc"),
        ),
        Setting(
            "calls_per_minute", "Calls a minute", default="60", steers=False, help="The tenant's 100 are shared with others."
        ),
        Setting(
            "currency",
            "Currency of the tenant",
            required=False,
            steers=False,
            help="ISO code, where the tenant has one currency only.",
        ),
        Setting("time_zone", "Tenant time zone", default="UTC", steers=False, help="IANA name; in which a date is a day."),
        Setting(
            "crm_id_field",
            "Field of the CRM's id of a company",
            required=False,
            steers=False,
            default=CRM_ID_FIELD,
            maps=True,
            judge=judge_places(FIELD),
            help="API name of the company's field; none: no field holds it.",
        ),
        Setting(
            "arr_field",
            "Field of the recurring amount a year",
            required=False,
            steers=False,
            default="Arr",
            maps=True,
            judge=judge_places(FIELD),
            help="API name of the company's field, such as ARR_USD__gc; none: no field holds it.",
        ),
        Setting(
            "renewal_date_field",
            "Field of the renewal date",
            required=False,
            steers=False,
            default="RenewalDate",
            maps=True,
            judge=judge_places(FIELD),
            help="API name of the company's field, such as Renewal_On__gc; none: no field holds it.",
        ),
        Setting(
            "stage_words",
            "Words of a renewal's stage",
            required=False,
            judge=judge_words(frozenset(RENEWAL_STAGE.values())),
            help="The tenant's own labels for not_started, in_progress, on_hold, won and lost, such as Verbal=in_progress.",
        ),
        Setting(READ_LAG, "Seconds until reads show a write", required=False, help="As measured. Empty: 60."),
        *CRM_SETTINGS,
    ),
    check=read.check,
    probe=probe,
    translate=translate.translate,
    reads=read,
    pushes=verify,
    writes=write,
    rates=(Rate("minute", 60, setting="calls_per_minute"), Rate("day", 50_000, seconds=24 * 3600)),
    address="https://<tenant>.gainsightcloud.com",
    objects=models.OBJECTS,
    stamp=translate.version,
)
