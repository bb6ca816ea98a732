"""The connectors of this version, by slug. A connector is handed its configuration and the HTTP client and keeps no state.

Never: a connector that imports a model, Django, or another connector.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sync.connectors.gainsight import Gainsight
from sync.connectors.netsuite import NetSuite
from sync.connectors.salesforce import Salesforce
from sync.connectors.stripe import Stripe
from sync.vendor.contract import Connector

_ALL: tuple[Connector, ...] = (Salesforce(), Gainsight(), Stripe(), NetSuite())
CONNECTORS: Mapping[str, Connector] = MappingProxyType({connector.slug: connector for connector in _ALL})
