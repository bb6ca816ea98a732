"""The connectors of this version, by slug. A connector is handed its configuration and the HTTP client and keeps no state.

Never: a connector that imports a row, Django, or another connector.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sync.connectors.gainsight import GAINSIGHT
from sync.connectors.netsuite import NETSUITE
from sync.connectors.salesforce import SALESFORCE
from sync.connectors.stripe import STRIPE
from sync.vendor.contract import Connector

_ALL: tuple[Connector, ...] = (SALESFORCE, GAINSIGHT, STRIPE, NETSUITE)
CONNECTORS: Mapping[str, Connector] = MappingProxyType({connector.slug: connector for connector in _ALL})
