"""What the connector tests share: a vendor's simulator as its own process, and a connector that talks to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from revops.ledger.facts import Fact
from revops.money import Money
from revops.postings.changes import CreateCreditMemo
from revops.reference import Ref
from sync.connectors import CONNECTORS, ID_FORMS, ID_TYPES
from sync.vendor.contract import Config, Connector, Incoming, Item, Page
from sync.vendor.http import HttpClient, Limits
from tests.demo.simulators.control import Control, simulator
from tests.sync.connectors.listed import ListedClient
from tests.sync.connectors.tallybook import TALLYBOOK

NETSUITE_KEY = "SIMULATED"  # replaced by the simulator's own demo key
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "stripe": {
        "api_key": "sk_test_rehearsal",
        "webhook_secret": "whsec_rehearsal",
        "mode": "test",
        "crm_connection": "crm",
        "contract_number_key": "contract_number",
    },
    "netsuite": {
        "client_id": "demo-client-id",
        "certificate_id": "demo-certificate",
        "private_key": NETSUITE_KEY,
        "webhook_secret": "demo-netsuite-hint-secret",
        "currency_ids": "USD=1, EUR=2, JPY=3",
        "legal_entities": "1=US, 2=DE, 3=JP",
        "credit_item_id": "9001",
        "crm_connection": "crm",
        "billing_connection": "billing",
        "contract_number_field": "otherrefnum",
        "order_annual_field": "foreignamount",
    },
    "gainsight": {
        "client_id": "demo-client-id",
        "client_secret": "demo-client-secret",
        "hint_token": "demo-gainsight-hint-token",
        "crm_connection": "crm",
        "hold_reason_field": "HoldReason__gc",
        "hold_reference_field": "HoldReference__gc",
        "started_field": "StartedDate__gc",
    },
    "tallybook": {"api_token": "tally-token", "webhook_secret": "tally-secret"},
    "salesforce": {
        "client_id": "rehearsal-consumer-key",
        "client_secret": "rehearsal-consumer-secret",
        "legal_entity_field": "Legal_Entity__c",
    },
}
EVERY: Mapping[str, Connector] = {**CONNECTORS, TALLYBOOK.slug: TALLYBOOK}
"""The product's connectors, and the smallest one, which lives in these tests."""
FAST = Limits(connect_seconds=2, read_seconds=3, total_seconds=6, attempts=2)


def a_credit_memo(system: str) -> CreateCreditMemo:
    """A change that most vendors are not asked for."""
    day = dt.date(2026, 3, 10)
    return CreateCreditMemo(Ref(system, "invoice", "1"), Ref(system, "customer", "1"), Money(Decimal("1.00"), "EUR"), day)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass
class Talk:
    """One connector with the client of one running simulator, and the simulator's control API."""

    connector: Connector
    config: Config
    client: HttpClient
    control: Control

    def pull(self, stream: str, watermark: str = "") -> list[Page]:
        return list(self.connector.reading().pull(self.client, self.config, stream, watermark, now()))

    def items(self, stream: str, watermark: str = "") -> list[Item]:
        return [item for page in self.pull(stream, watermark) for item in page.items]

    def facts(self, stream: str, watermark: str = "") -> dict[tuple[str, str], Fact]:
        """Every fact of a pull, by (type, id)."""
        return {(fact.object_type, fact.external_id): fact for item in self.items(stream, watermark) for fact in self.said(item)}

    def said(self, item: Item) -> Sequence[Fact]:
        incoming = Incoming(item.kind, item.body, received_at=now(), object_type=item.object_type)
        return [fact for fact in self.connector.translate(incoming, self.config) if isinstance(fact, Fact)]

    def read(self, object_type: str, external_id: str) -> Fact | None:
        item = self.connector.reading().read(self.client, self.config, object_type, external_id)
        return next(iter(self.said(item))) if item is not None else None

    def effects(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control.get("effects")
        return found

    def calls(self, method: str, path: str) -> int:
        """How many requests the simulator received whose path contains `path`."""
        return sum(1 for call in self.control.get("requests") if call["method"] == method and path in call["path"])


@contextmanager
def talking(vendor: str, folder: Path, **settings: str) -> Iterator[Talk]:
    """A simulator process, and the connector of that vendor pointed at it; it makes no request that `docs/vendor_calls.md` does
    not list."""
    values = {**SETTINGS[vendor], **settings}
    if values.get("private_key") == NETSUITE_KEY:
        from demo.simulators.netsuite.tokens import demo_private_key_pem

        values["private_key"] = demo_private_key_pem()
    connector = CONNECTORS[vendor]
    defaults = {setting.name: setting.default for setting in connector.settings if setting.default}
    with simulator(vendor, folder) as control:
        config = Config(f"{vendor}-{uuid4().hex[:8]}", control.url, {**defaults, **values}, ID_FORMS, id_types=ID_TYPES)
        with ListedClient(config, allow_loopback=True, limits=FAST) as client:
            client.vendor = vendor
            yield Talk(connector, config, client, control)
