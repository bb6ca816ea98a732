"""Tallybook, a made-up biller: the smallest honest connector. It is read page by page, and pushes signed changes of invoices."""

from __future__ import annotations

from sync.vendor.contract import Connector, Setting
from tests.sync.connectors.tallybook import models, read, translate, verify

TALLYBOOK = Connector(
    slug="tallybook",
    label="Tallybook",
    role="billing",
    settings=(
        Setting("api_token", "API token", sensitive=True),
        Setting("webhook_secret", "Webhook secret", sensitive=True, signs=True),
    ),
    check=read.check,
    translate=translate.translate,
    reads=read,
    pushes=verify,
    objects=models.OBJECTS,
)
